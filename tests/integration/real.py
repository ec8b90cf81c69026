"""The real fstests, built in a rootfs of the release and run with the release's kernel on ext4 and xfs. Needs
ROOTLET_FSTESTS, its source tree (kdave/xfstests)."""
import json
import os

from support import tap
from support.world import Tidy, fstests_rootfs

SOURCE = os.environ.get("ROOTLET_FSTESTS")
TESTS = [f"generic/{number}" for number in ("001", "002", "087", "088", "105", "317")]
if not SOURCE:
    tap.skip("the real fstests", "ROOTLET_FSTESTS does not name its source tree")
    tap.done()
home = fstests_rootfs()
for fstype in ("ext4", "xfs"):
    with Tidy(home) as tidy:
        outcome = home.run("fstests", "--json", "--kernel", "distro", "--build", "--fstests", SOURCE,
                           "--fstype", fstype, "--memory", "2G", "--", *TESTS, seconds=7200)
        wrong = tidy.complaints()
    last = json.loads(outcome.out.splitlines()[-1]) if outcome.out else {}
    tap.report(outcome.status in (0, 1) and not wrong, f"{fstype}: the run completes", *wrong,
               outcome)
    counts = last.get("counts", {})
    tap.note(f"{fstype}: {counts}, {last.get('seconds')} s")
    tap.report(sum(counts.get(name, 0) for name in ("pass", "fail", "notrun")) == len(TESTS),
               f"{fstype}: each test has a result", counts)
    tap.report(counts.get("pass", 0) >= 4 and not counts.get("fail"), f"{fstype}: the tests pass", counts,
               last.get("failures"))
tap.done()
