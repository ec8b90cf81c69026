"""The fetch process of the front end, taken over: what it does in its sandbox, and the same outside of it, where it must
come through, or the attempt would show nothing; and what the process of a real create holds."""
import contextlib
import ctypes
import os
import pty
import re
import socket
import subprocess
import threading

from support import mirror as mirrors
from support import sanitizers, tap
from support.server import Fault, Server
from support.world import (AS_ROOT, BUILD, KEPT, Home, children, command_of, mirror, processes_left, wait_until)

AT = mirror()
# What a host may forbid to all, and so shows nothing here: the errno that it has for that.
FORBIDDEN = {
    "type into a terminal": {"EIO"},               # dev.tty.legacy_tiocsti
    "trace a process": {"EPERM"},                  # kernel.yama.ptrace_scope
    "write the front end's memory": {"EACCES"},    # likewise
    "read the front end's memory": {"EPERM"},      # likewise
    "make an io_uring": {"EPERM", "ENOSYS"},       # kernel.io_uring_disabled
    "make a socket to a hypervisor": {"EAFNOSUPPORT"},
    "make a user namespace": {"EPERM"},
    "mount": {"EPERM", "EACCES"},
}
SINCE = {"file": 1, "port": 4, "scope": 6}


def landlock_version():
    return max(ctypes.CDLL(None).syscall(444, None, 0, 1), 0)


def layout(home):
    """The user's directories: a home, and a cache with what is not the process's."""
    folder = home.make_folder(f"{home.folder}/captured")
    for name in ("home", "cache", "cache/indexes", "cache/packages", "cache/solv", "cache/bases", "cache/kernels",
                 "cache/kernels/one", "cache/kernels/.new"):
        home.make_folder(f"{folder}/{name}")
    os.symlink(f"{folder}/home/file", f"{folder}/cache/packages/link")
    return folder


@contextlib.contextmanager
def listening(home, name):
    """The path of a socket in /run/user that takes connections; one for packets is beside it, and an abstract one is
    called NAME."""
    uid, gid = home.user.ids()
    folder = f"/run/user/{uid}"
    made = AS_ROOT and not os.path.isdir(folder)
    if not AS_ROOT and not os.path.isdir(folder):
        folder = home.folder  # who has no session here
    if made:
        os.makedirs(folder, mode=0o700)
        os.chown(folder, uid, gid)
    path = f"{folder}/rootlet-test.{os.getpid()}"
    sockets = []
    for address, kind in ((path, socket.SOCK_STREAM), (f"{path}.packets", socket.SOCK_SEQPACKET), (f"\0{name}", socket.SOCK_STREAM)):
        one = socket.socket(socket.AF_UNIX, kind)
        one.bind(address)
        one.listen(64)
        threading.Thread(target=take_all, args=(one,), daemon=True).start()
        if address.startswith("/"):
            os.chown(address, uid, gid)
        sockets.append(one)
    try:
        yield path
    finally:
        for one in sockets:
            one.close()
        os.unlink(path)
        os.unlink(f"{path}.packets")
        if made:
            os.rmdir(folder)


def take_all(listener):
    with contextlib.suppress(OSError):
        while True:
            listener.accept()[0].close()


def listen_tcp():
    one = socket.socket()
    one.bind(("127.0.0.1", 0))
    one.listen(64)
    threading.Thread(target=take_all, args=(one,), daemon=True).start()
    return one, one.getsockname()[1]


@contextlib.contextmanager
def victim(home):
    """(a process of the user's, the path of a terminal of theirs)"""
    master, slave = pty.openpty()
    path = os.ttyname(slave)
    os.fchown(slave, *home.user.ids())
    process = subprocess.Popen(["sleep", "600"], **home.user.switch())
    KEPT.add(process.pid)
    try:
        yield process.pid, path
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


def captured(*more, version):
    """Plays all attempts; MORE goes to the program. VERSION: of Landlock, as it is there."""
    home = Home()
    folder, name = layout(home), f"rootlet-test.{os.getpid()}.{len(more)}"
    mirror_socket, mirror_port = listen_tcp()
    other_socket, other_port = listen_tcp()
    where = " without Landlock" if more else ""
    with listening(home, name) as path, victim(home) as (pid, terminal), mirror_socket, other_socket:
        done = subprocess.run([f"{BUILD}/tests/captured", folder, str(mirror_port), str(other_port), str(pid), terminal, path,
                               name, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                              cwd=home.folder, env={"PATH": "/usr/bin:/bin", "SECRET": "of-the-user"}, timeout=300,
                              **home.user.switch())
    rows = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    tap.report(done.returncode == 0 and len(rows) > 60, f"captured{where}: every attempt is made", done.returncode,
               done.stderr[-500:], done.stdout[-300:])
    for what, outside, inside, kind in rows:
        if kind == "work":
            tap.report(outside == inside == "0", f"captured{where}: it can {what}", outside, inside)
        elif outside in FORBIDDEN.get(what, ()):
            tap.skip(f"captured{where}: {what}", f"nobody can here: {outside}")
        elif version < SINCE.get(kind, 0):
            tap.report(outside == "0", f"captured{where}: {what}: this kernel does not keep it from that", outside, inside)
        else:
            tap.report(outside == "0" and inside not in ("0", "unstarted", None),
                       f"captured{where}: it cannot {what}", f"outside {outside}, inside {inside}")
    tap.note("; ".join(f"{what}: {inside}" for what, _, inside, kind in rows if kind != "work"))
    tap.report(not processes_left(10), f"captured{where}: nothing runs in the end")


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def holds():
    """A real create, while its mirror is silent."""
    if not AS_ROOT:
        tap.skip("what the fetch process holds", "needs root, to look at a process that is not dumpable")
        return
    home = Home()
    with open(home.write("open-file", "secret"), encoding="utf-8") as secret, \
            Server(AT.root, [Fault("(Packages|by-hash)", "stall", 10)]) as server:
        front = home.start("create", "--fresh", "--release", mirrors.SUITE, "--profile", "test", "--mirror", server.url,
                           "--keyring", AT.keyring, "--quiet", pass_fds=[secret.fileno()],
                           environment={"SECRET": "of-the-user", "no_proxy": "127.0.0.1"})
        server.wait_for("(Packages|by-hash)")
        pid = wait_until(lambda: next((one for one in children(front.pid) if command_of(one).startswith(command_of(front.pid))),
                                      None), 10)
        status = status_of(pid)
        links = {int(fd): os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = file.read()
        with open(f"/proc/{pid}/limits", encoding="ascii") as file:
            limits = {line[:26].strip(): line[26:].split()[0] for line in file}
        session, cwd = os.getsid(pid), os.readlink(f"/proc/{pid}/cwd")
        owner = os.stat(f"/proc/{pid}/environ").st_uid
        front.kill()
        front.communicate()
        ended = wait_until(lambda: not command_of(pid), 10)
    tap.report(status["NoNewPrivs"] == "1" and status["Seccomp"] == "2" and status["Seccomp_filters"] == "2",
               "the fetch process: no new privileges, a list of calls and one of arguments", status)
    tap.report(all(int(status[name], 16) == 0 for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")),
               "the fetch process: no capability", status)
    tap.report(session == pid and cwd == "/" and owner == 0 and pid not in (front.pid, os.getsid(0)),
               "the fetch process: a session of its own, no directory of the user's, not dumpable", session, cwd, owner)
    tap.report(all(links.get(fd) == "/dev/null" for fd in range(3)),
               "the fetch process: /dev/null in place of the user's terminal", links)
    # The channel, libcurl's own and connections; InRelease in memory; the parts of files that it writes.
    known = re.compile(rf"socket:|anon_inode:\[(eventfd|eventpoll)\]|pipe:|/memfd:InRelease|{re.escape(home.cache)}/rootlet/")
    odd = {fd: link for fd, link in links.items() if fd > 2 and not known.match(link)}
    tap.report(not odd and len(links) > 4, "the fetch process: no other descriptor of the front end", odd, links)
    tap.report(not environment.strip(b"\0"), "the fetch process: no environment", environment[:200])
    tap.report(limits["Max core file size"] in ("0", "1") and limits["Max processes"] == "0" and
               int(limits["Max open files"]) < 5000 and
               # What sanitizers map is more than any limit.
               limits["Max address space"] == ("unlimited" if sanitizers.watched() else str(4 << 30)) and
               limits["Max file size"] == str(16 << 30), "the fetch process: its limits", limits)
    tap.report(ended, "the fetch process ends with the front end")


VERSION = landlock_version()
tap.note(f"Landlock's interface here: {VERSION}")
captured(version=VERSION)
captured("without-landlock", version=0)
holds()
tap.done()
