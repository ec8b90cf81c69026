"""Test Anything Protocol, version 12: a line for each case, then the plan."""
import sys

_count = 0
_failed = 0


def report(good, what, *notes):
    """One case. NOTES, where it failed, say what was seen."""
    global _count, _failed
    _count += 1
    _failed += not good
    what = what.replace("#", "no. ")
    print(f"{'ok' if good else 'not ok'} {_count} - {what}")
    if not good:
        for note in notes:
            for line in str(note).splitlines():
                print(f"# {line}")
    sys.stdout.flush()
    return good


def skip(what, why):
    global _count
    _count += 1
    print(f"ok {_count} - {what.replace('#', 'no. ')} # SKIP {why}", flush=True)


def note(text):
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def done():
    """Prints the plan and ends the program."""
    print(f"1..{_count}", flush=True)
    sys.exit(1 if _failed else 0)
