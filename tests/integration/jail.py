"""What a program in the jail can and cannot see, call and reach."""
import contextlib
import ctypes
import glob
import os
import platform
import re
import subprocess

from support import tap, trees
from support.lists import expected
from support.terminal import Terminal
from support.world import (AS_ROOT, BUILD, HELPER, NOBODY, SCRATCH, Tidy, children, command_of, kill,
                           plain_user, processes_left, small_rootfs, wait_until)

home = small_rootfs()
SYNC = ["sync", "syncfs", "fsync", "fdatasync", "sync_file_range", "msync"]
# Allowed errors of a call that the filter refuses, always or with these arguments.
REFUSED = {"EPERM", "ENOSYS", "EAFNOSUPPORT", "ENOTTY", "EINVAL", "ENOPROTOOPT"}
# Programs for these ABIs do not run in the jail, so killing them is fine as well.
OTHER_TABLES = {"i386", "x32"}
CAPABILITIES = {name: number for number, name in enumerate(
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable "
    "net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio "
    "sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time "
    "sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog "
    "wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore".split())}
# Capabilities that dpkg, package scripts, su and useradd need; the jail drops the others.
IN_JAIL = {"chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setfcap"}
# To access files of every owner in the range, and to start jails; these apply in its own namespaces.
IN_HELPER = {"chown", "dac_override", "fowner", "setuid", "setgid", "setfcap"}


# A group with no members; rootlet's caller gets it as a supplementary group.
FOREIGN_GROUP = 54321
GROUPS = {"extra_groups": [FOREIGN_GROUP]} if AS_ROOT else {}


def inside(script, user="root"):
    """Runs SCRIPT in a shell in the rootfs."""
    return home.run("shell", "--user", user, "--", "sh", "-c", script)


def system_calls():
    """Copies a static program into the jail through standard input."""
    program = f"{BUILD}/tests/syscalls"
    if not os.path.exists(program):
        tap.report(False, "system calls: the test program exists", program)
        return
    with open(program, "rb") as file:
        data = file.read()
    for user in ("root", "fsqa"):
        outcome = home.run("shell", "--user", user, "--", "sh", "-c", "umask 077; d=$(mktemp -d "
                           "/var/tmp/XXXXXX); cat >$d/x; chmod 700 $d/x; $d/x; rm -r $d", text=data)
        said = dict(line.split() for line in outcome.out.splitlines() if len(line.split()) == 2)
        if not tap.report(len(said) > 20, f"system calls as {user}: the program runs", outcome):
            continue
        tap.report(said.pop("unknown-call") == "ENOSYS",
                   f"system calls as {user}: a call newer than the list gives ENOSYS")
        for name in SYNC:
            tap.report(said.pop(name, None) == "0",
                       f"system calls as {user}: {name} succeeds and does nothing")
        for name, error in said.items():
            tap.report(error in REFUSED or (error == "SIG" and name in OTHER_TABLES),
                       f"system calls as {user}: {name} is refused", error)
        if os.uname().machine == "x86_64":
            tap.report(OTHER_TABLES <= set(said), f"system calls as {user}: calls of other ABIs were tried")


def names_of_calls():
    """Returns {number: name} for this architecture, from the C library's headers."""
    known = {}
    for path in glob.glob("/usr/include/*/asm/unistd_64.h") + ["/usr/include/asm-generic/unistd.h"]:
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
            for name, number in re.findall(r"^#define __NR_(\w+)\s+(\d+)", file.read(), re.M):
                known.setdefault(int(number), name)
        if known:
            break
    return known


def newer_than_filters(name):
    """Whether libseccomp does not know the call; the filters then return ENOSYS."""
    return ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name(name.encode()) == -1


def every_call():
    """Makes each call that is on none of the jail's lists, with meaningless arguments. The filter itself must
    refuse it: the result is EPERM, although the program has set allowed calls to fail with ENOSYS."""
    listed = set(SYNC) | expected()["jail"].calls
    with open(f"{BUILD}/tests/syscalls", "rb") as file:
        program = file.read()
    calls = {number: name for number, name in names_of_calls().items() if name not in listed}
    numbers = " ".join(map(str, calls))
    outcome = home.run("shell", "--", "sh", "-c", "d=$(mktemp -d /var/tmp/XXXXXX); cat >$d/x; "
                       f"chmod 700 $d/x; $d/x {numbers}; rm -r $d", text=program)
    said = dict(line.split() for line in outcome.out.splitlines() if len(line.split()) == 2)
    tap.report(len(said) == len(calls) > 100, "every unlisted call is tried", outcome)
    for number, name in calls.items():
        # Killing the program would be a refusal too, but libraries could not fall back from it.
        wanted = "ENOSYS" if name == "clone3" or newer_than_filters(name) else "EPERM"
        tap.report(said.get(str(number)) == wanted, f"the unlisted call {name} is refused",
                   said.get(str(number)))
    tap.report(sum(said.get(str(number)) == "EPERM" for number in calls) > 50,
               "most unlisted calls fail with EPERM")


def visible():
    """The output of each command must, or must not, match."""
    user = plain_user()
    uid = os.geteuid() if user.uid is None else user.uid
    rows = [
        ("no processes but its own are visible", "ls /proc | grep -c '^[0-9]'", r"^[1-9]$", None),
        ("the caller's uid does not exist", "cat /proc/self/uid_map", r"^\s*0\s+\d+\s+\d+$",
         rf"\s{uid}\s"),
        ("ids end at 65534", "cat /proc/self/uid_map", r"^\s*0\s+0\s+65535$", None),
        ("it has no groups of the caller", "id -G", r"^0$", None),
        ("lo is the only network interface", "tail -n +3 /proc/net/dev | cut -d: -f1", None,
         r"(eth|ens|enp|wlan|docker)"),
        ("there is no route", "cat /proc/net/route | tail -n +2 | wc -l", r"^0$", None),
        ("it has its own host name", "cat /proc/sys/kernel/hostname", None,
         rf"^{re.escape(platform.node())}$"),
        ("the caller's home is not visible", f"ls {home.dir} 2>&1", "No such file", None),
        ("the caller's environment is not passed on", "env", r"^PATH=",
         r"(XDG_|ROOTLET|secret-of-the-caller)"),
        ("the caller's file descriptors are closed", "ls /proc/self/fd | wc -l", r"^[34]$", None),
        ("/proc/sysrq-trigger cannot be opened", "echo h >/proc/sysrq-trigger && echo open", None, "open"),
        ("/proc/cmdline is covered", "wc -c </proc/cmdline", r"^0$", None),
        ("the cover is read-only", "echo x >/proc/cmdline && echo written", None, "written"),
        # Some belong to the jail's own namespaces, so only the cover protects them.
        ("kernel settings cannot be written",
         "find /proc/sys -type f | wc -l; find /proc/sys -type f -writable",
         r"^\d{3,}$", "/proc/sys"),
        ("it can list its own mounts", "cut -d' ' -f5 /proc/self/mountinfo", r"^/proc$", r"^/$"),
        ("a crash leaves no core dump",
         "for i in 1 2; do grep '^Max core' /proc/self/limits; ulimit -S -c 0; done",
         r"\A(Max core file size +1 +1 +bytes *\n){2}\Z", None),
        ("/proc/kcore cannot be read", "head -c 1 /proc/kcore | wc -c", r"^0$", None),
        ("/dev has only the basic devices", "ls /dev", r"^null$", r"^(sd|vd|nvme|kvm|mem|kmsg|loop)"),
        ("/sys is not the host's", "ls /sys/fs/cgroup /sys/kernel/security 2>/dev/null", None, "."),
        ("the kernel log is not readable", "cat /dev/kmsg 2>&1 | head -c 100", None, r"^\d+,"),
        ("/tmp and /run are its own", "ls /tmp /run | grep -v : | grep -c .", r"^\d$", None),
        ("/tmp and /run are tmpfs", "stat -fc %T /tmp /run", r"\Atmpfs\ntmpfs\n\Z", None),
        ("a file can be created in /tmp", "ls -A /tmp; touch /tmp/mark", None, "mark"),
        ("files in /tmp do not persist", "ls -A /tmp", None, "mark"),
        ("mount is refused", "mount -t tmpfs none /mnt 2>&1; echo $?", r"^(1|32)$", None),
        ("mknod of a disk is refused", "mknod /root/disk b 8 0 2>&1", "not permitted|denied", None),
        ("chown to a foreign id is refused", "touch /root/f && chown 70000 /root/f 2>&1",
         "Invalid argument", None),
        ("the number of processes is limited", "grep '^Max processes' /proc/self/limits", r"\b4096 +4096\b",
         None),
        ("no_new_privs is set", "grep NoNewPrivs /proc/self/status", r"1$", None),
        ("a seccomp filter is active", "grep Seccomp: /proc/self/status", r"2$", None),
    ]
    for what, script, wanted, unwanted in rows:
        outcome = home.run("shell", "--", "sh", "-c", script,
                           environment={"SECRET": "secret-of-the-caller"}, **GROUPS)
        good = (not wanted or re.search(wanted, outcome.out, re.M)) and \
            not (unwanted and re.search(unwanted, outcome.out, re.M))
        tap.report(bool(good), f"in the jail: {what}", outcome)


# Everything that shows a process its mounts, cgroup and host; also for its pid 1, which is the helper's.
TELLING = "for p in self 1; do cd /proc/$p; cat mountinfo mounts mountstats cgroup cpuset cmdline maps; " \
          "cat environ; readlink exe root cwd; ls -l fd; done; cat /proc/cmdline /proc/swaps /proc/locks"


def telling(text):
    """Returns what TEXT, read in a jail, reveals about the host and the user."""
    with open("/proc/self/cgroup", encoding="ascii") as file:
        groups = {line.strip().split(":", 2)[2] for line in file} - {"/"}
    with open("/proc/cmdline", encoding="utf-8", errors="replace") as file:
        words = file.read().strip()
    names = {plain_user().name, home.dir, SCRATCH, HELPER, words, *groups} - {""}
    return sorted(name for name in names if name in text)


def host_is_hidden():
    """Nothing readable in a jail contains a path, name, cgroup or command line of the host. The same files
    outside a jail do contain them; otherwise this would prove nothing."""
    seen = subprocess.run(["sh", "-c", TELLING], cwd=home.dir, stdout=subprocess.PIPE, check=False,
                          stderr=subprocess.DEVNULL).stdout.decode(errors="replace")
    tap.report(len(telling(seen)) >= 2, "outside a jail, these files reveal the host", *telling(seen))
    for user in ("root", "fsqa"):
        outcome = inside(f"{TELLING} 2>&1; true", user)
        tap.report("/proc " in outcome.out and not telling(outcome.out),
                   f"in the jail, as {user}: nothing reveals the host's paths, cgroups and command line",
                   *telling(outcome.out), outcome)


def mounted_trees():
    """Mounts beside the tree change nothing; a mount inside the tree is refused."""
    if not AS_ROOT:
        tap.skip("a mount in the rootfs, and one beside it", "needs root to mount")
        return
    tree = f"{home.store}/test-rootfs"
    for what, point, good in (("beside", home.make_dir(f"{home.store}/mounted-by-test"), True),
                              ("in", f"{trees.inside(tree)}/media", False)):
        script = f'mount -t tmpfs none "{point}" && exec setpriv --reuid {home.user.uid} ' \
                 f'--regid {home.user.gid} --clear-groups "$@"'
        outcome = home.run("shell", "--", "sh", "-c", TELLING, before=[
            "unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"], **NOBODY)
        wrong = telling(outcome.out) if good else []
        tap.report(not wrong and ("/proc " in outcome.out) == good and
                   (good or "something is mounted in it" in outcome.err),
                   f"a mount {what} the rootfs {'is not visible' if good else 'is refused'}", *wrong, outcome)
    os.rmdir(f"{home.store}/mounted-by-test")


def null_without_dev():
    """A guest that has not mounted its /dev yet redirects to the tree's own file."""
    if not AS_ROOT:
        tap.skip("the tree has a file /dev/null", "needs root to look into it")
        return
    mode = os.lstat(f"{trees.inside(f'{home.store}/test-rootfs')}/dev/null").st_mode
    tap.report(mode == 0o100666, "the tree has a file /dev/null that everyone can write", oct(mode))


def no_way_out():
    """The host's sockets: an address on its loopback interface, and its abstract Unix sockets."""
    script = ("use Socket; socket(my $s, PF_INET, SOCK_STREAM, 0) or exit 0; "
              "exit(connect($s, sockaddr_in(22, inet_aton('127.0.0.1'))) ? 1 : 0)")
    outcome = home.run("shell", "--", "perl", "-e", script)
    tap.report(outcome.status == 0, "in the jail: the host's loopback cannot be reached", outcome)
    outcome = inside("grep -w lo /proc/net/dev && ! grep -E '^ *(eth|en|wl)' /proc/net/dev && grep -w "
                     "127.0.0.1 /proc/net/fib_trie")
    tap.report(outcome.status == 0, "in the jail: its own loopback interface is up, and is the only one",
               outcome)
    outcome = inside("test ! -e /run/dbus/system_bus_socket -a ! -e /run/systemd/private")
    tap.report(outcome.status == 0, "in the jail: the host's service sockets are not visible", outcome)


def looks_like_chroot():
    """ischroot(1) must succeed, so that package scripts leave alone what only a running system has."""
    outcome = inside("! command -v ischroot || ischroot")
    tap.report(outcome.status == 0, "in the jail: ischroot reports a chroot", outcome)


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def held(value):
    return {name for name, number in CAPABILITIES.items() if int(value, 16) >> number & 1}


def held_by_processes():
    """What /proc shows about the helper and the jail while a command runs."""
    shell = home.start("shell", "--", "sh", "-c", "echo in; sleep 61", **GROUPS)
    shell.stdout.readline()
    wait_until(lambda: any(command_of(pid).startswith("sleep 61") for pid in children(shell.pid)))
    below = children(shell.pid)
    jailed = [pid for pid in below if command_of(pid).startswith("sleep 61")]
    helpers = [pid for pid in below if "rootlet-helper" in command_of(pid) or
               "rootlet" in status_of(pid)["Name"]]
    helpers = [pid for pid in helpers if pid not in jailed]
    tap.report(len(jailed) == 1 and helpers, "while a command runs: helper and jail exist",
               [command_of(pid) for pid in below])
    for pid in helpers:
        status = status_of(pid)
        name = status["Name"]
        tap.note(f"helper {name}: CapEff {' '.join(sorted(held(status['CapEff']))) or 'none'}; "
                 f"CapBnd {' '.join(sorted(held(status['CapBnd']))) or 'none'}")
        tap.report(status["NoNewPrivs"] == "1", f"helper {name}: no_new_privs is set")
        tap.report(status["Seccomp"] == "2", f"helper {name}: a seccomp filter is active")
        tap.report(held(status["CapAmb"]) == set(), f"helper {name}: has no ambient capabilities")
        tap.report(held(status["CapPrm"]) <= IN_HELPER, f"helper {name}: has only the capabilities it needs",
                   held(status["CapPrm"]) - IN_HELPER)
    tap.report(any(not held(status_of(pid)["CapPrm"]) for pid in helpers),
               "helper: the parser has no capabilities", [command_of(pid) for pid in helpers])
    for pid in jailed:
        status = status_of(pid)
        tap.note(f"jail: CapEff {' '.join(sorted(held(status['CapEff']))) or 'none'}")
        for kind in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
            tap.report(held(status[kind]) <= IN_JAIL,
                       f"jail: {kind} contains only what package scripts need",
                       held(status[kind]) - IN_JAIL)
        tap.report(not status["Groups"].split(), "jail: has no groups of the caller", status["Groups"])
        for kind in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup"):
            tap.report(os.readlink(f"/proc/{pid}/ns/{kind}") !=
                       os.readlink(f"/proc/self/ns/{kind}"), f"jail: has its own {kind} namespace")
    shell.terminate()
    shell.communicate(timeout=300)


def deaths():
    """Whichever of the three dies, the others end too."""
    for what, victim in (("the front end", "front"), ("the helper", "helper"), ("the command", "jail")):
        with Tidy(home) as tidy:
            shell = home.start("shell", "--", "sh", "-c", "echo in; sleep 62 & sleep 63; exit 9")
            shell.stdout.readline()
            below = children(shell.pid)
            pids = {"front": [shell.pid],
                    "helper": [pid for pid in below if "rootlet-helper" in command_of(pid)][:1],
                    "jail": [pid for pid in below if command_of(pid).startswith("sh -c echo in")]}
            for pid in pids[victim]:
                kill(pid)
            _, err = shell.communicate(timeout=300)
            wrong = tidy.complaints()
        tap.report(bool(pids[victim]) and not wrong, f"kill -9 of {what} during shell: no process stays",
                   *wrong, err.decode(errors="replace"))
        if victim == "helper":
            tap.report(shell.returncode == 1 and b"rootlet-helper" in err,
                       "kill -9 of the helper during shell: the front end reports it", err)
        if victim == "jail":
            tap.report(shell.returncode == 137, "kill -9 of the command: the exit status is 137",
                       shell.returncode)
        outcome = home.run("shell", "--", "true")
        tap.report(outcome.status == 0, f"kill -9 of {what} during shell: the lock is released", outcome)


def terminal_is_safe():
    """TIOCSTI would type into the caller's terminal."""
    script = ("perl -e 'ioctl(STDIN, 0x5412, q(x)) and print qq(pushed\\n)'; echo end")
    with Terminal(home, "shell", "--", "sh", "-c", script) as terminal:
        terminal.expect("end")
        terminal.wait()
    tap.report("end" in terminal.text and "pushed" not in terminal.text,
               "in the jail: TIOCSTI cannot type into the caller's terminal", terminal.text)


system_calls()
every_call()
visible()
host_is_hidden()
mounted_trees()
null_without_dev()
no_way_out()
looks_like_chroot()
held_by_processes()
deaths()
terminal_is_safe()
tap.report(not processes_left(5), "no processes remain")
tap.done()
