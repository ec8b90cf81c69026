"""rootlet runs on runs that these tests write: durations, merge. Needs no helper and no guest."""
import fcntl
import hashlib
import json
import os
import re
import shutil
import xml.etree.ElementTree

from support import tap
from support.runs import HOSTILE, write_hostile_run
from support.schemas import document
from support.world import Home

HEAD = "# rootlet durations 1\n"

home = Home()


def write_run(at, lines, **record):
    """Writes the run directory AT, with a line for each of LINES: (name, status, seconds[, section])."""
    home.write(f"{at}/run.json", json.dumps(record))
    home.write(f"{at}/tests.jsonl", "".join(json.dumps(
        {"name": name, "status": status, "seconds": seconds,
         **({"section": section[0]} if section else {})}) +
        "\n" for name, status, seconds, *section in lines))
    return at


def durations():
    shutil.rmtree(home.state("runs"))
    runs = "state/rootlet/runs"
    write_run(f"{runs}/20260101-000000-ext4", [("generic/001", "pass", 1), ("generic/002", "fail", 2)])
    write_run(f"{runs}/20260102-000000-ext4", [("generic/001", "pass", 10), ("generic/001", "pass", 5, "xfs"),
                                               ("generic/003", "unreached", 0),
                                               ("generic/004", "expunged", 0),
                                               ("generic/005", "timeout", 3600),
                                               ("generic/006", "notrun", 0)])
    home.write(f"{runs}/20260103-000000-ext4/run.json", "{}")
    write_run("elsewhere", [("generic/001", "pass", 7)])
    newest = HEAD + "10.00 generic/001\n2.00 generic/002\n3600.00 generic/005\n0.00 generic/006\n" \
                    "5.00 generic/001 xfs\n"
    for what, words, expected in (
            ("of all runs, the newest first", [], newest),
            ("of one run", ["20260101-000000-ext4"], HEAD + "1.00 generic/001\n2.00 generic/002\n"),
            ("of two runs, of which the first counts", [f"{home.dir}/elsewhere", "20260101-000000-ext4"],
             HEAD + "7.00 generic/001\n2.00 generic/002\n")):
        outcome = home.run("runs", "durations", *words)
        tap.report(outcome.status == 0 and outcome.out == expected and not outcome.err,
                   f"runs durations {what}", outcome)
        shown, wrong = document("runs-durations", home.run("runs", "durations", *words, "--json"))
        lines = sorted(" ".join([f"{one['seconds']:.2f}", one["name"], *filter(None, [one.get("section")])])
                       for one in shown["durations"])
        tap.report(not wrong and lines == sorted(expected.splitlines()[1:]), f"--json of durations {what}",
                   *wrong, shown)
    for what, words, says in (("a run that does not exist", ["nosuch"], "run nosuch does not exist"),
                              ("a run without results", ["20260103-000000-ext4"], "tests.jsonl")):
        outcome = home.run("runs", "durations", *words)
        tap.report(outcome.status == 1 and says in outcome.err and not outcome.out,
                   f"runs durations of {what} fails", outcome)


def excluded():
    """A test that newly has no result because it is excluded does not newly pass."""
    def run(at, status):
        return write_run(at, [("generic/001", status, 1), ("generic/002", "pass", 1)], status="passed")

    run("ran", "fail")
    run("left", "excluded")
    outcome = home.run("runs", "compare", "./ran", "./left")
    tap.report(outcome.status == 0 and re.fullmatch(
        r"newly excluded: generic/001 \(fail before, excluded now\)\n"
        r"0 newly fail, 0 newly pass, 0 still fail, 1 newly excluded, 0 regressions, 0 known flakes\n"
        r"regressions: Fisher's exact test against \d+ earlier runs, .* over 2 tests\n", outcome.out),
               "runs compare shows what is excluded only in the second run", outcome)
    value, wrong = document("runs-compare", home.run("runs", "compare", "./left", "./left", "--json"))
    tap.report(not wrong and value["newly_excluded"] == [], "and not what is in both", *wrong, value)
    outcome = home.run("runs", "durations", "./left")
    tap.report("generic/001" not in outcome.out, "runs durations has none for it", outcome)


# Part, seconds, name and section of each planned test.
PLAN = [(1, 9, "generic/001", ""), (2, 8, "generic/002", ""), (3, 7, "generic/003", ""),
        (3, 1, "generic/004", ""), (2, 1, "generic/005", ""), (1, 1, "generic/001", "xfs")]
SUM = hashlib.sha256(b"x").hexdigest()


def plan_of(rows):
    return f"# rootlet plan 1\n# {max(row[0] for row in rows)} parts\n" + "".join(
        f"{part} {seconds}.00 {name}{' ' if section else ''}{section}\n"
        for part, seconds, name, section in rows)


def trace(test, line, signature=None):
    """A line of kernel.jsonl. Older versions wrote no signature."""
    return json.dumps({"kind": "WARNING", "test": test, "line": line, "trace": "x",
                       **({"signature": signature} if signature else {})}) + "\n"


def write_shard(at, part, statuses, rows=None, plan=None, without=(), identity=(), **changes):
    """Writes the shard PART of ROWS; STATUSES: of its tests, in order, and of further ones."""
    rows = rows or PLAN
    text = plan_of(rows) if plan is None else plan
    tests = [(name, status, 1, *([section] if section else []))
             for (_, _, name, section), status in zip([row for row in rows if row[0] == part], statuses)]
    exit_status = 3 if "crash" in statuses else 4 if "timeout" in statuses else 1 if "fail" in statuses else 0
    record = {"run": f"shard-{part}", "began": 1000 + part, "status": "failed" if exit_status else "passed",
              "exit_status": exit_status, "seconds": 10 * part, "boots": 1, "results": "/of/another/machine",
              "counts": {}, "failures": [], "kernel_version": "6.1.0", "fstype": "ext4",
              "rootfs": "/some/rootfs",
              "fstests": "/some/fstests", "tests": ["-g", "quick"], "root": "image",
              "identity": {"kernel": SUM, "rootfs": SUM, "fstests": SUM, "configuration": SUM,
                           **dict(identity)},
              "shard": {"part": part, "parts": max(row[0] for row in rows), "tests": len(tests),
                        "tests_of_all": len(rows), "plan": hashlib.sha256(text.encode()).hexdigest()}}
    record.update(changes)
    for name in without:
        record.pop(name, None)
    write_run(at, tests, **record)
    home.write(f"{at}/plan", text)
    home.write(f"{at}/kernel.jsonl", trace("generic/001", f"of {part}", "WARNING: f g") +
               trace("generic/003", f"old, of {part % 2}"))
    return f"./{at}"


def merge(*shards, **more):
    return home.run("runs", "merge", *shards, **more)


def merged():
    shards = [write_shard("a1", 1, ["pass", "fail"]), write_shard("a2", 2, ["pass", "notrun"]),
              write_shard("a3", 3, ["pass", "pass"])]
    elsewhere = home.make_dir(f"{home.dir}/copied")
    shutil.copytree(f"{home.dir}/a3", f"{elsewhere}/of-another-machine")
    outcome = merge(shards[0], f"{elsewhere}/of-another-machine", shards[1], "--results", "whole", "--junit",
                    "x.xml")
    tap.report(outcome.status == 1 and
               "failed: 4 passed, 1 failed, 1 not run, in 3 shards\n" in outcome.out and
               "no shard has" not in outcome.out and not outcome.err, "three shards become one run", outcome)
    with open(f"{home.dir}/whole/tests.jsonl", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    tap.report([(one["name"], one.get("section", "")) for one in lines] == [row[2:] for row in PLAN],
               "its results are in the order of the plan", lines)
    with open(f"{home.dir}/whole/kernel.jsonl", encoding="utf-8") as file:
        kernel = [json.loads(line) for line in file]
    tap.report([(one["shard"], one["line"]) for one in kernel] ==
               [(1, "of 1"), (1, "old, of 1"), (3, "of 3"), (3, "old, of 1"), (2, "of 2"), (2, "old, of 0")],
               "it has the reports of all kernels", kernel)
    tap.report("\n\nkernel: WARNING in generic/001, 3 times: of 1\n    at f < g\n"
               "kernel: WARNING in generic/003, 2 times: old, of 1\n"
               "kernel: WARNING in generic/003: old, of 0\n\nfailed: " in outcome.out,
               "equal traces of several shards count once", outcome)
    tap.report(len(xml.etree.ElementTree.parse(f"{home.dir}/x.xml").getroot().findall("testcase")) == 6,
               "--junit has all tests")
    shown, wrong = document("runs-show", home.run("runs", "show", "./whole", "--json"))
    tap.report(not wrong and shown["status"] == "failed" and shown["counts"]["pass"] == 4 and
               shown["seconds"] == 30 and shown["boots"] == 3 and shown["began"] == 1001 and
               [one["part"] for one in shown["shards"]] == [1, 3, 2] and shown["missing"] == [],
               "runs show shows it", *wrong, shown)
    tap.report([(one["signature"], one["count"], one["tests"]) for one in shown["kernel"]] ==
               [("WARNING: f g", 3, ["generic/001"]), ("old, of 1", 2, ["generic/003"]),
                ("old, of 0", 1, ["generic/003"])], "its traces have their tests and counts", shown)
    value, wrong = document("runs-list", home.run("runs", "--json"))
    tap.report(not wrong, "runs list --json fits its schema with it", *wrong)
    outcome = home.run("runs", "compare", "./whole", "./whole")
    tap.report(outcome.status == 0 and "1 still fail" in outcome.out, "runs compare compares it", outcome)
    shown, wrong = document("runs-merge", merge(*shards, "--json"))
    tap.report(not wrong and shown["exit_status"] == 1, "runs merge --json fits its schema", *wrong, shown)
    outcome = merge(*shards, "--results", "whole")
    tap.report(outcome.status == 5 and "not empty" in outcome.err or outcome.status == 6,
               "a directory with files is refused", outcome)


def statuses():
    for what, status, parts in (
            ("all tests passed", 0, [["pass", "pass"], ["pass", "notrun"], ["pass", "pass"]]),
            ("a test failed", 1, [["pass", "fail"], ["pass", "notrun"], ["pass", "pass"]]),
            ("a kernel crashed", 3, [["pass", "fail"], ["timeout", "pass"], ["pass", "crash"]]),
            ("a test timed out", 4, [["pass", "fail"], ["timeout", "pass"], ["pass", "pass"]]),
            ("a test was not reached", 1, [["pass", "unreached"], ["pass", "pass"], ["pass", "pass"]]),
            ("a test has no result", 5, [["pass"], ["pass", "pass"], ["pass", "pass"]])):
        outcome = merge(*[write_shard(f"s{part}", part, parts[part - 1]) for part in (1, 2, 3)])
        tap.report(outcome.status == status, f"{what}: the exit status is {status}", outcome)


def incomplete():
    one, two, three = (write_shard(f"i{part}", part, ["pass", "pass"]) for part in (1, 2, 3))
    outcome = merge(one, three)
    tap.report(outcome.status == 5 and "\nno shard has: generic/002, generic/005\n" in outcome.out and
               "2 unreached" in outcome.out, "tests that no shard has are named and unreached", outcome)
    shown, wrong = document("runs-merge", merge(one, three, "--json"))
    tap.report(not wrong and [test["name"] for test in shown["missing"]] == ["generic/002", "generic/005"],
               "--json names them", *wrong, shown)
    two = write_shard("i2", 2, ["pass"], without=["status", "exit_status"], shard={"part": 2, "parts": 3})
    outcome = merge(one, two, three)
    tap.report(outcome.status == 5 and "no shard has: generic/005" in outcome.out,
               "a shard that was cut off counts as far as it went", outcome)
    two = write_shard("i2", 2, [], without=["status", "exit_status"], shard={"part": 2, "parts": 3})
    for name in ("plan", "tests.jsonl", "kernel.jsonl"):
        os.unlink(f"{home.dir}/i2/{name}")
    outcome = merge(two, one, three)
    tap.report(outcome.status == 5 and "no shard has: generic/002, generic/005" in outcome.out,
               "a shard that ended before its tests were listed has none", outcome)
    outcome = merge(two)
    tap.report(outcome.status == 2 and "none of these shards has a plan" in outcome.err,
               "only such shards are refused", outcome)


def refused():
    other = hashlib.sha256(b"y").hexdigest()
    longer = [*PLAN, (2, 1, "generic/006", "")]
    cases = [
        ("another kernel version", "differ in kernel ", {"kernel_version": "6.2.0"}),
        ("another kernel image", "differ in kernel ", {"identity": {"kernel": other}}),
        ("another rootfs", "differ in rootfs ", {"identity": {"rootfs": other}}),
        ("another fstests", "differ in fstests ", {"identity": {"fstests": other}}),
        ("another filesystem", "differ in configuration ", {"fstype": "xfs"}),
        ("another configuration", "differ in configuration ", {"identity": {"configuration": other}}),
        ("another plan", "differ in plan ", {"rows": longer}),
        ("a plan that is not in run.json", "is not the one in run.json", {"shard": {
            "part": 2, "parts": 3, "plan": other}}),
        ("another number of parts", "is part of [34] and .* of [34]: they are no shards",
         {"shard": {"part": 2, "parts": 4}}),
        ("the same part", "are both part 1 of 3", {"shard": {"part": 1, "parts": 3}}),
        ("a test of another shard", "has tests that another shard has, too: generic/001", {"rows": PLAN}),
        ("no part", "is no shard", {"without": ["shard"]}),
        ("part 0", "is no shard", {"shard": {"part": 0, "parts": 3}}),
        ("a part that is text", "is no shard", {"shard": {"part": "1", "parts": 3}}),
    ]
    one = write_shard("r1", 1, ["pass", "pass"])
    before = len(os.listdir(home.state("runs")))
    for what, says, changes in cases:
        two = write_shard("r2", 2, ["pass", "pass"], **changes)
        if what == "a test of another shard":
            shutil.copy(f"{home.dir}/r1/tests.jsonl", f"{home.dir}/r2/tests.jsonl")
        for shards in ((one, two), (two, one)):
            outcome = merge(*shards)
            tap.report(outcome.status == 2 and re.search(says, outcome.err) and not outcome.out,
                       f"a shard with {what} is refused", outcome)
    two = write_shard("r2", 2, ["pass", "pass"])
    for what, says, status, shards in (("a shard that is named twice", "are both part 1 of 3", 2, (one, one)),
                                       ("a run that does not exist", "nosuch does not exist", 1,
                                        (one, "nosuch"))):
        outcome = merge(*shards)
        tap.report(outcome.status == status and says in outcome.err, f"{what} is refused", outcome)
    home.write("r2/plan", "x")
    outcome = merge(one, two)
    tap.report(outcome.status == 2 and "is not the one in run.json" in outcome.err,
               "a damaged plan is refused",
               outcome)
    write_shard("r2", 2, ["pass", "pass"])
    fd = os.open(f"{home.dir}/r2", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    outcome = merge(one, two)
    os.close(fd)
    tap.report(outcome.status == 6 and "still in progress" in outcome.err, "a shard in progress is refused",
               outcome)
    tap.report(len(os.listdir(home.state("runs"))) == before, "no refused merge makes a run")


def many():
    rows = [(i % 256 + 1, 10, f"generic/{i:03}", "") for i in range(1, 1782)]
    shards = [write_shard(f"many/{part}", part, ["pass"] * 7, rows=rows) for part in range(1, 257)]
    before = os.times()
    outcome = merge(*[f"{home.dir}/{shard}" for shard in shards])
    after = os.times()
    took = after.children_user + after.children_system - before.children_user - before.children_system
    tap.report(outcome.status == 0 and "1781 passed" in outcome.out and "in 256 shards" in outcome.out,
               "256 shards become one run", outcome)
    tap.report(took <= 1, f"256 shards with 1,781 tests take at most a second of a processor: {took:.2f} s")


def hold(path):
    """Locks a run's directory, as its process does. Returns a descriptor."""
    fd = os.open(path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def traces():
    """A run that was cut off while its kernel reported one problem in seven tests and another once."""
    write_run("cut", [("generic/001", "pass", 1)], kernel="/boot/vmlinuz", fstype="ext4")
    lines = [trace(f"generic/{i:03}", "WARNING: at fs/x.c:1 f+0x1/0x2", "WARNING: f g") for i in range(1, 8)]
    lines = [*lines[:3], lines[2], *lines[3:], trace("", "\x1b[2JBUG: y", "BUG: h"), "17\n[]\n{}\n",
             lines[0][:-9]]
    home.write("cut/kernel.jsonl", "".join(lines))
    outcome = home.run("runs", "show", "./cut")
    tap.report(outcome.status == 0 and
               "\nkernel: WARNING in generic/001, generic/002, generic/003, generic/004, generic/005 and 2 "
               "more, 8 times: WARNING: at fs/x.c:1 f+0x1/0x2\n    at f < g\n"
               "kernel: WARNING: ?[2JBUG: y\n    at h\n" in outcome.out,
               "runs show: a trace counts once, with the tests that had it", outcome)
    os.unlink(f"{home.dir}/cut/kernel.jsonl")
    os.mkfifo(f"{home.dir}/cut/kernel.jsonl")
    outcome = home.run("runs", "show", "./cut", seconds=20)
    tap.report(outcome.status == 2 and "kernel.jsonl is not a regular file" in outcome.err,
               "runs show does not wait for a kernel.jsonl that is a pipe", outcome)


def pruned():
    """Runs that cannot be removed show in the exit status."""
    runs = "state/rootlet/runs"
    ids = [f"2026010{day}-000000-ext4" for day in range(1, 4)]
    for name in ids:
        write_run(f"{runs}/{name}", [("generic/001", "pass", 1)])
    busy = hold(home.state(f"runs/{ids[0]}"))
    outcome = home.run("runs", "prune", "--keep", "1")
    tap.report(outcome.status == 6 and outcome.out == "removed 1 of 3 runs\n" and
               f"run {ids[0]} is still in progress" in outcome.err and
               sorted(os.listdir(home.state("runs"))) == [ids[0], ids[2]],
               "runs prune: a run in progress stays, and the exit status says so", outcome)
    shown, wrong = document("runs-prune", home.run("runs", "prune", "--keep", "1", "--json"))
    tap.report(not wrong and [one["run"] for one in shown["failed"]] == [ids[0]], "--json names it", *wrong,
               shown)
    os.close(busy)
    outcome = home.run("runs", "prune", "--keep", "1")
    tap.report(outcome.status == 0 and os.listdir(home.state("runs")) == [ids[2]],
               "runs prune: it goes once it has ended", outcome)


def pruned_copy():
    """A run from elsewhere, whose record names a directory that is missing. Drafts are called ".RUN"."""
    runs = "state/rootlet/runs"
    write_run(f"{runs}/ssh", [("generic/001", "pass", 1)], began=1,
              cluster={"engine": "slurm", "directory": f"{home.dir}/ssh"})
    write_run(f"{runs}/the-newest", [("generic/001", "pass", 1)], began=2)
    home.write(".ssh/key", "secret")
    outcome = home.run("runs", "prune", "--keep", "1")
    tap.report(outcome.status == 0 and not os.path.exists(home.state("runs/ssh")) and
               os.path.exists(f"{home.dir}/.ssh/key"), "runs prune removes no directory that is not a draft",
               outcome)


def pruned_locked():
    """A guest writes into the results, and may leave directories that their owner cannot read or write."""
    runs = "state/rootlet/runs"
    for name in ("20260101-000000-ext4", "20270101-000000-ext4"):
        write_run(f"{runs}/{name}", [("generic/001", "pass", 1)])
    for name, mode in (("closed", 0), ("fixed", 0o500)):
        home.write(f"{runs}/20260101-000000-ext4/results/{name}/inner/file", "")
        os.chmod(home.state(f"runs/20260101-000000-ext4/results/{name}/inner"), mode)
        os.chmod(home.state(f"runs/20260101-000000-ext4/results/{name}"), mode)
    outcome = home.run("runs", "prune", "--keep", "1")
    tap.report(outcome.status == 0 and os.listdir(home.state("runs")) == ["20270101-000000-ext4"],
               "runs prune: removes directories that nobody can read or write", outcome)


def pruned_shared():
    """An unfinished run on a cluster has a directory that machines share: it goes with the run, if it is one.
    No task of these runs was submitted: cluster_faults.py has tasks."""
    runs, name = "state/rootlet/runs", "20260101-000000-ext4"
    shared = home.make_dir(f"{home.dir}/nfs/{name}")

    def unfinished(directory, **job):
        write_run(f"{runs}/{name}", [], cluster={"engine": "slurm", "directory": directory})
        if job:
            for place in ("queue", "claims", "done", "tasks"):
                home.make_dir(f"{shared}/{place}")
            home.write(f"nfs/{name}/watcher.none", "")
            home.write(f"nfs/{name}/job.json", json.dumps(job))

    def prune(what, status, says, left, run_left):
        outcome = home.run("runs", "prune", "--keep", "1")
        tap.report(outcome.status == status and re.search(says, outcome.err) and
                   os.path.exists(shared) == left and
                   os.path.exists(home.state(f"runs/{name}")) == run_left, f"runs prune: {what}", outcome)

    write_run(f"{runs}/20270101-000000-ext4", [])
    home.write(f"nfs/{name}/mine", "")
    unfinished(shared)
    prune("a directory that is not a shared run stays, and so does the run", 1, f"{shared}: .*job.json", True,
          True)
    unfinished(shared, version="0", run="20250101-000000-ext4")
    prune("the shared directory of another run stays", 1, "not the shared directory of run", True, True)
    unfinished(f"{home.dir}/nfs")
    prune("a directory of another name stays", 1, "not the shared directory of run", True, True)
    unfinished(shared, version="0", run=name)
    os.rename(f"{shared}/watcher.none", f"{shared}/watcher.some-host.1.0.5")
    prune("a run that another machine watches stays", 6, "process 1 on some-host watches this run", True,
          True)
    os.rename(f"{shared}/watcher.some-host.1.0.5", f"{shared}/watcher.none")
    prune("a shared directory goes with its run, whichever version made it", 0, "^$", False, False)
    unfinished(shared)
    prune("a shared directory that is gone is no obstacle", 0, "^$", False, False)
    home.write(f"nfs/.{name}/kernel/vmlinuz", "")
    unfinished(shared)
    prune("the draft of a shared directory goes", 0, "^$", False, False)
    tap.report(not os.listdir(f"{home.dir}/nfs"), "nothing is left", os.listdir(f"{home.dir}/nfs"))
    unfinished(f"{home.dir}/unmounted/{name}")
    prune("a directory that is not mounted is named", 0,
          f"the shared directory {home.dir}/unmounted/{name} of run {name} stays: cannot open", False,
          False)


# What takes a run, with the run that is asked about for RUN.
TAKE_RUNS = ["show RUN", "compare RUN good", "compare good RUN", "durations RUN", "merge RUN good",
             "report RUN --ktap", "archive RUN --output x", "save RUN --as kept"]


def unsound():
    """Runs that no verb takes for good results, and what can be read of the others."""
    runs = "state/rootlet/runs"
    for name in ("good", "bad"):
        write_run(f"{runs}/{name}", [("generic/001", "pass", 1)], status="passed")
    for what, text, status, says in (
            ("a damaged one", '{"run"', 2, "run.json is damaged"),
            ("one of a newer format", '{"format": 2}', 1, "was written by a newer rootlet: upgrade rootlet"),
            ("one without run.json", None, 1, "run.json")):
        if text is None:
            os.unlink(home.state("runs/bad/run.json"))
        else:
            home.write(f"{runs}/bad/run.json", text)
        for verb in TAKE_RUNS:
            outcome = home.run("runs", *verb.replace("RUN", "bad").split())
            tap.report(outcome.status == status and says in outcome.err and not outcome.out and
                       not os.path.exists(home.state("baselines/kept")),
                       f"runs {verb}: {what} is refused", outcome)
    write_run(f"{runs}/bad", [("generic/001", "fail", 1)])
    with open(home.state("runs/bad/tests.jsonl"), "ab") as file:
        file.write(b'\xff{{{\n[]\n{"name": 3}\n{"name": "generic/002", "st')
    outcome = home.run("runs", "compare", "good", "bad")
    tap.report(outcome.status == 1 and "newly fails: generic/001" in outcome.out and
               re.fullmatch("rootlet runs: 3 lines of /.*/bad/tests.jsonl cannot be read\n", outcome.err),
               "runs compare: lines that cannot be read are counted", outcome)
    busy = hold(home.state("runs/bad"))
    for verb in TAKE_RUNS:
        outcome = home.run("runs", *verb.replace("RUN", "bad").split())
        taken = verb.split()[0] in ("show", "compare", "durations", "report")
        tap.report(outcome.status in (0, 1) if taken else
                   outcome.status == 6 and "is still in progress" in outcome.err and not outcome.out,
                   f"runs {verb}: one in progress is {'read so far' if taken else 'refused'}", outcome)
    os.close(busy)


def hostile():
    """What a guest printed stays text on a terminal."""
    runs = "state/rootlet/runs"
    for what in ("terminal escapes", "separators of lines"):
        for name in ("1-ext4", "2-ext4"):
            write_hostile_run(home, f"{runs}/{name}", HOSTILE[what])
        for verb in ("list", "show 1-ext4", "compare 1-ext4 2-ext4", "flaky", "durations"):
            for json_too in ([], ["--json"]):
                outcome = home.run("runs", *verb.split(), *json_too)
                found = re.findall("[\0-\x08\x0b-\x1f\x7f-\x9f]", outcome.out + outcome.err)
                tap.report(outcome.out + outcome.err and outcome.status in (0, 1) and not found,
                           " ".join([f"{what}: runs", verb, *json_too]), repr(found), outcome)


merged()
statuses()
incomplete()
refused()
many()
traces()
excluded()
durations()
shutil.rmtree(home.state("runs"))
for part in (unsound, hostile, pruned, pruned_copy, pruned_locked, pruned_shared):
    part()
    shutil.rmtree(home.state("runs"))
tap.done()
