"""The command line: help, errors, names. Needs no helper, no rootfs and no network."""
import json
import os
import re
import platform

from support import tap
from support.terminal import Terminal
from support.world import Case, Home, play

COMMANDS = ["create", "check", "list", "delete", "install", "uninstall", "upgrade", "lock", "export",
            "verify", "publish", "shell", "chroot", "run", "fstests", "bisect", "runs", "deps",
            "configurations", "kconfig", "profiles", "cache", "doctor", "policy", "audit", "mcp", "help"]

# Each command, and what its help must contain.
OPTIONS = {
    "create": ["--name", "--path", "--release", "--arch", "--profile", "--force", "--mirror",
               "--keyring", "--components", "--include", "--lock", "--dry-run", "--quiet"],
    "check": ["--name", "--path", "--deep"],
    "list": ["--json"],
    "delete": ["--name", "--path", "--yes"],
    "install": ["--name", "--path", "--mirror", "--dry-run", "PACKAGE…"],
    "uninstall": ["--name", "--path", "--mirror", "--dry-run", "PACKAGE…"],
    "upgrade": ["--name", "--path", "--check", "--security", "--rollback"],
    "lock": ["--name", "--path", "--output"],
    "export": ["--name", "--path", "--sbom", "--format", "--provenance", "--key"],
    "verify": ["--name", "--path", "--keyring", "--json"],
    "publish": ["--name", "--path", "--to", "--key", "--keep"],
    "bisect": ["--tree", "--good", "--bad", "--make", "--repeat", "--resume", "--json"],
    "shell": ["--name", "--path", "--user"],
    "run": ["--kernel", "--memory", "--cpus", "--rwdir", "--timeout", "--name", "--path"],
    "fstests": ["--kernel", "--fstests", "--mkfs-options", "--device-backing",
                "0 all passed; 1 some failed; 2 wrong command line; 3 the kernel crashed; 4 a test or the "
                "run took too long; 5 the tests could not be run; 130 interrupted".replace(" ", r"\s+")],
    "configurations": ["list", "show FS/NAME", "--json"],
    "kconfig": ["--configuration", "--check", "--json"],
    "profiles": ["list", "show PROFILE", "check FILE", "--json"],
    "cache": ["list", "verify", "prune", "export", "import", "--max-size", "--json"],
    "doctor": ["--ci", "--json"],
    "policy": [r"check \[FILE\]", "show", "seccomp", "--json"],
    "audit": ["show", "verify", "--json", "--last"],
}

BAD_NAMES = {
    "with a slash": "a/b",
    "that is ..": "..",
    "that is .": ".",
    "that begins with a dot": ".hidden",
    "that begins with a dash": "-rf",
    "with a newline": "a\nb",
    "of 300 bytes": "x" * 300,
    "of 65 bytes": "x" * 65,
    "that is empty": "",
    "with a space": "a b",
    "that is a path": "/etc",
    "with an escape sequence": "a\033[2J",
    "that is not ASCII": "ärger",
    "with a format": "%s%n",
}

CASES = [
    Case("without a command", [], 2, "usage: rootlet COMMAND"),
    Case("an unknown command", ["crate"], 2, 'no command "crate".*rootlet create'),
    Case("a command unlike any other", ["zzz"], 2, 'no command "zzz".*rootlet --help'),
    Case("an unknown command with an escape sequence", ["\033[2J"], 2, silent=["\033"]),
    Case("--version", ["--version"], 0, r"^rootlet \d"),
    Case("--help", ["--help"], 0, [*COMMANDS, "Exit status"]),
    Case("help of a command", ["help", "create"], 0, "usage: rootlet create"),
    Case("help of an unknown command", ["help", "zzz"], 2, 'no command "zzz"'),
]
FSTESTS = ["fstests", "--kernel", "distro", "--fstests", "/nonexistent"]
SHARD = ["fstests", "--kernel", "distro", "--fstests", "/nonexistent", "--shard"]
CASES += [Case(f"fstests --shard {given}{' ' if more else ''}{' '.join(more)}", [*SHARD, given, *more], 2,
               says)
          for given, says, *more in (
              ("0/3", "--shard 0/3: must be I/N with I from 1 to N"),
              ("4/3", "--shard 4/3: must be I/N with I from 1 to N"),
              ("x/y", "--shard x/y: must be I/N"),
              ("auto", "CI_NODE_INDEX, JOB_COMPLETION_INDEX and SLURM_ARRAY_TASK_ID are not set"),
              ("1/2", "-i does not go with --shard", "--", "-i", "3"),
              ("1/2", "-r does not go with --shard", "--", "-g", "auto", "-r"))]
CASES += [Case(f"fstests {' '.join(more)}", ["fstests", "--kernel", "distro", "--fstests", "/nonexistent",
                                            *more], 2, says)
          for says, *more in (
              ("--repeat 0: not a number from 1 to 100000", "--repeat", "0"),
              ("--retry-failed x: not a number", "--retry-failed", "x"),
              ("--retry-failed does not go with --repeat", "--repeat", "2", "--retry-failed", "1"),
              ("--retry-failed does not go with --until-failure", "--until-failure", "--retry-failed", "1"),
              ("--install-missing does not go with --repeat", "--repeat", "2", "--install-missing"),
              ("--repeat does not go with --shard", "--repeat", "2", "--shard", "1/2"),
              ("-i does not go with --repeat", "--repeat", "2", "--", "-i", "3"),
              ("--gdb is for one guest.* does not go with --jobs", "--gdb", "--jobs", "2"))]
KUBERNETES = ["fstests", "--kernel", "distro", "--fstests", "/nonexistent", "--cluster", "kubernetes",
              "--cluster-tasks", "2", "--cluster-directory", "/shared", "--cluster-option", "image=i",
              "--cluster-option", "claim=c", "--cluster-option", "kvm=none"]
CASES += [Case(f"fstests: {what}", [*KUBERNETES, *more], 2, says) for what, says, *more in (
    ("--cluster with another system", "--cluster mesos: must be ", "--cluster", "mesos"),
    ("--cluster with --shard", "--shard does not go with --cluster", "--shard", "1/2"),
    ("--cluster with --device", "--device does not go with --cluster", "--device", "x"),
    ("--cluster with --baseline", "--baseline does not go with --cluster.*runs compare", "--baseline", "x"),
    ("--cluster with --repeat", "--repeat does not go with --shard or --cluster", "--repeat", "2"),
    ("--cluster with --gdb", "--gdb is for one guest.* does not go with --cluster", "--gdb"),
    ("--cluster with --dump-on-crash", "--dump-on-crash does not go with --cluster", "--dump-on-crash"),
    ("--cluster with --gcov", "--gcov does not go with --cluster", "--gcov"),
    ("--cluster with --json", "--json does not go with --cluster", "--json"),
    ("--cluster with --jobs auto", "--jobs auto does not go with --cluster", "--jobs", "auto"),
    ("--cluster with tests in an order", "-r does not go with --cluster", "--", "-r"),
    ("--cluster with an option after a test", "-g.* is misplaced", "--", "generic/001", "-g", "x"),
    ("--cluster with too little memory", "--memory 1: not a size", "--memory", "1"),
    ("--cluster with too many processors", "--cpus 256: not a number", "--cpus", "256"),
    ("--cluster-tasks 0", "--cluster-tasks 0: not a number from 1 to 65536", "--cluster-tasks", "0"),
    ("--cluster-tasks x", "--cluster-tasks x: not a number", "--cluster-tasks", "x"),
    ("a relative --cluster-directory", "must be an absolute path", "--cluster-directory", "x"),
    ("--cluster-directory /", "must be an absolute path", "--cluster-directory", "/"),
    ("--cluster-directory with a colon", "must be an absolute path without a colon", "--cluster-directory",
     "/a:b"),
    ("a --cluster-option without =", "--cluster-option image: must be one of image=IMAGE", "--cluster-option",
     "image"),
    ("an unknown --cluster-option", "--cluster-option imag=x: must be one of image=IMAGE, claim=NAME",
     "--cluster-option", "imag=x"),
    ("a --cluster-option twice", "--cluster-option image=j: image is given already", "--cluster-option",
     "image=j"),
    *[(f"--cluster-option {word!r}", "not valid as", "--cluster-option", word)
      for word in ("name=", "name=A", "name=-a", "name=a-", "name=a.b", f"name={'a' * 58}", "name=a\nb",
                   "namespace=a_b", f"namespace={'a' * 64}", "image=", "image=a b", "image=a\nb", "claim=",
                   "claim=A", "claim=a..b", "claim=a/b", f"claim={'a' * 64}", "kvm=", "kvm=a", "kvm=/a",
                   "kvm=a/", "kvm=a/b/c", "kvm=A/b", "kvm=a/b-")])]
for name, value in (("image", "IMAGE"), ("claim", "NAME"), ("kvm", "DOMAIN/NAME")):
    CASES += [Case(f"fstests: --cluster without {name}=", [
        word for i, word in enumerate(KUBERNETES)
        if not word.startswith(f"{name}=") and not (*KUBERNETES, "")[i + 1].startswith(f"{name}=")], 2,
                   f"needs --cluster-option {name}={value}")]
for name, value in (("--cluster-tasks", "2"), ("--cluster-directory", "/x"), ("--cluster-option", "image=x")):
    CASES += [Case(f"fstests: {name} without --cluster", [*SHARD[:5], name, value], 2,
                   f"{name} goes with --cluster")]
    if name != "--cluster-option":
        CASES += [Case(f"fstests: --cluster without {name}", [
            word for i, word in enumerate(KUBERNETES) if name not in (word, KUBERNETES[i - 1])], 2,
                       f"needs {name}: give")]
CASES += [Case("fstests --durations with a missing file", [*SHARD, "1/2", "--durations", "nosuch"], 2,
               "--durations: .*nosuch")]
CASES += [Case(f"{command} --help", [command, "--help"], 0,
               ["usage: rootlet", "Exit status", *OPTIONS.get(command, ())]) for command in COMMANDS]
CASES += [Case(f"{command} with an unknown option", [command, "--nosuch"], 2,
               [f"^rootlet {command}: ", "nosuch"]) for command in COMMANDS]
CASES += [Case(f"{command} with an unexpected argument", [command, "word"], 2, ["word"])
          for command in ("create", "check", "list", "delete", "configurations", "kconfig",
                          "profiles", "doctor", "mcp")]
# The arguments after the rootfs name, for commands that take one.
NAMED = {"create": [], "check": [], "delete": ["--yes"], "shell": ["--", "true"],
         "run": ["--kernel", "distro", "--", "true"],
         "fstests": ["--kernel", "distro", "--fstests", "/tmp", "--", "generic/001"]}
CASES += [Case(f"{command} with both --name and --path", [command, "--name", "a", "--path", "/b", *more], 2,
               "--name and --path") for command, more in NAMED.items()]
CASES += [Case(f"create: option {option} without its value", ["create", option], 2, "needs a value")
          for option in ("--name", "--path", "--release", "--mirror", "--keyring", "--include")]
for command, more in NAMED.items():
    CASES += [Case(f"{command}: a name {what}", [command, f"--name={name}", *more], 2,
                   "not a valid rootfs name", ["\033", "^b"]) for what, name in BAD_NAMES.items()]
    CASES += [Case(f"{command}: a path {what}", [command, f"--path=/tmp/{name}", *more], 2,
                   "not a valid rootfs path", ["\033"]) for what, name in BAD_NAMES.items()
              if name and "/" not in name]
# A mistyped word, and the one that was meant.
MEANT = {
    "craete": "rootlet create", "chekc": "rootlet check", "lst": "rootlet list", "remote": None,
    "profile": "rootlet profiles", "doctro": "rootlet doctor",
    "create --relaese jammy": "--release", "create --forse": "--force", "check --depe": "--deep",
    "delete --ye5": "--yes", "run --kernl x": "--kernel", "list --jsn": "--json", "--hlep": "--help",
    "check --zzzzzz": None, "doctor --colour never": "--color",
    "cache lst": "list", "cache purne --max-size 1G": "prune", "runs shwo last": "show", "runs zzz": None,
    "profiles chekc x": "check", "policy seccmop": "seccomp", "audit vrify": "verify",
         "audit verfy x.log": "verify",
}
CASES += [Case(f"mistyped: {line}", line.split(), 2, rf"did you mean: {meant}\b" if meant
               else "unknown|no command|not one of",
               () if meant else ("did you mean",)) for line, meant in MEANT.items()]
CASES += [
    Case("an ambiguous abbreviation", ["create", "--qu", "--p", "x"], 2, '"--p" is ambiguous'),
    Case("an option that takes no value", ["create", "--force=yes"], 2, '"--force" takes no value'),
    Case("an unknown short option", ["check", "-x"], 2, '"-x" is unknown'),
    Case("--color with an invalid value", ["check", "--color", "blue"], 2, "--color blue: must be auto"),
    Case("--color before the command", ["--color", "never", "list"], 0, "no rootfs in"),
    Case("--color after the command's arguments", ["profiles", "list", "--color=never"], 0, "fstests"),
    Case("--color twice", ["list", "--color", "always", "--color=never"], 0, "no rootfs in", ["\033"]),
    Case("--color after a command to run belongs to that command", ["shell", "ls", "--color=blue"], 1,
         "no rootfs at"),
    Case("help of two commands", ["help", "create", "check"], 2, "unexpected argument: \"check\""),
    Case("profiles", ["profiles"], 0,
         [r"^fstests +built in +\d+ +4 ", "^minimal ", "^fstests-build ", "^ltp ",
                                       "^blktests ", "^kselftest ", "^test +yours"]),
    Case("profiles show", ["profiles", "show", "fstests-build"], 0,
         ["which extends fstests", "xfslibs-dev", r"\[user fsqa\]", "uid = 1000"]),
    Case("profiles show of an unknown profile", ["profiles", "show", "nosuch"], 2, 'no profile "nosuch"'),
    Case("profiles show without a profile", ["profiles", "show"], 2, "show needs PROFILE"),
    Case("profiles show of two profiles", ["profiles", "show", "a", "b"], 2, "unexpected argument: \"b\""),
    Case("profiles check of a valid profile", ["profiles", "check", "config/rootlet/profiles/test.conf"], 0,
         "is valid: 2 packages, 3 groups, 2 users"),
    Case("profiles check of an invalid profile", ["profiles", "check", "wrong.conf"], 2, r"wrong\.conf:2: "),
    Case("profiles check of a file not named *.conf", ["profiles", "check", "/etc/passwd"], 2,
         r"must be NAME\.conf"),
    Case("profiles check of a missing file", ["profiles", "check", "nosuch.conf"], 1, "nosuch.conf"),
]
CASES += [
    Case("create: an unknown release", ["create", "--release", "warty"], 2,
         ['"warty" is unknown', "jammy", "bookworm"]),
    Case("create: a release in capitals", ["create", "--release", "Jammy"], 2, "did you mean: jammy$"),
    Case("create: an architecture in capitals", ["create", "--arch", "AMD64"], 2, "did you mean: amd64$"),
    Case("create: a mistyped engine", ["create", "--engine", "nativ"], 2, "did you mean: native;"),
    Case("create: a release that is a path", ["create", "--release", "../etc"], 2, "invalid release name"),
    Case("create: a release that is an option", ["create", "--release=--x"], 2, "invalid release name"),
    Case("create: an unknown profile", ["create", "--profile", "nosuch"], 2, 'no profile "nosuch"'),
    Case("create: a profile that is a path", ["create", "--profile", "../x"], 2,
         r"not a valid profile name.*cp FILE ~/\.config/.*--profile NAME"),
    Case("create: an unknown engine", ["create", "--engine", "magic"], 2,
         "--engine magic: must be native or debootstrap"),
    Case("create: an invalid package name", ["create", "--include", "bash,-rf"], 2, '"-rf" is no'),
    Case("create: an invalid component", ["create", "--components", "main,../x"], 2, "component"),
    Case("create: an invalid architecture", ["create", "--arch", "x/y"], 2, "architecture"),
    *[Case(f"create: {arch} on a 64-bit host", ["create", "--arch", arch, *more], 5,
           [f"{arch}.*64-bit system calls; use --arch {native}, or a host with {arch}$"], ["qemu"])
      for machine, native, archs in (("x86_64", "amd64", ["i386"]), ("aarch64", "arm64", ["armhf", "armel"]))
      if platform.machine() == machine for arch in archs for more in ([], ["--dry-run"])],
    Case("create: an unknown architecture", ["create", "--arch", "arm65"], 2,
         'unknown architecture "arm65"; known are: amd64 arm64'),
    Case("run without a kernel", ["run", "--", "true"], 2, "--kernel is missing.*inside a kernel"),
    Case("fstests without a kernel", ["fstests", "--fstests", "x"], 2, "--kernel is missing"),
    *[Case(f"fstests -c with {option}", [*FSTESTS, "-c", "ext4/4k", option, "x"], 2,
           f"{option} does not go with --configuration")
      for option in ("--fstype", "--mkfs", "--mkfs-options", "--mount-options", "--config")],
    *[Case(f"fstests {' '.join(more)}", [*FSTESTS, *more], 2, says) for more, says in (
        (["-c", "etx4/4k"], "did you mean: ext4/4k; see: rootlet configurations"),
        (["-c", "ext4/4k,ext4/4k"], "ext4/4k is named twice"),
        (["-c"], '"-c" needs a value'),
        (["-c", "xfs/logdev", "--devices", "4"], "--devices 4: --configuration xfs/logdev needs 7"),
        (["-c", "ext4/4k", "--", "-s", "ext4_4k"], "check's -s does not go with --configuration"),
        (["-c", "ext4/4k", "--", "-i", "3"], "-i does not go with --configuration"))],
    Case("run: a keyring that nothing uses", ["run", "--kernel", "/no/such", "--keyring", "x", "--", "true"],
         2, "goes with"),
    Case("fstests: a keyring that nothing uses",
         ["fstests", "--kernel", "/no/such", "--fstests", "/tmp", "--keyring", "x"], 2,
         "goes with"),
    Case("run: too little memory", ["run", "--kernel", "distro", "--memory", "1"], 2,
         "--memory 1: not a size of at least 64M"),
    Case("run: more memory than the host has", ["run", "--kernel", "distro", "--memory", "900T"], 2,
         r"--memory 900T: this host has only [\d.]+[MGT]"),
    Case("run: a disk that is too large", ["run", "--kernel", "distro", "--disk", "9000000T"], 2,
         "at most 8388607T"),
    Case("run: a missing kernel", ["run", "--kernel", "/no/such", "--", "true"], 2,
         "/no/such: No such file.*use a bzImage, a kernel build directory"),
    Case("run: an unreadable build directory", ["run", "--kernel", "closed", "--", "true"], 2,
         "cannot read the kernel .*closed/arch/x86/boot/bzImage: Permission denied"),
    Case("run: a build directory without a kernel", ["run", "--kernel", "config", "--", "true"], 2,
         "arch/x86/boot/bzImage is missing; run: make -C /.*/config bzImage"),
    Case("run: quotes that the kernel does not support",
         ["run", "--kernel", "distro", "--append", "a='b c'", "--",
                                                      "true"], 2, "--append: .* not allowed"),
    Case("run: an unterminated quote",
         ["run", "--kernel", "distro", "--append", 'dyndbg="file a.c', "--", "true"], 2,
         "unmatched double quote"),
    Case("run: --cpus without a number", ["run", "--kernel", "distro", "--cpus", "many"], 2, "--cpus many"),
    Case("run: a timeout of zero", ["run", "--kernel", "distro", "--timeout", "0"], 2, "--timeout 0"),
    Case("run: --rwdir with a missing directory", ["run", "--kernel", "distro", "--rwdir", "/no/such",
                                             "--", "true"], 2, "mkdir -p /no/such"),
    Case("run: --rwdir with an empty path", ["run", "--kernel", "distro", "--rwdir", "", "--", "true"], 2,
         "--rwdir: the path is empty"),
    Case("run: --rwdir with the host's root", ["run", "--kernel", "distro", "--rwdir", "/", "--", "true"], 2,
         "/"),
    Case("shell: an invalid user name", ["shell", "--user", "a:b", "--", "true"], 2, "invalid user name"),
    Case("create: a directory that cannot be opened", ["create", "--path", "closed/tree"], 1,
         "choose another place with --path"),
    Case("audit show of a file that is not an audit log", ["audit", "show", "/etc/passwd"], 1,
         "/etc/passwd is not an audit log", ["a line that"]),
    Case("list of an empty store", ["list"], 0, "no rootfs in .*rootlet create"),
    Case("list --json of an empty store", ["list", "--json"], 0, r"^\[\]"),
    Case("check of a missing rootfs", ["check"], 1),
    Case("check of a missing path in /", ["check", "--path", "/nosuch", "--json"], 1, '"path": ?"/nosuch"'),
    Case("check of a directory that is not a rootfs", ["check", "--path", "/tmp", "--json"], 1,
         ['"path": ?"/tmp"', "was not made by rootlet.*see: rootlet list"]),
    Case("delete of a missing rootfs", ["delete", "--yes"], 1,
         "no rootfs at .*test-rootfs; see: rootlet list$", ["create"]),
    Case("delete in a missing directory", ["delete", "--yes", "--path", "/no/such/tree"], 1,
         "no rootfs at /no/such/tree; see: rootlet list$", ["mkdir"]),
    Case("shell in a missing rootfs", ["shell", "--", "true"], 1, "no rootfs at .*rootlet create"),
]

home = Home()
os.chmod(home.make_dir(f"{home.dir}/closed"), 0)
home.write("wrong.conf", "[packages]\nbash\n")
for case in CASES:
    play(case, home)

# How --color, the environment and the locale change the same line.
LOOKS = [
    # what, words, environment, expected text, unexpected text
    ("UTF-8", ["check"], {}, "✗ no rootfs", "\033"),
    ("the C locale", ["check"], {"LC_ALL": "C"}, "[failed] no rootfs", "✗"),
    ("help in the C locale", ["run", "--help"], {"LC_ALL": "C"}, "[OPTION...]", "…"),
    ("--color always", ["check", "--color", "always"], {}, "\033[31m✗ no rootfs", "[failed]"),
    ("--color always, despite NO_COLOR", ["check", "--color=always"], {"NO_COLOR": "1"}, "\033[31m",
     "[failed]"),
]
home.write("state/rootlet/runs/a-run/run.json", '{"status": "failed"}')
home.write("state/rootlet/runs/a-run/tests.jsonl", json.dumps({
    "name": "generic/001", "status": "fail", "seconds": 1, "detail": "line\n" * 30}) + "\n")
LOOKS += [("a truncated diff", ["runs", "show", "a-run"], {}, "\n    …\n", "..."),
          ("a truncated diff in the C locale", ["runs", "show", "a-run"], {"LC_ALL": "C"}, "\n    ...\n",
           "…")]
for what, words, environment, has, lacks in LOOKS:
    outcome = home.run(*words, environment=environment)
    tap.report(has in outcome.out and lacks not in outcome.out, f"looks: {what}", repr(outcome.out))
for words in [["--help"], ["doctor"], ["profiles"], ["policy", "seccomp"],
              *([name, "--help"] for name in COMMANDS)]:
    outcome = home.run(*words, environment={"LC_ALL": "C"})
    tap.report(outcome.out and outcome.out.isascii(), f"looks: {' '.join(words)} in the C locale is ASCII",
               outcome)
# Every command that prints: failing to write output is an error.
PRINTS = [["--version"], ["--help"], ["help"], ["help", "create"], ["list"], ["list", "--json"], ["check"],
          ["check", "--json"], ["delete", "--json"], ["doctor"], ["doctor", "--json"], ["profiles"],
          ["profiles", "--json"], ["profiles", "show", "fstests"], ["policy", "show"],
          ["policy", "show", "--json"], ["policy", "seccomp"], ["runs"], ["runs", "--json"],
          ["runs", "show", "a-run"], KUBERNETES, ["cache"], ["cache", "--json"], ["__complete", ""], ["mcp"],
          *([name, "--help"] for name in COMMANDS)]
ACTS = ("create", "delete", "install", "uninstall", "upgrade", "fstests")
for words in PRINTS:
    for what, where in (("a full disk", ">/dev/full"), ("no standard output", ">&-")):
        if where == ">&-" and words[0] in ACTS and words != KUBERNETES:
            continue  # whose work is done even so
        outcome = home.run(*words, before=["sh", "-c", f'exec "$@" {where}', "sh"],
                           text=b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        tap.report(outcome.status != 0 and "cannot write to standard output: " in outcome.err,
                   f"{' '.join(words)} with {what}", outcome)
# The first file opened must not become standard input, output or error.
for words in (["list"], ["check"], ["doctor"], ["run", "--kernel", "/no/such", "--", "true"]):
    usual = home.run(*words)
    outcome = home.run(*words, before=["sh", "-c", 'exec "$@" <&- 2>&-', "sh"])
    # Other programs take and free space meanwhile.
    told = [re.sub(r"\b\d+(\.\d+)?[KMGT] free", "", one.out) for one in (usual, outcome)]
    tap.report(outcome.status == usual.status and told[0] == told[1],
               f"{' '.join(words)} without standard input and error", usual, outcome)
# The same on a terminal, where colours are automatic.
for what, words, environment, colored in (
        ("a terminal", ["check"], {}, True), ("NO_COLOR", ["check"], {"NO_COLOR": "1"}, False),
        ("an empty NO_COLOR", ["check"], {"NO_COLOR": ""}, True),
        ("--color never", ["check", "--color", "never"], {}, False),
        ("TERM=dumb", ["check"], {"TERM": "dumb"}, False),
        ("an error on a terminal", ["craete", "x"], {}, False), ("doctor", ["doctor"], {}, True)):
    with Terminal(home, *words, environment=environment) as terminal:
        terminal.wait(60)
    tap.report(("\033[3" in terminal.text) == colored and terminal.text.strip(),
               f"colours: {what}: {'yes' if colored else 'no'}", repr(terminal.text[:300]))
tap.done()
