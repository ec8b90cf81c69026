"""Ctrl-C, and kill -9 of either half, in each stage of create (and in delete): afterwards there is the
old rootfs whole, or none, and after the next command no process, mount or staging folder."""
import os
import random
import signal
import subprocess
import time

from support import tap
from support.server import Fault, Server
from support.world import (Home, Tidy, children, command_of, kill, mirror, processes_left, wait_until)

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
AT = mirror()
INTERRUPTED = 130

# A stage is recognised by the line that create prints when it begins, or (of those that last as long
# as the test wants) by the request that the mirror does not finish.
STAGES = {
    "asking for InRelease": Fault("InRelease$", "stall", 10),
    "downloading packages": Fault(r"/dpkg_[^/]*\.deb$", "stall", 1000),
    "verifying": "Verifying",
    "unpacking": "Unpacking",
    "half a second into unpacking": ("Unpacking", 0.5),
    "configuring": ("Unpacking", 6),
    "adding users": "Adding groups",
    "writing to disk": "Writing",
}
# Which of them without --long, for a kill of the helper and of the front end and for Ctrl-C.
SHORT = {"unpacking", "asking for InRelease", "downloading packages", "configuring",
         "adding users", "writing to disk"}


def helper_of(pid):
    return next((child for child in children(pid) if "rootlet-helper" in command_of(child)), None)


METHODS = {
    "Ctrl-C": lambda front: kill(front.pid, signal.SIGINT),
    "SIGTERM": lambda front: kill(front.pid, signal.SIGTERM),
    "kill -9 of the front end": lambda front: kill(front.pid),
    "kill -9 of the helper": lambda front: kill(helper_of(front.pid) or front.pid),
}


def wait_for_stage(front, server, stage):
    """True where it began; a mere pause inside it is part of the stage."""
    if isinstance(stage, Fault):
        return server.wait_for(stage.pattern)
    line, pause = stage if isinstance(stage, tuple) else (stage, 0)
    for text in iter(front.stdout.readline, b""):
        if text.decode(errors="replace").startswith(line):
            time.sleep(pause)
            return True
    return False


def strike(home, name, method, *words):
    """One create that is struck down in the stage. Returns what is wrong with its end."""
    stage = STAGES[name]
    faults = [stage] if isinstance(stage, Fault) else []
    wrong = []
    with Server(AT.root, faults) as server, Tidy(home) as tidy:
        front = home.start("create", "--fresh", "--release", "jammy", "--profile", "test", "--mirror",
                           server.url, "--keyring", AT.keyring, *words,
                           environment={"XDG_CACHE_HOME": f"{home.folder}/cold"} if faults else {})
        if not wait_for_stage(front, server, stage):
            wrong.append("the stage was never reached")
        METHODS[method](front)
        began = time.monotonic()
        try:
            _, err = front.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            front.kill()
            _, err = front.communicate()
            wrong.append("it did not end within five minutes")
        err = err.decode(errors="replace")
        # Only a disk that is written to may keep it, and only so long as that takes.
        if time.monotonic() - began > 30 and name != "writing to disk":
            wrong.append(f"it ended only after {time.monotonic() - began:.0f} s")
        finished = front.returncode == 0
        if method in ("Ctrl-C", "SIGTERM") and front.returncode != INTERRUPTED and not finished:
            wrong.append(f"exit status {front.returncode}, not {INTERRUPTED}")
        if method == "kill -9 of the helper" and front.returncode != 1 and not finished:
            wrong.append(f"exit status {front.returncode}, not 1")
        if front.returncode > 0 and len(err.strip().splitlines()) != 1:
            wrong.append("not one message")
        if "kill -9" not in method:
            wrong += tidy.complaints()
        else:
            # What a killed one leaves, the next command removes.
            left = processes_left(300)
            wrong += [f"still runs: {line}" for line in left]
            home.run("list")
            wrong += tidy.complaints()
    return wrong, err


def strike_all(home, with_old):
    """Over an old rootfs, and with none there."""
    tree = f"{home.store}/test-rootfs"
    words = ["--force"] if with_old else ["--name", "fresh"]
    for name in STAGES:
        for method in METHODS:
            if not LONG and (name not in SHORT or method == "SIGTERM" or
                             with_old == (name in ("asking for InRelease", "adding users",
                                                   "unpacking"))):
                continue
            before = os.lstat(tree).st_ino
            wrong, err = strike(home, name, method, *words)
            if os.path.lexists(f"{home.store}/fresh"):
                check = home.run("check", "--name", "fresh")
                if check.status:
                    wrong.append(f"half of a rootfs is there: {check}")
                home.run("delete", "--yes", "--name", "fresh")
            replaced = os.lstat(tree).st_ino != before
            check = home.run("check")
            if check.status:
                wrong.append(f"the {'new' if replaced else 'old'} rootfs is not ready: {check}")
            tap.report(not wrong, f"{method} while {name}, "
                       f"{'over an old rootfs' if with_old else 'with none there'}", *wrong, err)


def strike_anywhere(home, seconds):
    """kill -9 at instants that no stage marks, with --force over the old rootfs. SECONDS: how long a
    whole create takes."""
    chance = random.Random(7)
    tree = f"{home.store}/test-rootfs"
    instants = 60 if LONG else 6
    for number in range(instants):
        # Spread evenly, with a start that differs; the last ones fall into publishing.
        after = seconds * (number + chance.random()) / instants
        victim = ("kill -9 of the helper", "kill -9 of the front end")[number % 2]
        with Server(AT.root) as server, Tidy(home) as tidy:
            front = home.start("create", "--fresh", "--release", "jammy", "--profile", "test", "--mirror",
                               server.url, "--keyring", AT.keyring, "--force", "--quiet")
            time.sleep(after)
            METHODS[victim](front)
            _, err = front.communicate(timeout=300)
            wrong = [f"still runs: {line}" for line in processes_left(300)]
            home.run("list")
            wrong += tidy.complaints()
        check = home.run("check", *(["--deep"] if LONG else []))
        if check.status or not os.path.isdir(tree):
            wrong.append(f"the rootfs is not ready: {check}")
        tap.report(not wrong, f"{victim} after {100 * (number + 1) // instants} % of create", *wrong,
                   f"after {after:.2f} s", err.decode(errors="replace"))


def strike_delete(home):
    """A delete that is cut off: what is left is either whole, or removed by the next command."""
    tree = f"{home.store}/test-rootfs"
    for method in METHODS:
        if method == "SIGTERM" and not LONG:
            continue
        if not os.path.isdir(tree):
            with Server(AT.root) as server:
                home.create("--quiet", server=server, at=AT)
        with Tidy(home) as tidy:
            front = home.start("delete", "--yes")
            wait_until(lambda: helper_of(front.pid) or front.poll() is not None, 10)
            time.sleep(0.1)
            METHODS[method](front)
            _, err = front.communicate(timeout=300)
            wrong = [f"still runs: {line}" for line in processes_left(300)]
            home.run("list")
            wrong += tidy.complaints()
        if os.path.lexists(tree):
            check = home.run("check")
            if check.status:
                wrong.append(f"half of a rootfs is there: {check}")
        tap.report(not wrong, f"{method} during delete", *wrong, err.decode(errors="replace"))


def strike_twice(home):
    """Two at once for one name: one of them wins, or both are told, and nothing is mixed."""
    with Server(AT.root) as server, Tidy(home) as tidy:
        words = ["create", "--fresh", "--release", "jammy", "--profile", "test", "--mirror", server.url,
                 "--keyring", AT.keyring, "--name", "twin", "--quiet"]
        both = [home.start(*words), home.start(*words)]
        errors = [process.communicate(timeout=600)[1].decode(errors="replace") for process in both]
        statuses = sorted(process.returncode for process in both)
        wrong = tidy.complaints()
    check = home.run("check", "--name", "twin")
    tap.report(not wrong and statuses[0] == 0 and statuses[1] in (1, 6) and check.status == 0,
               "two creates of one name at once: one makes it, the other is told", *wrong, statuses,
               *errors, check)
    home.run("delete", "--yes", "--name", "twin")


home = Home()
with Server(AT.root) as first:
    made = home.create("--quiet", server=first, at=AT)
if tap.report(made.status == 0, "a rootfs to begin with", made):
    strike_all(home, True)
    strike_all(home, False)
    strike_anywhere(home, made.seconds)
    strike_twice(home)
    strike_delete(home)
tap.done()
