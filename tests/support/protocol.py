"""A client of rootlet-helper that can send what rootlet never would: hand-encoded messages (see
proto/rootlet.proto) with any descriptors, and raw packets."""
import array
import contextlib
import fcntl
import json
import os
import socket
import subprocess
from dataclasses import dataclass, field

from . import sanitizers
from .pace import patient
from .world import BUILD, HELPER

INPUT, REFUSED, TRUST, BUSY, MISSING = 1, 2, 3, 5, 6  # lib/error.h
# The table in proto/requests.h and the field numbers of proto/rootlet.proto.
_table = json.loads(subprocess.run([f"{BUILD}/proto/list_requests", "json"], stdout=subprocess.PIPE,
                                   check=True).stdout)
VERSION = _table["version"]
REQUESTS = {name: (row["number"], row["fields"]) for name, row in _table["requests"].items()}
INSPECTION, RESULT, FOUND = 4, 5, 6


def varint(value):
    value &= (1 << 64) - 1
    data = bytearray()
    while value > 0x7f:
        data.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(data + bytes([value]))


def encode_field(number, value):
    if isinstance(value, (list, tuple)):
        return b"".join(encode_field(number, one) for one in value)
    if isinstance(value, (str, bytes)):
        data = value.encode() if isinstance(value, str) else value
        return varint(number << 3 | 2) + varint(len(data)) + data
    return varint(number << 3) + varint(int(value))


def request(kind, **fields):
    """Returns the packet of one request."""
    number, names = REQUESTS[kind]
    return encode_field(number, b"".join(encode_field(names[name], value)
                                         for name, value in fields.items()))


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def decode(data):
    """Returns {field number: [values]}; messages and strings are bytes."""
    fields, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 2:
            length, at = read_varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            value, at = read_varint(data, at)
        fields.setdefault(key >> 3, []).append(value)
    return fields


@dataclass
class Answer:
    """code -1: the helper exited without a Result; -2: no answer in time. number: an errno."""
    code: int
    message: str = ""
    status: int = 0
    fds: list = field(default_factory=list)
    number: int = 0
    digest: bytes = b""
    kinds: str = ""  # from Found


def first_ids(user):
    """Returns the first user id and group id of USER's range, as the front end passes them to the helper."""
    uid = user.ids()[0]
    found = []
    for file in ("/etc/subuid", "/etc/subgid"):
        lines = []
        # A test may have hidden the file behind one that cannot be read.
        with contextlib.suppress(OSError), open(file, encoding="utf-8") as text:
            lines = [line.strip().split(":") for line in text]
        found += [line[1] for line in lines if line[0] in (user.name, str(uid)) and
                  int(line[2]) >= 65536][:1] or ["1878982656" if uid == 0 else "0"]
    return found


class Helper:
    """with Helper(home.user) as helper: helper.ask("Hello", version=1, purpose="create")

    BEFORE is a command prefix that runs as root and must become the user (strace -u). SETUP is shell text
    before the command, such as "ulimit -f 1;". RECORD is a file for the audit log, MEMORY one for the release
    memory, or none."""

    def __init__(self, user, greet=True, seconds=60, before=(), program=HELPER, setup="", environment=None,
                 record=None, memory=None):
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(patient(seconds))
        # bash, because dash supports no descriptors above 9.
        fds = [theirs.fileno()]
        moves = f"3<&{fds[0]} {fds[0]}<&-"
        for number, path, more in ((4, record, os.O_APPEND), (5, memory, 0)):
            if path:
                fd = os.open(path, os.O_RDWR | more | os.O_CREAT | os.O_CLOEXEC, 0o600)
                os.fchown(fd, *user.ids())
                # Above the numbers that the descriptors are moved to.
                fds.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20))
                os.close(fd)
                moves += f" {number}<&{fds[-1]} {fds[-1]}<&-"
        self.process = subprocess.Popen(
            [*before, "/bin/bash", "-c", f'{setup} exec "$0" "$@" {moves}', program, *first_ids(user)],
            pass_fds=fds, env={**sanitizers.environment(), **(environment or {})}, cwd="/",
                                        stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **({} if before else user.switch()))
        for fd in fds[1:]:
            os.close(fd)
        theirs.close()
        self.greeting = self.ask("Hello", version=VERSION, purpose="test") if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()

    def leave(self, seconds=30):
        """Closes the channel; returns the helper's exit status, or None if it does not exit by itself."""
        self.channel.close()
        try:
            return self.process.wait(patient(seconds))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def ask(self, kind, fds=(), **fields):
        return self.send(request(kind, **fields), fds)

    def send(self, packet, fds=()):
        """Sends a packet and waits for its Result."""
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            self.channel.sendmsg([packet], ancillary)
            return self.receive()
        except socket.timeout:
            return Answer(-2, "no answer")
        except OSError as error:
            return Answer(-1, str(error))

    def receive(self):
        fds, digest, kinds = [], b"", ""
        while True:
            data, ancillary, _, _ = self.channel.recvmsg(1 << 17, socket.CMSG_SPACE(16))
            for level, kind, payload in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds += array.array("i", payload)
            if not data:
                return Answer(-1, "the channel is closed", fds=fds)
            for inspection in decode(data).get(INSPECTION, []):
                digest = decode(inspection).get(5, [b""])[0]
            for found in decode(data).get(FOUND, []):
                kinds = decode(found).get(1, [b""])[0].decode()
            result = decode(data).get(RESULT)
            if result:
                one = decode(result[0])
                return Answer(one.get(1, [0])[0], one.get(3, [b""])[0].decode(errors="replace"),
                              one.get(4, [0])[0], fds, one.get(2, [0])[0], digest, kinds)


@contextlib.contextmanager
def opened(*paths):
    """Yields descriptors of PATHS: read-only directories and files, or the results of functions."""
    fds = []
    try:
        for path in paths:
            fds.append(path() if callable(path) else os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        yield fds
    finally:
        for fd in fds:
            os.close(fd)
