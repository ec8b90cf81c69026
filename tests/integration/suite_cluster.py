"""rootlet fstests --cluster slurm on the miniature fstests, with real guests and Slurm's own daemons: four
tasks on two nodes. One node is lost in the middle and one task is cancelled, and the run is whole."""
import contextlib
import glob
import json
import os
import subprocess

from support import slurm, tap
from support.guest import PATIENCE
from support.mini import Mini, events
from support.pace import patient
from support.schemas import stream
from support.world import Tidy, kill, wait_until

EXPECTED = {"generic/001": "pass", "generic/002": "fail", "generic/003": "notrun", "generic/004": "fail",
            "generic/005": "expunged", "mini/101": "crash", "mini/103": "pass", "mini/104": "pass",
            "mini/105": "fail", "mini/106": "pass"}


def claims(shared):
    """Returns the names of the tasks that have a batch."""
    return [path.rsplit(".", 1)[1] for path in glob.glob(f"{shared}/2*/claims/0*")]


def node_of(cluster, task):
    """Returns the node on which the task "JOB-INDEX-RESTARTS" runs, or ""."""
    job, index, _ = task.split("-")
    return next((one.node for one in cluster.jobs() if (one.job, one.index) == (int(job), int(index))), "")


def finish(process):
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.communicate(timeout=patient(PATIENCE))
    kill(process.pid)
    return process.communicate()


class Outcome:
    def __init__(self, process):
        out, err = finish(process)
        self.status, self.out, self.err = process.returncode, out.decode(errors="replace"), \
            err.decode(errors="replace")

    def __str__(self):
        return f"exit status {self.status}\n{self.out[-3000:]}\n{self.err}"


def main():
    mini = Mini()
    home = mini.home
    shared = home.make_dir(f"{home.dir}/shared")
    with slurm.Slurm(home) as cluster, Tidy(home) as tidy:
        words = mini.words("--json", "--cluster", "slurm", "--cluster-tasks", "4", "--cpus", "1",
                           "--cluster-directory", shared,
                           tests=["-g", "all", "-e", "mini/102 generic/005"])
        process = home.start(*words, environment=cluster.environment)
        # The first batch is the list of tests; the others follow once it is there.
        busy = wait_until(lambda: glob.glob(f"{shared}/2*/done/0*") and
                          [task for task in claims(shared) if node_of(cluster, task) == "s2"], PATIENCE)
        tap.report(busy, "a task on each node has tests", cluster.logs())
        cluster.node("s2").lose()
        there = wait_until(lambda: [task for task in claims(shared) if node_of(cluster, task) == "s1"],
                           PATIENCE)
        tap.report(there, "a task on the other node has tests", cluster.logs())
        if there:
            cluster.cancel("_".join(there[0].split("-")[:2]))
        outcome = Outcome(process)
        wrong = tidy.complaints() + stream("fstests", outcome)[2]
        jobs = cluster.jobs()
    seen = events(outcome)
    last = seen[-1]
    with open(f"{last['results']}/tests.jsonl", encoding="utf-8") as file:
        tests = {test["name"]: test for test in map(json.loads, file)}
    tap.report({name: test["status"] for name, test in tests.items() if name != "mini/102"} == EXPECTED and
               tests["mini/102"]["status"] == "expunged", "each test has the verdict that one guest finds",
               tests)
    tap.report(outcome.status == 3, "the exit status is that of one run", outcome)
    tap.report(not wrong and not jobs and not os.listdir(shared), "nothing is left: no process, file or job",
               *wrong, jobs, os.listdir(shared))
    images = {test.get("image") for test in tests.values() if test["status"] != "expunged"}
    tap.report(len(images) == 1 and None not in images, "each result names the same image", images)
    lost = [event["line"] for event in seen if event.get("event") == "log" and " is lost (" in event["line"]]
    tap.report(any("NODE_FAIL" in line for line in lost) and
               not set(busy or ()) & {test.get("task") for test in tests.values()
                                      if test["name"] in unfinished(last["results"], busy or ())},
               "what the lost node had not finished ran elsewhere", lost, tests)
    shown = home.run("runs", "show", last["run"], "--json")
    record = json.loads(shown.out)
    tap.report(shown.status == 0 and record["cluster"]["engine"] == "slurm" and
               record["counts"]["pass"] == 4, "runs show has the whole run", shown)
    tap.report(record.get("boot") in ("bzimage", "elf"), "the run says how the kernel was started", shown)


def unfinished(directory, tasks):
    """Returns the tests that have no result in what the lost tasks had left."""
    found = set()
    for task in tasks:
        with contextlib.suppress(OSError), open(f"{directory}/tasks/{task}/tests.jsonl",
                                                encoding="utf-8") as file:
            found |= {json.loads(line)["name"] for line in file}
    return set(EXPECTED) - found


reason = slurm.unavailable()
if reason:
    tap.skip("a run on a cluster with real guests", reason)
else:
    main()
tap.done()
