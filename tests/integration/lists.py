"""Removes one system call at a time from the lists of the helper's own processes, rebuilds the helper, and
checks that something fails: a call whose removal breaks nothing does not belong on its list."""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time

from support import mirror as mirrors
from support import tap
from support.pace import patient
from support.protocol import INPUT, Helper, opened, request
from support.world import (AS_ROOT, BUILD, SCRATCH, SOURCE, Home, children, command_of, mirror,
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


def command_for(end):
    """Returns ninja's command line for the matching target, as words."""
    lines = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", "helper/rootlet-helper"], check=True,
                           stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return next(shlex.split(line) for line in lines if f" -o {end}" in line)


COMPILE = command_for("helper/libhelper.a.p/starter_privileges.c.o")
LINK = command_for("helper/rootlet-helper ")


def build_without(name, call):
    """Builds a helper whose list NAME lacks CALL (None: nothing is removed); returns its path."""
    directory = f"{SCRATCH}/lists.{os.getpid()}"
    os.makedirs(directory, mode=0o755, exist_ok=True)
    with open(f"{directory}/seccomp_filters.h", "w", encoding="ascii") as file:
        subprocess.run([f"{BUILD}/policy/compile_filters", *([name, call] if name else [])], check=True,
                       stdout=file)
    compiled, helper = f"{directory}/privileges.o", f"{directory}/rootlet-helper"
    words = [compiled if word.endswith("_privileges.c.o") else word for word in COMPILE]
    # Takes precedence over the header that the build generated.
    subprocess.run([words[0], f"-I{directory}", *words[1:]], cwd=BUILD, check=True)
    # An object takes precedence over one with the same name in a library.
    words = [helper if word == "helper/rootlet-helper" else word for word in LINK]
    subprocess.run([*words[:1], compiled, *words[1:]], cwd=BUILD, check=True)
    if os.path.exists(f"{BUILD}/helper/rootlet-worker"):
        shutil.copy(f"{BUILD}/helper/rootlet-worker", directory)
    return helper


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
wrong = missed(build_without(None, None))
if tap.report(not wrong, "a helper with all of its calls works", *wrong):
    for one in LISTS:
        for call in calls_of(one):
            if (one, call) in ELSEWHERE:
                tap.note(f"{one} {call}: {ELSEWHERE[one, call]}")
                continue
            found = missed(build_without(one, call))
            tap.report(bool(found), f"{one}: {call} is needed")
            tap.note(json.dumps(found[:1]))
tap.done()
