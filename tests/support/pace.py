"""How much slower this machine currently is than an idle modern one; deadlines are scaled by this factor."""
import os
import time

# Seconds that the loop below takes on an idle processor. Faster machines do not get shorter deadlines.
_QUIET = 0.03
_LOOPS = 400000
_QUIET_LOAD = 3 * os.cpu_count()  # the load of tests/run itself


def _measure():
    """Measures wall time: other work on the machine counts, as it does for the tests."""
    began = time.monotonic()
    total = 0
    for number in range(_LOOPS):
        total ^= number
    return max(1.0, (time.monotonic() - began) / _QUIET)


_PACE = max(_measure() for _ in range(5))


def pace():
    """Returns the larger of a measurement at program start and the load since."""
    return max(_PACE, os.getloadavg()[0] / _QUIET_LOAD)


def patient(seconds):
    """Returns a time limit for something that takes at most SECONDS on an idle machine."""
    return seconds * pace()
