"""Checks that the tests notice faults: tools/mutate.py applies each mutation of the fixed set in
tools/mutations.ini to a copy of the source tree and runs the tests that should fail."""
import os

from support import tap
from support.world import AS_ROOT, SOURCE

MUTATE = f"{SOURCE}/tests/tools/mutate.py"

if AS_ROOT:
    os.execv(MUTATE, [MUTATE, "--fixed"])
tap.skip("the fixed set of mutations", "needs root, because some of the tests do")
tap.done()
