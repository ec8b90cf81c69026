#!/usr/bin/python3
"""Runs in a guest as root: runs rootlet on an ext4 whose writes dm-log-writes records, then cuts the power at
many points of the log. Prints a TAP case per claim.

usage: power_guest.py SHARE BUILD DATA LOG REPLAY [CUTS]

SHARE has the files from tests/integration/power.py, including the programs for BUILD; DATA, LOG and REPLAY
are empty disks, DATA and REPLAY of the same size. Log format: drivers/md/dm-log-writes.c and
Documentation/admin-guide/device-mapper/log-writes.rst in Linux."""
import contextlib
import functools
import hashlib
import http.server
import json
import os
import random
import re
import shutil
import stat
import struct
import subprocess
import sys
import threading
import time
import zlib

SHARE, BUILD, DATA, LOG, REPLAY = sys.argv[1:6]
CUTS = int(sys.argv[6]) if len(sys.argv) > 6 else 24
MAGIC = 0x6a736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
END = "dm-log-writes-end"  # a mark that the target writes itself
SECTOR = 512
AT = "/mnt/data"
HOME = f"{AT}/home"
LINE = 512  # of the release memory: lib/release_memory.c
MEMORY = b"rootlet-release 1 "

sys.path.insert(0, f"{SHARE}/tests")
from support import tap  # noqa: E402


def tell(text):
    """Reports progress to the host."""
    with open(f"{SHARE}/progress", "a", encoding="utf-8") as file:
        file.write(f"{time.monotonic():.0f} {text}\n")


def run(*words, **more):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **more)


# --- actions ------------------------------------------------------------------------------------


def rootlet(*words):
    """Runs rootlet as root, from the build in SHARE."""
    environment = {"HOME": HOME, "XDG_CACHE_HOME": f"{HOME}/cache", "XDG_STATE_HOME": f"{HOME}/state",
                   "XDG_CONFIG_HOME": f"{SHARE}/config", "LANG": "C.UTF-8",
                   "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                   "LD_LIBRARY_PATH": f"{SHARE}/lib", "ROOTLET_RUN_DIR": f"{HOME}/state"}
    program = words[0] if words[0].startswith("/") else f"{BUILD}/frontend/rootlet"
    return subprocess.run([program, *(words if program != words[0] else ())], env=environment, check=False,
                          text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/")


def mark(name):
    run("dmsetup", "message", "log", "0", f"mark {name}")


def listing(directory, known=None):
    """Returns a hash of everything in a tree, or None if it is missing. KNOWN: hashes of files that trees
    share, by inode."""
    if not os.path.isdir(directory):
        return None
    known = {} if known is None else known
    whole = hashlib.sha256()
    for at, directories, files in os.walk(directory):
        directories.sort()
        for name in sorted(directories + files):
            path = f"{at}/{name}"
            info = os.lstat(path)
            facts = f"{path[len(directory):]} {info.st_mode:o} {info.st_uid} {info.st_gid} "
            if stat.S_ISLNK(info.st_mode):
                facts += os.readlink(path)
            elif stat.S_ISREG(info.st_mode):
                if info.st_ino not in known:
                    with open(path, "rb") as file:
                        known[info.st_ino] = zlib.crc32(file.read())
                facts += f"{info.st_size} {known[info.st_ino]}"
            whole.update(os.fsencode(facts) + b"\0")
    return whole.hexdigest()


def rootfs(at, known=None):
    return listing(f"{at}/home/.kerneldev-mcp/one", known)


def snapshots(at, known=None):
    directory = f"{at}/home/cache/rootlet/bases"
    return {name: listing(f"{directory}/{name}", known)
            for name in (os.listdir(directory) if os.path.isdir(directory) else ())
            if re.fullmatch(r"[0-9a-f]{64}", name)}


def serve():
    """Serves the test mirror on this guest's loopback interface."""
    run("ip", "link", "set", "lo", "up")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 8000),
                                             functools.partial(Quiet, directory=f"{SHARE}/mirror"))
    threading.Thread(target=server.serve_forever, daemon=True).start()


CREATE = ("create", "--name", "one", "--release", "jammy", "--profile", "test", "--mirror",
          "http://127.0.0.1:8000",
          "--keyring", f"{SHARE}/keyring.gpg", "--quiet")
# (description and mark; action): one publish of each kind, in sequence.
STEPS = [
    ("created", CREATE),
    ("recorded", (f"{BUILD}/tests/test_run_dir",)),
    ("changed", None),
    ("replaced", (*CREATE, "--force")),
    ("deleted", ("delete", "--name", "one", "--yes")),
]


def change():
    """Makes the old tree differ from the one that replaces it."""
    with open(f"{HOME}/.kerneldev-mcp/one/old", "w", encoding="utf-8") as file:
        file.write("old")
    os.sync()


def perform():
    """Returns {mark: the rootfs state from then on}, and the snapshot states."""
    states, saved = {"begun": None}, {}
    os.makedirs(HOME)
    mark("begun")
    for name, words in STEPS:
        # Otherwise the next step would sync what this one left unsynced.
        tell(name)
        outcome = rootlet(*words) if words else change()
        mark(name)
        if outcome and not tap.report(outcome.returncode == 0, f"on the recorded disk: {name} works",
                                      outcome.stdout[-2000:]):
            tap.done()
        states[name] = rootfs(AT)
        saved.update(snapshots(AT))
    return states, saved


# --- the log -------------------------------------------------------------------------------------


def entries():
    """Yields (offset of the data in the log, sector, number of sectors, flags, mark) for each entry up to the
    end."""
    with open(LOG, "rb") as log:
        magic, _, count, size = struct.unpack("<QQQI", log.read(28))
        assert magic == MAGIC and size == SECTOR, (magic, size)
        at = SECTOR
        for _ in range(count):
            log.seek(at)
            entry = log.read(SECTOR)
            sector, number, flags, length = struct.unpack("<QQQQ", entry[:32])
            at += SECTOR
            name = entry[32:32 + length].decode() if flags & MARK else ""
            if name == END:
                return
            yield at, sector, number, flags, name
            if not flags & DISCARD:
                at += number * SECTOR


def choose(log):
    """Returns the points to cut the power, as indexes of LOG: after each publish, shortly before it, and
    random ones. Half of the random ones are at flushes, because promised data must be on disk there."""
    random.seed(12)
    began = next(i for i, entry in enumerate(log) if entry[4] == "begun")
    inside = range(began, len(log))
    flushes = [i for i in inside if log[i][3] & (FLUSH | FUA)]
    marks = [i for i in inside if log[i][4]]
    cuts = set(marks)
    for at in marks:
        cuts.update([i for i in flushes if i < at][-2:])
    cuts.update(random.sample(flushes, min(len(flushes), CUTS // 2)))
    cuts.update(random.sample(inside, min(len(inside), CUTS // 2)))
    return sorted(cuts)


@contextlib.contextmanager
def after_the_cut():
    """Mounts the replayed disk as after a power cut; writes go to a snapshot of it."""
    size = int(run("blockdev", "--getsz", REPLAY).stdout)
    with open("/mnt/cow", "wb") as file:
        file.truncate(256 << 20)
    loop = run("losetup", "--find", "--show", "/mnt/cow").stdout.strip()
    run("dmsetup", "create", "cut", "--table", f"0 {size} snapshot {REPLAY} {loop} N 8")
    try:
        run("mount", "/dev/mapper/cut", "/mnt/cut")
        try:
            yield "/mnt/cut"
        finally:
            run("umount", "/mnt/cut")
    finally:
        run("dmsetup", "remove", "--retry", "cut")
        run("losetup", "--detach", loop)
        os.unlink("/mnt/cow")


# --- the state afterwards ------------------------------------------------------------------------


def is_line(line):
    """Whether a line of the release memory is empty, or complete with the right checksum."""
    if not line.strip(b"\0"):
        return True
    value = 0xcbf29ce484222325
    for byte in line[len(MEMORY) + 17:]:
        value = ((value ^ byte) * 0x100000001b3) & (2 ** 64 - 1)
    return line.startswith(MEMORY) and len(line) == LINE and line[len(MEMORY):].startswith(b"%016x " % value)


def wrong_records(at, done):
    """Yields complaints about files that are replaced or grow, if they are neither old nor new."""
    state = f"{at}/home/state"
    with contextlib.suppress(FileNotFoundError), open(f"{state}/rootlet/releases", "rb") as file:
        data = file.read()
        lines = [is_line(data[i:i + LINE]) for i in range(0, len(data), LINE)]
        if not all(one or other for one, other in zip(lines[::2], lines[1::2] + [True])):
            yield "the release memory is damaged"
    if done >= 1 and not os.path.exists(f"{state}/rootlet/releases"):
        yield "the release memory is gone"
    with contextlib.suppress(FileNotFoundError), open(f"{state}/rootlet/audit.log", "rb") as file:
        for line in file.read().splitlines()[:-1]:
            try:
                json.loads(line)
            except ValueError:
                yield f"the audit log has an invalid line: {line[:80]}"
    run_dir = f"{state}/run"
    for name in ("run.json", "tests.jsonl"):
        try:
            with open(f"{run_dir}/{name}", encoding="utf-8") as file:
                json.loads(file.read())
        except FileNotFoundError:
            if done >= 2:
                yield f"{name} is gone"
        except ValueError:
            yield f"{name} is incomplete"
    if done >= 2 and os.path.exists(f"{run_dir}/run.json"):
        with open(f"{run_dir}/run.json", encoding="utf-8") as file:
            if "second" not in file.read():
                yield "run.json is outdated"


def judge(at, done, states, saved):
    """DONE: the number of STEPS that had reported success when the power was cut."""
    order = list(states)
    allowed = [states[order[done]], states[order[min(done + 1, len(order) - 1)]]]
    known = {}
    has, kept = rootfs(at, known), snapshots(at, known)
    if has not in allowed:
        yield f"the rootfs is neither old nor new: {has}, not one of {allowed}"
    for name, content in kept.items():
        if content != saved.get(name):
            yield f"snapshot {name} is damaged"
    if done >= 1 and not kept:
        yield "the snapshot is gone"
    yield from wrong_records(at, done)


def replay(states, saved):
    log = list(entries())
    cuts = set(choose(log))
    names = list(states)
    done, checked, bad = 0, 0, 0
    began = False
    with open(LOG, "rb") as source, open(REPLAY, "r+b", buffering=0) as target:
        for i, (offset, sector, number, flags, name) in enumerate(log):
            if name:
                began, done = True, names.index(name)
            elif number and flags & DISCARD:
                run("blkdiscard", "--zeroout", "--offset", str(sector * SECTOR), "--length",
                    str(number * SECTOR),
                    REPLAY)
            elif number:
                source.seek(offset)
                target.seek(sector * SECTOR)
                target.write(source.read(number * SECTOR))
            if i not in cuts or not began:
                continue
            os.fsync(target.fileno())
            with after_the_cut() as at:
                wrong = list(judge(at, done, states, saved))
            checked += 1
            tell(f"cut {i} of {len(log)}, {names[done]}: {wrong}")
            if wrong:
                bad += 1
                tap.report(False, f"a power cut after {i} of {len(log)} writes, {names[done]}", *wrong)
    tap.report(not bad and checked >= min(CUTS, 20),
               f"after every power cut, everything is either old or new: "
               f"{checked} cuts in {len(log)} writes", f"{bad} of {checked}")


def main():
    for module in ("dm-mod", "dm-log-writes", "dm-snapshot", "loop", "ext4"):
        run("modprobe", module)
    size = run("blockdev", "--getsz", DATA).stdout.strip()
    for directory in (AT, "/mnt/cut", BUILD):
        os.makedirs(directory, exist_ok=True)
    # There, rootlet uses the helper beside it.
    run("mount", "--bind", f"{SHARE}/build", BUILD)
    run("dmsetup", "create", "log", "--table", f"0 {size} log-writes {DATA} {LOG}")
    run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", "/dev/mapper/log")
    run("mount", "/dev/mapper/log", AT)
    serve()
    states, saved = perform()
    tap.report(len({states[name] for name in ("begun", "changed", "replaced")}) == 3 and saved,
               "the trees differ", states, saved)
    run("umount", AT)
    run("dmsetup", "remove", "--retry", "log")
    shutil.rmtree(AT)
    replay(states, saved)
    tap.done()


main()
