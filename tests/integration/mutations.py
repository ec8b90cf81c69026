"""Whether the tests notice faults: tools/mutate.py puts each of the fixed set of tools/mutations.ini into a copy of
the source tree, and runs the tests that should fail."""
import os

from support import tap
from support.world import AS_ROOT, SOURCE

MUTATE = f"{SOURCE}/tests/tools/mutate.py"

if AS_ROOT:
    os.execv(MUTATE, [MUTATE, "--fixed"])
tap.skip("the fixed set of mutations", "needs root, as some of the tests that should notice them do")
tap.done()
