"""The command line itself: help, wrong words, names. Needs no helper, no rootfs, no network."""
from support import tap
from support.world import Case, Home, play

COMMANDS = ["create", "check", "list", "delete", "shell", "chroot", "run", "doctor", "policy", "audit"]

# Each with what its help has to name.
OPTIONS = {
    "create": ["--name", "--path", "--release", "--arch", "--profile", "--force", "--mirror",
               "--keyring", "--components", "--include", "--dry-run", "--quiet"],
    "check": ["--name", "--path", "--deep"],
    "list": ["--json"],
    "delete": ["--name", "--path", "--yes"],
    "shell": ["--name", "--path", "--user"],
    "run": ["--kernel", "--memory", "--cpus", "--rwdir", "--timeout", "--name", "--path"],
    "doctor": [],
    "policy": ["check", "show", "seccomp"],
    "audit": ["verify", "--json", "--last"],
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
    Case("a command that is nothing like any", ["zzz"], 2, 'no command "zzz".*rootlet --help'),
    Case("an unknown command with an escape sequence", ["\033[2J"], 2, silent=["\033"]),
    Case("--version", ["--version"], 0, r"^rootlet \d"),
    Case("--help", ["--help"], 0, [*COMMANDS, "Exit status"]),
    Case("help of a command", ["help", "create"], 0, "usage: rootlet create"),
    Case("help of no command", ["help", "zzz"], 2, 'no command "zzz"'),
]
CASES += [Case(f"{command} --help", [command, "--help"], 0,
               ["usage: rootlet", "Exit status", *OPTIONS.get(command, ())]) for command in COMMANDS]
CASES += [Case(f"{command} with an unknown option", [command, "--nosuch"], 2,
               [f"^rootlet {command}: ", "nosuch"]) for command in COMMANDS]
CASES += [Case(f"{command} with one word too many", [command, "word"], 2, ["word"])
          for command in ("create", "check", "list", "delete", "doctor")]
CASES += [Case(f"{command} --name and --path at once", [command, "--name", "a", "--path", "/b"], 2,
               "--name and --path") for command in ("create", "check", "delete", "shell")]
CASES += [Case(f"create: option {option} without its value", ["create", option], 2, "needs a value")
          for option in ("--name", "--path", "--release", "--mirror", "--keyring", "--include")]
for command in ("create", "check", "delete", "shell"):
    more = ["--yes"] if command == "delete" else ["--", "true"] if command == "shell" else []
    CASES += [Case(f"{command}: a name {what}", [command, f"--name={name}", *more], 2,
                   "is no name for a rootfs", ["\033", "^b"]) for what, name in BAD_NAMES.items()]
    CASES += [Case(f"{command}: a path {what}", [command, f"--path=/tmp/{name}", *more], 2,
                   "cannot be a rootfs", ["\033"]) for what, name in BAD_NAMES.items()
              if name and "/" not in name]
CASES += [
    Case("create: an unknown release", ["create", "--release", "warty"], 2,
         ['"warty" is unknown', "jammy", "bookworm"]),
    Case("create: a release that is a path", ["create", "--release", "../etc"], 2, "no name for a"),
    Case("create: a release that is an option", ["create", "--release=--x"], 2, "no name for a"),
    Case("create: an unknown profile", ["create", "--profile", "nosuch"], 1, 'no profile "nosuch"'),
    Case("create: a profile that is a path", ["create", "--profile", "../x"], 2, "no name for a"),
    Case("create: an unknown engine", ["create", "--engine", "magic"], 2, '"magic" is unknown'),
    Case("create: an impossible package", ["create", "--include", "bash,-rf"], 2, '"-rf" is no'),
    Case("create: an impossible component", ["create", "--components", "main,../x"], 2, "component"),
    Case("create: an impossible architecture", ["create", "--arch", "x/y"], 2, "architecture"),
    Case("run without a kernel", ["run", "--", "true"], 2, "--kernel is missing"),
    Case("run: no memory", ["run", "--kernel", "distro", "--memory", "1"], 2, "--memory 1"),
    Case("run: no number of cpus", ["run", "--kernel", "distro", "--cpus", "many"], 2, "--cpus many"),
    Case("run: no time", ["run", "--kernel", "distro", "--timeout", "0"], 2, "--timeout 0"),
    Case("run: a folder that is not there", ["run", "--kernel", "distro", "--rwdir", "/no/such",
                                             "--", "true"], 2, "/no/such"),
    Case("run: the whole host", ["run", "--kernel", "distro", "--rwdir", "/", "--", "true"], 2, "/"),
    Case("shell: a user that cannot be", ["shell", "--user", "a:b", "--", "true"], 2, "no name for"),
    Case("list of an empty store", ["list"], 0, "no rootfs in .*rootlet create"),
    Case("list --json of an empty store", ["list", "--json"], 0, r"^\[\]"),
    Case("check of nothing", ["check"], 1),
    Case("delete of nothing", ["delete", "--yes"], 1, ["no rootfs at"]),
    Case("shell in nothing", ["shell", "--", "true"], 1, "no rootfs at .*rootlet create"),
]

home = Home()
for case in CASES:
    play(case, home)
tap.done()
