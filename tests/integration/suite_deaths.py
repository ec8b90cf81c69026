"""rootlet fstests, killed or interrupted by a signal at any time, leaves nothing behind."""
import contextlib
import glob
import os
import random
import signal
import time

from support import tap
from support.guest import PATIENCE
from support.mini import Mini
from support.private import Places
from support.world import Case, Tidy, children, command_of, kill, play, wait_until

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
mini = Mini()
home = mini.home


# When the front end dies: some seconds after the start, after qemu started, or while a test runs.
START, QEMU, TEST = "the start", "qemu started", "the test started"


def tries():
    """Yields (signal, starting event, seconds after it, extra arguments)."""
    host = ["--host-root"]  # without a namespace whose end kills everything
    two = ["--jobs", "2"]
    found = [(signal.SIGKILL, START, random.uniform(0.2, 40 if LONG else 15), [])
             for _ in range(20 if LONG else 2)]
    found += [(signal.SIGKILL, QEMU, random.uniform(0.2, 20 if LONG else 10), [])
              for _ in range(5 if LONG else 1)]
    soon = 5 if LONG else 2  # the guest's kernel is starting
    hangup = (TEST, 0) if LONG else (QEMU, soon)
    return found + [(signal.SIGINT, QEMU, soon, []), (signal.SIGTERM, TEST, 0, []),
                    (signal.SIGHUP, *hangup, []), (signal.SIGKILL, QEMU, 2 * soon, host),
                    (signal.SIGTERM, QEMU, soon, host),
                    (signal.SIGKILL, TEST, 0, two), (signal.SIGINT, QEMU, soon, two)]


def has_begun(front, since, before):
    """Waits for the event."""
    if since == QEMU:
        return wait_until(lambda: [pid for pid in children(front.pid) if "qemu" in command_of(pid)], 300)
    if since == TEST:
        def runs():
            new = set(os.listdir(mini.runs)) - before - {"last"} if os.path.isdir(mini.runs) else ()
            return any(contains(path, "mini/102")
                       for run in new for path in glob.glob(f"{mini.runs}/{run}/check*.out"))
        return wait_until(runs, PATIENCE)
    return True


def contains(path, word):
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return word in file.read()
    return False


def deaths():
    """SIGKILL of the front end at random moments before and during the VM, and the usual signals."""
    places = Places(home)
    for number, since, after, more in tries():
        kernel = mini.distribution_kernel() if "--host-root" in more else "distro"
        before = set(os.listdir(mini.runs)) if os.path.isdir(mini.runs) else set()
        with Tidy(home) as tidy:
            front = home.start(*mini.words(*more, tests=["mini/102"], kernel=kernel), **places.within())
            there = has_begun(front, since, before)
            time.sleep(after)
            kill(front.pid, number)
            _, err = front.communicate(timeout=300)
            wrong = tidy.complaints()
        good = there and front.returncode == (-9 if number == signal.SIGKILL else 130)
        tap.report(good and not wrong and not places.left(),
                   f"{signal.Signals(number).name} {after:.1f} s after {since} ends the whole run"
                   f"{', also with ' + ' '.join(more) if more else ''}",
                   there, *wrong, *places.left(), front.returncode, err[-1000:])
    states = home.run("runs").out
    tap.report("cut off" in states and "interrupted" in states and "running" not in states,
               "runs: shows which runs were killed", states)
    play(Case("runs prune", ["runs", "prune", "--keep", "1"], 0, r"removed \d+ of \d+ runs"), home)
    tap.report(len(os.listdir(mini.runs)) == 1, "runs prune: keeps the newest", os.listdir(mini.runs))


deaths()
tap.done()
