"""Packages signed by a trusted key whose scripts and archives attack the host: what they can see and reach
from the jail of `rootlet create`, and what they leave behind."""
import os
import re
import shutil
import socket
import subprocess

from support import debs, tap
from support import mirror as mirrors
from support.server import Server
from support.world import AS_ROOT, SCRATCH, Case, Home, Tidy, judge, mirror, processes_left

AT = mirror()
LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
home = Home()
PRECIOUS = home.make_dir(f"{home.dir}/precious")
home.write("precious/file", "of-the-host")
ABSTRACT = f"rootlet-test-{os.getpid()}"

# What a postinst tries in the rootfs's shell; the command succeeds if the attack does. System call numbers
# are those of x86-64 (a missing program would prove nothing).
ATTACKS = {
    "sees a file of the host": f"test -e {PRECIOUS}/file",
    "sees a file of the host by escaping a chroot": "perl -e 'mkdir q(/root/c); chroot q(/root/c) or exit 1; "
        f"chdir q(../../../../../..) or exit 1; chroot q(.); exit(-e q({PRECIOUS}/file) ? 0 : 1)'",
    "sees it through /proc/1/root": f"test -e /proc/1/root{PRECIOUS}/file",
    "sees it through /proc/1/cwd": f"cd /proc/1/cwd && test -e .{PRECIOUS}/file",
    "sees a process of the host": f"kill -0 {os.getpid()}",
    "sees another process's environment": "grep -qa XDG_ /proc/*/environ",
    "has the caller's environment": "env | grep -q -e XDG_ -e SECRET",
    "has a descriptor to the host": f"ls -l /proc/self/fd /proc/$PPID/fd | grep -q {SCRATCH}",
    "holds the channel": "test -S /proc/$$/fd/3 || test -S /proc/$PPID/fd/3",
    "takes the caller's uid": "perl -e '$> = 65535; exit($> == 65535 ? 0 : 1)'",
    "gives a file to the caller's uid": "touch /root/f && chown 65535 /root/f",
    "mounts a tmpfs": "mount -t tmpfs none /mnt",
    "mounts proc": "mkdir -p /root/p && mount -t proc proc /root/p",
    "bind-mounts a directory": "mount --bind /etc /mnt",
    "unmounts": "umount /proc || umount -l /dev",
    "remounts": "mount -o remount,rw /proc",
    "creates a user namespace": "unshare --user true",
    "creates a mount namespace": "unshare --mount true",
    "enters a namespace": "nsenter --target 1 --mount --user true",
    "creates a disk device": "mknod /root/disk b 8 0",
    "creates a kernel log device": "mknod /root/kmsg c 1 11",
    "sets a core handler": "echo '|/bin/sh' >/proc/sys/kernel/core_pattern",
    "sets the host's name": "perl -e '$n = q(pwned); exit(syscall(170, $n, 5) == 0 ? 0 : 1)'",  # sethostname
    "traces its own process":
           "perl -e '$p = fork; if (!$p) { sleep 5; exit } $r = syscall(101, 16, $p, 0, 0); "
        "kill 9, $p; exit($r == 0 ? 0 : 1)'",  # ptrace, PTRACE_ATTACH
    "lets itself be traced": "perl -e 'exit(syscall(101, 0, 0, 0, 0) == 0 ? 0 : 1)'",  # PTRACE_TRACEME
    "traces pid 1": "perl -e 'exit(syscall(101, 0x4206, 1, 0, 0) == 0 ? 0 : 1)'",  # PTRACE_SEIZE
    "reads another process's memory":
           "perl -e '$p = fork; if (!$p) { sleep 5; exit } open(F, q(<), qq(/proc/$p/mem)); "
        "$b = q(x) x 16; $a = pack(q(QQ), unpack(q(Q), pack(q(P), $b)), 16); $r = syscall(310, $p, $a, 1, "
           "$a, 1, 0); "
        "kill 9, $p; exit($r > 0 ? 0 : 1)'",  # process_vm_readv
    "calls SysRq": "echo h >/proc/sysrq-trigger",
    "loads a module":
           "perl -e '$m = qq(\\x7fELF) . qq(\\0) x 4096; $o = q(); $r = syscall(175, $m, length $m, "
        # init_module: ENOEXEC comes from the loader, after all checks
        "$o); exit($r == 0 || $! == 8 ? 0 : 1)'",
    "reads the kernel log": "dmesg",
    "has a route": "test $(wc -l </proc/net/route) -gt 1",
    "has an interface": "tail -n +3 /proc/net/dev | cut -d: -f1 | grep -v -w lo",
    "reaches the mirror": "perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0) or exit 1; exit(connect(S, "
        "sockaddr_in(PORT, inet_aton(q(127.0.0.1)))) ? 0 : 1)'",
    "reaches an abstract socket": "perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0) or exit 1; "
        f"exit(connect(S, pack_sockaddr_un(qq(\\0{ABSTRACT}))) ? 0 : 1)'",
    "opens a raw socket": "perl -MSocket -e 'socket(S, PF_INET, SOCK_RAW, 1) ? exit 0 : exit 1'",
    "raises its priority": "test \"$(nice -n -20 nice)\" = -20",
}


def postinst():
    lines = ["#!/bin/sh", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "exec 2>/dev/null"]
    for number, attack in enumerate(ATTACKS.values()):
        lines.append(f"if ( {attack} ) >/dev/null </dev/null; then echo {number} yes; "
                     f"else echo {number} no; fi >>/root/report")
    lines += ["id -u >/root/ids; cat /proc/self/uid_map >>/root/ids",
              "grep -e ^Cap -e ^NoNew -e ^Seccomp: /proc/self/status >/root/status",
              "cat /proc/self/mountinfo /proc/1/mountinfo /proc/self/cgroup /proc/cmdline >/root/host",
              # A daemon that tries to survive, and output that tries to reach the caller's terminal.
              "setsid sleep 5001 &", "printf '\\033[2Jon-the-terminal\\n' >/dev/tty",
              "printf 'said \\033[2J\\007by the script\\n' >&2", "exit 0"]
    return "\n".join(lines) + "\n"


def create(name, *words, status=0, says=(), scripts=None, entries=(), archives=None):
    """Runs `create --name NAME` from a mirror that also has and includes the package evil-NAME (or one for
    each of ARCHIVES, {name: entries}). Returns (outcome, complaints). STATUS None: any status."""
    packages = archives or {name: entries}
    directory = f"{SCRATCH}/{os.getpid()}.{name}"
    with Server(f"{directory}/mirror") as server, Tidy(home) as tidy:
        filled = {key: text.replace("PORT", str(server.server_address[1]))
                  for key, text in (scripts or {}).items()}
        made = [debs.make(f"{directory}.debs", f"evil-{one}", mirrors.arch(), filled, its)
                for one, its in packages.items()]
        at = AT.with_packages(directory, made)
        outcome = home.create("--name", name, "--include", ",".join(f"evil-{one}" for one in packages),
                              *words,
                              server=server, at=at, environment={"SECRET": "of-the-caller"})
        if status is None:
            wrong = tidy.complaints()
        else:
            wrong = judge(Case("", ["create"], status, says), outcome, home, tidy)
    shutil.rmtree(directory, ignore_errors=True)
    if sorted(os.listdir(PRECIOUS)) != ["file"] or open(f"{PRECIOUS}/file").read() != "of-the-host":
        wrong.append(f"the host's directory has changed: {os.listdir(PRECIOUS)}")
    if "\033" in outcome.out + outcome.err or "on-the-terminal" in outcome.out + outcome.err:
        wrong.append("a script's output reaches the terminal unfiltered")
    return outcome, wrong


def inside(name, *words):
    return home.run("shell", "--name", name, "--", *words)


# Attacks that cannot be demonstrated outside a jail.
UNSHOWN = {"enters a namespace": "if pid 1's user namespace may be entered, the process is already in it"}
# Does not touch the host: it has its own mounts and processes, and a plain file covers the kernel's settings.
OUTSIDE = """mount -t proc proc /proc && mount -t tmpfs none /root && touch /root/plain &&
for file in SETTINGS; do mount --bind /root/plain $file || exit 99; done &&
exec 3<&SOCKET && cd / || exit 99; if ( ATTACK ) >/dev/null; then exit 0; else exit 1; fi"""
SETTINGS = [path for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger") if os.path.exists(path)]
# Root of a user namespace can do these four; tests without root cannot do more.
CALLS = ("sets the host's name", "traces its own process", "lets itself be traced",
         "reads another process's memory")


def takes_modules():
    """Whether the kernel loads modules, and checks their format before their signature."""
    for path, closed in (("/sys/module/module/parameters/sig_enforce", "Y"),
                         ("/sys/kernel/security/lockdown", "[integrity]"),
                         ("/sys/kernel/security/lockdown", "[confidentiality]")):
        if os.path.exists(path):
            with open(path, encoding="ascii") as file:
                if closed in file.read():
                    return False
    return os.path.exists("/proc/modules")


def impossible(what):
    """Returns why the attack would also fail outside a jail on this host, or None."""
    with open("/proc/self/status", encoding="ascii") as file:
        capabilities = int(dict(line.split(":\t") for line in file if ":\t" in line)["CapEff"], 16)
    with open("/proc/net/route", encoding="ascii") as file:
        route = len(list(file)) > 1
    has = {"loads a module": capabilities >> 16 & 1 and takes_modules(),
           "opens a raw socket": capabilities >> 13 & 1,
           "reads the kernel log": capabilities >> 34 & 1, "raises its priority": capabilities >> 23 & 1,
           "creates a disk device": capabilities >> 27 & 1,
           "creates a kernel log device": capabilities >> 27 & 1,
           "calls SysRq": "/proc/sysrq-trigger" in SETTINGS, "has a route": route,
           "has an interface": len(os.listdir("/sys/class/net")) > 1}
    return UNSHOWN.get(what) or (None if has.get(what, True) else "the host does not allow it")


def attacks_work():
    """Outside a jail, the attacks succeed; otherwise their failure would prove nothing."""
    if not AS_ROOT:
        for what in CALLS:
            done = subprocess.run(["unshare", "--user", "--map-root-user", "--uts", "sh", "-c",
                                   ATTACKS[what]],
                                  stderr=subprocess.PIPE, check=False, cwd="/")
            tap.report(done.returncode == 0, f"outside a jail, the attack {what}", done)
        return
    abstract, mirrored, held = (socket.socket(kind)
                                for kind in (socket.AF_UNIX, socket.AF_INET, socket.AF_UNIX))
    abstract.bind(f"\0{ABSTRACT}")
    mirrored.bind(("127.0.0.1", 0))
    for listener in (abstract, mirrored):
        listener.listen()
    with abstract, mirrored, held, open(f"{PRECIOUS}/file", encoding="ascii") as file:
        for what, attack in ATTACKS.items():
            why = impossible(what)
            if why:
                tap.skip(f"outside a jail, the attack {what}", why)
                continue
            # This attack names a process by its pid here.
            processes = [] if what == "sees a process of the host" else ["--pid", "--fork", "--kill-child"]
            script = OUTSIDE.replace("SETTINGS", " ".join(SETTINGS)).replace("SOCKET", str(held.fileno()))\
                .replace("ATTACK", attack).replace("PORT", str(mirrored.getsockname()[1]))
            done = subprocess.run(["unshare", "--mount", "--propagation", "private", "--uts", *processes,
                                   "sh", "-c", script],
                                  stdin=file, stderr=subprocess.PIPE, pass_fds=[held.fileno()], check=False,
                                  cwd="/",
                                  env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "XDG_X": "of-the-caller"})
            tap.report(done.returncode == 0, f"outside a jail, the attack {what}", done)


def spy():
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"\0{ABSTRACT}")
    listener.listen()
    outcome, wrong = create("spy", scripts={"postinst": postinst()})
    if not tap.report(not wrong, "create survives a package with a hostile script", *wrong, outcome):
        return
    report = dict(line.split() for line in inside("spy", "cat", "/root/report").out.splitlines())
    for number, what in enumerate(ATTACKS):
        tap.report(report.get(str(number)) == "no", f"a package's script never {what}",
                   report.get(str(number), "the attack was not tried"))
    ids = inside("spy", "cat", "/root/ids").out.split()
    tap.report(ids[:1] == ["0"] and len(ids) == 4 and ids[3] == "65535",
               "a package's script runs as root of the rootfs, without the caller's uid", ids)
    status = inside("spy", "cat", "/root/status").out
    tap.report(bool(re.search(r"NoNewPrivs:\s+1", status) and re.search(r"Seccomp:\s+2", status)),
               "a package's script runs with no_new_privs and a seccomp filter", status)
    tap.note(status)
    host = inside("spy", "cat", "/root/host").out
    with open("/proc/cmdline", encoding="utf-8", errors="replace") as file:
        words = file.read().strip()
    tap.report(" /proc " in host and home.dir not in host and not (words and words in host),
               "a package's script sees no paths and no command line of the host", host)
    listener.close()


# Each of them makes create fail, and the host is unchanged.
ARCHIVES = {
    "inside": ("links to a file of another package", [("./got", "=> ./etc/shells")]),
    "planted": ("writes through a link of another package",
                [("./usr/share/common-licenses/GPL/escaped", b"x")]),
    "dotdot": ("climbs with ..", [("./../../../../../../.." + PRECIOUS + "/escaped", b"x")]),
    "absolute": ("has absolute paths", [(PRECIOUS + "/escaped", b"x")]),
    "symlink": ("writes through its own symlink", [("./way", f"-> {PRECIOUS}"),
                                                   ("./way/escaped", b"x")]),
    "hardlink": ("links to a file of the host", [("./held", f"=> {PRECIOUS}/file")]),
    "device": ("contains a disk device", [("./disk", "dev")]),
}


def archives():
    for name, (what, entries) in ARCHIVES.items():
        outcome, wrong = create(name, status=1, says=[f"package evil-{name}: refused"], entries=entries)
        if os.path.lexists(f"{home.store}/{name}"):
            wrong.append("a rootfs exists")
        tap.report(not wrong, f"an archive that {what} is refused and leaves nothing behind", *wrong, outcome)
        if LONG:
            by_debootstrap(f"an archive that {what}", name, {name: entries})
    # One dpkg run gets them all: refusing one does not keep it from the next.
    by_debootstrap("all such archives at once", "all",
                   {name: entries for name, (_, entries) in ARCHIVES.items()})


def by_debootstrap(what, name, packages):
    """With debootstrap, dpkg unpacks inside the jail, and may accept what the helper refuses."""
    outcome, wrong = create(name, "--engine", "debootstrap", status=None, archives=packages)
    if outcome.status == 0:
        seen = inside(name, "sh", "-c", "cat /got /held; test -b /disk && echo a-disk")
        if "of-the-host" in seen.out or "a-disk" in seen.out:
            wrong.append(f"it reached the host: {seen.out}")
    elif outcome.status != 1:
        wrong.append("neither done nor failed")
    tap.report(not wrong, f"engine debootstrap: {what}: nothing changes on the host", *wrong, outcome)
    home.run("delete", "--yes", "--name", name)


# Traps that a script leaves in the tree for the helper's publish step.
TRAPS = {
    "manifest": ("/etc/rootlet is a symlink to the host",
                 f"rm -rf /etc/rootlet; ln -s {PRECIOUS} /etc/rootlet"),
    "etc": ("/etc is a symlink to the host", f"mv /etc /etc.old; ln -s {PRECIOUS} /etc"),
    "passwd": ("/etc/passwd is a symlink to the host",
               f"mv /etc/passwd /etc/p; ln -s {PRECIOUS}/file /etc/passwd"),
    "homes": ("/home is a symlink to the host", f"rm -rf /home; ln -s {PRECIOUS} /home"),
    "dpkg": ("dpkg's status is a FIFO", "cd /var/lib/dpkg; (sleep 1; rm status; mkfifo status) & exit 0"),
}


def traps():
    for name, (what, script) in TRAPS.items():
        outcome, wrong = create(name, status=None, scripts={"postinst": f"#!/bin/sh\n{script}\n"})
        if outcome.status not in (0, 1):
            wrong.append("neither done nor failed")
        if outcome.status and os.path.lexists(f"{home.store}/{name}"):
            wrong.append("it failed but a rootfs exists")
        tap.report(not wrong, f"a script after which {what} does no harm", *wrong, outcome)
        home.run("delete", "--yes", "--name", name)


FAILURES = {
    "refuses": ("fails", "exit 1", ["evil-refuses"]),
    "killer": ("kills every process that it sees", "kill -9 -1; sleep 5; exit 1", []),
    "parent": ("kills pid 1", "kill -9 1; kill -9 $PPID; exit 1", []),
}


def failures():
    for name, (what, script, says) in FAILURES.items():
        outcome, wrong = create(name, status=1, says=says, scripts={"postinst": f"#!/bin/sh\n{script}\n"})
        if os.path.lexists(f"{home.store}/{name}"):
            wrong.append("a rootfs exists")
        tap.report(not wrong, f"a script that {what} ends create with one message and no trace", *wrong,
                   outcome)


attacks_work()
spy()
archives()
traps()
failures()
tap.report(not processes_left(10), "no process of a package remains")
tap.done()
