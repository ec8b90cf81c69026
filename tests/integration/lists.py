"""Takes from the lists of the helper's own processes one system call after the other, builds that helper
anew, and misses it: a call that nothing misses stands on its list for nothing."""
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
from support.world import (AS_ROOT, BUILD, SCRATCH, SOURCE, Home, children, command_of, mirror, processes_left,
                           small_rootfs, wait_until)

AT = mirror()
ROOTFS = small_rootfs()
TREE = f"{ROOTFS.store}/test-rootfs"
home = Home()
FOLDER = home.make_folder(f"{home.folder}/trees")
RECORD = f"{home.folder}/record"
LISTS = ("parser", "audit", "jailer")
# What a session as short as the one below cannot miss.
ELSEWHERE = {
    ("jailer", "unshare"): "only a clone of a snapshot needs it: bases",
    ("jailer", "syncfs"): "without it create cannot publish: commands",
    ("audit", "fstat"): "the other one is fstat(3) here: it depends on the C library",
    ("audit", "newfstatat"): "likewise",
    ("audit", "ftruncate"): "takes back half of a record where the disk is full: adversary/full",
    ("audit", "clock_nanosleep"): "between two tries for the lock of a log that another helper has: audit",
    ("audit", "clock_gettime"): "only called where the clock cannot be read without a call",
    ("jailer", "landlock_create_ruleset"): "without it the kernel seems to have no Landlock: unit/landlock",
    ("parser", "exit_group"): "without it the parser's end is its list's doing: the kernel's log tells it",
}


def calls_of(name):
    with open(f"{SOURCE}/policy/seccomp/{name}.list", encoding="ascii") as file:
        lines = [line.partition("#")[0] for line in file]
    # The others are about arguments.
    return [call for line in lines if not re.match(r"\w+ \d [=&] ", line) for call in line.split()]


def command_for(end):
    """The line that ninja has for what it makes so, as words."""
    lines = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", "helper/rootlet-helper"], check=True,
                           stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return next(shlex.split(line) for line in lines if f" -o {end}" in line)


COMPILE = command_for("helper/libhelper.a.p/starter_privileges.c.o")
LINK = command_for("helper/rootlet-helper ")


def build_without(name, call):
    """A helper whose list NAME lacks CALL (None: nothing); its path."""
    folder = f"{SCRATCH}/lists.{os.getpid()}"
    os.makedirs(folder, mode=0o755, exist_ok=True)
    with open(f"{folder}/seccomp_filters.h", "w", encoding="ascii") as file:
        subprocess.run([f"{BUILD}/policy/compile_filters", *([name, call] if name else [])], check=True, stdout=file)
    compiled, helper = f"{folder}/privileges.o", f"{folder}/rootlet-helper"
    words = [compiled if word.endswith("_privileges.c.o") else word for word in COMPILE]
    # Before the header that the build made.
    subprocess.run([words[0], f"-I{folder}", *words[1:]], cwd=BUILD, check=True)
    # An object is taken before the one of its name in a library.
    words = [helper if word == "helper/rootlet-helper" else word for word in LINK]
    subprocess.run([*words[:1], compiled, *words[1:]], cwd=BUILD, check=True)
    if os.path.exists(f"{BUILD}/helper/rootlet-worker"):
        shutil.copy(f"{BUILD}/helper/rootlet-worker", folder)
    return helper


def interrupt(helper, answered):
    """Stops and continues all of the helper's processes while they wait for what is executed, unless it has been
    ANSWERED that it cannot be."""
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
            complaints.append("a packet out of shape is not refused")
    answered = threading.Event()
    waiter = threading.Thread(target=interrupt, args=(helper, answered))
    waiter.start()
    try:
        ask("Execute", [TREE, *["/dev/null"] * 3], argv=["sleep", f"{patient(0.6)}"], user="root")
    finally:
        answered.set()
        waiter.join()
    ask("Begin", [FOLDER, AT.keyring], name="new", suite="jammy", arch=mirrors.arch(), engine="native")
    ask("Release", [f"{AT.root}/dists/jammy/InRelease"], pocket="")


def missed(program):
    """What goes wrong with this helper in a session that does a little of all."""
    complaints = []
    helper = Helper(home.user, seconds=60, program=program, record=RECORD)
    use(helper, complaints)
    status = helper.leave()
    if status != 0:
        complaints.append(f"exit status {status}")
    complaints += [f"left: {name}" for name in os.listdir(FOLDER)] + processes_left(10)
    for name in os.listdir(FOLDER):
        cleaner = Helper(home.user)
        with opened(FOLDER) as fds:
            cleaner.ask("Remove", fds, name="new", stale=1)
        cleaner.leave()
    return complaints


if not AS_ROOT:
    tap.skip("each call of the lists is missed", "needs root, to stop another user's processes")
    tap.done()
wrong = missed(build_without(None, None))
if tap.report(not wrong, "a helper with all of its calls", *wrong):
    for one in LISTS:
        for call in calls_of(one):
            if (one, call) in ELSEWHERE:
                tap.note(f"{one} {call}: {ELSEWHERE[one, call]}")
                continue
            found = missed(build_without(one, call))
            tap.report(bool(found), f"{one}: {call} is missed when it is taken away")
            tap.note(json.dumps(found[:1]))
tap.done()
