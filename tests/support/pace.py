"""How much slower this machine is just now than a quiet one of today: deadlines grow by it."""
import os
import time

# What the loop below takes on a quiet processor, in seconds. What is faster gets no shorter deadlines.
_QUIET = 0.03
_LOOPS = 400000
_QUIET_LOAD = 2 * os.cpu_count() + 1  # that of tests/run itself, where nothing else runs


def _measure():
    """In wall time: other work on the machine counts, as it does for the tests."""
    began = time.monotonic()
    total = 0
    for number in range(_LOOPS):
        total ^= number
    return max(1.0, (time.monotonic() - began) / _QUIET)


_PACE = max(_measure() for _ in range(5))


def pace():
    """By a measurement when the program began, or the load since, whichever is worse."""
    return max(_PACE, os.getloadavg()[0] / _QUIET_LOAD)


def patient(seconds):
    """A deadline of SECONDS, which are enough on a quiet machine."""
    return seconds * pace()
