"""The front end's fetch process, after an attacker has taken it over: what it can do in its sandbox, and the
same outside, where each attempt must succeed or it proves nothing; and the resources that the process of a
real create has."""
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
from support.world import (AS_ROOT, BUILD, KEPT, Home, children, command_of, links_of, mirror,
                           processes_left, wait_until)

AT = mirror()
# Actions that a host may forbid to everyone, so they prove nothing here, with the host's errno.
FORBIDDEN = {
    "type into a terminal": {"EIO"},               # dev.tty.legacy_tiocsti
    "trace a process": {"EPERM"},                  # kernel.yama.ptrace_scope
    "write the front end's memory": {"EACCES"},    # likewise
    "read the front end's memory": {"EPERM"},      # likewise
    "create an io_uring": {"EPERM", "ENOSYS"},       # kernel.io_uring_disabled
    "create a socket to a hypervisor": {"EAFNOSUPPORT"},
    "create a user namespace": {"EPERM"},
    "mount": {"EPERM", "EACCES"},
}
SINCE = {"file": 1, "port": 4, "scope": 6}


def landlock_version():
    return max(ctypes.CDLL(None).syscall(444, None, 0, 1), 0)


def layout(home):
    """Creates the user's directories: a home, and a cache with files that do not concern the process."""
    directory = home.make_dir(f"{home.dir}/captured")
    for name in ("home", "cache", "cache/indexes", "cache/packages", "cache/solv", "cache/bases",
                 "cache/kernels",
                 "cache/kernels/one", "cache/kernels/.new"):
        home.make_dir(f"{directory}/{name}")
    os.symlink(f"{directory}/home/file", f"{directory}/cache/packages/link")
    return directory


@contextlib.contextmanager
def listening(home, name):
    """Returns the path of a listening socket in /run/user. A packet socket is beside it, and an abstract one
    is called NAME."""
    uid, gid = home.user.ids()
    directory = f"/run/user/{uid}"
    made = AS_ROOT and not os.path.isdir(directory)
    if not AS_ROOT and not os.path.isdir(directory):
        directory = home.dir  # the user has no login session here
    if made:
        os.makedirs(directory, mode=0o700)
        os.chown(directory, uid, gid)
    path = f"{directory}/rootlet-test.{os.getpid()}"
    sockets = []
    for address, kind in ((path, socket.SOCK_STREAM), (f"{path}.packets", socket.SOCK_SEQPACKET),
                          (f"\0{name}", socket.SOCK_STREAM)):
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
            os.rmdir(directory)


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
    """Yields (a process of the user, the path of the user's terminal)."""
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
    """Runs all attempts; MORE is passed to the program. VERSION: the Landlock version to assume."""
    home = Home()
    directory, name = layout(home), f"rootlet-test.{os.getpid()}.{len(more)}"
    mirror_socket, mirror_port = listen_tcp()
    other_socket, other_port = listen_tcp()
    where = " without Landlock" if more else ""
    with listening(home, name) as path, victim(home) as (pid, terminal), mirror_socket, other_socket:
        done = subprocess.run([f"{BUILD}/tests/captured", directory, str(mirror_port), str(other_port),
                               str(pid), terminal, path,
                               name, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False,
                              cwd=home.dir, env={"PATH": "/usr/bin:/bin", "SECRET": "of-the-user"},
                              timeout=300,
                              **home.user.switch())
    rows = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    tap.report(done.returncode == 0 and len(rows) > 60, f"captured{where}: every attempt was made",
               done.returncode,
               done.stderr[-500:], done.stdout[-300:])
    for what, outside, inside, kind in rows:
        if kind == "work":
            tap.report(outside == inside == "0", f"captured{where}: it can {what}", outside, inside)
        elif outside in FORBIDDEN.get(what, ()):
            tap.skip(f"captured{where}: {what}", f"not possible on this host: {outside}")
        elif version < SINCE.get(kind, 0):
            tap.report(outside == "0", f"captured{where}: {what}: this kernel cannot prevent that", outside,
                       inside)
        else:
            tap.report(outside == "0" and inside not in ("0", "unstarted", None),
                       f"captured{where}: it cannot {what}", f"outside {outside}, inside {inside}")
    tap.note("; ".join(f"{what}: {inside}" for what, _, inside, kind in rows if kind != "work"))
    tap.report(not processes_left(10), f"captured{where}: no processes remain")


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def holds():
    """A real create while its mirror does not answer."""
    if not AS_ROOT:
        tap.skip("the fetch process of a real create", "needs root to inspect a process that is not dumpable")
        return
    home = Home()
    with open(home.write("open-file", "secret"), encoding="utf-8") as secret, \
            Server(AT.root, [Fault("(Packages|by-hash)", "stall", 10)]) as server:
        front = home.start("create", "--fresh", "--release", mirrors.SUITE, "--profile", "test", "--mirror",
                           server.url,
                           "--keyring", AT.keyring, "--quiet", pass_fds=[secret.fileno()],
                           environment={"SECRET": "of-the-user", "no_proxy": "127.0.0.1"})
        server.wait_for("(Packages|by-hash)")
        pid = wait_until(lambda: next((one for one in children(front.pid)
                                       if command_of(one).startswith(command_of(front.pid))),
                                      None), 10)
        status = status_of(pid)
        links = links_of(pid)
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
               "the fetch process: has no_new_privs and two seccomp filters", status)
    tap.report(all(int(status[name], 16) == 0 for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")),
               "the fetch process: has no capabilities", status)
    tap.report(session == pid and cwd == "/" and owner == 0 and pid not in (front.pid, os.getsid(0)),
               "the fetch process: has its own session, no user directory as cwd, and is not dumpable",
               session, cwd, owner)
    tap.report(all(links.get(fd) == "/dev/null" for fd in range(3)),
               "the fetch process: has /dev/null instead of the user's terminal", links)
    # The channel, libcurl's descriptors and connections; InRelease in memory; the partial files that it
    # writes.
    known = re.compile(rf"socket:|anon_inode:\[(eventfd|eventpoll)\]|pipe:|"
                       rf"/memfd:InRelease|{re.escape(home.cache)}/rootlet/")
    odd = {fd: link for fd, link in links.items() if fd > 2 and not known.match(link)}
    tap.report(not odd and len(links) > 4, "the fetch process: has no other descriptors of the front end",
               odd, links)
    tap.report(not environment.strip(b"\0"), "the fetch process: has an empty environment", environment[:200])
    tap.report(limits["Max core file size"] in ("0", "1") and limits["Max processes"] == "0" and
               int(limits["Max open files"]) < 5000 and
               # Sanitizers map more than any limit.
               limits["Max address space"] == ("unlimited" if sanitizers.watched() else str(4 << 30)) and
               limits["Max file size"] == str(16 << 30), "the fetch process: has the right resource limits",
               limits)
    tap.report(ended, "the fetch process ends with the front end")


VERSION = landlock_version()
tap.note(f"Landlock ABI of this host: {VERSION}")
captured(version=VERSION)
captured("without-landlock", version=0)
holds()
tap.done()
