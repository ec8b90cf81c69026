"""What rootlet may do on the host: no socket except the channel, no setuid bit, and, if root is the caller,
no work as the host's root."""
import array
import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
import time

from support import elf, installed, tap
from support.lists import expected
from support.protocol import Helper, opened, request
from support.server import Fault, Server
from support.world import (AS_ROOT, BUILD, HELPER, ROOTLET, SCRATCH, SOURCE, Home, Tidy, User, children,
                           command_of, field_of, link_of, links_of, mirror, small_rootfs, traced, wait_until)

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
PREFIX = "/usr/local"
CALL = re.compile(r"^(\d+)\s+(\w+)\((.*)$")


def trace(home, words, directory, more=()):
    """Runs rootlet under strace; returns strace's lines in order of time. MORE: calls to trace as well."""
    path = f"{directory}/trace"
    calls = "network,execve,execveat,clone,clone3,fork,vfork,landlock_restrict_self,prctl"
    outcome = home.run(*words, **traced(home, "-s", "200", "--decode-pids=pidns", "-o", path, "-e",
                                        "trace=" + ",".join((calls, *more))))
    with open(path, encoding="utf-8", errors="replace") as file:
        return outcome, file.read().splitlines()


def made_by(rest):
    """Returns the process that a clone created, as strace numbers it, or None: a pid in the caller's own
    namespace has a different number for strace."""
    made = re.search(r"= (\d+)(?: /\* (\d+) in strace's PID NS \*/)?$", rest)
    return made and (made.group(2) or made.group(1))


def below_helper(lines):
    """Returns the calls of the helper and its descendants, including newuidmap and newgidmap."""
    family, calls = set(), []
    for line in lines:
        found = CALL.match(line)
        if not found:
            continue
        pid, name, rest = found.groups()
        if name == "execve" and "rootlet-helper" in rest.split(",")[0]:
            family.add(pid)
        if pid in family and name in ("clone", "clone3", "fork", "vfork"):
            family.add(made_by(rest))
        if pid in family:
            calls.append((pid, name, rest))
    return calls


def resumed_clones(lines):
    """Joins calls that strace split because another process came in between."""
    open_calls, whole = {}, []
    for line in lines:
        pid = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            open_calls[pid] = len(whole)
            whole.append(line[:-len("<unfinished ...>")].rstrip())
        elif "resumed>" in line and pid in open_calls:
            whole[open_calls.pop(pid)] += " " + line.split("resumed>", 1)[1]
        else:
            whole.append(line)
    return whole


def sockets(home, words, what, expected=frozenset(), fetches=False):
    """FETCHES: it downloads packages to an empty cache."""
    outcome, lines = trace(home, words, SCRATCH, ("open", "openat") if fetches else ())
    calls = below_helper(resumed_clones(lines))
    if not tap.report(outcome.status == 0 and calls,
                      f"strace of {what}: the command works and its calls are seen",
                      outcome, len(lines)):
        return
    programs = {os.path.basename(rest.split('"')[1]) for _, name, rest in calls if name == "execve"}
    tap.report(expected <= programs, f"strace of {what}: the jail's programs are seen",
               expected - programs)
    made = [rest for _, name, rest in calls if name == "socket"]
    foreign = [rest for rest in made if not re.match(r"AF_(UNIX|LOCAL|NETLINK)", rest)]
    tap.report(not foreign, f"strace of {what}: helper and jail open no network sockets",
               *foreign[:10])
    linked = [rest for rest in made if "AF_NETLINK" in rest]
    tap.note(f"{what}: {len(calls)} calls seen below the helper, {len(made)} sockets, "
             f"{len(linked)} of them netlink")
    reached = [rest for _, name, rest in calls
               if name in ("connect", "bind", "sendto") and "AF_INET" in rest]
    tap.report(not reached, f"strace of {what}: helper and jail use no network address", *reached[:10])
    if landlock_version() > 1:
        domains(calls, what)
    memory_code(calls, what)
    if fetches:
        fetch_process(home, lines)


def fetch_process(home, lines):
    """The front end's fetch process opens only TCP sockets, runs no program, and reads no resolver
    configuration."""
    lines = [line.split(None, 1) for line in lines]
    # The process that sets PR_SET_SECCOMP and is not a helper's; just before, it enters its Landlock domain.
    filtered = [pid for pid, call in lines if "PR_SET_SECCOMP" in call]
    helper = {pid for pid, call in lines if "rootlet-helper" in call}
    connects = {pid for pid, call in lines if call.startswith("connect(") and "AF_INET" in call}
    mine = [pid for pid in connects if pid in filtered and pid not in helper]
    after = []
    for pid in mine[:1]:
        own = [call for number, call in lines if number == pid]
        last = max(place for place, call in enumerate(own) if "PR_SET_SECCOMP" in call)
        after = own[last + 1:]
    made = [call for call in after if call.startswith("socket(")]
    opened = [re.search('"([^"]*)"', call).group(1) for call in after
              if call.startswith("open") and '"' in call and "= -1" not in call]
    calls = [CALL.match(f"{number} {call}").groups()[1:] for number, call in lines
             if number in mine and CALL.match(f"{number} {call}")]
    tap.report(asked_mdwe(calls) == expected_mdwe(False),
               "that process asks, before its filters, that its memory never becomes code", calls[:20])
    foreign = [name for name in opened if name.startswith("/") and
               not name.startswith((f"{home.cache}/rootlet/", "/etc/ssl"))]
    tap.report(len(connects) == len(mine) == 1 and made and
               all(call.startswith("socket(AF_INET, SOCK_STREAM") for call in made) and
               not any(call.startswith(("execve", "clone", "fork", "vfork")) for call in after),
               "only one process connects to the mirror, over TCP, and it starts no program", connects,
               mine, made[:3])
    tap.report(len(opened) > 50 and not foreign, "that process opens only files in its cache", foreign[:5],
               len(opened))


# PR_SET_MDWE with its flags and result, from an strace that knows the names or does not.
MDWE = re.compile(r"(?:PR_SET_MDWE|0x41 [^,]*), (?:PR_MDWE_REFUSE_EXEC_GAIN|0x[13])"
                  r"(?P<children>\|PR_MDWE_NO_INHERIT)?, .*= (?P<result>.*)$")


def expected_mdwe(children):
    """What a process must ask for, and get from this kernel. CHILDREN: its children may do otherwise."""
    version = tuple(int(word) for word in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())
    return children, "0" if version >= ((6, 6) if children else (6, 3)) else "-1 EINVAL (Invalid argument)"


def asked_mdwe(own, end="prctl(PR_SET_SECCOMP"):
    """Returns (whether children may do otherwise, result) if the process with the calls OWN asks once, before
    the call END, that its memory never becomes code."""
    found = []
    for name, rest in own:
        if f"{name}({rest}".startswith(end):
            break
        found += [MDWE.match(rest)] if name == "prctl" and MDWE.match(rest) else []
    return (bool(found[0]["children"] or ", 0x3," in found[0][0]), found[0]["result"]) \
        if len(found) == 1 else None


def memory_code(calls, what):
    """Each process of the helper asks, before it loads its filters, that its memory never becomes code.
    unit/memory_code tries it with every set of privileges. rootlet-worker inherits that, or asks again."""
    by_pid, asked, workers = {}, {}, {}
    for pid, name, rest in calls:
        by_pid.setdefault(pid, []).append((name, rest))
    for pid, own in by_pid.items():
        started = next((place for place, (name, rest) in enumerate(own)
                        if name == "execveat" and "rootlet-worker" in rest), None)
        if any(name == "prctl" and rest.startswith("PR_SET_SECCOMP") for name, rest in own):
            asked[pid] = asked_mdwe(own)
        if started is not None:
            workers[pid] = asked.get(pid), asked_mdwe(own[started + 1:], "recv")
    children, own = expected_mdwe(True), expected_mdwe(False)
    tap.report(len(asked) > 3 and set(asked.values()) == {children, own},
               f"strace of {what}: before each process of ours loads its filters, it asks that its memory "
               "never becomes code", asked)
    tap.report(set(workers.values()) <= {(own, None), (children, children)},
               f"strace of {what}: the same holds for rootlet-worker before it reads a task", workers)


def landlock_version():
    """Returns the kernel's Landlock ABI version, or 0 without Landlock; see landlock_create_ruleset(2)."""
    return max(ctypes.CDLL(None).syscall(444, None, 0, 1), 0)


def domains(calls, what):
    """Which processes enter a Landlock domain: the audit process and the parser, which start nothing
    afterwards; and rootlet-worker, in each jail that has it. unit/landlock checks the domain of programs in a
    jail by what they can open."""
    entered, started, made = set(), {}, set()
    for pid, name, rest in calls:
        if name == "landlock_restrict_self" and rest.endswith("= 0"):
            entered.add(pid)
        elif name == "execveat" and rest.endswith("= 0"):
            started[pid] = re.search(r'\["rootlet-worker", "([a-z-]+)"\]', rest).group(1)
        elif name in ("clone", "clone3", "fork", "vfork") and pid in started:
            made.add(started[pid])
    wanted = {"create by native": {"verify", "unpack"}, "delete": {"check-mounts", "empty"}}.get(what, set())
    tap.report(wanted <= set(started.values()) and set(started) <= entered and
               len(entered) >= 2 + 2 * len(started),
               f"strace of {what}: the audit process, the parser, and rootlet-worker in its jails enter a "
               "Landlock domain",
               started, len(entered))
    tap.report(("unpack" in made) == (what == "create by native"),
               f"strace of {what}: the unpacker uses its own processes",
               *made)


def network_calls():
    if not AS_ROOT:
        tap.skip("strace of helper and jail", "needs root: another user's strace disables newuidmap's "
                 "setuid bit")
        return
    home = small_rootfs()
    sockets(home, ["shell", "--", "true"], "shell", {"true"})
    sockets(home, ["check", "--deep"], "check --deep", {"dpkg"})
    at, own = mirror(), Home()  # other programs check the shared home for leftovers
    with Server(at.root) as server:
        rows = [("native", {"gpgv", "dpkg", "useradd", "groupadd"}),
                ("debootstrap", {"gpgv", "debootstrap", "dpkg-deb", "dpkg"})]
        for engine, programs in rows if LONG else rows[:1]:
            sockets(own, ["create", "--fresh", "--engine", engine, "--name", f"by-{engine}", "--release",
                          "jammy",
                           "--profile", "test", "--mirror", server.url, "--keyring", at.keyring, "--quiet"],
                    f"create by {engine}", programs, engine == "native")
    sockets(own, ["delete", "--name", "by-native", "--yes"], "delete")


def wanted_files():
    """Returns the files that must be installed below the prefix, for each source."""
    files = ["bin/rootlet", "libexec/rootlet/rootlet-helper", "libexec/rootlet/rootlet-worker",
             "share/rootlet/install-helper",
             "share/rootlet/policy.conf.example", "share/rootlet/guest/smoke.sh",
             "share/rootlet/guest/init.sh",
             "share/rootlet/guest/fstests.sh", "share/rootlet/guest/command.sh",
             "share/rootlet/guest/build-fstests.sh",
             "share/rootlet/apparmor/rootlet-helper.apparmor",
             "share/rootlet/apparmor/rootlet-userns.apparmor",
             "libexec/rootlet/rootlet-userns",
             "share/bash-completion/completions/rootlet", "share/zsh/site-functions/_rootlet",
             "share/fish/vendor_completions.d/rootlet.fish"]
    files += [f"share/rootlet/{kind}/{name}" for kind in ("profiles", "configurations")
              for name in os.listdir(f"{SOURCE}/frontend/{kind}")]
    files += [f"share/rootlet/schemas/{name}" for name in os.listdir(f"{SOURCE}/frontend/schemas")
              if name.endswith(".json") and name != "definitions.json"]
    for name in os.listdir(f"{SOURCE}/docs/man"):
        page = re.fullmatch(r"(.+\.(\d))\.scd", name)
        if page and shutil.which("scdoc"):
            files.append(f"share/man/man{page.group(2)}/{page.group(1)}")
    return [f"{PREFIX}/{name}" for name in files]


def installed_files():
    """Checks the files that `meson install` installs."""
    target = f"{SCRATCH}/installed"
    done = installed.stage(target)
    files = subprocess.run(["find", target, "-type", "f"], stdout=subprocess.PIPE, text=True,
                           check=False).stdout.split()
    missing = {path for path in wanted_files() if target + path not in files}
    tap.report(done.returncode == 0 and not missing, "meson install: programs, profiles, schemas, manuals, "
               "completion", *sorted(missing), done.stdout[-2000:])
    rules = {}
    for name in ("rootlet-helper", "rootlet-userns"):
        one = elf.profiles(f"{target}{PREFIX}/share/rootlet/apparmor/{name}.apparmor")
        tap.report(one == {f"{PREFIX}/libexec/rootlet/{name}": ["userns,"]},
                   f"the AppArmor profile of {name} covers its path and nothing else", one)
        rules |= one
    loaded = {program: elf.loads(target + program) for program in rules}
    tap.report(len(loaded) == 2 and not any(loaded.values()) and elf.loads(f"{target}{PREFIX}/bin/rootlet"),
               "no program with an AppArmor profile loads a library", loaded)
    worker = f"{target}{PREFIX}/libexec/rootlet/rootlet-worker"
    tap.report(not elf.loads(worker), "rootlet-worker loads no libraries, as its jail has none",
               elf.loads(worker))
    others = [name for name in os.listdir(f"{target}{PREFIX}/share/rootlet/apparmor") if
              name.rpartition(".")[0] not in ("rootlet-helper", "rootlet-userns")]
    tap.report(not others, "there are no other AppArmor profiles", *others)
    marked = subprocess.run(["find", target, BUILD, "-perm", "/6000", "-type", "f"],
                            stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    tap.report(not marked, "no installed or built file has a setuid or setgid bit", *marked)
    capable = [path for path in files if "security.capability" in os.listxattr(path)]
    tap.report(not capable, "no installed file has capabilities", *capable)
    # To run one of these programs, a binary needs a string that is its name or ends in it.
    words = re.compile(rb"(?:\0|/)(sudo|pkexec|doas)\0")
    for program in (ROOTLET, HELPER):
        with open(program, "rb") as file:
            found = words.search(file.read())
        tap.report(not found, f"{os.path.basename(program)} does not call sudo",
                   found and found.group(0))
    shutil.rmtree(target, ignore_errors=True)


def code():
    """The program that may have capabilities cannot unpack or decompress; the program that can never has
    any."""
    unpacks = re.compile(r"_?(archive_(read|write|entry)_|lzma_|ZSTD_|inflate|deflate|BZ2_)")
    worker = f"{os.path.dirname(HELPER)}/rootlet-worker"
    has = {path: sorted(name for name in elf.functions(path) if unpacks.match(name))
           for path in (HELPER, worker)}
    tap.report(len(elf.functions(HELPER)) > 500 and not has[HELPER],
               "rootlet-helper has no code to unpack or decompress",
               *has[HELPER][:10])
    tap.report(len(has[worker]) > 100, "rootlet-worker has code to unpack and decompress", *has[worker])
    done = subprocess.run([worker, "unpack"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT,
                          text=True, check=False, timeout=60)
    tap.report(done.returncode == 0 and not done.stdout,
               "rootlet-worker started by hand exits without a socket", done)
    done = subprocess.run([worker], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=60)
    tap.report(done.returncode == 2 and "not by hand" in done.stdout,
               "rootlet-worker started by hand with a socket says what starts it", done)


def owners_of_tree():
    """No setuid program in the rootfs belongs to a user of the host."""
    home = small_rootfs()
    tree = f"{home.store}/test-rootfs"
    owner = os.lstat(tree).st_uid
    marked, foreign, seen = [], [], 0
    for where, directories, names in os.walk(tree):
        for name in directories + names:
            st = os.lstat(f"{where}/{name}")
            seen += 1
            if not owner <= st.st_uid < owner + 65535:
                foreign.append(f"{where}/{name}: {st.st_uid}")
            if st.st_mode & 0o6000 and st.st_uid < 65536:
                marked.append(f"{where}/{name}")
    tap.report(seen > 1000 and not foreign, "every file of the tree belongs to the id range",
               *foreign[:10])
    tap.report(not marked, "no setuid file in the tree belongs to a user of the host", *marked)


def hardened():
    """All programs are position-independent, with read-only relocations and no executable stack."""
    for program in (ROOTLET, HELPER, f"{BUILD}/frontend/rootlet-userns"):
        name = os.path.basename(program)
        text = subprocess.run(["readelf", "-W", "-h", "-l", "-d", "-s", "-n", program],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=False).stdout
        for what, pattern in (("PIE", r"Type:\s+DYN"), ("RELRO", "GNU_RELRO"),
                              ("BIND_NOW", r"BIND_NOW|Flags: NOW"),
                              ("no executable stack", r"GNU_STACK.* RW "),
                              ("stack protector", "__stack_chk_fail"),
                              ("_FORTIFY_SOURCE", r"__v?snprintf_chk(@|\n)")):
            tap.report(bool(re.search(pattern, text)), f"{name}: {what}")


def marked_for_cet():
    """Every object of ours is marked; the whole program is only if the C library's start files are too."""
    if os.uname().machine != "x86_64":
        tap.skip("objects are marked for CET", "only x86-64 has CET")
        return
    for directory in ("frontend", "helper", "lib", "policy", "proto"):
        objects = [f"{where}/{name}" for where, _, names in os.walk(f"{BUILD}/{directory}") for name in names
                   if name.endswith(".o")]
        unmarked = [path for path in objects if not re.search("IBT, SHSTK", subprocess.run(
            ["readelf", "-n", path], stdout=subprocess.PIPE, text=True, check=False).stdout)]
        tap.report(objects and not unmarked, f"{directory}: every object is marked for CET", *unmarked[:5])


def check_descriptors(home, pids):
    """A file that rootlet's caller has open is not open in any process that rootlet starts."""
    held = []
    for pid in pids:
        try:
            for link in links_of(pid).values():
                if link.startswith(home.dir) and link.endswith("/open-file"):
                    held.append(f"{pid} {command_of(pid)}: {link}")
        except PermissionError:
            tap.skip("descriptors of the caller", "needs root to look at another user's process")
            return
    tap.report(pids and not held, "helper and jail have none of the caller's file descriptors", *held)


def fortify_level(compiler):
    """Returns 3 if the compiler supports it (gcc 12, clang 9), otherwise 2."""
    tried = subprocess.run([compiler, "-O2", "-Werror", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3", "-c",
                            "-x", "c",
                            "-o", "/dev/null", "-"], input=b"#include <stdio.h>\n", check=False,
                           stderr=subprocess.DEVNULL)
    return 2 if tried.returncode else 3


def compiled_with():
    """Options that leave no trace in a program must be on the compiler's command line."""
    with open(f"{BUILD}/compile_commands.json", encoding="utf-8") as file:
        lines = [entry["command"].removeprefix("ccache ") for entry in json.load(file)
                 if "/tests/" not in entry["file"]]
    for option in (f"-D_FORTIFY_SOURCE={fortify_level(lines[0].split()[0])}", "-fcf-protection",
                   "-fstack-clash-protection", "-fstack-protector-strong", "-Werror", "-Wconversion",
                   "-Wshadow", "-Wvla", "-Wmissing-prototypes", "-std=gnu17"):
        tap.report(lines and all(option in line for line in lines), f"everything is compiled with {option}",
                   *[line for line in lines if option not in line][:2])


def helper_process():
    """The helper's environment and file descriptors while it serves requests."""
    home = small_rootfs()
    with open(home.write(f"{os.getpid()}/open-file", "secret"), encoding="utf-8") as secret:
        shell = home.start("shell", "--", "sh", "-c", "echo in; sleep 64",
                           pass_fds=[secret.fileno()], environment={"SECRET": "of-the-caller"})
    shell.stdout.readline()
    check_descriptors(home, children(shell.pid))
    for pid in children(shell.pid):
        if "rootlet-helper" not in command_of(pid):
            continue
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = file.read()
            tap.report(environment.strip(b"\0") == b"", "helper: the environment is empty", environment)
            terminals = [link for link in links_of(pid).values()
                         if link.startswith(("/dev/pts", "/dev/tty"))]
            tap.report(not terminals, "helper: has no terminal open", *terminals)
            for kind in ("user", "pid_for_children", "ipc", "uts", "net"):
                tap.report(os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}"),
                           f"helper: has its own {kind} namespace")
            tap.report(os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt"),
                       "helper: has no mount namespace in which it could mount")
        except PermissionError:
            tap.skip("helper: environment and descriptors", "needs root to inspect another user's processes")
        break
    else:
        tap.report(False, "helper: the process is found")
    shell.terminate()
    shell.communicate(timeout=300)


def surplus_descriptor():
    """An extra descriptor from the helper's parent (rootlet passes none) is closed in all of its
    processes."""
    home = small_rootfs()
    path = home.write(f"{os.getpid()}/open-file", "secret")
    with opened(f"{home.store}/test-rootfs", *["/dev/null"] * 3) as fds:
        helper = Helper(home.user, setup=f"exec 9<{path};")
        helper.channel.sendmsg([request("Execute", argv=["sleep", "68"], user="root")], [
            (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
        asleep = wait_until(lambda: any(command_of(pid).startswith("sleep 68")
                                        for pid in children(helper.process.pid)), 20)
        tap.report(bool(asleep), "a helper with an extra descriptor works", helper.greeting)
        check_descriptors(home, [helper.process.pid, *children(helper.process.pid)])
        helper.leave()


# What the helper inherits besides descriptors: blocked signals, a timer that would kill it, a umask.
HANDED_DOWN = ["perl", "-MPOSIX", "-e",
               "sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGTERM, SIGUSR1)); alarm 1; "
               "umask 077; exec @ARGV"]


def handed_down():
    """The helper's processes and the jail inherit none of it."""
    home = small_rootfs()
    user = ["setpriv", "--reuid", str(home.user.uid), "--regid", str(home.user.gid), "--clear-groups"]
    with opened(f"{home.store}/test-rootfs", *["/dev/null"] * 3) as fds:
        began = time.monotonic()
        helper = Helper(home.user, before=[*(user if AS_ROOT else ()), *HANDED_DOWN])
        helper.channel.sendmsg([request("Execute", argv=["sleep", "69"], user="root")], [
            (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
        asleep = wait_until(lambda: any(command_of(pid).startswith("sleep 69")
                                        for pid in children(helper.process.pid)), 20)
        time.sleep(max(0, began + 2 - time.monotonic()))
        tap.report(bool(asleep) and helper.process.poll() is None,
                   "the caller's timer does not kill the helper", helper.greeting)
        found = {f"{pid} {command_of(pid)}": (field_of(pid, "SigBlk"), field_of(pid, "Umask"))
                 for pid in [helper.process.pid, *children(helper.process.pid)]}
        tap.report(len(found) > 3 and set(found.values()) == {("0" * 16, "0022")},
                   "helper and jail block no signals and set their own umask", found)
        helper.leave()


# CHOWN, DAC_OVERRIDE, FOWNER, FSETID: needed to write files of any owner.
UNPACKER = "000000000000001b"
NEVER_WHILE_UNPACKING = """execve execveat mount umount2 pivot_root unshare setns socket connect bind ptrace
bpf keyctl io_uring_setup init_module mknod mknodat chroot setuid setgid setresuid setgroups kill tkill
process_vm_readv userfaultfd perf_event_open open_by_handle_at fsetxattr setxattr lsetxattr ioctl""".split()


def unpack_jail():
    """While packages are unpacked, the processes that read them see only the tree and may do almost
    nothing."""
    calls = expected()["unpacker"].calls
    surplus = calls & set(NEVER_WHILE_UNPACKING)
    tap.report(surplus == {"execveat"} and len(calls) < 60,
               "unpack.list: allows no mount, socket or device, and no program except "
               "rootlet-worker", surplus, len(calls))
    if not AS_ROOT:
        tap.skip("the unpack jail", "needs root to inspect another user's process")
        return
    at, home = mirror(), Home()
    with Server(at.root, [Fault(r"/tar_[^/]*\.deb$", "stall", 1000)]) as server:
        front = home.start("create", "--fresh", "--release", "jammy", "--profile", "test", "--mirror",
                           server.url, "--keyring", at.keyring, "--quiet")
        server.wait_for("/tar_")
        found = wait_until(lambda: [pid for pid in children(front.pid)
                                    if field_of(pid, "CapEff") == UNPACKER and
                                    "rootlet-worker" in command_of(pid)], 60) or []
        workers = [pid for pid in found if len(mounts_of(pid)) == 2]
        # A supervisor and one worker per processor.
        tap.report(len(workers) >= 1 + min(os.cpu_count(), 8), "the unpack jail: its processes have two "
                   "mounts each and the capabilities that writing files takes", found, workers)
        for pid in workers:
            facts = {name: field_of(pid, name) for name in ("CapBnd", "CapPrm", "CapInh", "CapAmb",
                                                            "NoNewPrivs", "Seccomp")}
            tap.report(facts == {"CapBnd": UNPACKER, "CapPrm": UNPACKER, "CapInh": "0" * 16,
                                 "CapAmb": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"},
                       "the unpack jail: the processes cannot gain more", facts)
            tap.report(all("noexec" in line.split()[5].split(",") for line in mounts_of(pid)),
                       "the unpack jail: all mounts are noexec", *mounts_of(pid))
            inside = os.listdir(f"/proc/{pid}/root"), os.listdir(f"/proc/{pid}/root/tree")
            tap.report(inside[0] == ["tree"] and "usr" in inside[1],
                       "the unpack jail: contains only the tree, and no /proc", *inside)
        # A process without /proc, as in the unpack jail, cannot read mountinfo.
        jailed = [pid for pid in children(front.pid) if os.path.lexists(f"/proc/{pid}/root/proc/mounts") and
                  link_of(f"/proc/{pid}/ns/mnt") not in ("", os.readlink("/proc/self/ns/mnt"))]
        telling = [line for pid in jailed for line in mounts_of(pid) if home.dir in line]
        tap.report(jailed and not telling, "the tool jail: its mounts do not reveal the host's paths",
                   len(jailed), *telling)
        front.terminate()
        front.communicate(timeout=300)


def mounts_of(pid):
    try:
        with open(f"/proc/{pid}/mountinfo", encoding="utf-8") as file:
            return file.readlines()
    except OSError:
        return []


def root_mode():
    """If root is the caller, the work is still done with subordinate ids."""
    if not AS_ROOT:
        tap.skip("root mode", "needs root")
        return
    at = mirror()
    home = Home(user=User("root", 0, 0))
    with Server(at.root) as server, Tidy(home) as tidy:
        outcome = home.create("--quiet", server=server, at=at)
        wrong = tidy.complaints()
    tree = f"{home.store}/test-rootfs"
    tap.report(outcome.status == 0 and not wrong, "root mode: create", *wrong, outcome)
    if outcome.status:
        return
    tap.report(os.lstat(tree).st_uid >= 65536, "root mode: the tree does not belong to the host's root")
    shell = home.start("shell", "--", "sh", "-c", "echo in; sleep 65")
    shell.stdout.readline()
    asleep = wait_until(lambda: [pid for pid in children(shell.pid)
                                 if command_of(pid).startswith("sleep 65")], 10)
    maps = []
    for pid in asleep or []:
        with open(f"/proc/{pid}/uid_map", encoding="ascii") as file:
            maps.append(file.read())
    shell.terminate()
    shell.communicate(timeout=300)
    tap.report(len(maps) == 1 and not re.search(r"^\s*\d+\s+0\s", maps[0], re.M),
               "root mode: the host's root does not exist in the jail", maps)
    outcome = home.run("check")
    tap.report(outcome.status == 0, "root mode: check", outcome)
    with Tidy(home) as tidy:
        outcome = home.run("delete", "--yes")
        wrong = tidy.complaints()
    tap.report(outcome.status == 0 and not wrong and not os.path.lexists(tree), "root mode: delete",
               *wrong, outcome)


def by_hand():
    """A helper started by hand (without a channel, with the wrong kind, or without its own session) says what
    to run instead and does nothing else."""
    user = Home().user
    for what, kind, job in (("without a channel", None, False), ("with a stream", socket.SOCK_STREAM, False),
                            ("as a job", socket.SOCK_SEQPACKET, True)):
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind or socket.SOCK_STREAM)
        with ours, theirs:
            done = subprocess.run(["bash", "-c", f"exec {HELPER} 3<&{theirs.fileno() if kind else '-'}"],
                                  pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True,
                                  preexec_fn=os.setpgrp if job else None, check=False, timeout=60,
                                  **user.switch())
        tap.report(done.returncode == 1 and not done.stdout and
                   done.stderr == "rootlet-helper is started by rootlet, not by hand; run: rootlet --help\n",
                   f"rootlet-helper {what} refuses to run", done)


installed_files()
hardened()
if "ROOTLET_TEST_INSTALLED" not in os.environ:  # guests have no compiler and no object files
    marked_for_cet()
    compiled_with()
code()
owners_of_tree()
helper_process()
by_hand()
surplus_descriptor()
handed_down()
unpack_jail()
network_calls()
root_mode()
tap.done()
