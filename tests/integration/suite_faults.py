"""rootlet fstests on a real kernel when a run does not complete: sections with crashing tests, and programs
that the guest cannot load. sessions.py tests --stop-on-crash and --timeout of a run without a guest."""
import re

from support import tap
from support.mini import Mini
from support.world import Case, play

mini = Mini()
home = mini.home


def sections():
    """Two sections of a configuration, neither with --fstype's filesystem; a test crashes in each. mini/103
    checks for the section's filesystem on its device."""
    config = home.write("sections.config", "[one]\nFSTYP=xfs\nMKFS_OPTIONS=-m reflink=0\n"
                                           "[two]\nFSTYP = ext3\n")
    outcome, seen, last, wrong = mini.run_json("--config", config, tests=["mini/101", "mini/103"])
    got = [(e["section"], e["name"], e["status"]) for e in seen if e.get("event") == "test"]
    play(Case("runs list: shows the filesystems of the sections", ["runs"], 0,
              [rf"^{last.get('run')} +crashed +xfs,ext3 "]),
         home)
    tap.report(outcome.status == 3 and not wrong and
               got == [("one", "mini/101", "crash"), ("one", "mini/103", "pass"),
                       ("two", "mini/101", "crash"), ("two", "mini/103", "pass")],
               "sections: every test of each section runs, even after a crash", got, *wrong, outcome)


def unstartable():
    """A program without its library is an error of the run, which ends before any test."""
    mini.copy(carried=False)
    outcome, seen, last, wrong = mini.run_json(tests=["generic/001", "generic/002"])
    got = [event["name"] for event in seen if event.get("event") == "test"]
    says = r"cannot start programs of fstests: src/absent: librootlet-absent\.so\.3: " \
        r"cannot open shared object"
    tap.report(outcome.status == 5 and not wrong and not got and last.get("status") == "error" and
               re.search(says, outcome.err), "a program that the guest cannot load is not a test failure",
               got,
               *wrong, outcome)
    mini.copy()


sections()
unstartable()
tap.done()
