"""Shared code of tests that boot guests."""
import re

from . import tap

# Time limit in seconds for a busy host to boot an emulated guest and run a test in it.
PATIENCE = 1200

# Options of run and fstests that make an emulated guest cheaper. With two processors, the second is emulated
# even while it waits for the first. On a busy host, the guest's kernel would report RCU stalls.
QUICK = ["--cpus", "1", "--append", "mitigations=off rcupdate.rcu_cpu_stall_suppress=1"]


def pass_on(text, prefix):
    """Reports the cases that a test program printed in a guest as cases of this one. Returns their number, or
    0 if some are missing."""
    cases = re.findall(r"^(ok|not ok) \d+ - (.*)\n((?:#.*\n)*)", text, re.M)
    for verdict, what, notes in cases:
        what, _, why = what.partition(" # SKIP ")
        if why:
            tap.skip(f"{prefix}: {what}", why)
        else:
            tap.report(verdict == "ok", f"{prefix}: {what}", notes)
    plan = re.search(r"^1\.\.(\d+)$", text, re.M)
    return len(cases) if plan and int(plan.group(1)) == len(cases) else 0
