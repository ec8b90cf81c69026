"""rootlet fstests --jobs: several guests share one run of the miniature fstests. The verdicts do not depend
on how many guests there are, and a guest that dies costs one test."""
import contextlib
import glob
import json
import os
import re

from support import tap
from support.guest import PATIENCE
from support.mini import Mini, verdicts
from support.world import Case, children, kill, play, wait_until

mini = Mini()
home = mini.home
CONFIGURATIONS = """[filesystem]
type = ext4
exclude = generic/003: says nothing about blocks
[default]
description = the guest's own
[small]
mkfs = -b 1024
[xfs]
type = xfs
mkfs = -b size=1024
"""


def group(test, *words):
    """Adds groups to a test of the tree."""
    directory, number = test.split("/")
    path = f"{mini.tree}/tests/{directory}/group.list"
    with open(path, encoding="utf-8") as file:
        lines = [f"{line.rstrip()} {' '.join(words)}" if line.startswith(number) else line.rstrip()
                 for line in file]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def lines(directory, name):
    with open(f"{directory}/{name}", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def same_verdicts():
    """A crash, a hang, an excluded test: two guests find what one finds (suite.py)."""
    expected = {"generic/001": "pass", "generic/002": "fail", "generic/003": "notrun", "generic/004": "fail",
                "generic/005": "expunged", "mini/101": "crash", "mini/102": "timeout", "mini/103": "pass",
                "mini/104": "pass", "mini/105": "fail", "mini/106": "pass"}
    group("mini/103", "unreliable_in_parallel")
    outcome, seen, last, wrong = mini.run_json("--jobs", "2", "--test-timeout", "30",
                                               tests=["-g", "all", "-e", "generic/005"])
    tap.report(outcome.status == 3 and not wrong, "two guests leave nothing behind, and exit as one does",
               *wrong, outcome)
    tap.report(verdicts(seen) == expected, "each test has the same verdict as with one guest", verdicts(seen))
    tap.report(last.get("boots") in (3, 4), "a guest is replaced only if a new one has work", last)
    directory = last["results"]
    tests = lines(directory, "tests.jsonl")
    tap.report({test.get("guest") for test in tests if test["status"] != "expunged"} == {1, 2},
               "each line of tests.jsonl names its guest", tests)
    tap.report({line.get("guest") for line in lines(directory, "kernel.jsonl")} <= {1, 2},
               "each line of kernel.jsonl names its guest")
    for test in tests:
        if test["name"] == "generic/002":
            tap.report(os.path.exists(f"{directory}/results/guest-{test['guest']}/generic/002.out.bad"),
                       "fstests' files are in the directory of the guest that ran the test", test)
    tap.report(all(os.path.getsize(f"{directory}/{name}-{number}.{kind}") for number in (1, 2)
                   for name, kind in (("check", "out"), ("console", "log"))),
               "each guest has its output and its console", os.listdir(directory))
    with open(f"{directory}/results/rootlet.list", encoding="utf-8") as file:
        tap.report("rootlet-" not in file.read(), "the list of tests has no question in it")
    outputs = "".join(open(path, encoding="utf-8").read() for path in glob.glob(f"{directory}/check-*.out"))
    tap.report("rootlet-" not in outputs, "check's output has no question in it", outputs)
    tap.report(outputs.count("PLATFORM") <= last["boots"], "a guest starts check once", outputs)
    unreliable(seen)
    play(Case("runs show names the logs", ["runs", "show", last["run"]], 0, "check-N.out, console-N.log"),
         home)
    mini.copy()


def unreliable(seen):
    """A test of group unreliable_in_parallel runs while no other does."""
    running, beside = set(), None
    for event in seen:
        if event.get("event") == "progress" and event.get("name"):
            running.add(event["name"])
            beside = running - {"mini/103"} if event["name"] == "mini/103" else beside
        elif event.get("event") == "test":
            running.discard(event["name"])
    tap.report(beside == set(), "a test of group unreliable_in_parallel runs alone", beside)


def sections():
    """Two guests and three configurations: every test runs in each, and a guest changes its section, and with
    that the filesystem."""
    home.write("config/rootlet/configurations/mine.conf", CONFIGURATIONS)
    outcome, seen, last, wrong = mini.run_json("--jobs", "2", "-c", "mine/default,mine/small,mine/xfs",
                                               tests=["generic/001", "generic/002", "generic/003",
                                                      "mini/106"])
    found = sorted((event["section"], event["name"], event["status"]) for event in seen
                   if event.get("event") == "test")
    tap.report(outcome.status == 1 and not wrong and
               found == [(f"mine_{section}", name, status) for section in ("default", "small", "xfs")
                         for name, status in (("generic/001", "pass"), ("generic/002", "fail"),
                                              ("generic/003", "excluded"), ("mini/106", "pass"))],
               "each test runs once in each section", found, *wrong, outcome)
    blocks = {}
    for path in glob.glob(f"{last['results']}/results/guest-*/*/mini/106.full"):
        with open(path, encoding="utf-8") as file:
            blocks[path.split("/")[-3]] = re.findall(r"^block (\d+)$|^/dev/\S+ \S+ (xfs) ", file.read(), re.M)
    tap.report(blocks == {"mine_default": [("4096", "")], "mine_small": [("1024", "")],
                          "mine_xfs": [("", "xfs")]},
               "with the section's options", blocks)


def old_check():
    """A check whose loop cannot ask for tests, as those before 2022, is started once per batch."""
    path = f"{mini.tree}/check"
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("for ((ix = 0; ix < ${#_list[*]};", "for ((ix = 0;  ix < ${#_list[*]};"))
    outcome, seen, _, wrong = mini.run_json("--jobs", "2", tests=["-g", "quick"])
    tap.report(outcome.status == 1 and not wrong and len(verdicts(seen)) == 6,
               "an old check runs every test once", verdicts(seen), *wrong, outcome)
    mini.copy()


def qemus(front):
    found = []
    for pid in children(front.pid):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="ascii") as file:
            found += [pid] if file.read().startswith("qemu") else []
    return found


def lost_qemu():
    """A qemu that dies while it boots costs no test: the other guest goes on."""
    front = home.start(*mini.words("--jobs", "2", "--json", tests=["generic/001", "generic/002", "mini/103"]))
    there = wait_until(lambda: len(qemus(front)) == 2, PATIENCE)
    for pid in qemus(front)[:1]:
        kill(pid)
    out, err = front.communicate(timeout=PATIENCE)
    last = json.loads(out.splitlines()[-1])
    tap.report(there and last.get("counts", {}).get("pass") == 2 and last["counts"]["fail"] == 1,
               "with one qemu killed while it boots, the other guest runs every test", last, err[-1000:])


def wrong_words():
    for what, words, says in (
            ("no guests", ["--jobs", "0"], "--jobs 0: not a number from 1 to 1024"),
            ("more guests than memory", ["--jobs", "1000"],
             r"--jobs 1000: the host has .* free, enough for \d+ of"),
            ("a disk of the user's", ["--jobs", "2", "--device", "/dev/null"],
             "--device gives a disk to one"),
            ("a word that is neither", ["--jobs", "some"], "--jobs some: not a number")):
        play(Case(f"--jobs: {what}", mini.words(*words), 2, says), home)
    for option in ("-r", "-i", "-I", "--exact-order"):
        play(Case(f"--jobs: {option}", mini.words("--jobs", "2", tests=[option, "2", "generic/001"]), 2,
                  f"{option} does not go with --jobs"), home)


wrong_words()
same_verdicts()
sections()
old_check()
lost_qemu()
tap.done()
