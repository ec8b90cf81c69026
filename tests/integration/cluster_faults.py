"""rootlet fstests --cluster slurm and --resume, with Slurm's own daemons and a test program instead of vng:
faults of the command line, the shared directory, tasks, nodes and the submitting process. What was done is
kept, nothing runs on, and no job stays in the queue. suite_cluster.py boots real guests.

cluster_faults.py [FUNCTION…]   default: all"""
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys

from support import slurm, tap, vng
from support.pace import patient
from support.schemas import stream
from support.world import (AS_ROOT, BUILD, NOBODY, SOURCE, Case, Home, Tidy, children, command_of, field_of,
                           kill, own_rootfs, play, wait_until, without)

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
TESTS = [f"mini/{number}" for number in range(101, 107)]
# A guest in which mini/105 and mini/106 wait until the file "go" is in the results directory.
GUEST = vng.PRELUDE + r"""
status started
while echo "$token ready 0" && IFS=$'\037' read -ra order; do
	case ${order[0]} in
	list) printf '%s\n' mini/101 mini/102 mini/103 mini/104 mini/105 mini/106 >$results/rootlet.list ;;
	run) for test in "${order[@]:1}"; do
			[[ $test == mini/* ]] || continue
			running $test
			[[ $test != mini/10[56] ]] || until [[ -e $results/go ]]; do sleep 0.05; done
			echo ' 1s'
		done ;;
	*) break ;;
	esac
done
status exit 0
"""

rootfs = own_rootfs()
home = Home()
OWNER = -1 if home.user.uid is None else home.user.uid  # of what the tests make; -1: they run as that user
MINI = f"{home.dir}/fstests-mini"
shutil.copytree(f"{SOURCE}/tests/fstests-mini", MINI)
os.chmod(home.write("bin/vng", GUEST), 0o755)
KERNEL = home.write("kernel", vng.kernel_with(vng.MAGIC + vng.EROFS + vng.EXT4))
PATH = f"{home.dir}/bin:/usr/bin:/bin"
# The tests that wait are the shortest, and so the last.
DURATIONS = home.write("durations", "# rootlet durations 1\n" + "".join(
    f"{3 if test < 'mini/105' else 1}.00 {test}\n" for test in TESTS))


def words(shared, *more, tasks=2, tests=TESTS):
    return ["fstests", "--path", f"{rootfs.store}/test-rootfs", "--kernel", KERNEL, "--fstests", MINI,
            "--cluster", "slurm", "--cluster-tasks", tasks, "--cluster-directory", shared, "--devices", "2",
            "--device-size", "1M", "--cpus", "2", "--durations", DURATIONS, *more, "--", *tests]


class Run:
    """A run in the background. RESUMED: another Run with which it goes on."""
    number = 0

    def __init__(self, cluster, *more, shared=None, resumed=None, first="", start_new_session=False, **how):
        """FIRST: a directory for the front end's PATH."""
        Run.number += 1
        self.cluster = cluster
        self.shared = resumed.shared if resumed else shared or \
            home.make_dir(f"{home.dir}/shared-{Run.number}")
        line = ["fstests", "--json", "--resume", resumed.id] if resumed else \
            words(self.shared, "--json", *more, **how)
        self.files = [open(f"{home.dir}/run-{Run.number}.{stream}", "w+b") for stream in ("out", "err")]
        self.process = home.start(*line, environment={"PATH": f"{first}:{PATH}" if first else PATH,
                                                      **cluster.environment}, stdout=self.files[0],
                                  stderr=self.files[1], start_new_session=start_new_session)
        self.id = resumed.id if resumed else wait_until(self._id, 120)

    def _id(self):
        """Returns the run's id once it is prepared, or has failed."""
        found = [event["run"] for event in self.events() if event["event"] == "begin"]
        return found[0] if found else self.process.poll() is not None and "none"

    @property
    def dir(self):
        return f"{self.shared}/{self.id}"

    def read(self, which):
        self.files[which].seek(0)
        return self.files[which].read().decode(errors="replace")

    def events(self):
        return [json.loads(line) for line in self.read(0).splitlines(True) if line.endswith("\n")]

    def notes(self):
        return [event["line"] for event in self.events() if event["event"] == "log"]

    def batches(self, place="claims"):
        """Returns {name: its tests} of the batches in a place."""
        found = {}
        for path in glob.glob(f"{self.dir}/{place}/0*"):
            with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as file:
                found[os.path.basename(path)] = [test["name"] for test in json.load(file)]
        return found

    def owner(self, test="mini/105"):
        """Returns the name of the task that has TEST, or ""."""
        return next((name.rsplit(".", 1)[1] for name, tests in self.batches().items() if test in tests), "")

    def job(self, task):
        """Returns the job of the task called "JOB-INDEX-RESTARTS"."""
        job, index, _ = task.split("-")
        return next((one for one in self.cluster.jobs() if (one.job, one.index) == (int(job), int(index))),
                    None)

    def process_of(self, task):
        """Returns the pid of a task's rootlet."""
        job, index, _ = task.split("-")
        words, found = {f"SLURM_ARRAY_JOB_ID={job}".encode(), f"SLURM_ARRAY_TASK_ID={index}".encode()}, set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
                if words <= set(file.read().split(b"\0")) and "__task" in command_of(pid):
                    found.add(pid)
        return next(int(pid) for pid in found if field_of(pid, "PPid") not in found)  # others are its guests

    def go(self):
        """Lets the tests that wait end, in all guests there are."""
        for directory in glob.glob(f"{self.dir}/tasks/*/results"):
            # The run may have ended, and removed them, since they were listed.
            with contextlib.suppress(FileNotFoundError), open(f"{directory}/go", "w", encoding="utf-8"):
                pass

    def finish(self, number=None):
        """Lets everything end, or sends a signal, and waits. Returns the exit status."""
        if number:
            self.process.send_signal(number)
        wait_until(lambda: number or self.go() or self.process.poll() is not None, 300)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patient(120))
        kill(self.process.pid)
        self.process.wait()
        self.status, self.out, self.err = self.process.returncode, self.read(0), self.read(1)
        return self.status

    def results(self):
        """Returns {test: its line in tests.jsonl} of a run that has ended."""
        path = self.events()[-1].get("results", "")
        with contextlib.suppress(OSError), open(f"{path}/tests.jsonl", encoding="utf-8") as file:
            return {test["name"]: test for test in map(json.loads, file.read().splitlines())}
        return {}

    def left(self):
        """Returns complaints about what it left in the shared directory and the queue."""
        wrong = [f"left: {path}" for path in glob.glob(f"{self.shared}/*") + glob.glob(f"{self.shared}/.2*")]
        return wrong + [f"still in the queue: {job}" for job in self.cluster.jobs()]

    def told(self):
        return [f"exit status {self.process.returncode}", self.read(0)[-2000:], self.read(1),
                self.cluster.logs()]

    def passes(self, what, tests=TESTS, status=0):
        """Reports whether it ends well, with each test once."""
        self.finish()
        found = {name: test["status"] for name, test in self.results().items()}
        wrong = self.left() + stream("fstests", self)[2]
        tap.report(self.status == status and found == dict.fromkeys(tests, "pass") and not wrong, what, found,
                   *wrong, *self.told())


def waiting(cluster, *more, **how):
    """Starts a run, and returns it once mini/105 and mini/106 wait in two tasks, and the rest is done."""
    run = Run(cluster, *more, **how)
    tap.report(wait_until(lambda: len(run.batches("done")) >= 4 and run.owner() and run.owner("mini/106"),
                          120),
               "two tasks run two tests, and have finished the others", *run.told())
    return run


# --- what goes well -----------------------------------------------------------------------------------

def listed(cluster):
    """Nobody but check knows the tests of a group: a task lists them. The nodes do not have the helper."""
    for name in cluster.nodes:
        cluster.hide(name, f"{BUILD}/helper")
    run = Run(cluster, tests=["-g", "all"])
    run.passes("a run whose tests a task has to list, on nodes without the helper")
    tests = run.results()
    tap.report(all(re.fullmatch(r"\d+-[01]-0", test["task"]) and re.fullmatch("[0-9a-f]{64}", test["image"])
                   for test in tests.values()), "each result names its task and its image", tests)
    directory = run.events()[-1]["results"]
    tap.report(glob.glob(f"{directory}/tasks/*-0/check-1.out") and glob.glob(f"{directory}/tasks/*.log"),
               "the run keeps what the tasks printed", os.listdir(directory))
    again = home.run("fstests", "--resume", run.id, environment={"PATH": PATH, **cluster.environment})
    tap.report(again.status == 5 and "cannot resume run" in again.err, "a finished run cannot be resumed",
               again)


def excluded(cluster):
    """A run leaves out the same tests when it goes on, whatever has become of the file that lists them."""
    lists = home.write("lists", "mini/101: no\nmini/102 fstype=xfs: not on ext4\n")
    run = Run(cluster, "--exclude", lists, tests=["-g", "all"])
    wait_until(lambda: run.owner() and run.owner("mini/106"), 120)
    os.unlink(lists)
    run.finish(signal.SIGINT)
    again = Run(cluster, resumed=run)
    again.finish()
    found = {name: (test["status"], test.get("reason")) for name, test in again.results().items()}
    tap.report(again.status == 0 and found == {**dict.fromkeys(TESTS, ("pass", None)),
                                               "mini/101": ("excluded", "no")},
               "--exclude leaves tests out, also after --resume", found, *again.told())
    tap.report(not stream("fstests", again)[2] and not again.left(), "and leaves nothing behind",
               *stream("fstests", again)[2], *again.left())


def together(cluster):
    shared = home.make_dir(f"{home.dir}/both")
    runs = [Run(cluster, shared=shared, tasks=1) for _ in range(2)]
    for run in runs:
        run.finish()
    for number, run in enumerate(runs):
        run.passes(f"run {number + 1} of two at once in one directory")


def crowded(cluster):
    """The shared directory has what killed processes left, and other things; sbatch's options may be
    anything."""
    shared = home.make_dir(f"{home.dir}/crowded")
    for name, old in ((".20200101-000000-ext4", True), (".20200101-000001-xfs-2", True),
                      (".20200101-000002-ext4", False), (".20200101", True), ("20200101-000003-ext4", True)):
        home.make_dir(f"{shared}/{name}/queue")
        if AS_ROOT:
            os.chown(f"{shared}/{name}", OWNER, -1)
        if old:
            os.utime(f"{shared}/{name}", (0, 0))
    run = Run(cluster, "--cluster-option", "--job-name=mine", "--cluster-option", "--array=7", shared=shared)
    wait_until(lambda: os.path.exists(f"{run.dir}/job.json"), 60)
    mode = os.stat(run.dir).st_mode & 0o777
    tap.report(run.finish() == 0 and not cluster.jobs(), "no option of sbatch hides the tasks", *run.told())
    tap.report(sorted(os.listdir(shared)) == [".20200101", ".20200101-000002-ext4", "20200101-000003-ext4"],
               "only old drafts are removed", os.listdir(shared))
    tap.report(mode == 0o700, "nobody else can look into the shared run", oct(mode))


def limited(cluster):
    run = Run(cluster, "--timeout", "6")
    status = run.finish(signal.SIGCONT)
    tap.report(status == 4 and not cluster.jobs(), "--timeout ends the run, and all tasks", cluster.jobs(),
               *run.told())
    Run(cluster, resumed=run).passes("--resume goes on after --timeout")


def garbled(cluster):
    """squeue prints something else for a while."""
    run = waiting(cluster)
    tasks, asked = {run.owner(), run.owner("mini/106")}, f"{home.dir}/asked"
    os.chmod(home.write("bin/squeue", f"#!/bin/sh\necho >>{asked}\necho 'not a list'\n"), 0o755)
    wait_until(lambda: os.path.exists(asked) and os.path.getsize(asked) > 2, 60)
    tap.report({run.owner(), run.owner("mini/106")} == tasks,
               "no task counts as lost if squeue cannot be understood",
               run.batches(), *run.told())
    os.unlink(f"{home.dir}/bin/squeue")
    listed = json.loads(home.run("runs", "show", run.id, "--json").out)
    tap.report(listed["state"] == "running" and len(listed["tests_ended"]) == 4,
               "rootlet runs shows what a run in progress has done", listed)
    run.passes("it goes on once squeue makes sense")


def lying(cluster):
    """A guest leaves links, pipes and setuid programs in its results, and changes them later."""
    run = waiting(cluster)
    victim = home.write("victim", "mine")
    directory = f"{run.dir}/tasks/{run.owner()}/results"
    os.symlink(victim, f"{directory}/link")
    os.mkfifo(f"{directory}/pipe")
    shutil.copy("/bin/true", f"{directory}/program")
    for name in ("link", "pipe", "program"):
        os.chown(f"{directory}/{name}", OWNER, -1, follow_symlinks=False)
    os.chmod(f"{directory}/program", 0o4755)
    run.finish(signal.SIGINT)
    kept = f"{run.events()[-1]['results']}{directory.removeprefix(run.dir)}"
    tap.report(os.path.islink(f"{kept}/link") and not os.stat(f"{kept}/program").st_mode & 0o6000,
               "links stay links, and programs lose their setuid bits", *run.told())
    os.unlink(f"{directory}/link")
    with open(f"{directory}/link", "w", encoding="utf-8") as file:
        file.write("the guest's")
    again = Run(cluster, resumed=run)
    again.passes("a run whose guest does so")
    with open(victim, encoding="utf-8") as file:
        tap.report(file.read() == "mine", "nothing is written through a link of an earlier copy")


def locked(cluster):
    """A guest makes a directory that nobody can read."""
    run = waiting(cluster)
    directory = f"{run.dir}/tasks/{run.owner()}/results/locked"
    os.makedirs(f"{directory}/in")
    os.chmod(directory, 0)
    os.chown(directory, OWNER, -1)
    status = run.finish()
    tap.report(status == 0 and len(run.results()) == len(TESTS), "its results are kept", *run.told())
    tap.report(any("the run's shared directory stays" in note for note in run.notes()) and
               os.path.isdir(run.dir),
               "the shared directory stays, and a note says so", run.notes())
    os.chmod(directory, 0o700)
    shutil.rmtree(run.dir)


def clocks(cluster):
    cluster.set_clock("s2", 3600)
    run = waiting(cluster)
    run.passes("the clock of one node is an hour ahead")
    cluster.set_clock("s2", 0)


def built(cluster):
    """The nodes need of a kernel's build directory what a guest loads: the image and the modules."""
    needed = ("arch/x86/boot/bzImage", ".config", "modules.order", "modules.builtin",
              "modules.builtin.modinfo", "drivers/toy/toy.ko", "fs/other.ko")
    for name in (*needed, "vmlinux", "drivers/toy/toy.o", "fs/unlisted.ko"):
        home.write(f"build/{name}", f"this is {name}\n")
    shutil.copy(KERNEL, f"{home.dir}/build/arch/x86/boot/bzImage")
    home.write("build/.config", vng.MAGIC + vng.EROFS + vng.EXT4)
    home.write("build/modules.order", "drivers/toy/toy.o\nfs/other.ko\n")
    run = waiting(cluster, "--kernel", f"{home.dir}/build")
    found = sorted(os.path.relpath(f"{where}/{name}", f"{run.dir}/kernel")
                   for where, _, names in os.walk(f"{run.dir}/kernel") for name in names)
    with open(f"{run.dir}/kernel/drivers/toy/toy.ko", encoding="utf-8") as file:
        tap.report(found == sorted(needed) and file.read() == "this is drivers/toy/toy.ko\n",
                   "a build directory's image and modules are copied, and nothing else", found)
    run.passes("a run with a kernel's build directory")


def fitted(cluster):
    """--jobs auto counts what Slurm gave the task, not what the machine has."""
    for what, count, memory, options in (
            ("two processors", 2, "64M", ["--cpus-per-task=2"]),
            ("one processor", 1, "64M", ["--cpus-per-task=1"]),
            ("memory for one guest", 1, "1G", ["--cpus-per-task=2", "--mem=1500"]),
            ("as much memory per processor", 1, "1G", ["--cpus-per-task=2", "--mem-per-cpu=750"])):
        run = Run(cluster, "--jobs", "auto", "--cpus", "1", "--memory", memory,
                  *(f"--cluster-option={option}" for option in options), tasks=1)
        run.passes(f"--jobs auto in a task with {what}")
        tasks = glob.glob(f"{run.events()[-1]['results']}/tasks/*/")
        guests = {task: len(glob.glob(f"{task}/check-*.out")) for task in tasks}
        tap.report(max(guests.values()) == count, f"a task with {what} has {count} of the guests", guests)


# --- tasks and nodes that end -------------------------------------------------------------------------

def cancelled(cluster):
    run = waiting(cluster)
    first, second = run.owner(), run.owner("mini/106")
    cluster.cancel(run.job(first))
    tap.report(wait_until(lambda: not run.owner(), 60), "a cancelled task returns its batch", run.batches())
    tap.report(any(".g2.l0" in name for name in run.batches("queue")), "that is no loss",
               run.batches("queue"))
    run.passes("another task runs what a cancelled task had")
    tap.report(run.results()["mini/105"]["task"] == second, "the results name the other task", run.results())


def below(pid):
    """Returns all descendants of a process."""
    return [one for child in children(pid) for one in (child, *below(child))]


def cancelled_in_pieces(cluster):
    """A signal to all processes of a task reaches its guest first. That is no crash of the kernel."""
    run = waiting(cluster)
    process = run.process_of(run.owner())
    guest = [pid for child in children(process) for pid in below(child)]
    for pid in guest:
        kill(pid, signal.SIGTERM)
    wait_until(lambda: not any(map(command_of, guest)), 10)
    kill(process, signal.SIGTERM)
    tap.report(wait_until(lambda: any(".g2.l0" in name for name in run.batches("queue")), 60),
               "a task returns its batch, whose guest was ended first", *run.told())
    run.passes("the test of that guest runs again")


def lose(run, number):
    """Kills the task that has mini/105, and waits until that is noticed. Returns the task."""
    task = wait_until(run.owner, 120)
    kill(run.process_of(task))
    tap.report(wait_until(lambda: run.owner() != task and any(
        f"task {'_'.join(task.split('-')[:2])} is lost" in note for note in run.notes()), 120),
        f"task {number} is noticed as lost", *run.told())
    return task


def killed_often(cluster):
    """A test whose task dies with it on every node is at fault. There are only two nodes: then the fifth loss
    counts, whichever node it is on."""
    run = waiting(cluster, "--cluster-option", "--cpus-per-task=1")
    for number in range(1, 6):
        lose(run, number)
    run.finish()
    found = run.results()
    tap.report(run.status == 1 and found["mini/105"]["status"] == "fail" and
               re.match("5 tasks were lost with this batch, the last one: [A-Z_]+$",
                        found["mini/105"]["reason"]),
               "after that, its tests fail for that reason", found, *run.told())
    tap.report({found[name]["status"] for name in TESTS if name != "mini/105"} == {"pass"} and not run.left(),
               "the others pass", found, *run.left())


def bad_node(cluster):
    """A node that loses every task does not use up a batch's attempts, and gets no more tasks."""
    run = waiting(cluster)
    node = run.job(run.owner()).node
    first = lose(run, 1)
    second = lose(run, 2)
    tap.report(run.owner() == "" and first != second and
               any(re.search(r"\.g3\.l1$", name) for name in run.batches("queue")),
               "two losses on one node count once", run.batches("queue"), *run.told())
    waits = wait_until(lambda: [job for job in cluster.jobs() if job.state == "PENDING"], 60)
    shown = cluster.admin("scontrol", "show", "job", waits[0].name).out if waits else ""
    tap.report(f"ExcNodeList={node}" in shown, "the next task waits for another node", shown, *run.told())
    tap.report(any(f"{node} has lost 2 tasks: no more tasks run there" in note for note in run.notes()),
               "a note says so", run.notes())
    run.passes("another node runs the test")
    tap.report(run.results()["mini/105"]["task"] not in (first, second), "its results are that node's",
               run.results())


def timed_out(cluster):
    """Slurm's time limit, of which the shortest is a minute, ends tasks. Other tasks run their tests."""
    run = waiting(cluster, "--cluster-option", "--time=1")
    tasks = {run.owner(), run.owner("mini/106")}
    tap.report(wait_until(lambda: run.owner() and run.owner() not in tasks, 300),
               "another task has the test of one whose time was up", *run.told())
    ended = cluster.admin("scontrol", "show", "job", "_".join(min(tasks).split("-")[:2])).out
    tap.report("JobState=TIMEOUT" in ended, "Slurm ended the first one for that reason", ended)
    run.passes("a run whose tasks reach their time limit")


HUNGRY = vng.PRELUDE + r"""
begin
running mini/105
[[ -e $results/modest ]] || { data=$(head -c 700M /dev/zero | tr '\0' x); sleep 600; }
echo ' 1s'
finish 0
"""


def starved():
    """Slurm ends a task that uses more memory than it asked for. Without control groups, it looks every
    second, and calls such a task FAILED."""
    os.chmod(home.write("hungry/vng", HUNGRY), 0o755)
    with slurm.Slurm(home, SelectTypeParameters="CR_CPU_Memory", JobAcctGatherType="jobacct_gather/linux",
                     JobAcctGatherParams="OverMemoryKill", JobAcctGatherFrequency="task=1") as cluster:
        run = Run(cluster, "--cluster-option", "--mem=400", tests=["mini/105"], tasks=1,
                  first=f"{home.dir}/hungry")
        first = wait_until(run.owner, 120)
        tap.report(wait_until(lambda: any(
            re.search(r"is lost \((OUT_OF_MEMORY|FAILED)", note) for note in run.notes()), 120),
                   "a task that runs out of memory is lost", first, *run.told())
        home.write(f"{run.dir.removeprefix(home.dir + '/')}/results/modest", "")
        run.passes("its tests run in another task", tests=["mini/105"])
        tap.report(run.results()["mini/105"]["task"] != first, "the results are the other task's",
                   run.results())


def node_lost(cluster):
    """slurmd dies, and Slurm gives the node up, but the task goes on: its results no longer count."""
    run = waiting(cluster)
    zombie = run.owner()
    name = run.job(zombie).node
    cluster.node(name).kill()
    tap.report(wait_until(lambda: not run.owner() or run.owner() != zombie, 120),
               "a task whose node is down is lost", *run.told())
    run.passes("its tests run elsewhere, though it goes on")
    tap.report(run.results()["mini/105"]["task"] != zombie, "its own results do not count", run.results())
    cluster.node(name).start()
    tap.report(wait_until(lambda: cluster.node(name).state() == "idle", 60), "the node is back",
               cluster.node(name).state())


# --- the submitting process ---------------------------------------------------------------------------

def interrupted(cluster):
    run = waiting(cluster)
    status = run.finish(signal.SIGINT)
    tap.report(status == 130 and not cluster.jobs(), "Ctrl-C ends all tasks", cluster.jobs(), *run.told())
    tap.report(any(f"--resume {run.id}" in note for note in run.notes()), "it says how to go on", run.notes())
    tap.report(len(run.batches("queue")) == 2 and all(".l0" in name for name in run.batches("queue")),
               "what the tasks had goes back, and they were not lost", run.batches("queue"))
    tap.report({name: test["status"] for name, test in run.results().items()} ==
               {name: "unreached" if name in TESTS[4:] else "pass" for name in TESTS},
               "what was done is kept", run.results())
    Run(cluster, resumed=run).passes("--resume does the rest")


def waits(cluster):
    for name in cluster.nodes:
        cluster.update(name, "State=DRAIN", "Reason=test")
    run = Run(cluster)
    tap.report(wait_until(lambda: len(cluster.jobs()) == 2, 60), "the tasks wait for a node", *run.told())
    status = run.finish(signal.SIGINT)
    tap.report(status == 130 and not cluster.jobs(), "Ctrl-C removes tasks that wait", cluster.jobs(),
               *run.told())
    for name in cluster.nodes:
        cluster.update(name, "State=RESUME")
    Run(cluster, resumed=run).passes("--resume submits them again")


def front_end_killed(cluster):
    run = waiting(cluster)
    early = home.run("fstests", "--resume", run.id, environment={"PATH": PATH, **cluster.environment})
    tap.report(early.status == 5 and "still in progress" in early.err, "one process watches a run", early)
    tasks = {run.owner(), run.owner("mini/106")}
    kill(run.process.pid)
    run.process.wait()
    again = Run(cluster, resumed=run)
    again.passes("--resume goes on after kill -9 of the submitting process")
    tap.report({test["task"] for test in again.results().values()} == tasks,
               "the tasks went on by themselves",
               again.results())


def pruned(cluster):
    """A run whose submitting process died is removed with its tasks and its shared directory, but not while
    the process lives, nor if Slurm cannot be asked."""
    run = waiting(cluster)
    home.write("state/rootlet/runs/29990101-000000-ext4/run.json", "{}")  # the one that stays
    environment = {"PATH": PATH, **cluster.environment}
    early = home.run("runs", "prune", "--keep", "1", environment=environment)
    tap.report(early.status == 6 and f"run {run.id} is still in progress" in early.err and run.owner(),
               "runs prune leaves a run in progress alone", early)
    kill(run.process.pid)
    run.process.wait()
    os.chmod(home.write("bin/scancel", "#!/bin/sh\nexit 127\n"), 0o755)
    early = home.run("runs", "prune", "--keep", "1", environment=environment)
    os.unlink(f"{home.dir}/bin/scancel")
    tap.report(early.status == 1 and run.dir in early.err and os.path.exists(run.dir),
               "runs prune names the shared directory if tasks may still run", early)
    outcome = home.run("runs", "prune", "--keep", "1", environment=environment)
    tap.report(outcome.status == 0 and not run.left() and not os.path.exists(home.state(f"runs/{run.id}")),
               "runs prune ends the tasks of a run without a process, and removes its shared directory",
               outcome, *run.left())


def interrupted_late(cluster):
    """Ctrl-C while the results are collected, which also reaches the process that copies them. Every test has
    ended: the results are whole, and --resume only tidies up."""
    asked = f"{home.dir}/copies"
    os.chmod(home.write("late/cp", f"""#!/bin/sh
case $* in *--preserve=timestamps*) echo >{asked}; exec sleep 1000 ;; esac
exec /bin/cp "$@"
"""), 0o755)
    run = Run(cluster, first=f"{home.dir}/late", start_new_session=True)
    wait_until(lambda: run.go() or os.path.exists(asked), 120)
    os.killpg(run.process.pid, signal.SIGINT)
    status = run.finish(signal.SIGCONT)
    found = {name: test["status"] for name, test in run.results().items()}
    tap.report(status == 0 and found == dict.fromkeys(TESTS, "pass") and not cluster.jobs(),
               "Ctrl-C while results are collected keeps all of them", found, cluster.jobs(), *run.told())
    tap.report(any("the run's shared directory stays" in note for note in run.notes()) and
               os.path.isdir(run.dir), "a note says what is left", run.notes())
    Run(cluster, resumed=run).passes("--resume copies the rest and removes the shared directory")


# --- the shared directory, and Slurm ------------------------------------------------------------------

def vanished(cluster):
    run = waiting(cluster)
    os.rename(run.dir, f"{run.dir}.away")
    status = run.finish(signal.SIGCONT)
    tap.report(status == 5 and not cluster.jobs() and "shared directory" in run.err,
               "a shared directory that disappears ends the run, and all tasks", cluster.jobs(), *run.told())
    os.rename(f"{run.dir}.away", run.dir)
    Run(cluster, resumed=run).passes("--resume goes on once it is back")


def filled(cluster):
    if not AS_ROOT:
        tap.skip("a full shared directory", "needs root, to mount a small filesystem")
        return
    shared = f"{home.dir}/small"
    run = waiting(cluster, shared=shared)
    subprocess.run(["dd", "if=/dev/zero", f"of={shared}/filler", "bs=4k"], stderr=subprocess.DEVNULL,
                   check=False)
    for task in {run.owner(), run.owner("mini/106")}:  # the next ones need more room than to end two tests
        kill(run.process_of(task))
    status = run.finish()
    tap.report(status == 5 and re.search("[Nn]o space left", run.err), "a full shared directory ends the run",
               *run.told())
    os.unlink(f"{shared}/filler")
    Run(cluster, resumed=run).passes("--resume goes on once there is room")


def hidden(cluster):
    shared = home.make_dir(f"{home.dir}/hidden")
    cluster.hide("s1", shared)
    run = Run(cluster, shared=shared)
    run.passes("a node without the shared directory leaves the tests to the others")
    cluster.hide("s2", shared)
    run = Run(cluster, shared=shared)
    run.finish()
    tap.report(run.status == 5 and re.search(f"the tasks end before they write to {shared}", run.err) and
               not cluster.jobs(), "a directory that no node has ends the run", *run.told())


def interrupted_early(cluster):
    """Ctrl-C while the files are copied; cp never ends."""
    os.chmod(home.write("slow/cp", "#!/bin/sh\nexec sleep 1000\n"), 0o755)
    shared = home.make_dir(f"{home.dir}/early")
    process = home.start(*words(shared), environment={"PATH": f"{home.dir}/slow:{PATH}",
                                                      **cluster.environment})
    copies = wait_until(lambda: glob.glob(f"{shared}/.2*") and children(process.pid), 120)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=patient(60))
    tap.report(copies and process.returncode == 130 and not os.listdir(shared) and not cluster.jobs(),
               "Ctrl-C while the files are copied leaves nothing", process.returncode, os.listdir(shared),
               out, err)


def missing(cluster):
    if not AS_ROOT:
        tap.skip("sbatch is missing", "needs root to hide a program")
        return
    shared = home.make_dir(f"{home.dir}/missing")
    outcome = home.run(*words(shared), environment={"PATH": PATH, **cluster.environment},
                       before=without(home, shutil.which("sbatch")), **NOBODY)
    tap.report(outcome.status == 5 and
               "cannot run sbatch; if it is missing, run: apt install slurm-client" in outcome.err,
               "without sbatch, a message says how to get it", outcome)


def refused(cluster):
    run = Run(cluster, "--cluster-option", "--partition=none")
    run.finish()
    tap.report(run.status == 5 and re.search("sbatch refused the job: .*[Ii]nvalid partition", run.err),
               "sbatch says why it refuses", *run.told())


LINE = ["fstests", "--kernel", KERNEL, "--fstests", MINI]
CLUSTER = ["--cluster", "slurm", "--cluster-tasks", "2", "--cluster-directory", home.dir]
USAGE = [
    Case("no number of tasks", [*LINE, "--cluster", "slurm"], 2,
         "--cluster needs --cluster-tasks"),
    Case("tasks without a cluster", [*LINE, "--cluster-tasks", "2"], 2,
         "--cluster-tasks goes with --cluster"),
    Case("no tasks", [*LINE, *CLUSTER, "--cluster-tasks", "0"], 2, "--cluster-tasks"),
    Case("another engine", [*LINE, *CLUSTER, "--cluster", "abacus"], 2, "abacus"),
    Case("a shared directory that is missing", [*LINE, *CLUSTER, "--cluster-directory",
                                                f"{home.dir}/none"], 2,
         "--cluster-directory .*none: No such file"),
    Case("a shared directory whose name sbatch would take for a pattern",
         [*LINE, *CLUSTER, "--cluster-directory", home.make_dir(f"{home.dir}/100%a")], 2,
         "must not have"),
    Case("a shared directory that is a file", [*LINE, *CLUSTER, "--cluster-directory", KERNEL], 2,
         "not a directory"),
    *(Case(f"{option[0]} with --cluster", [*LINE, *CLUSTER, *option], 2,
           f"{option[0]}.* does not go with --cluster slurm")
      for option in (["--shard", "1/2"], ["--host-root"], ["--device", KERNEL], ["--stop-on-crash"],
                     ["--root-transport", "dir"])),
    *(Case(f"sbatch's option {option}", [*LINE, *CLUSTER, f"--cluster-option={option}"], 2,
           f"{option} does not go with --cluster slurm: rootlet finds its tasks only on")
      for option in ("--clusters=far", "--clusters", "-M", "-Mfar")),
    Case("--resume with another kernel", ["fstests", "--resume", "none", "--kernel", KERNEL], 2,
         "--kernel does not go with --resume: the run keeps its options"),
    Case("--resume with tests", ["fstests", "--resume", "none", "--", "generic/001"], 2,
         "--resume does not go with tests"),
    Case("--resume of no run", ["fstests", "--resume", "none"], 5, "run none does not exist"),
    Case("a task outside of Slurm", ["__task", home.dir], 2, "SLURM_ARRAY_JOB_ID is not set"),
]

for case in USAGE:
    play(case, home)
for variable in ("SBATCH_CLUSTERS", "SLURM_CLUSTERS"):
    told = home.run(*LINE, *CLUSTER, environment={variable: "far"})
    tap.report(told.status == 2 and f"{variable} does not go with --cluster slurm" in told.err,
               f"{variable} is refused", told)
if AS_ROOT:
    os.mkdir(stranger := f"{home.dir}/stranger", 0o755)
    task = home.run("__task", stranger, environment={"SLURM_ARRAY_JOB_ID": "1", "SLURM_ARRAY_TASK_ID": "0"})
    tap.report(task.status and "belongs to user 0, not to you" in task.err, "a task runs no other user's job",
               task)
reason = slurm.unavailable()
if reason:
    tap.skip("runs on a cluster", reason)
else:
    if AS_ROOT:
        # Other test programs must not see it, and it goes with this process.
        slurm.separate_mounts()
        small = home.make_dir(f"{home.dir}/small")
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=400M,uid={home.user.uid}", "small", small],
                       check=True)
    with slurm.Slurm(home) as cluster, Tidy(home) as tidy:
        for test in (listed, excluded, together, crowded, limited, garbled, lying, locked, clocks, built,
                     fitted, cancelled, cancelled_in_pieces, killed_often, bad_node, node_lost,
                     *([timed_out] if LONG else []), interrupted, interrupted_late, waits, front_end_killed,
                     pruned, vanished, filled, interrupted_early, missing, refused, hidden):
            if test.__name__ in sys.argv[1:] or not sys.argv[1:]:
                test(cluster)
        if "starved" in sys.argv[1:] or not sys.argv[1:]:
            starved()
        left = tidy.complaints()
    tap.report(not left, "nothing is left behind", *left)
    if AS_ROOT:
        subprocess.run(["umount", "--lazy", small], check=True)
tap.done()
