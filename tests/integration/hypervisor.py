"""What surrounds vng and qemu, with a program of the test's in vng's place: what it can reach is what a
guest can that has taken qemu over; and what it says is what a hostile guest may say. No VM is booted."""
import ctypes
import errno
import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time

from support import sums, tap, vng
from support.schemas import stream
from support.terminal import Terminal
from support.trees import inside
from support.world import (AS_ROOT, BUILD, NOBODY, Home, Outcome, Tidy, kill, own_rootfs, wait_until,
                           without)

TIMEOUT, INTERRUPTED, FAILED_VM = 124, 130, 125
rootfs = own_rootfs()
TREE = f"{rootfs.store}/test-rootfs"
home = Home()
SHARE = home.make_folder(f"{home.folder}/share")
home.write("precious", "of-the-host")
home.write("open-file", "x")


def kernel(name="kernel", version=""):
    return home.write(name, vng.kernel(version))


KERNEL = kernel()


def start(script, *words, image=KERNEL, more=None):
    """`rootlet run` where vng is a shell SCRIPT; MORE is for its environment."""
    os.chmod(home.write("bin/vng", f"#!/bin/bash\n{script}\n"), 0o755)
    return home.start("run", "--path", TREE, "--kernel", image, *words, "--", "true",
                      close_fds=more is None, before=KEYED if more else (),
                      environment={"PATH": f"{home.folder}/bin:/usr/bin:/bin", **(more or {})})


def run(script, *words, seconds=120, **more):
    process = start(script, *words, **more)
    began = time.monotonic()
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace"), \
        time.monotonic() - began


SECRET = "of-the-caller"
HIGH = 500  # the number of a descriptor
MARK = "rootlet-test-victim"
NAME = socket.gethostname()


def perl(code):
    """True where CODE is; numbers of calls are those of x86-64."""
    return f"perl -MSocket -e 'exit(({code}) ? 0 : 1)'"


def unix(kind, then):
    return f"socket(S, PF_UNIX, {kind}, 0) && {then}"


# Starts what follows with a key in a session keyring of its own, as logins have one.
KEYED = ["perl", "-e", "$t = q(user), $d = q(rootlet-session), $v = q(x), syscall(250, 1, 0), "
         "syscall(248, $t, $d, $v, 1, -3), exec @ARGV"]
# How an attack is shown to work outside of the seal: as the same user, or with what else it takes there.
AS_USER = []
IN_NAMESPACES = ["unshare", "--user", "--map-root-user", "--mount"]
AS_HOST_ROOT = "as root"

# Each is "true" where it came through. HOME, SHARE, TREE, VICTIM and so on are the test's own: see places().
ATTACKS = {
    "writes to the user's home": ("touch HOME/escaped", AS_USER),
    "overwrites a file of the user's": ("echo x >>HOME/precious", AS_USER),
    "reads the user's keys": ("grep -q . HOME/.ssh/id", AS_USER),
    "sees the user's home, wherever": ("ls -d HOME/precious /*HOME/precious | grep -q precious", AS_USER),
    "changes what vng is installed as": ("touch HOME/bin/escaped", AS_USER),
    "writes to the rootfs": ("touch TREE/escaped || touch /mnt/tree/escaped || touch /mnt/root/escaped/x",
                             AS_HOST_ROOT),
    "writes to /tmp": ("touch /tmp/escaped.PID", AS_USER),
    "writes to /var/tmp": ("touch /var/tmp/escaped.PID", AS_USER),
    "sees anything of /run, /tmp, /sys, /boot or /var/lib": (
        "ls -A /run /tmp /sys /boot /var/lib | grep -q '^[^/]'", AS_USER),
    "sees who else uses the host": ("test $(wc -l </etc/passwd) -gt 1", AS_USER),
    "remounts the host writable": ("mount -o remount,bind,rw /", IN_NAMESPACES),
    "makes a user namespace": ("unshare --user true", AS_USER),
    "makes a mount namespace": ("unshare --mount true", IN_NAMESPACES),
    "mounts": ("mount -t tmpfs none /mnt", IN_NAMESPACES),
    "gains from a setuid program": ("setpriv --dump | grep -q 'no_new_privs: 0'", AS_USER),
    "holds more than one capability": (
        "perl -ne '/^CapEff:\\s+(\\w+)/ && exit(unpack(q(%32b*), pack(q(H*), $1)) > 1 ? 0 : 1)' /proc/self/status",
        IN_NAMESPACES),
    "signals a process of the user's": ("kill -0 VICTIM", AS_USER),
    "sees a process of the user's": (f"grep -qa '{MARK[:-1]}[{MARK[-1]}]' /proc/*/cmdline", AS_USER),
    "looks into a process of the user's": (f"grep -qa {SECRET} /proc/VICTIM/environ", AS_USER),
    "has the caller's environment": (f"env | grep -q {SECRET}", AS_USER),
    "reaches a network": (perl("socket(S, PF_INET, SOCK_STREAM, 0) && connect(S, sockaddr_in(PORT, "
                               "inet_aton(q(127.0.0.1))))"), AS_USER),
    "connects to a socket of the user's": (
        perl(unix("SOCK_STREAM", "connect(S, pack_sockaddr_un(q(HOME/stream)))")), AS_USER),
    "sends to a socket of the user's": (
        perl(unix("SOCK_DGRAM", "send(S, q(x), 0, pack_sockaddr_un(q(HOME/dgram)))")), AS_USER),
    "lists the user's sockets": ("grep -q HOME/stream /proc/net/unix", AS_USER),
    "sees the name of the user's cgroup": ("grep -qv ':/$' /proc/self/cgroup", AS_USER),
    "keeps a descriptor of the caller's": ("ls -l /proc/self/fd | grep -q open-file", AS_USER),
    "writes to another terminal of the user's": ("echo x >TERMINAL", AS_USER),
    "reads keys typed into another terminal of the user's": (
        "read -t 5 -r line <TERMINAL && [[ $line = typed ]]", AS_USER),
    "writes to a FIFO of the user's": ("echo x 1<>HOME/fifo >&1", AS_USER),
    "opens a device that it does not need": ("exec 3<>/dev/ptmx", AS_USER),
    "opens a device in a shared folder": ("head -c 1 SHARE/device | grep -qa .", AS_USER),
    "sees the host's name": (f"test $(uname -n) = {NAME}", AS_USER),
    "finds the user's shared memory": (perl("defined shmget(KEY, 0, 0)"), AS_USER),
    "reads the caller's keyrings": (perl("$t = q(user), $d = q(rootlet), $v = q(x), "
                                         "syscall(248, $t, $d, $v, 1, -2) > 0"), AS_USER),  # add_key
    "asks for a key of the caller's session": (
        perl("$t = q(user), $d = q(rootlet-session), syscall(249, $t, $d, 0, 0) > 0"), AS_USER),  # request_key
    "clones into a user namespace": (perl("($p = syscall(56, 0x10000011, 0, 0, 0, 0)) || exit(0), $p > 0"), AS_USER),
    "clones into one by clone3": (perl("$c = pack(q(Q8), 0x10000000, 0, 0, 0, 17, 0, 0, 0), "
                                       "($p = syscall(435, $c, 64)) || exit(0), $p > 0"), AS_USER),
    "names a keyring": (perl("syscall(250, 0, -2, 1) > 0"), AS_USER),  # keyctl, KEYCTL_GET_KEYRING_ID
    "makes an io_uring": (perl("$p = qq(\\0) x 120, syscall(425, 1, $p) >= 0"), AS_USER),
}
# A file's (or folder's) setuid or setgid bit; $f is its name in the shared folder, $m the mode.
BITS = {
    "chmod": "open(F, q(>), $f) && syscall(90, $f, $m) == 0",
    "fchmod": "open(F, q(>), $f) && syscall(91, fileno(F), $m) == 0",
    "fchmodat": "open(F, q(>), $f) && syscall(268, -100, $f, $m) == 0",
    "fchmodat2": "open(F, q(>), $f) && syscall(452, -100, $f, $m, 0) == 0",
    "open": "syscall(2, $f, 0101, $m) >= 0",
    "openat": "syscall(257, -100, $f, 0101, $m) >= 0",
    "openat2": "$h = pack(q(QQQ), 0101, $m, 0); syscall(437, -100, $f, $h, 24) >= 0",
    "a file that has no name yet": "$d = q(SHARE); ($n = syscall(257, -100, $d, 020200001, $m)) >= 0 && "
        "($p = qq(/proc/self/fd/$n)) && syscall(265, -100, $p, -100, $f, 0x400) == 0",
    "creat": "syscall(85, $f, $m) >= 0",
    "mknod": "syscall(133, $f, 0100000 | $m, 0) == 0",
    "mknodat": "syscall(259, -100, $f, 0100000 | $m, 0) == 0",
}
for name, code in BITS.items():
    for bit, mode in (("setuid", "04755"), ("setgid", "02755")):
        file = f"SHARE/{bit}.{name.replace(' ', '-')}"
        ATTACKS[f"sets a {bit} bit: {name}"] = (
            perl(f"$m = {mode}, $f = q({file}), {code.replace('; ', ', ')} && (stat $f)[2] & 06000"), AS_USER)
for name, code in (("mkdir", "syscall(83, $f, 02755) == 0"),
                   ("mkdirat", "syscall(258, -100, $f, 02755) == 0")):
    ATTACKS[f"asks for a setgid folder: {name}"] = (perl(f"$f = q(SHARE/{name}), {code}"), AS_USER)


class Victims:
    """What of the user's, and of the host's, the attacks are after."""

    def __init__(self):
        self.sockets = []
        for name, kind, address in (("stream", socket.SOCK_STREAM, f"{home.folder}/stream"),
                                    ("dgram", socket.SOCK_DGRAM, f"{home.folder}/dgram")):
            self.sockets.append(socket.socket(socket.AF_UNIX, kind))
            self.sockets[-1].bind(address)
            os.chmod(address, 0o777)
        self.sockets.append(socket.socket())
        self.sockets[-1].bind(("127.0.0.1", 0))
        for one in self.sockets[::2]:
            one.listen(100)
        home.write(".ssh/id", "secret")
        home.make_folder(f"{home.folder}/bin")
        os.mkfifo(f"{home.folder}/fifo")
        os.chmod(f"{home.folder}/fifo", 0o666)
        self.fifo = os.open(f"{home.folder}/fifo", os.O_RDWR)
        self.master, slave = os.openpty()
        self.terminal = os.ttyname(slave)
        os.chmod(self.terminal, 0o666)
        os.close(slave)
        self.slave = os.open(self.terminal, os.O_RDWR | os.O_NOCTTY)
        if AS_ROOT:
            os.mknod(f"{SHARE}/device", 0o20666, os.makedev(1, 9))  # urandom
            os.chmod(f"{SHARE}/device", 0o666)
        self.process = home.start("-e", "sleep 4994", MARK, program="/usr/bin/perl",
                                  environment={"SECRET": SECRET}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.key = os.getpid() | 0x52000000
        self.memory = subprocess.run(["perl", "-e", f"print shmget({self.key}, 4096, 01666)"], check=True,
                                     text=True, stdout=subprocess.PIPE, **home.user.switch()).stdout

    def places(self, share):
        return {"HOME": home.folder, "SHARE": share, "TREE": TREE, "PID": str(os.getpid()),
                "VICTIM": str(self.process.pid), "PORT": str(self.sockets[2].getsockname()[1]),
                "TERMINAL": self.terminal, "KEY": str(self.key)}

    def type(self):
        os.write(self.master, b"typed\n")

    def clear(self):
        """What attacks have left, but for the victims."""
        for path in (f"{home.folder}/escaped", f"{home.folder}/bin/escaped", f"{TREE}/escaped",
                     f"/tmp/escaped.{os.getpid()}", f"/var/tmp/escaped.{os.getpid()}"):
            if os.path.lexists(path):
                os.unlink(path)
        for name in os.listdir(SHARE):
            if name != "device":
                (os.rmdir if os.path.isdir(f"{SHARE}/{name}") else os.unlink)(f"{SHARE}/{name}")

    def close(self):
        self.clear()
        kill(self.process.pid)
        self.process.wait()
        for one in self.sockets:
            one.close()
        for fd in (self.fifo, self.master, self.slave):
            os.close(fd)
        subprocess.run(["perl", "-e", f"exit(shmctl({self.memory}, 0, 0) ? 0 : 1)"], check=True,
                       **home.user.switch())
        if AS_ROOT:
            os.unlink(f"{SHARE}/device")


def filled(attack, places):
    return re.sub(r"\b(" + "|".join(places) + r")\b", lambda found: places[found.group(1)], attack)


def impossible(what):
    """Why the attack would fail outside of the seal, too, on this host."""
    if what.startswith("opens a device in") and not AS_ROOT:
        return "only root makes a device"
    if "cgroup" in what:
        with open("/proc/self/cgroup", encoding="ascii") as file:
            if all(line.endswith(":/\n") for line in file):
                return "the tests run in the root of every cgroup"
    if ("keyring" in what or "a key" in what) and not os.path.exists("/proc/keys"):
        return "the kernel has no keyrings"
    if what == "makes an io_uring" and call_fails(425):
        return "the kernel has no io_uring, or lets nobody use it"
    if what.endswith(": fchmodat2") and call_fails(452):
        return "the kernel is older than 6.6"
    return None


def call_fails(number):
    """Without arguments it fails anyway: with EFAULT or the like where it is there."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(number, -100 if number == 452 else 1, None, 0, 0)
    return ctypes.get_errno() in (errno.ENOSYS, errno.EPERM)


def attacks_work(victims):
    """Outside of the seal each comes through, or "no" would prove nothing."""
    places = victims.places(SHARE)
    for what, (attack, how) in ATTACKS.items():
        why = impossible(what) or ("the tests are not root" if how == AS_HOST_ROOT and not AS_ROOT else None)
        if why:
            tap.skip(f"outside of the seal one {what}", why)
            continue
        victims.type()
        user = {} if how == AS_HOST_ROOT else home.user.switch()
        script = ["bash", "-c", f"( {filled(attack, places)} )"]
        with open(f"{home.folder}/open-file", encoding="utf-8") as opened:
            done = subprocess.run([*KEYED, *([] if how == AS_HOST_ROOT else how), *script], stdin=subprocess.DEVNULL,
                                  capture_output=True, pass_fds=[opened.fileno()], check=False,
                                  env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SECRET": SECRET}, **user)
        tap.report(done.returncode == 0, f"outside of the seal one {what}", done)
        victims.clear()


def taken_over(victims, transport):
    lines = ["exec 2>/dev/null"]
    places = victims.places("/mnt/share0")
    for number, (attack, _) in enumerate(ATTACKS.values()):
        lines.append(f"if ( {filled(attack, places)} ) >/dev/null </dev/null; then echo {number} yes; "
                     f"else echo {number} no; fi")
    lines.append("touch /mnt/share0/given && echo given")
    victims.type()
    with Tidy(home) as tidy, open(f"{home.folder}/open-file", encoding="utf-8") as opened:
        os.set_inheritable(opened.fileno(), True)
        # Its numbers are below and above all that are kept for the VM.
        high = fcntl.fcntl(opened.fileno(), fcntl.F_DUPFD, HIGH)
        status, out, err, _ = run("\n".join(lines), "--rwdir", SHARE, "--root-transport", transport,
                                  more={"SECRET": SECRET})
        os.close(high)
        wrong = [line for line in tidy.complaints(5) if not re.match(r"still runs: .*" + MARK, line)]
    said = dict(line.split() for line in out.splitlines() if len(line.split()) == 2)
    for number, what in enumerate(ATTACKS):
        tap.report(said.get(str(number)) == "no", f"{transport}: who took qemu over never {what}",
                   said.get(str(number), "it was not tried"), err)
    tap.report("given" in out.split() and os.path.exists(f"{SHARE}/given"),
               f"{transport}: who took qemu over can write to what --rwdir gives", out, err)
    tap.report(status == FAILED_VM and not wrong, f"{transport}: a VM that ends without a word has failed",
               status, *wrong, err)
    bits = [name for name in os.listdir(SHARE) if os.lstat(f"{SHARE}/{name}").st_mode & 0o6000]
    tap.report(not bits, f"{transport}: no setuid or setgid bit is left in what --rwdir gives", *bits)
    victims.clear()


def as_caller():
    """The ids: in a rootfs's namespace nobody but the caller, who is not its root."""
    status, out, err, _ = run(f"setpriv --reuid 0 true || echo not root; echo exit 0 >{STATUS}",
                              "--root-transport", "dir")
    tap.report(status == 0 and "not root" in out, "who took qemu over never becomes the rootfs's root",
               status, out, err)
    if AS_ROOT:
        done = subprocess.run(["setpriv", "--reuid", "0", "true"], check=False)
        tap.report(done.returncode == 0, "root itself would", done)


def unsealed():
    """--unsealed gives sight of the host, and no more; it is the way out where there can be no seal."""
    script = f"grep -q . {home.folder}/.ssh/id && echo sees; touch {home.folder}/escaped || echo cannot; " \
        f"chmod 4755 /mnt/share0/given || echo refused; echo exit 0 >{STATUS}"
    home.write("share/given", "")
    with Tidy(home) as tidy:
        status, out, err, _ = run(script, "--unsealed", "--rwdir", SHARE)
        wrong = tidy.complaints()
    tap.report(status == 0 and out.split() == ["sees", "cannot", "refused"] and not wrong,
               "--unsealed: the host is visible, and cannot be changed", *wrong, status, out, err)
    if not AS_ROOT:
        tap.skip("a host that allows no /proc of the VM's own", "only root covers parts of /proc")
        return
    os.chmod(home.write("bin/vng", f"#!/bin/bash\necho exit 0 >{STATUS}\n"), 0o755)
    for what, words, wanted, says in (
            ("is refused", [], 5, "cannot seal the VM: .*Operation not permitted; .*; use --unsealed "),
            ("and --unsealed is the way out", ["--unsealed"], 0, "")):
        with Tidy(home) as tidy:
            outcome = home.run("run", "--path", TREE, "--kernel", KERNEL, *words, "--", "true",
                               before=without(home, "/proc/version"),
                               environment={"PATH": f"{home.folder}/bin:/usr/bin:/bin"}, **NOBODY)
            wrong = tidy.complaints()
        tap.report(outcome.status == wanted and re.search(says, outcome.err, re.M | re.S) and not wrong,
                   f"a host that allows no /proc of the VM's own {what}", *wrong, outcome)


# Ways in which virtme-ng is installed for one user: what is made in HOME, PATH, and where vng is.
MODULE = """import os
print('mine:', os.path.exists('HOME/precious'))
open('STATUS', 'w').write('exit 0\\n')
"""
PYTHON = "/usr/bin/python3"
USER_SITE = ".local/lib/python%s/site-packages" % subprocess.run(
    [PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2], end='')"], check=True, text=True,
    stdout=subprocess.PIPE).stdout


def python_vng(at, interpreter=PYTHON):
    os.chmod(home.write(at, f"#!{interpreter}\nimport virtme_ng.run\n"), 0o755)


def module(at):
    home.write(f"{at}/virtme_ng/__init__.py", "")
    home.write(f"{at}/virtme_ng/run.py", MODULE.replace("HOME", home.folder).replace("STATUS", STATUS))


def link(at, target):
    home.write(at, "")
    os.unlink(f"{home.folder}/{at}")
    os.symlink(target, f"{home.folder}/{at}")


def in_user_site():
    python_vng(".local/bin/vng")
    module(USER_SITE)
    return ".local/bin"


def in_checkout():
    python_vng("src/virtme-ng/vng")
    module("src/virtme-ng")
    link("links/vng", "../src/virtme-ng/vng")
    return "links"


def editable():
    python_vng(".local/bin/vng")
    module("src/edited")
    home.write(f"{USER_SITE}/edited.pth", f"{home.folder}/src/edited\n")
    return ".local/bin"


VENV = ".local/share/pipx/venvs/virtme"


def in_venv():
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", f"{home.folder}/{VENV}"], check=True, **home.user.switch())
    python_vng(f"{VENV}/bin/vng", f"{home.folder}/{VENV}/bin/python3")
    module(f"{VENV}/{USER_SITE.removeprefix('.local/')}")
    link(".local/bin/vng", "../share/pipx/venvs/virtme/bin/vng")
    return ".local/bin"


def of_pyenv():
    root = f"{home.folder}/.pyenv"
    for name, script in (("shims/vng", f"exec {root}/libexec/pyenv exec vng"),
                         ("libexec/pyenv", f"exec {root}/versions/3/bin/vng"),
                         ("versions/3/bin/vng", f"PYTHONPATH={root}/versions/3/lib exec {root}/versions/3/bin/python3 "
                                                "-c 'import virtme_ng.run'")):
        os.chmod(home.write(f".pyenv/{name}", f"#!/usr/bin/env bash\n{script}\n"), 0o755)
    link(".pyenv/versions/3/bin/python3", PYTHON)
    module(".pyenv/versions/3/lib")
    return ".pyenv/shims"


def installations():
    for what, make in (("with pip --user", in_user_site), ("in a checkout, by a link", in_checkout),
                       ("as an editable package", editable), ("with pipx, in a venv", in_venv),
                       ("with pyenv", of_pyenv)):
        path = f"{home.folder}/{make()}:/usr/bin:/bin"
        with Tidy(home) as tidy:
            outcome = home.run("run", "--path", TREE, "--kernel", KERNEL, "--root-transport", "image", "--",
                               "true", environment={"PATH": path})
            wrong = tidy.complaints()
        tap.report(outcome.status == 0 and "mine: False" in outcome.out and not wrong,
                   f"vng installed {what} starts, and sees nothing else of the home", *wrong, outcome)
        for folder in (".local", "src", "links", ".pyenv"):
            shutil.rmtree(f"{home.folder}/{folder}", ignore_errors=True)


def below_mnt():
    """Where the VM has files of its own."""
    if not AS_ROOT:
        tap.skip("vng below /mnt", "only root mounts something at /mnt")
        return
    in_checkout()
    user = home.user
    before = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
              f"mount -t tmpfs -o mode=755 tests /mnt && mkdir /mnt/work && mount --bind {home.folder}/src /mnt/work && "
              f'exec setpriv --reuid {user.uid} --regid {user.gid} --init-groups "$@"', "sh"]
    with Tidy(home) as tidy:
        outcome = home.run("run", "--path", TREE, "--kernel", KERNEL, "--root-transport", "image", "--", "true",
                           before=before, environment={"PATH": "/mnt/work/virtme-ng:/usr/bin:/bin"}, **NOBODY)
        wrong = tidy.complaints()
    tap.report(outcome.status == 5 and re.search("vng needs /mnt/work/virtme-ng.*, but the VM has files of its own at /mnt",
               outcome.err) and not wrong, "vng below /mnt: refused, with what to do", *wrong, outcome)
    for folder in ("src", "links"):
        shutil.rmtree(f"{home.folder}/{folder}")


STATUS, CONSOLE = "/mnt/status", "/mnt/console"
TERMINAL_IN, TERMINAL_OUT = "/mnt/terminal.in", "/mnt/terminal.out"
FLOODS = {"the status line": f"exec cat /dev/zero >{STATUS}",
          "lines on the status line": f"exec yes started >{STATUS}",
          "the console": f"exec cat /dev/zero >{CONSOLE}",
          "lines on the console": f"exec yes '[ 1.0] a line' >{CONSOLE}",
          "standard output": "exec cat /dev/zero",
          "all of them": f"cat /dev/zero >{STATUS} & cat /dev/zero >{CONSOLE} & cat /dev/zero >&2"}


def floods():
    """Neither the clock nor Ctrl-C may wait for a guest that never stops to talk."""
    for what, script in FLOODS.items():
        with Tidy(home) as tidy:
            process = start(script, "--timeout", "3")
            out = drained(process)
            wrong = tidy.complaints()
        tap.report(out == TIMEOUT and not wrong, f"--timeout ends a guest that floods {what}", out, *wrong)
    with Tidy(home) as tidy:
        process = start(FLOODS["lines on the status line"], "--timeout", "600")
        time.sleep(3)
        kill(process.pid, signal.SIGINT)
        out = drained(process)
        wrong = tidy.complaints()
    tap.report(out == INTERRUPTED and not wrong, "Ctrl-C ends a guest that floods the status line", out,
               *wrong)


def drained(process, seconds=60):
    """Reads what it says, without keeping it; its exit status, or None where it does not end."""
    end = time.monotonic() + seconds
    pipes = (process.stdout, process.stderr)
    for pipe in pipes:
        os.set_blocking(pipe.fileno(), False)
    while process.poll() is None and time.monotonic() < end:
        got = [pipe.read(1 << 20) for pipe in pipes]
        if not any(got):
            time.sleep(0.02)
    if process.poll() is None:
        kill(process.pid)
        process.wait()
        return None
    return process.returncode


SAYINGS = {
    "an exit status": (f"echo started >{STATUS}; echo exit 37 >{STATUS}", 37, ""),
    "two exit statuses": (f"echo exit 3 >{STATUS}; echo exit 4 >{STATUS}", 3, ""),
    "an impossible exit status": (f"echo exit 4096 >{STATUS}; echo exit -1 >{STATUS}", FAILED_VM, ""),
    "an exit status with more behind it": (f"echo 'exit 0 x' >{STATUS}", FAILED_VM, ""),
    "a line without an end": (f"head -c 100000 /dev/zero >{STATUS}; echo >{STATUS}; echo exit 5 >{STATUS}", 5, ""),
    "a panic with an escape sequence": (
        f"printf 'Kernel panic - not syncing: \\033[2J\\a%%n%%s\\n' >{CONSOLE}; sleep 1", FAILED_VM,
        "panic - not syncing: .*%n%s"),
    "an escape sequence on the console": (f"printf 'a \\033[2J line\\n' >{CONSOLE}; sleep 1", FAILED_VM,
                                          "a .*line"),
}


def sayings():
    for what, (script, status, says) in SAYINGS.items():
        with Tidy(home) as tidy:
            got, _, err, _ = run(script)
            wrong = tidy.complaints()
        tap.report(got == status and re.search(says, err) and "\033" not in err and "\a" not in err and
                   not wrong, f"a guest that says {what}", got, *wrong, err)


JSON = {
    # what the guest does: how it ends, exit status, standard output and error as events
    "its command succeeds": (f"echo one; printf 'two, \\377'; echo three >&2; echo started >{STATUS}; "
                             f"echo exit 0 >{STATUS}", "exited", 0, "one\ntwo, ?", "three\n"),
    "its command fails": (f"yes 0123456789 | head -n 2000; echo exit 37 >{STATUS}", "exited", 37,
                          "0123456789\n" * 2000, ""),
    "its time is over": (f"echo started >{STATUS}; echo up; sleep 600", "timeout", TIMEOUT, "up\n", ""),
    "it fails": ("echo gone", "failed", FAILED_VM, "gone\n", ""),
}


# On its first boot the guest's kernel dies; on the next, which FIRST tells, the command gets what was on
# standard input.
DIES = """if mkdir /mnt/share0/booted 2>/dev/null; then
	%(before)s
	%(death)s
fi
echo started >%(status)s; cat; echo exit 7 >%(status)s"""
TIMER = "IO-APIC + timer doesn't work!  Boot with apic=debug"
RESET = "[    1.831959] pci 0000:00:18.7: BAR 0"
DEATHS = {
    # what: what the console says last, what happens before, exit status, standard output, booted once more
    "of its timer": (f"Kernel panic - not syncing: {TIMER}", "", 7, "typed", True),
    "of its timer, and again": (f"Kernel panic - not syncing: {TIMER}", "rmdir /mnt/share0/booted", FAILED_VM, "", True),
    "of something else": ("Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)", "", FAILED_VM,
                          "", False),
    "of its timer while the command runs": (f"Kernel panic - not syncing: {TIMER}", f"echo started >{STATUS}; sleep 1",
                                            FAILED_VM, "", False),
    "without a panic": (RESET, "", 7, "typed", True),
    "without a panic, and again": (RESET, "rmdir /mnt/share0/booted", FAILED_VM, "", True),
    "without a panic while the command runs": (RESET, f"echo started >{STATUS}; sleep 1", FAILED_VM, "", False),
    "before it has said anything": ("", "", FAILED_VM, "", False),
}


def boots_once_more():
    """Only of what a busy host causes, and only once. Nothing of standard input is lost."""
    for what, (last, before, status, out, wanted) in DEATHS.items():
        says = f"echo {shlex.quote(last)} >{CONSOLE}; " if last else ""
        script = DIES % {"before": before, "death": says + ("sleep 600" if "panic - " in last else "exit 1"),
                         "status": STATUS}
        os.chmod(home.write("bin/vng", f"#!/bin/bash\n{script}\n"), 0o755)
        with Tidy(home) as tidy:
            outcome = home.run("run", "--path", TREE, "--kernel", KERNEL, "--rwdir", SHARE, "--", "true",
                               text=b"typed", seconds=120,
                               environment={"PATH": f"{home.folder}/bin:/usr/bin:/bin"})
            wrong = tidy.complaints()
        again = outcome.err.count("; booting once more")
        tap.report(outcome.status == status and outcome.out == out and not wrong and
                   again == wanted, f"a kernel that dies {what}", again,
                   *wrong, outcome)
        if os.path.exists(f"{SHARE}/booted"):
            os.rmdir(f"{SHARE}/booted")


# Typed at the guest's terminal: what the guest gets, and whether that ends the VM. More: unit/test_keys.c
KEYS = {"~.": ("", True), "~~.\r\x03": ("~.\r\x03", False)}


def keys():
    for typed, (want, ends) in KEYS.items():
        script = f"echo started >{STATUS}; exec 3>{TERMINAL_OUT}; printf '<<' >&3; " \
                 f"head -c {len(want) or 99} <{TERMINAL_IN} | od -An -c >&3; " \
                 f"printf '>>' >&3; echo exit 0 >{STATUS}"
        os.chmod(home.write("bin/vng", f"#!/bin/bash\n{script}\n"), 0o755)
        path = {"PATH": f"{home.folder}/bin:/usr/bin:/bin"}
        with Tidy(home) as tidy, Terminal(home, "run", "--path", TREE, "--kernel", KERNEL,
                                          environment=path) as terminal:
            terminal.expect("<<", 60)
            terminal.type(typed)
            status = terminal.wait(60)
            wrong = tidy.complaints()
        shown = terminal.text.partition("<<")[2].partition(">>")[0].split() if not ends else []
        wants = [{"\r": "\\r", "\x03": "003"}.get(key, key) for key in want]
        tap.report(status == (INTERRUPTED if ends else 0) and shown == wants and not wrong,
                   f"typed on a terminal: {typed!r}", status, shown, *wrong, repr(terminal.text[-300:]))


def as_json():
    """What the command says is in events, and the result fits its schema."""
    for what, (script, ends, status, said, complained) in JSON.items():
        with Tidy(home) as tidy:
            code, out, err, seconds = run(script, "--json", "--timeout", "3")
            wrong = tidy.complaints()
        events, result, more = stream("run", Outcome(code, out, err, seconds))
        wrong += more
        text = {name: "".join(event["text"] for event in events if event.get("stream") == name)
                for name in ("stdout", "stderr")}
        tap.report(not wrong and code == status and result["status"] == ends and ("error" in result) == (ends == "failed") and
                   text == {"stdout": said, "stderr": complained} and result["seconds"] <= seconds + 1,
                   f"run --json: {what}", *wrong, code, out[-1000:], err)


def shows_boot():
    """A stage of its own, until the guest's first word; none is told twice."""
    words = f"echo booted >{CONSOLE}; sleep 1; echo started >{STATUS}; sleep 1; echo out; sleep 1; echo exit 0 >{STATUS}"
    code, out, err, _ = run(words)
    lines = err.splitlines()
    tap.report(code == 0 and out == "out\n" and lines[-1:] == ["Booting the kernel"] and len(lines) == len(set(lines)),
               "run shows that it boots", code, out, err)
    told, result, wrong = stream("run", Outcome(*run(words, "--json")))
    events = [event["stage"] for event in told if event["event"] == "progress"]
    tap.report(not wrong and events[-1:] == ["Booting the kernel"] and len(events) == len(set(events)),
               "run --json: the same as events", *wrong, events, result)
    words = words.replace("echo out", f"printf 'out\\r\\n' >{TERMINAL_OUT}")
    os.chmod(home.write("bin/vng", f"#!/bin/bash\n{words}\n"), 0o755)
    with Terminal(home, "run", "--path", TREE, "--kernel", KERNEL, "--", "true",
                  environment={"PATH": f"{home.folder}/bin:/usr/bin:/bin", "TERM": "xterm"}) as terminal:
        terminal.wait(60)
    tap.report(re.search(r"\rBooting the kernel[^\r\n]*[\r\n]+out\r\n$", terminal.text),
               "run on a terminal: what the guest says begins a line", repr(terminal.text[-300:]))


def leftovers():
    """A daemon that it leaves, in a session of its own, deaf to signals."""
    daemon = "trap '' HUP INT TERM; setsid sleep 4999 & setsid sh -c 'trap \"\" TERM; sleep 4998' &"
    for what, number in (("ends", 0), ("is ended by kill -9 of the front end", signal.SIGKILL)):
        with Tidy(home) as tidy:
            process = start(f"{daemon} echo up; {'sleep 4997' if number else 'sleep 1'}")
            seen = wait_until(lambda: b"up" in (process.stdout.readline() or b""), 30)
            if number:
                kill(process.pid, number)
            process.communicate(timeout=300)
            wrong = tidy.complaints()
        tap.report(seen and not wrong, f"a VM that {what} leaves no daemon", *wrong)


TOY = "6.9.0-toy"
# What vng is given, then what the guest sees of the kernel and of its modules.
TELL = f"""printf 'word <%s>\n' "$@"
cksum </mnt/kernel/boot/vmlinuz
for root in /mnt/root/lib/modules /mnt/root/usr/lib/modules; do
    sed 's/^/listed /' $root/{TOY}/modules.dep && cksum <$root/{TOY}/kernel/fs/toy/toy.ko
done 2>/dev/null
sed 's/^/set /' /mnt/root/rootlet/settings
echo exit 0 >{STATUS}"""
IMAGE_OPTIONS = ["NET_9P_VIRTIO", "9P_FS", "VIRTIO_PCI", "VIRTIO_BLK", "OVERLAY_FS", "EROFS_FS", "EXT4_FS"]


def cksum(path):
    with open(path, "rb") as file:
        return subprocess.run(["cksum"], stdin=file, stdout=subprocess.PIPE, check=True,
                              text=True).stdout.strip()


def build_folder():
    """A kernel's, as its build leaves it, with one module that is as much as depmod looks at."""
    image = kernel("linux/arch/x86/boot/bzImage", f"{TOY} (somebody@somewhere) #1")
    home.write("linux/modules.order", "fs/toy/toy.ko\n")
    home.write("linux/modules.builtin", "")
    module = home.write("linux/fs/toy/toy.ko", "")
    subprocess.run(["cc", "-c", "-x", "c", "-", "-o", module], check=True, text=True, input=
                   '__attribute__((section(".modinfo"), used)) static const char name[] = "name=toy";')
    return image, module


def kernels_of_ones_own():
    image, module = build_folder()
    folder = f"{home.folder}/linux"
    whole = "".join(f"CONFIG_{option}=y\n" for option in IMAGE_OPTIONS)
    for what, path, config, root in (
            ("a build folder", folder, whole, "image"),
            ("the image in a build folder", image, whole, "image"),
            ("a build folder whose kernel has no virtio_blk", folder,
             whole.replace("CONFIG_VIRTIO_BLK=y", "# CONFIG_VIRTIO_BLK is not set"), "tree")):
        home.write("linux/.config", config)
        with Tidy(home) as tidy:
            status, out, err, _ = run(TELL, image=path)
            wrong = tidy.complaints()
        lines = out.splitlines()
        for expected in ("word <--run>", "word </mnt/kernel/boot/vmlinuz>", cksum(image), cksum(module),
                         "listed kernel/fs/toy/toy.ko:"):
            if expected not in lines:
                wrong.append(f"no line: {expected}")
        if ("set fstype=erofs" in lines or "set fstype=ext4" in lines) != (root == "image"):
            wrong.append(f"the root is not the {root}")
        tap.report(status == 0 and not wrong, f"--kernel with {what}: vng gets its image, and the guest its "
                   f"modules, with the {root} as root", *wrong, out, err)
    os.unlink(image)
    status, out, err, _ = run(TELL, image=folder)
    tap.report(status == 2 and f"no kernel has been built in {folder}" in err and f"make -C {folder} bzImage" in err,
               "--kernel with a build folder in which nothing is built yet", status, err)


def size_of_guest():
    """What vng makes of the options; vm.py looks from inside."""
    default = min(os.cpu_count(), 8)
    for what, words, memory, cpus in (("default", (), "2G", default),
                                      ("--memory and --cpus", ("--memory", "768M", "--cpus", "5"), "768M", 5)):
        status, out, err, _ = run(f"printf '%s ' \"$@\"; echo exit 0 >{STATUS}", *words)
        tap.report(status == 0 and f"--memory {memory} --cpus {cpus} " in out,
                   f"memory and processors of the guest: {what}", status, out, err)


def kept(kind):
    folder = f"{home.cache}/rootlet/{kind}"
    return [name for name in os.listdir(folder) if not name.startswith(".") and
            not os.path.islink(f"{folder}/{name}")]


def plant_kernel():
    """One in the cache, as a run would have fetched it within a day."""
    with open(f"{inside(TREE)}/etc/rootlet/manifest.json", encoding="utf-8") as file:
        made = json.load(file)
    kernel(f".cache/rootlet/kernels/{TOY}_1/boot/vmlinuz", TOY)
    home.write(f".cache/rootlet/kernels/{TOY}_1/boot/config", "".join(f"CONFIG_{o}=y\n" for o in IMAGE_OPTIONS))
    home.write(f".cache/rootlet/kernels/{TOY}_1/lib/modules/{TOY}/modules.order", "")
    home.write(f".cache/rootlet/kernels/{TOY}_1/lib/modules/{TOY}/toy.ko", "module")
    folder = f"{home.cache}/rootlet/kernels"
    for link, target in ((f"{made['suite']}-{made['arch']}", f"{TOY}_1"), (f"{TOY}_1/usr", "lib")):
        if os.path.lexists(f"{folder}/{link}"):
            os.unlink(f"{folder}/{link}")
        os.symlink(target, f"{folder}/{link}")
    sums.write(f"{folder}/{TOY}_1")
    return f"{folder}/{TOY}_1"


def run_image():
    """Where the mirror does not answer, so that no other kernel is to be had. Whether it built an image, too."""
    outcome = run(f"echo exit 0 >{STATUS}", "--root-transport", "image", image="distro")
    return "Building the root image" in outcome[2], outcome


def relink(path):
    os.unlink(path)
    os.symlink("lob", path)


# What of a kernel in the cache can be damaged.
KERNEL_DAMAGES = {
    "a bit of its image": lambda at: sums.flip(f"{at}/boot/vmlinuz"),
    "a bit of a module": lambda at: sums.flip(f"{at}/lib/modules/{TOY}/toy.ko"),
    "a link": lambda at: relink(f"{at}/usr"),
    "a module less": lambda at: os.unlink(f"{at}/lib/modules/{TOY}/toy.ko"),
    "a module more": lambda at: open(f"{at}/lib/modules/{TOY}/more.ko", "w").close(),
    "its sums, which are not there": lambda at: os.unlink(f"{at}/.sums"),
}


def damaged():
    """What is damaged is not used, whether `cache verify` has found it or not."""
    plant_kernel()
    (_, whole), (built, again) = run_image(), run_image()
    tap.report(whole[0] == again[0] == 0 and not built and len(kept("images")) == 1,
               "run: what is in the cache and whole is used", whole, again, kept("images"))
    image = f"{home.cache}/rootlet/images/{kept('images')[0]}"
    os.utime(image)
    built, again = run_image()
    tap.report(again[0] == 0 and not built, "run: an image that was only touched is used", again)
    sums.flip(image)
    found, gone = home.run("cache", "verify"), not kept("images")
    built, again = run_image()
    tap.report(found.status == 3 and "damaged, removed: images/" in found.out and gone and again[0] == 0 and built and
               os.path.exists(image), "an image with a flipped bit is found by cache verify, and made anew", found, again)
    sums.flip(image)
    built, again = run_image()
    tap.report(again[0] == 0 and built and os.path.exists(image),
               "an image with a flipped bit is not used, but made anew", again)
    # As a build leaves it that is killed before its end.
    os.unlink(f"{os.path.dirname(image)}/.{os.path.basename(image)}.sums")
    verify = home.run("cache", "verify")
    tap.report(verify.status == 0 and "damaged" not in verify.out.replace(", 0 damaged", "") and
               not os.path.exists(image), "cache verify removes an image that was never finished, and calls it no damage",
               verify, kept("images"))
    built, again = run_image()
    tap.report(again[0] == 0 and built, "and the next run makes it again", again)
    verify = home.run("cache", "verify")
    tap.report(verify.status == 0, "and what was made anew is whole", verify)
    for what, damage in KERNEL_DAMAGES.items():
        damage(plant_kernel())
        status, _, err, _ = run_image()[1]
        tap.report(status not in (0, FAILED_VM) and re.search("kernel in the cache is damaged, ", err),
                   f"run: a kernel of which {what} is damaged is not booted", status, err)
        verify = home.run("cache", "verify")
        tap.report(verify.status == 3 and f"damaged, removed: kernels/{TOY}_1: " in verify.out and not kept("kernels"),
                   "and cache verify removes it", verify, kept("kernels"))


def pruned():
    """The cache is emptied beside a run, which still needs its root and its kernel."""
    plant_kernel()
    process = start("echo up; exec sleep 4996", "--root-transport", "image", image="distro")
    wait_until(lambda: b"up" in (process.stdout.readline() or b""), 60)
    before, outcome = kept("images"), home.run("cache", "prune", "--max-size", "0")
    tap.report(outcome.status == 0 and before and kept("images") == before,
               "cache prune leaves the images of a run that is under way", outcome, before, kept("images"))
    tap.report(kept("kernels") == [f"{TOY}_1"], "and the kernel", outcome, kept("kernels"))
    os.chmod(home.write("other/vng", "#!/bin/sh\nexit 3\n"), 0o755)
    words = {"environment": {"PATH": f"{home.folder}/other:/usr/bin:/bin"}}
    another = ["run", "--path", TREE, "--kernel", KERNEL, "--root-transport", "image", "--", "true"]
    for name in before:
        sums.flip(f"{home.cache}/rootlet/images/{name}")
    outcome = home.run(*another, **words)
    tap.report(outcome.status == FAILED_VM and kept("images") == before, "one that is damaged, and in use, is made anew",
               outcome, before, kept("images"))
    process.kill()
    process.communicate()
    process = start("echo up; exec sleep 4996", "--root-transport", "image")
    wait_until(lambda: b"up" in (process.stdout.readline() or b""), 60)
    changed = home.run("shell", "--path", TREE, "--", "touch", "/root/changed")
    outcome = home.run(*another, **words)
    tap.report(changed.status == 0 and set(before) < set(kept("images")), "another run's image of the same rootfs, "
               "which has changed, does not take its place", changed, outcome, before, kept("images"))
    kill(process.pid, signal.SIGINT)
    process.communicate(timeout=300)
    outcome = home.run("cache", "prune", "--max-size", "0")
    tap.report(outcome.status == 0 and not kept("images") and not kept("kernels"),
               "and removes them when it has ended", outcome, kept("images"), kept("kernels"))
    tap.report(not [name for name in os.listdir(f"{home.cache}/rootlet/images")], "with their sums",
               os.listdir(f"{home.cache}/rootlet/images"))


def restricted():
    """Where AppArmor lets only the helper make a user namespace, a VM is sealed in one inside of that."""
    os.chmod(home.write("bin/vng", "#!/bin/sh\ngrep -c . /proc/self/uid_map; id -u; printf '%s\\n' \"$@\"\n"), 0o755)
    own = {"PATH": f"{home.folder}/bin:/usr/bin:/bin"}
    pretend = {"LD_PRELOAD": f"{BUILD}/tests/pretend.so", "PRETEND": "apparmor"}
    outcome = home.run("doctor", environment=pretend)
    tap.report(re.search("^missing +user namespaces", outcome.out, re.M), "rootlet may make no user namespace", outcome)
    for transport, ids in (("image", r"\A1\n0\n"), ("dir", r"\A3\n65535\n|\A2\n65535\n")):
        for environment, what in ((own, "may"), ({**own, **pretend}, "may not")):
            outcome = home.run("run", "--path", TREE, "--kernel", KERNEL, "--root-transport", transport, "--", "true",
                               environment=environment)
            tap.report(outcome.status == FAILED_VM and re.search(ids, outcome.out) and "--qemu-opts" in outcome.out,
                       f"rootlet {what} make a user namespace: a VM is sealed, with --root-transport {transport}", outcome)


attacked = Victims()
restricted()
attacks_work(attacked)
taken_over(attacked, "dir")
taken_over(attacked, "image")
attacked.close()
as_caller()
unsealed()
installations()
below_mnt()
floods()
sayings()
as_json()
shows_boot()
boots_once_more()
keys()
leftovers()
kernels_of_ones_own()
size_of_guest()
damaged()
pruned()
tap.done()
