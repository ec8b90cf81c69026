"""Test Anything Protocol, version 12: a line per case, then the plan. Notes at the end show the time of the
whole program and of the slowest cases. For tests/tools/mutate.py: with ROOTLET_TEST_STOP=1, the first failure
ends the program and everything it started, and so does the last of its cases that ROOTLET_TEST_UNTIL lists,
as lines "program: case"."""
import os
import resource
import signal
import sys
import time

from . import sanitizers

_count = 0
_failed = 0
_began = _last = time.monotonic()
_times = []  # (seconds since the previous case, name)
LONGEST = 8
STOP = os.environ.get("ROOTLET_TEST_STOP") == "1"
_PREFIX = f"{os.path.basename(sys.argv[0]).removesuffix('.py')}: "
_until = {line.removeprefix(_PREFIX) for line in os.environ.get("ROOTLET_TEST_UNTIL", "").splitlines()
          if line.startswith(_PREFIX)}


def _took(what):
    global _last
    now = time.monotonic()
    _times.append((now - _last, what))
    _last = now


def _tell_times():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(one.ru_utime + one.ru_stime for one in used)
    print(f"# time: {time.monotonic() - _began:.1f} s, processor: {processor:.1f} s")
    for seconds, what in sorted(_times, reverse=True)[:LONGEST]:
        if seconds >= 1:
            print(f"# longest: {seconds:.1f} s: {what}")


def _is_last(what, good):
    if what not in _until:
        return STOP and not good
    _until.remove(what)
    return not _until


def _stop():
    """meson starts each program in its own process group."""
    if os.getpgrp() == os.getpid():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
    done()


def report(good, what, *notes):
    """Reports a case. NOTES are printed if it failed. Sanitizer reports since the last case make it fail."""
    global _count, _failed
    reported = sanitizers.reports()
    good, notes = good and not reported, (*notes, *reported)
    _count += 1
    _failed += not good
    what = what.replace("#", "no. ")
    _took(what)
    print(f"{'ok' if good else 'not ok'} {_count} - {what}")
    if not good:
        for note in notes:
            for line in str(note).splitlines():
                print(f"# {line}")
    sys.stdout.flush()
    if _is_last(what, good):
        _stop()
    return good


def skip(what, why):
    global _count
    _count += 1
    _took(what)
    print(f"ok {_count} - {what.replace('#', 'no. ')} # SKIP {why}", flush=True)


def note(text):
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def done():
    """Prints the plan and ends the program."""
    late = sanitizers.reports()
    if late:
        report(False, "no sanitizer reports", *late)
    _tell_times()
    print(f"1..{_count}", flush=True)
    sys.exit(1 if _failed else 0)
