"""Removes one system call at a time from the lists of the helper's own processes and checks that something
fails: a call whose removal breaks nothing does not belong on its list."""
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import threading
import time

from support import mirror as mirrors
from support import tap
from support.pace import patient
from support.protocol import INPUT, Helper, opened, request
from support.world import (AS_ROOT, BUILD, HELPER, SCRATCH, SOURCE, Home, children, command_of, mirror,
                           processes_left,
                           small_rootfs, wait_until)

AT = mirror()
ROOTFS = small_rootfs()
TREE = f"{ROOTFS.store}/test-rootfs"
home = Home()
DIRECTORY = home.make_dir(f"{home.dir}/trees")
RECORD = f"{home.dir}/record"
LISTS = ("parser", "audit", "jailer")
# Calls that a session as short as the one below does not need.
ELSEWHERE = {
    ("jailer", "unshare"): "only cloning a snapshot needs it: integration/bases",
    ("jailer", "syncfs"): "create needs it to publish: commands",
    ("audit", "fstat"): "fstat(3) uses the other call here: depends on the C library",
    ("audit", "newfstatat"): "likewise",
    ("audit", "ftruncate"): "removes a partial record when the disk is full: adversary/full",
    ("audit", "clock_nanosleep"):
             "waits between attempts to lock a log that another helper has locked: audit",
    ("audit", "clock_gettime"): "only called if the clock cannot be read through the vDSO",
    ("jailer", "landlock_create_ruleset"): "without it the kernel appears to lack Landlock: unit/landlock",
    ("parser", "exit_group"): "without it the filter kills the parser at exit; only the kernel log shows it",
}


def calls_of(name):
    with open(f"{SOURCE}/policy/seccomp/{name}.list", encoding="ascii") as file:
        lines = [line.partition("#")[0] for line in file]
    # The other rules are about arguments.
    return [call for line in lines if not re.match(r"\w+ \d [=&] ", line) for call in line.split()]


def filters_without(*words):
    """Returns {name: its steps, eight bytes each} of the built filters, or as if a list lacked a call. WORDS:
    the list and the call."""
    text = subprocess.run([f"{BUILD}/policy/compile_filters", *words], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    return {name: b"".join(struct.pack("=HBBI", *(int(word, 0) for word in step.split(",")))
                           for step in re.findall(r"{ (.*) },$", body, re.M))
            for name, body in re.findall(r"sock_filter (\w+)\[\] = {\n(.*?)^};", text, re.M | re.S)}


FILTERS = filters_without()
RETURN = struct.pack("=HBBI", 6, 0, 0, 0)


def helper_without(name, call):
    """Writes the helper with the filter for the list NAME without CALL (None: as it was built), and fills the
    room that is left with returns that nothing reaches. Returns its path."""
    directory = f"{SCRATCH}/lists.{os.getpid()}"
    os.makedirs(directory, mode=0o755, exist_ok=True)
    with open(HELPER, "rb") as file:
        data = file.read()
    for one, steps in filters_without(*([name, call] if name else [])).items():
        old = FILTERS[one]
        if steps != old:
            assert data.count(old) == 1, f"{one}: not found once in {HELPER}"
            data = data.replace(old, steps + RETURN * ((len(old) - len(steps)) // len(RETURN)))
    assert len(data) == os.path.getsize(HELPER), f"{name} without {call} is longer"
    with open(f"{directory}/rootlet-helper", "wb") as file:
        file.write(data)
    os.chmod(file.name, 0o755)
    if os.path.exists(f"{BUILD}/helper/rootlet-worker"):
        shutil.copy(f"{BUILD}/helper/rootlet-worker", directory)
    return file.name


def interrupt(helper, answered):
    """Stops and continues all of the helper's processes while they wait for an Execute, unless it has already
    been ANSWERED that it failed."""
    wait_until(lambda: answered.is_set() or
               any(command_of(pid).startswith("sleep") for pid in children(helper.process.pid)))
    pids = [helper.process.pid, *children(helper.process.pid)]
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in pids:
            os.kill(pid, number)
        time.sleep(0.05)


def use(helper, complaints):
    def ask(kind, paths=(), **fields):
        with opened(*paths) as fds:
            answer = helper.ask(kind, fds, **fields)
        for fd in answer.fds:
            os.close(fd)
        if answer.code or answer.status:
            complaints.append(f"{kind}: {answer}")
        return answer

    ask("Inspect", [TREE])
    ask("OpenNamespace")
    for packet in (b"\xff\xff", request("AddUser", name="x", groups=["x"] * 20000)):
        if helper.send(packet).code != INPUT:
            complaints.append("a malformed packet is not refused")
    answered = threading.Event()
    waiter = threading.Thread(target=interrupt, args=(helper, answered))
    waiter.start()
    try:
        ask("Execute", [TREE, *["/dev/null"] * 3], argv=["sleep", f"{patient(0.6)}"], user="root")
    finally:
        answered.set()
        waiter.join()
    ask("Begin", [DIRECTORY, AT.keyring], name="new", suite="jammy", arch=mirrors.arch(), engine="native")
    ask("Release", [f"{AT.root}/dists/jammy/InRelease"], pocket="")


def missed(program):
    """Returns what goes wrong with this helper in a session that tries a little of everything."""
    complaints = []
    helper = Helper(home.user, seconds=60, program=program, record=RECORD)
    use(helper, complaints)
    status = helper.leave()
    if status != 0:
        complaints.append(f"exit status {status}")
    complaints += [f"left: {name}" for name in os.listdir(DIRECTORY)] + processes_left(10)
    for name in os.listdir(DIRECTORY):
        cleaner = Helper(home.user)
        with opened(DIRECTORY) as fds:
            cleaner.ask("Remove", fds, name="new", stale=1)
        cleaner.leave()
    return complaints


if not AS_ROOT:
    tap.skip("every call on the lists is needed", "needs root to stop another user's processes")
    tap.done()
wrong = missed(helper_without(None, None))
if tap.report(not wrong, "a helper with all of its calls works", *wrong):
    for one in LISTS:
        for call in calls_of(one):
            if (one, call) in ELSEWHERE:
                tap.note(f"{one} {call}: {ELSEWHERE[one, call]}")
                continue
            found = missed(helper_without(one, call))
            tap.report(bool(found), f"{one}: {call} is needed")
            tap.note(json.dumps(found[:1]))
tap.done()
