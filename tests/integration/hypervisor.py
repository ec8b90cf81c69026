"""The sandbox around vng and qemu. A test program replaces vng: it can reach what a guest that took over qemu
could, and prints what a hostile guest might. No VM is booted."""
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
                           other_user, without)

TIMEOUT, INTERRUPTED, FAILED_VM = 124, 130, 125
rootfs = own_rootfs()
TREE = f"{rootfs.store}/test-rootfs"
home = Home()
SHARE = home.make_dir(f"{home.dir}/share")
home.write("precious", "of-the-host")
home.write("open-file", "x")


def kernel(name="kernel", version=""):
    return home.write(name, vng.kernel(version))


KERNEL = kernel()


def start(script, *words, image=KERNEL, more=None):
    """Runs `rootlet run` with the shell script SCRIPT as vng; MORE is added to the environment."""
    os.chmod(home.write("bin/vng", f"#!/bin/bash\n{script}\n"), 0o755)
    return home.start("run", "--path", TREE, "--kernel", image, *words, "--", "true",
                      close_fds=more is None, before=KEYED if more else (),
                      environment={"PATH": f"{home.dir}/bin:/usr/bin:/bin", **(more or {})})


def run(script, *words, seconds=120, **more):
    process = start(script, *words, **more)
    began = time.monotonic()
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace"), \
        time.monotonic() - began


SECRET = "of-the-caller"
HIGH = 500  # a descriptor number
MARK = "rootlet-test-victim"
NAME = socket.gethostname()


def perl(code):
    """Returns a command that succeeds if the Perl code CODE is true. System call numbers are those of
    x86-64."""
    return f"perl -MSocket -e 'exit(({code}) ? 0 : 1)'"


def unix(kind, then):
    return f"socket(S, PF_UNIX, {kind}, 0) && {then}"


# Runs a command with a key in a new session keyring, as a login has.
KEYED = ["perl", "-e", "$t = q(user), $d = q(rootlet-session), $v = q(x), syscall(250, 1, 0), "
         "syscall(248, $t, $d, $v, 1, -3), exec @ARGV"]
# How to show that an attack works outside the sandbox: as the same user, or with other means that it needs
# there.
AS_USER = []
IN_NAMESPACES = ["unshare", "--user", "--map-root-user", "--mount"]
AS_HOST_ROOT = "as root"

# Each command succeeds if the attack does. places() replaces HOME, SHARE, TREE, VICTIM and so on.
ATTACKS = {
    "writes to the user's home": ("touch HOME/escaped", AS_USER),
    "changes a user's file": ("echo x >>HOME/precious", AS_USER),
    "reads the user's keys": ("grep -q . HOME/.ssh/id", AS_USER),
    "finds the user's home anywhere": ("ls -d HOME/precious /*HOME/precious | grep -q precious", AS_USER),
    "changes the installed vng": ("touch HOME/bin/escaped", AS_USER),
    "writes to the rootfs": ("touch TREE/escaped || touch /mnt/tree/escaped || touch /mnt/root/escaped/x",
                             AS_HOST_ROOT),
    "writes to /tmp": ("touch /tmp/escaped.PID", AS_USER),
    "writes to /var/tmp": ("touch /var/tmp/escaped.PID", AS_USER),
    "sees anything of /run, /tmp, /sys, /boot or /var/lib": (
        "ls -A /run /tmp /sys /boot /var/lib | grep -q '^[^/]'", AS_USER),
    "sees the host's other users": ("test $(wc -l </etc/passwd) -gt 1", AS_USER),
    "remounts the host writable": ("mount -o remount,bind,rw /", IN_NAMESPACES),
    "makes a user namespace": ("unshare --user true", AS_USER),
    "makes a mount namespace": ("unshare --mount true", IN_NAMESPACES),
    "mounts": ("mount -t tmpfs none /mnt", IN_NAMESPACES),
    "gains privileges from a setuid program": ("setpriv --dump | grep -q 'no_new_privs: 0'", AS_USER),
    "holds more than one capability": (
        "perl -ne '/^CapEff:\\s+(\\w+)/ && exit(unpack(q(%32b*), pack(q(H*), $1)) > 1 ? 0 : 1)' "
                                       "/proc/self/status",
        IN_NAMESPACES),
    "signals a user's process": ("kill -0 VICTIM", AS_USER),
    "sees a user's process": (f"grep -qa '{MARK[:-1]}[{MARK[-1]}]' /proc/*/cmdline", AS_USER),
    "reads the environment of a user's process": (f"grep -qa {SECRET} /proc/VICTIM/environ", AS_USER),
    "has the caller's environment": (f"env | grep -q {SECRET}", AS_USER),
    "reaches a network": (perl("socket(S, PF_INET, SOCK_STREAM, 0) && connect(S, sockaddr_in(PORT, "
                               "inet_aton(q(127.0.0.1))))"), AS_USER),
    "connects to a user's socket": (
        perl(unix("SOCK_STREAM", "connect(S, pack_sockaddr_un(q(HOME/stream)))")), AS_USER),
    "sends to a user's socket": (
        perl(unix("SOCK_DGRAM", "send(S, q(x), 0, pack_sockaddr_un(q(HOME/dgram)))")), AS_USER),
    "lists the user's sockets": ("grep -q HOME/stream /proc/net/unix", AS_USER),
    "sees the name of the user's cgroup": ("grep -qv ':/$' /proc/self/cgroup", AS_USER),
    "keeps a file descriptor of the caller": ("ls -l /proc/self/fd | grep -q open-file", AS_USER),
    "writes to another terminal of the user": ("echo x >TERMINAL", AS_USER),
    "reads keys typed into another terminal of the user": (
        "read -t 5 -r line <TERMINAL && [[ $line = typed ]]", AS_USER),
    "writes to a user's FIFO": ("echo x 1<>HOME/fifo >&1", AS_USER),
    "opens a device that it does not need": ("exec 3<>/dev/ptmx", AS_USER),
    "opens a device in a shared directory": ("head -c 1 SHARE/device | grep -qa .", AS_USER),
    "sees the host's name": (f"test $(uname -n) = {NAME}", AS_USER),
    "finds the user's shared memory": (perl("defined shmget(KEY, 0, 0)"), AS_USER),
    "uses the caller's keyrings": (perl("$t = q(user), $d = q(rootlet), $v = q(x), "
                                         "syscall(248, $t, $d, $v, 1, -2) > 0"), AS_USER),  # add_key
    "asks for a key of the caller's session": (
        # request_key
        perl("$t = q(user), $d = q(rootlet-session), syscall(249, $t, $d, 0, 0) > 0"), AS_USER),
    "creates a user namespace with clone":
           (perl("($p = syscall(56, 0x10000011, 0, 0, 0, 0)) || exit(0), $p > 0"), AS_USER),
    "creates a user namespace with clone3": (perl("$c = pack(q(Q8), 0x10000000, 0, 0, 0, 17, 0, 0, 0), "
                                       "($p = syscall(435, $c, 64)) || exit(0), $p > 0"), AS_USER),
    "looks up a keyring": (perl("syscall(250, 0, -2, 1) > 0"), AS_USER),  # keyctl, KEYCTL_GET_KEYRING_ID
    "creates an io_uring": (perl("$p = qq(\\0) x 120, syscall(425, 1, $p) >= 0"), AS_USER),
}
# Ways to set the setuid or setgid bit of a file (or directory); $f is its path in the shared directory, $m
# the mode.
BITS = {
    "chmod": "open(F, q(>), $f) && syscall(90, $f, $m) == 0",
    "fchmod": "open(F, q(>), $f) && syscall(91, fileno(F), $m) == 0",
    "fchmodat": "open(F, q(>), $f) && syscall(268, -100, $f, $m) == 0",
    "fchmodat2": "open(F, q(>), $f) && syscall(452, -100, $f, $m, 0) == 0",
    "open": "syscall(2, $f, 0101, $m) >= 0",
    "openat": "syscall(257, -100, $f, 0101, $m) >= 0",
    "openat2": "$h = pack(q(QQQ), 0101, $m, 0); syscall(437, -100, $f, $h, 24) >= 0",
    "an unnamed file": "$d = q(SHARE); ($n = syscall(257, -100, $d, 020200001, $m)) >= 0 && "
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
    ATTACKS[f"creates a setgid directory: {name}"] = (perl(f"$f = q(SHARE/{name}), {code}"), AS_USER)


class Victims:
    """The files and processes of the user and the host that the attacks target."""

    def __init__(self):
        self.sockets = []
        for name, kind, address in (("stream", socket.SOCK_STREAM, f"{home.dir}/stream"),
                                    ("dgram", socket.SOCK_DGRAM, f"{home.dir}/dgram")):
            self.sockets.append(socket.socket(socket.AF_UNIX, kind))
            self.sockets[-1].bind(address)
            os.chmod(address, 0o777)
        self.sockets.append(socket.socket())
        self.sockets[-1].bind(("127.0.0.1", 0))
        for one in self.sockets[::2]:
            one.listen(100)
        home.write(".ssh/id", "secret")
        home.make_dir(f"{home.dir}/bin")
        os.mkfifo(f"{home.dir}/fifo")
        os.chmod(f"{home.dir}/fifo", 0o666)
        self.fifo = os.open(f"{home.dir}/fifo", os.O_RDWR)
        self.master, slave = os.openpty()
        self.terminal = os.ttyname(slave)
        os.chmod(self.terminal, 0o666)
        os.close(slave)
        self.slave = os.open(self.terminal, os.O_RDWR | os.O_NOCTTY)
        if AS_ROOT:
            os.mknod(f"{SHARE}/device", 0o20666, os.makedev(1, 9))  # urandom
            os.chmod(f"{SHARE}/device", 0o666)
        self.process = home.start("-e", "sleep 4994", MARK, program="/usr/bin/perl",
                                  environment={"SECRET": SECRET}, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.key = os.getpid() | 0x52000000
        self.memory = subprocess.run(["perl", "-e", f"print shmget({self.key}, 4096, 01666)"], check=True,
                                     text=True, stdout=subprocess.PIPE, **home.user.switch()).stdout

    def places(self, share):
        return {"HOME": home.dir, "SHARE": share, "TREE": TREE, "PID": str(os.getpid()),
                "VICTIM": str(self.process.pid), "PORT": str(self.sockets[2].getsockname()[1]),
                "TERMINAL": self.terminal, "KEY": str(self.key)}

    def type(self):
        os.write(self.master, b"typed\n")

    def clear(self):
        """Returns what attacks left behind, except the targets."""
        for path in (f"{home.dir}/escaped", f"{home.dir}/bin/escaped", f"{TREE}/escaped",
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
    """Returns why the attack would also fail outside the sandbox on this host."""
    if what.startswith("opens a device in") and not AS_ROOT:
        return "only root can create a device"
    if "cgroup" in what:
        with open("/proc/self/cgroup", encoding="ascii") as file:
            if all(line.endswith(":/\n") for line in file):
                return "the tests run in the root cgroup"
    if ("keyring" in what or "a key" in what) and not os.path.exists("/proc/keys"):
        return "the kernel has no keyrings"
    if what == "creates an io_uring" and call_fails(425):
        return "the kernel has no io_uring, or forbids it"
    if what.endswith(": fchmodat2") and call_fails(452):
        return "the kernel is older than 6.6"
    return None


def call_fails(number):
    """Without arguments, the call fails in any case: with EFAULT or similar if it exists."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(number, -100 if number == 452 else 1, None, 0, 0)
    return ctypes.get_errno() in (errno.ENOSYS, errno.EPERM)


def attacks_work(victims):
    """Each attack works outside the sandbox; otherwise its failure would prove nothing."""
    places = victims.places(SHARE)
    for what, (attack, how) in ATTACKS.items():
        why = impossible(what) or ("the tests are not root" if how == AS_HOST_ROOT and not AS_ROOT else None)
        if why:
            tap.skip(f"outside the sandbox, the attack {what}", why)
            continue
        victims.type()
        user = {} if how == AS_HOST_ROOT else home.user.switch()
        script = ["bash", "-c", f"( {filled(attack, places)} )"]
        with open(f"{home.dir}/open-file", encoding="utf-8") as opened:
            done = subprocess.run([*KEYED, *([] if how == AS_HOST_ROOT else how), *script],
                                  stdin=subprocess.DEVNULL,
                                  capture_output=True, pass_fds=[opened.fileno()], check=False,
                                  env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SECRET": SECRET}, **user)
        tap.report(done.returncode == 0, f"outside the sandbox, the attack {what}", done)
        victims.clear()


def taken_over(victims, transport):
    lines = ["exec 2>/dev/null"]
    places = victims.places("/mnt/share0")
    for number, (attack, _) in enumerate(ATTACKS.values()):
        lines.append(f"if ( {filled(attack, places)} ) >/dev/null </dev/null; then echo {number} yes; "
                     f"else echo {number} no; fi")
    lines.append("touch /mnt/share0/given && echo given")
    victims.type()
    with Tidy(home) as tidy, open(f"{home.dir}/open-file", encoding="utf-8") as opened:
        os.set_inheritable(opened.fileno(), True)
        # Descriptor numbers below and above all that are kept for the VM.
        high = fcntl.fcntl(opened.fileno(), fcntl.F_DUPFD, HIGH)
        status, out, err, _ = run("\n".join(lines), "--rwdir", SHARE, "--root-transport", transport,
                                  more={"SECRET": SECRET})
        os.close(high)
        wrong = [line for line in tidy.complaints(5) if not re.match(r"still runs: .*" + MARK, line)]
    said = dict(line.split() for line in out.splitlines() if len(line.split()) == 2)
    for number, what in enumerate(ATTACKS):
        tap.report(said.get(str(number)) == "no", f"{transport}: a hijacked qemu never {what}",
                   said.get(str(number), "the attack was not tried"), err)
    tap.report("given" in out.split() and os.path.exists(f"{SHARE}/given"),
               f"{transport}: a hijacked qemu can write to the --rwdir directory", out, err)
    tap.report(status == FAILED_VM and not wrong, f"{transport}: a VM that exits without a status has failed",
               status, *wrong, err)
    bits = [name for name in os.listdir(SHARE) if os.lstat(f"{SHARE}/{name}").st_mode & 0o6000]
    tap.report(not bits, f"{transport}: no setuid or setgid bit remains in the --rwdir directory", *bits)
    victims.clear()


def as_caller():
    """In the namespace of a rootfs, qemu has only the caller's id, which is not its root."""
    status, out, err, _ = run(f"setpriv --reuid 0 true || echo not root; echo exit 0 >{STATUS}",
                              "--root-transport", "dir")
    tap.report(status == 0 and "not root" in out, "a hijacked qemu never becomes root of the rootfs",
               status, out, err)
    if AS_ROOT:
        done = subprocess.run(["setpriv", "--reuid", "0", "true"], check=False)
        tap.report(done.returncode == 0, "root of the rootfs could", done)


def unsealed():
    """--unsealed makes the host visible and nothing more; it helps if the sandbox cannot be set up."""
    script = f"grep -q . {home.dir}/.ssh/id && echo sees; touch {home.dir}/escaped || echo cannot; " \
        f"chmod 4755 /mnt/share0/given || echo refused; echo exit 0 >{STATUS}"
    home.write("share/given", "")
    with Tidy(home) as tidy:
        status, out, err, _ = run(script, "--unsealed", "--rwdir", SHARE)
        wrong = tidy.complaints()
    tap.report(status == 0 and out.split() == ["sees", "cannot", "refused"] and not wrong,
               "--unsealed: the host is visible, and cannot be changed", *wrong, status, out, err)
    if not AS_ROOT:
        tap.skip("a host that allows the VM no /proc of its own", "only root can cover parts of /proc")
        return
    os.chmod(home.write("bin/vng", f"#!/bin/bash\necho exit 0 >{STATUS}\n"), 0o755)
    for what, words, wanted, says in (
            ("makes run fail", [], 5, "cannot seal the VM: .*Operation not permitted; .*; use --unsealed "),
            ("works with --unsealed", ["--unsealed"], 0, "")):
        with Tidy(home) as tidy:
            outcome = home.run("run", "--path", TREE, "--kernel", KERNEL, *words, "--", "true",
                               before=without(home, "/proc/version"),
                               environment={"PATH": f"{home.dir}/bin:/usr/bin:/bin"}, **NOBODY)
            wrong = tidy.complaints()
        tap.report(outcome.status == wanted and re.search(says, outcome.err, re.M | re.S) and not wrong,
                   f"a host that allows the VM no /proc of its own {what}", *wrong, outcome)


# Ways to install virtme-ng for one user: files in HOME, PATH, and the location of vng.
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
    home.write(f"{at}/virtme_ng/run.py", MODULE.replace("HOME", home.dir).replace("STATUS", STATUS))


def link(at, target):
    home.write(at, "")
    os.unlink(f"{home.dir}/{at}")
    os.symlink(target, f"{home.dir}/{at}")


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
    home.write(f"{USER_SITE}/edited.pth", f"{home.dir}/src/edited\n")
    return ".local/bin"


VENV = ".local/share/pipx/venvs/virtme"


def in_venv():
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", f"{home.dir}/{VENV}"], check=True,
                   **home.user.switch())
    python_vng(f"{VENV}/bin/vng", f"{home.dir}/{VENV}/bin/python3")
    module(f"{VENV}/{USER_SITE.removeprefix('.local/')}")
    link(".local/bin/vng", "../share/pipx/venvs/virtme/bin/vng")
    return ".local/bin"


def of_pyenv():
    root = f"{home.dir}/.pyenv"
    for name, script in (("shims/vng", f"exec {root}/libexec/pyenv exec vng"),
                         ("libexec/pyenv", f"exec {root}/versions/3/bin/vng"),
                         ("versions/3/bin/vng",
                          f"PYTHONPATH={root}/versions/3/lib exec {root}/versions/3/bin/python3 "
                                                "-c 'import virtme_ng.run'")):
        os.chmod(home.write(f".pyenv/{name}", f"#!/usr/bin/env bash\n{script}\n"), 0o755)
    link(".pyenv/versions/3/bin/python3", PYTHON)
    module(".pyenv/versions/3/lib")
    return ".pyenv/shims"


def installations():
    for what, make in (("with pip --user", in_user_site), ("in a checkout, by a link", in_checkout),
                       ("as an editable package", editable), ("with pipx, in a venv", in_venv),
                       ("with pyenv", of_pyenv)):
        path = f"{home.dir}/{make()}:/usr/bin:/bin"
        with Tidy(home) as tidy:
            outcome = home.run("run", "--path", TREE, "--kernel", KERNEL, "--root-transport", "image", "--",
                               "true", environment={"PATH": path})
            wrong = tidy.complaints()
        tap.report(outcome.status == 0 and "mine: False" in outcome.out and not wrong,
                   f"vng installed {what} starts and sees nothing else in the home directory", *wrong,
                   outcome)
        for directory in (".local", "src", "links", ".pyenv"):
            shutil.rmtree(f"{home.dir}/{directory}", ignore_errors=True)


def below_mnt():
    """vng in a path that the VM needs for its own files."""
    if not AS_ROOT:
        tap.skip("vng below /mnt", "only root can mount something at /mnt")
        return
    in_checkout()
    user = home.user
    before = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
              f"mount -t tmpfs -o mode=755 tests /mnt && mkdir /mnt/work && mount --bind {home.dir}/src "
              "/mnt/work && "
              f'exec setpriv --reuid {user.uid} --regid {user.gid} --init-groups "$@"', "sh"]
    with Tidy(home) as tidy:
        outcome = home.run("run", "--path", TREE, "--kernel", KERNEL, "--root-transport", "image", "--",
                           "true",
                           before=before, environment={"PATH": "/mnt/work/virtme-ng:/usr/bin:/bin"}, **NOBODY)
        wrong = tidy.complaints()
    tap.report(outcome.status == 5 and
               re.search("vng needs /mnt/work/virtme-ng.*, but the VM has files of its own at /mnt",
               outcome.err) and not wrong, "vng below /mnt: run fails and says what to do", *wrong, outcome)
    for directory in ("src", "links"):
        shutil.rmtree(f"{home.dir}/{directory}")


STATUS, CONSOLE = "/mnt/status", "/mnt/console"
TERMINAL_IN, TERMINAL_OUT = "/mnt/terminal.in", "/mnt/terminal.out"
FLOODS = {"the status line": f"exec cat /dev/zero >{STATUS}",
          "lines on the status line": f"exec yes started >{STATUS}",
          "the console": f"exec cat /dev/zero >{CONSOLE}",
          "lines on the console": f"exec yes '[ 1.0] a line' >{CONSOLE}",
          "standard output": "exec cat /dev/zero",
          "all of them": f"cat /dev/zero >{STATUS} & cat /dev/zero >{CONSOLE} & cat /dev/zero >&2"}


def floods():
    """Neither the timeout nor Ctrl-C may wait for a guest that never stops writing."""
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
    """Reads and discards its output. Returns its exit status, or None if it does not end."""
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


# A stub that answers each line.
STUB = "exec 3<>/mnt/gdb.in 4<>/mnt/gdb.out; while read -r line <&3; do echo \"stub: $line\" >&4; done"


def attach(path, user):
    """Says hello to the debugger's socket, and returns the answer."""
    code = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
            "s.sendall(b'hello\\n'); print(s.makefile().readline())")
    return subprocess.run(["python3", "-c", code, path], capture_output=True, text=True, timeout=60,
                          check=False, **user.switch())


def debugged():
    """vm.py attaches the real gdb to a guest; this is about the way to the stub."""
    other = other_user() if AS_ROOT else None
    with Tidy(home) as tidy:
        began = time.monotonic()
        process = start(STUB, "--gdb", "--timeout", "2")
        line = next((line.decode() for line in process.stderr if b"waits for a debugger" in line), "")
        found = re.search(r"; run: gdb VMLINUX -ex 'target remote (\S+)'$", line)
        path = found.group(1) if found else "/nonexistent"
        mode = os.stat(os.path.dirname(path)).st_mode & 0o777 if found else None
        stranger = attach(path, other) if other else None
        time.sleep(max(0, began + 3 - time.monotonic()))  # the time limit would end it before
        answer = attach(path, home.user)
        out, err = process.communicate(timeout=60)
        wrong = tidy.complaints()
    tap.report(found and mode == 0o700, "--gdb prints the line to type; the socket's directory is private",
               line, mode)
    if other:
        tap.report("Permission denied" in stranger.stderr, "--gdb: another user cannot attach", stranger)
    else:
        tap.skip("--gdb: another user cannot attach", "needs root and a second user")
    tap.report(answer.stdout == "stub: hello\n\n", "--gdb: --timeout does not count while it waits",
               answer, err)
    tap.report(process.returncode == TIMEOUT and b"the debugger is gone: time limits count again" in err,
               "--gdb: when the debugger is gone, --timeout counts", process.returncode, err, out)
    tap.report(found and not os.path.exists(os.path.dirname(path)) and not wrong,
               "--gdb leaves nothing behind", *wrong)
    with Tidy(home) as tidy:
        process = start(f"printf '%s\\n' \"$@\" end; {STUB}", "--gdb", "--quiet")
        line = next((line.decode() for line in process.stderr), "")
        words = list(iter(lambda: process.stdout.readline().decode().strip(), "end"))
        kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        wrong = tidy.complaints()
    tap.report(process.returncode == INTERRUPTED and "waits for a debugger" in line and not wrong,
               "--gdb --quiet still prints that line, and Ctrl-C ends the wait", line, err, *wrong)
    tap.report("nokaslr" in words and any(" -S " in word and " -gdb chardev:" in word for word in words),
               "--gdb: the kernel's addresses are not random, and qemu waits", words)


SAYINGS = {
    "an exit status": (f"echo started >{STATUS}; echo exit 37 >{STATUS}", 37, ""),
    "two exit statuses": (f"echo exit 3 >{STATUS}; echo exit 4 >{STATUS}", 3, ""),
    "an impossible exit status": (f"echo exit 4096 >{STATUS}; echo exit -1 >{STATUS}", FAILED_VM, ""),
    "an exit status followed by more text": (f"echo 'exit 0 x' >{STATUS}", FAILED_VM, ""),
    "an endless line": (f"head -c 100000 /dev/zero >{STATUS}; echo >{STATUS}; echo exit 5 >{STATUS}", 5, ""),
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
                   not wrong, f"a guest that sends {what}", got, *wrong, err)


JSON = {
    # what the guest does: (script, how it ends, exit status, standard output and error as events)
    "its command succeeds": (f"echo one; printf 'two, \\377'; echo three >&2; echo started >{STATUS}; "
                             f"echo exit 0 >{STATUS}", "exited", 0, "one\ntwo, ?", "three\n"),
    "its command fails": (f"yes 0123456789 | head -n 2000; echo exit 37 >{STATUS}", "exited", 37,
                          "0123456789\n" * 2000, ""),
    "its time runs out": (f"echo started >{STATUS}; echo up; sleep 600", "timeout", TIMEOUT, "up\n", ""),
    "it fails": ("echo gone", "failed", FAILED_VM, "gone\n", ""),
}


# On its first boot, the guest's kernel dies; on the next, the command gets standard input.
DIES = """if mkdir /mnt/share0/booted 2>/dev/null; then
	%(before)s
	%(death)s
fi
echo started >%(status)s; cat; echo exit 7 >%(status)s"""
TIMER = "IO-APIC + timer doesn't work!  Boot with apic=debug"
RESET = "[    1.831959] pci 0000:00:18.7: BAR 0"
DEATHS = {
    # what: (last console line, what happens before, exit status, standard output, whether it is booted again)
    "of a timer failure": (f"Kernel panic - not syncing: {TIMER}", "", 7, "typed", True),
    "of a timer failure twice":
          (f"Kernel panic - not syncing: {TIMER}", "rmdir /mnt/share0/booted", FAILED_VM, "", True),
    "of another panic":
          ("Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)", "", FAILED_VM,
                          "", False),
    "of a timer failure while the command runs":
          (f"Kernel panic - not syncing: {TIMER}", f"echo started >{STATUS}; sleep 1",
                                            FAILED_VM, "", False),
    "without a panic": (RESET, "", 7, "typed", True),
    "without a panic twice": (RESET, "rmdir /mnt/share0/booted", FAILED_VM, "", True),
    "without a panic while the command runs":
          (RESET, f"echo started >{STATUS}; sleep 1", FAILED_VM, "", False),
    "before it prints anything": ("", "", FAILED_VM, "", False),
}


def boots_once_more():
    """It is booted again only once, and only for failures that a busy host causes. No standard input is
    lost."""
    for what, (last, before, status, out, wanted) in DEATHS.items():
        says = f"echo {shlex.quote(last)} >{CONSOLE}; " if last else ""
        script = DIES % {"before": before, "death": says + ("sleep 600" if "panic - " in last else "exit 1"),
                         "status": STATUS}
        os.chmod(home.write("bin/vng", f"#!/bin/bash\n{script}\n"), 0o755)
        with Tidy(home) as tidy:
            outcome = home.run("run", "--path", TREE, "--kernel", KERNEL, "--rwdir", SHARE, "--", "true",
                               text=b"typed", seconds=120,
                               environment={"PATH": f"{home.dir}/bin:/usr/bin:/bin"})
            wrong = tidy.complaints()
        again = outcome.err.count("; booting once more")
        tap.report(outcome.status == status and outcome.out == out and not wrong and
                   again == wanted, f"a kernel that dies {what}", again,
                   *wrong, outcome)
        if os.path.exists(f"{SHARE}/booted"):
            os.rmdir(f"{SHARE}/booted")


# Keys typed at the terminal: what the guest receives, and whether the VM ends. More: unit/test_keys.c
KEYS = {"~.": ("", True), "~~.\r\x03": ("~.\r\x03", False)}


def keys():
    for typed, (want, ends) in KEYS.items():
        script = f"echo started >{STATUS}; exec 3>{TERMINAL_OUT}; printf '<<' >&3; " \
                 f"head -c {len(want) or 99} <{TERMINAL_IN} | od -An -c >&3; " \
                 f"printf '>>' >&3; echo exit 0 >{STATUS}"
        os.chmod(home.write("bin/vng", f"#!/bin/bash\n{script}\n"), 0o755)
        path = {"PATH": f"{home.dir}/bin:/usr/bin:/bin"}
        with Tidy(home) as tidy, Terminal(home, "run", "--path", TREE, "--kernel", KERNEL,
                                          environment=path) as terminal:
            terminal.expect("<<", 60)
            terminal.type(typed)
            status = terminal.wait(60)
            wrong = tidy.complaints()
        shown = terminal.text.partition("<<")[2].partition(">>")[0].split() if not ends else []
        wants = [{"\r": "\\r", "\x03": "003"}.get(key, key) for key in want]
        tap.report(status == (INTERRUPTED if ends else 0) and shown == wants and not wrong,
                   f"keys on a terminal: {typed!r}", status, shown, *wrong, repr(terminal.text[-300:]))


def as_json():
    """The command's output is in events, and the result fits its schema."""
    for what, (script, ends, status, said, complained) in JSON.items():
        with Tidy(home) as tidy:
            code, out, err, seconds = run(script, "--json", "--timeout", "3")
            wrong = tidy.complaints()
        events, result, more = stream("run", Outcome(code, out, err, seconds))
        wrong += more
        text = {name: "".join(event["text"] for event in events if event.get("stream") == name)
                for name in ("stdout", "stderr")}
        tap.report(not wrong and code == status and result["status"] == ends and
                   ("error" in result) == (ends == "failed") and
                   text == {"stdout": said, "stderr": complained} and result["seconds"] <= seconds + 1,
                   f"run --json: {what}", *wrong, code, out[-1000:], err)


def shows_boot():
    """Booting is a stage of its own until the guest's first output; no stage is reported twice."""
    words = f"echo booted >{CONSOLE}; sleep 1; echo started >{STATUS}; " \
        f"sleep 1; echo out; sleep 1; echo exit 0 >{STATUS}"
    code, out, err, _ = run(words)
    lines = err.splitlines()
    tap.report(code == 0 and out == "out\n" and lines[-1:] == ["Booting the kernel"] and
               len(lines) == len(set(lines)),
               "run shows that the kernel is booting", code, out, err)
    told, result, wrong = stream("run", Outcome(*run(words, "--json")))
    events = [event["stage"] for event in told if event["event"] == "progress"]
    tap.report(not wrong and events[-1:] == ["Booting the kernel"] and len(events) == len(set(events)),
               "run --json: shows the stages as events", *wrong, events, result)
    words = words.replace("echo out", f"printf 'out\\r\\n' >{TERMINAL_OUT}")
    os.chmod(home.write("bin/vng", f"#!/bin/bash\n{words}\n"), 0o755)
    with Terminal(home, "run", "--path", TREE, "--kernel", KERNEL, "--", "true",
                  environment={"PATH": f"{home.dir}/bin:/usr/bin:/bin", "TERM": "xterm"}) as terminal:
        terminal.wait(60)
    tap.report(re.search(r"\rBooting the kernel[^\r\n]*[\r\n]+out\r\n$", terminal.text),
               "run on a terminal: the guest's output starts on a new line", repr(terminal.text[-300:]))


def leftovers():
    """The VM leaves daemons in their own sessions that ignore signals."""
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
# Prints vng's arguments, then what the guest sees of the kernel and its modules.
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


def build_dir():
    """Creates a kernel build directory with one module that has what depmod needs."""
    image = kernel("linux/arch/x86/boot/bzImage", f"{TOY} (somebody@somewhere) #1")
    home.write("linux/modules.order", "fs/toy/toy.ko\n")
    home.write("linux/modules.builtin", "")
    module = home.write("linux/fs/toy/toy.ko", "")
    subprocess.run(["cc", "-c", "-x", "c", "-", "-o", module], check=True, text=True, input=
                   '__attribute__((section(".modinfo"), used)) static const char name[] = "name=toy";')
    return image, module


def kernels_of_ones_own():
    image, module = build_dir()
    directory = f"{home.dir}/linux"
    whole = "".join(f"CONFIG_{option}=y\n" for option in IMAGE_OPTIONS)
    for what, path, config, root in (
            ("a build directory", directory, whole, "image"),
            ("the image in a build directory", image, whole, "image"),
            ("a build directory whose kernel has no virtio_blk", directory,
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
        on_image = any(line.startswith(("set fstype=erofs ", "set fstype=ext4 ")) for line in lines)
        if on_image != (root == "image"):
            wrong.append(f"the root is not the {root}")
        tap.report(status == 0 and not wrong, f"--kernel with {what}: vng gets its image, and the guest its "
                   f"modules, with the {root} as root", *wrong, out, err)
    os.unlink(image)
    status, out, err, _ = run(TELL, image=directory)
    tap.report(status == 2 and f"no kernel has been built in {directory}" in err and
               f"make -C {directory} bzImage" in err,
               "--kernel with a build directory without a kernel image", status, err)


def size_of_guest():
    """How the options reach vng; vm.py checks from inside the guest."""
    default = min(os.cpu_count(), 8)
    for what, words, memory, cpus in (("default", (), "2G", default),
                                      ("--memory and --cpus", ("--memory", "768M", "--cpus", "5"), "768M",
                                       5)):
        status, out, err, _ = run(f"printf '%s ' \"$@\"; echo exit 0 >{STATUS}", *words)
        tap.report(status == 0 and f"--memory {memory} --cpus {cpus} " in out,
                   f"the guest's memory and processors: {what}", status, out, err)


def kept(kind):
    directory = f"{home.cache}/rootlet/{kind}"
    return [name for name in os.listdir(directory) if not name.startswith(".") and
            not os.path.islink(f"{directory}/{name}")]


def plant_kernel():
    """Puts a kernel into the cache, as if a run had fetched it within the last day."""
    with open(f"{inside(TREE)}/etc/rootlet/manifest.json", encoding="utf-8") as file:
        made = json.load(file)
    kernel(f".cache/rootlet/kernels/{TOY}_1/boot/vmlinuz", TOY)
    home.write(f".cache/rootlet/kernels/{TOY}_1/boot/config",
               "".join(f"CONFIG_{o}=y\n" for o in IMAGE_OPTIONS))
    home.write(f".cache/rootlet/kernels/{TOY}_1/lib/modules/{TOY}/modules.order", "")
    home.write(f".cache/rootlet/kernels/{TOY}_1/lib/modules/{TOY}/toy.ko", "module")
    directory = f"{home.cache}/rootlet/kernels"
    for link, target in ((f"{made['suite']}-{made['arch']}", f"{TOY}_1"), (f"{TOY}_1/usr", "lib")):
        if os.path.lexists(f"{directory}/{link}"):
            os.unlink(f"{directory}/{link}")
        os.symlink(target, f"{directory}/{link}")
    sums.write(f"{directory}/{TOY}_1")
    return f"{directory}/{TOY}_1"


def run_image():
    """Runs with a mirror that does not answer, so only the cached kernel is available. Returns whether it
    built an image."""
    outcome = run(f"echo exit 0 >{STATUS}", "--root-transport", "image", image="distro")
    return "Building the root image" in outcome[2], outcome


def relink(path):
    os.unlink(path)
    os.symlink("lob", path)


# Ways to damage a kernel in the cache.
KERNEL_DAMAGES = {
    "a bit of its image": lambda at: sums.flip(f"{at}/boot/vmlinuz"),
    "a bit of a module": lambda at: sums.flip(f"{at}/lib/modules/{TOY}/toy.ko"),
    "a link": lambda at: relink(f"{at}/usr"),
    "a module less": lambda at: os.unlink(f"{at}/lib/modules/{TOY}/toy.ko"),
    "a module more": lambda at: open(f"{at}/lib/modules/{TOY}/more.ko", "w").close(),
    "its checksums, which are missing": lambda at: os.unlink(f"{at}/.sums"),
}


def damaged():
    """Damaged objects are not used, whether or not `cache verify` has found them."""
    plant_kernel()
    (_, whole), (built, again) = run_image(), run_image()
    tap.report(whole[0] == again[0] == 0 and not built and len(kept("images")) == 1,
               "run: uses undamaged objects from the cache", whole, again, kept("images"))
    image = f"{home.cache}/rootlet/images/{kept('images')[0]}"
    os.utime(image)
    built, again = run_image()
    tap.report(again[0] == 0 and not built, "run: uses an image whose time changed", again)
    sums.flip(image)
    found, gone = home.run("cache", "verify"), not kept("images")
    built, again = run_image()
    tap.report(found.status == 3 and "damaged, removed: images/" in found.out and gone and again[0] == 0 and
               built and
               os.path.exists(image), "cache verify finds an image with a flipped bit, and run rebuilds it",
               found, again)
    sums.flip(image)
    built, again = run_image()
    tap.report(again[0] == 0 and built and os.path.exists(image),
               "run: rebuilds an image with a flipped bit", again)
    # As left by a build that was killed.
    os.unlink(f"{os.path.dirname(image)}/.{os.path.basename(image)}.sums")
    verify = home.run("cache", "verify")
    tap.report(verify.status == 0 and "damaged" not in verify.out.replace(", 0 damaged", "") and
               not os.path.exists(image),
               "cache verify removes an unfinished image and does not call it damaged",
               verify, kept("images"))
    built, again = run_image()
    tap.report(again[0] == 0 and built, "the next run rebuilds an unfinished image", again)
    verify = home.run("cache", "verify")
    tap.report(verify.status == 0, "a rebuilt image is undamaged", verify)
    for what, damage in KERNEL_DAMAGES.items():
        damage(plant_kernel())
        status, _, err, _ = run_image()[1]
        tap.report(status not in (0, FAILED_VM) and re.search("kernel in the cache is damaged, ", err),
                   f"run: does not boot a kernel with damage to {what}", status, err)
        verify = home.run("cache", "verify")
        tap.report(verify.status == 3 and f"damaged, removed: kernels/{TOY}_1: " in verify.out and
                   not kept("kernels"),
                   "cache verify removes a kernel with damage to {what}", verify, kept("kernels"))


def pruned():
    """The cache is emptied during a run, which still needs its root image and its kernel."""
    plant_kernel()
    process = start("echo up; exec sleep 4996", "--root-transport", "image", image="distro")
    wait_until(lambda: b"up" in (process.stdout.readline() or b""), 60)
    before, outcome = kept("images"), home.run("cache", "prune", "--max-size", "0")
    tap.report(outcome.status == 0 and before and kept("images") == before,
               "cache prune keeps the images of a run in progress", outcome, before, kept("images"))
    tap.report(kept("kernels") == [f"{TOY}_1"], "cache prune keeps the kernel of a run in progress", outcome,
               kept("kernels"))
    os.chmod(home.write("other/vng", "#!/bin/sh\nexit 3\n"), 0o755)
    words = {"environment": {"PATH": f"{home.dir}/other:/usr/bin:/bin"}}
    another = ["run", "--path", TREE, "--kernel", KERNEL, "--root-transport", "image", "--", "true"]
    for name in before:
        sums.flip(f"{home.cache}/rootlet/images/{name}")
    outcome = home.run(*another, **words)
    tap.report(outcome.status == FAILED_VM and kept("images") == before,
               "a damaged image that is in use is rebuilt",
               outcome, before, kept("images"))
    process.kill()
    process.communicate()
    process = start("echo up; exec sleep 4996", "--root-transport", "image")
    wait_until(lambda: b"up" in (process.stdout.readline() or b""), 60)
    changed = home.run("shell", "--path", TREE, "--", "touch", "/root/changed")
    outcome = home.run(*another, **words)
    tap.report(changed.status == 0 and set(before) < set(kept("images")),
               "a second run's image of the changed rootfs "
               "does not replace the first one's", changed, outcome, before, kept("images"))
    kill(process.pid, signal.SIGINT)
    process.communicate(timeout=300)
    outcome = home.run("cache", "prune", "--max-size", "0")
    tap.report(outcome.status == 0 and not kept("images") and not kept("kernels"),
               "cache prune removes them after the run", outcome, kept("images"), kept("kernels"))
    tap.report(not [name for name in os.listdir(f"{home.cache}/rootlet/images")],
               "cache prune removes their checksums",
               os.listdir(f"{home.cache}/rootlet/images"))


def restricted():
    """If AppArmor lets only the helper create a user namespace, a VM is sandboxed in one nested inside the
    helper's."""
    os.chmod(home.write("bin/vng",
                        "#!/bin/sh\ngrep -c . /proc/self/uid_map; id -u; printf '%s\\n' \"$@\"\n"), 0o755)
    own = {"PATH": f"{home.dir}/bin:/usr/bin:/bin"}
    pretend = {"LD_PRELOAD": f"{BUILD}/tests/pretend.so", "PRETEND": "apparmor"}
    outcome = home.run("doctor", environment=pretend)
    tap.report(re.search("^missing +user namespaces", outcome.out, re.M),
               "doctor: rootlet may not create user namespaces", outcome)
    for transport, ids in (("image", r"\A1\n0\n"), ("dir", r"\A3\n65535\n|\A2\n65535\n")):
        for environment, what in ((own, "may"), ({**own, **pretend}, "may not")):
            outcome = home.run("run", "--path", TREE, "--kernel", KERNEL, "--root-transport", transport,
                               "--", "true",
                               environment=environment)
            tap.report(outcome.status == FAILED_VM and re.search(ids, outcome.out) and
                       "--qemu-opts" in outcome.out,
                       f"rootlet {what} create a user namespace: a VM is sandboxed, with --root-transport "
                       f"{transport}", outcome)


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
debugged()
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
