"""rootlet fstests --shard on the miniature fstests, with a test program instead of vng: parts of a run, an
empty part, sections, durations of other suites, and the merged run. ci_files.py boots real guests."""
import json
import os
import re

from support import tap
from support.mini import StandIn, verdicts
from support.schemas import document
from support.world import Case, play

EXPECTED = {"generic/001": "pass", "generic/002": "fail", "generic/003": "notrun", "generic/005": "notrun",
            "mini/103": "pass", "mini/104": "pass", "mini/105": "fail", "mini/106": "pass"}
LISTED = f"""for section in $(sed -n 's/^\\[\\(.*\\)\\]$/\\1/p' "$results"/local.config 2>/dev/null) ''; do
	[[ -z $section ]] || printf 'SECTION       -- %s\\n' "$section"
	[[ -z $section && -e $results/local.config ]] || printf '%s\\n' {' '.join(EXPECTED)}
done"""

mini = StandIn(LISTED)
home = mini.home
# All but the tests that crash or hang.
TESTS = ["-g", "all", "-E", home.write("exclude.list", "mini/101\nmini/102\ngeneric/004\n")]


def shard(part, *more, tests=TESTS):
    """Runs a part into the directory shard-I; returns the outcome, its results, its run.json, and
    complaints."""
    at = f"{home.dir}/shard-{part.replace('/', '-of-')}"
    outcome, seen, last, wrong = mini.run_json("--shard", part, "--results", at, *more, tests=tests)
    with open(f"{at}/run.json", encoding="utf-8") as file:
        record = json.load(file)
    return outcome, verdicts(event for event in seen if event.get("event") == "test"), record, wrong + \
        ([] if last.get("event") == "result" else ["it has no result"])


def notes_of(outcome):
    return [event.get("line", "") for event in map(json.loads, outcome.out.splitlines())
            if event.get("event") == "log"]


def parts():
    durations = home.write("durations", "# rootlet durations 1\n1000.00 mini/106\n1.00 generic/001\n")
    other = home.write("other", "# rootlet durations 1\n1.00 xfs/001\n")
    damaged = home.write("damaged", "# rootlet durations 1\n1.00 generic/0")
    found, records = {}, []
    for part, more in (("1/2", []), ("2/2", ["--jobs", "2"])):
        outcome, tests, record, wrong = shard(part, "--durations", durations, *more)
        tap.report(outcome.status in (0, 1) and not wrong and tests, f"part {part} runs", *wrong, outcome)
        tap.report(not set(tests) & set(found), f"part {part} has tests of its own", tests, found)
        tap.report(record["shard"]["tests"] == len(tests) and
                   record["shard"]["tests_of_all"] == len(EXPECTED),
                   f"run.json counts the tests of part {part}", record["shard"])
        found.update(tests)
        records.append(record)
    tap.report(found == EXPECTED, "both parts together have every test", found)
    plans = {record["shard"]["plan"] for record in records}
    tap.report(len(plans) == 1 and records[0]["identity"] == records[1]["identity"],
               "both have the same plan and test the same", records)
    with open(f"{home.dir}/shard-1-of-2/plan", encoding="utf-8") as file:
        plan = file.read()
    longest = re.search(r"^([12]) 1000\.00 mini/106$", plan, re.M)
    tap.report(longest and len(re.findall(rf"^{longest.group(1)} ", plan, re.M)) == 1,
               "the longest test has a part of its own", plan)
    for what, file, says in (("of another suite", other, "no test of this run is in it"),
                             ("that is damaged", damaged, "line 2 is damaged")):
        outcome, tests, record, wrong = shard("9/9", "--durations", file, tests=["generic/001"])
        os.rename(f"{home.dir}/shard-9-of-9", f"{home.dir}/shard-9-of-9-{what}")
        tap.report(outcome.status == 0 and not wrong and not tests and record["shard"]["tests"] == 0,
                   f"a part without tests passes, with durations {what}", *wrong, outcome)
        tap.report(any("--durations" in note and says in note for note in notes_of(outcome)),
                   f"durations {what} are ignored, with a note", outcome)
        tap.report(any("part 9 of 9 is empty" in note for note in notes_of(outcome)),
                   "it says that it is empty",
                   outcome)


def merged():
    words = ["runs", "merge", "./shard-1-of-2", "./shard-2-of-2"]
    outcome = home.run(*words)
    tap.report(outcome.status == 1 and not outcome.err and
               re.search(r"^failed:   generic/002 .*output mismatch\n +--- ", outcome.out, re.M) and
               re.search(r"^failed: 4 passed, 2 failed, 2 not run, in 2 shards$", outcome.out, re.M),
               "the merged run has all results", outcome)
    value, wrong = document("runs-merge", home.run(*words, "--json"))
    tap.report(not wrong and value["fstype"] == "ext4" and len(value["kernel"]) >= 2,
               "--json of the merged run",
               *wrong, value)
    play(Case("the parts of two runs are refused", [*words, "./shard-9-of-9-that is damaged"], 2,
              "differ in configuration|is part of"), home)


def sections():
    config = home.write("sections",
                        "[small]\nFSTYP=ext4\nMKFS_OPTIONS=-b 1024\n[large]\nMKFS_OPTIONS=-b 4096\n")
    outcome, tests, record, wrong = shard("1/1", "--config", config, tests=["-g", "quick", "-E", TESTS[3]])
    with open(f"{home.dir}/shard-1-of-1/tests.jsonl", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    seen = {(line.get("section"), line["name"]) for line in lines}
    tap.report(not wrong and {section for section, _ in seen} == {"small", "large"} and
               len(seen) == len(lines) == record["shard"]["tests_of_all"],
               "a part runs the tests of each section",
               *wrong, tests, outcome)


parts()
merged()
sections()
tap.done()
