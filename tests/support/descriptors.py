"""Descriptors that a request must not come with."""
import contextlib
import os
import socket

from .world import AS_ROOT


@contextlib.contextmanager
def strange(home, directory, file):
    """Yields {what: descriptor} of everything except directories that the caller owns, as they own DIRECTORY
    and FILE."""
    fifo, gone, sealed = (f"{home.dir}/{name}" for name in ("fifo", "gone", "write-only"))
    os.mkfifo(fifo)
    os.mkdir(gone)
    mine, theirs = socket.socketpair()
    pipe = os.pipe()
    fds = {
        "the host's root": os.open("/", os.O_RDONLY), "/proc/self": os.open("/proc/self", os.O_RDONLY),
        "/proc": os.open("/proc", os.O_RDONLY), "/sys": os.open("/sys", os.O_RDONLY),
        "/dev": os.open("/dev", os.O_RDONLY), "/etc": os.open("/etc", os.O_RDONLY),
        "/root": os.open("/root" if AS_ROOT else "/", os.O_RDONLY),
        "a pipe": pipe[0], "a pipe to write": pipe[1], "a socket": theirs.fileno(),
        "a FIFO without a writer": os.open(fifo, os.O_RDWR | os.O_NONBLOCK),
        "an O_PATH directory": os.open(directory, os.O_PATH), "an O_PATH file": os.open(file, os.O_PATH),
        "a write-only file": os.open(sealed, os.O_CREAT | os.O_WRONLY, 0o600),
        "a removed directory": os.open(gone, os.O_RDONLY), "an eventfd": os.eventfd(0),
        "/dev/zero": os.open("/dev/zero", os.O_RDWR), "a memfd": os.memfd_create("x"),
        "a pidfd": os.pidfd_open(os.getpid()),
        "a user namespace": os.open("/proc/self/ns/user", os.O_RDONLY),
        "a file": os.open(file, os.O_RDONLY), "an endless file": os.open("/dev/full", os.O_RDONLY),
        "a terminal": os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY),
    }
    os.rmdir(gone)
    try:
        yield fds
    finally:
        for what, fd in fds.items():
            if what != "a socket":
                os.close(fd)
        mine.close()
        theirs.close()
        os.unlink(fifo)
        os.unlink(sealed)


def _passes(kind, place, what):
    """Returns whether the descriptor is allowed in this position."""
    # a command's input and output may be anything except a directory or disk
    return (kind == "Execute" and place > 0
            # a keyring, until a signature is verified with it
            or kind == "Begin" and place == 1 and what in ("a memfd", "a file")
            or kind == "BuildImage" and place == 1 and what == "a memfd"  # an empty writable file
            # A manifest. A namespace is a regular file to the kernel, but unreadable: that ends the build.
            or kind in ("Publish", "Keep") and place == {"Publish": 0, "Keep": 1}[kind] and
            what in ("a memfd", "a file", "a user namespace"))


def in_each_place(kind, right, fds):
    """Yields (what and where, descriptors) for every wrong one in place of a RIGHT one."""
    for what, fd in fds.items():
        for place in range(len(right)):
            if not _passes(kind, place, what):
                yield f"{what} in place {place}", [*right[:place], fd, *right[place + 1:]]
