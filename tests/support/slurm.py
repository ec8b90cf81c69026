"""Slurm's own daemons on loopback: munged, slurmctld, and a slurmd for each node.

A node stands for a machine. It has its own host name, mounts and process ids, and everything in it ends at
once with its first process. If the tests run as an ordinary user, a node also has a user namespace, and the
daemons run as that user.
"""
import contextlib
import ctypes
import math
import os
import shlex
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass

from .pace import pace, patient
from .world import (AS_ROOT, BUILD, KEPT, SCRATCH, Home, children, command_of, field_of, kill, plain_user,
                    wait_until)

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x20000
LOOPBACK = "127.0.0.1"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"  # for daemons
DAEMONS = ("munged", "slurmctld", "slurmd", "slurmstepd")
LONGEST_SOCKET = 107  # bytes of a path in struct sockaddr_un
FIRST_PORT, LAST_PORT = 10000, 30000  # below what Linux gives to clients
# The first process of a node runs the lines that it reads, and ends at end of file, even if the test was
# killed. Job control keeps bash from ignoring interrupts on behalf of what it starts.
FIRST_PROCESS = ["bash", "-c", 'set -m; echo ready; while read -r line; do eval "exec $line" & done']

SETTINGS = {
    "AuthType": "auth/munge", "CredType": "cred/munge",
    "ProctrackType": "proctrack/linuxproc", "TaskPlugin": "task/none", "MpiDefault": "none",
    "SelectType": "select/cons_tres", "SelectTypeParameters": "CR_CPU",
    "AccountingStorageType": "accounting_storage/none", "JobAcctGatherType": "jobacct_gather/none",
    # As few seconds as possible between a cause and its effect.
    "SchedulerParameters": "batch_sched_delay=0,sched_interval=2,bf_interval=2",
    "KillWait": "3", "MinJobAge": "300", "InactiveLimit": "10", "ReturnToService": "1",
    # A node may claim more processors than this machine has.
    "SlurmdParameters": "config_overrides",
}


def unavailable():
    """Returns why Slurm cannot run here, or ""."""
    missing = [name for name in (*DAEMONS, "mungekey", "sbatch") if not shutil.which(name, path=PATH)]
    if missing:
        return f"{', '.join(missing)} missing; fix: apt install slurmctld slurmd slurm-client munge"
    if not AS_ROOT and subprocess.run([*_new_machine(), "true"], stderr=subprocess.DEVNULL,
                                      check=False).returncode:
        return "needs root, or user namespaces for ordinary users"
    return ""


def _new_machine():
    return ["unshare", *([] if AS_ROOT else ["--user", "--map-current-user"]), "--mount", "--propagation",
            "slave", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]


def separate_mounts():
    """What this process mounts from now on, as root, is seen by it and its children alone."""
    if libc.unshare(CLONE_NEWNS) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def cover(directory):
    if libc.mount(b"tmpfs", directory.encode(), b"tmpfs", 0, b"mode=1777") < 0:
        raise OSError(ctypes.get_errno(), directory)


def _free_ports(count):
    """Processes start to look at different places, so that two test programs do not choose the same ports."""
    found, port = [], FIRST_PORT + os.getpid() * 16 % (LAST_PORT - FIRST_PORT)
    while len(found) < count:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("", port))
            found.append(port)
        port = port + 1 if port < LAST_PORT else FIRST_PORT
    return found


@dataclass
class Job:
    """A job, or a task of an array; INDEX is None for a job without tasks. STATE as squeue prints it."""
    job: int
    index: int
    state: str
    node: str
    reason: str

    @property
    def name(self):
        """Returns what scancel and scontrol call it."""
        return str(self.job) if self.index is None else f"{self.job}_{self.index}"


class Node:
    """A node of a running Slurm; see Slurm.node()."""

    def __init__(self, slurm, name):
        self.slurm, self.name = slurm, name
        self.log = f"{slurm.dir}/{name}.log"
        self.process = None  # unshare, which waits for the first process

    def start(self):
        """Starts the machine if it is lost, and slurmd. Returns before slurmctld knows."""
        if not self.process:
            self._boot()
        words = ["slurmd", "-D", "-N", self.name, "-f", self.slurm.configuration]
        self.process.stdin.write(f"{shlex.join(words)} >>{self.log} 2>&1\n")
        self.process.stdin.flush()
        if not wait_until(self._daemon):
            raise RuntimeError(f"slurmd does not start on {self.name}\n{self.slurm.logs()}")
        KEPT.add(self._daemon())

    def _boot(self):
        self.process = subprocess.Popen([*_new_machine(), *FIRST_PROCESS], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        env=self.slurm.own_environment(), start_new_session=True)
        KEPT.add(self.process.pid)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the namespaces of {self.name} cannot be created")
        KEPT.add(self._first())
        self.within(lambda: socket.sethostname(self.name))

    def _first(self):
        return children(self.process.pid)[0]

    def _daemon(self):
        """Returns the pid of slurmd, or None. A slurmd whose parent is another one is about to become a
        slurmstepd."""
        first = self._first()
        return next((pid for pid in children(first) if field_of(pid, "Name") == "slurmd" and
                     field_of(pid, "PPid") == str(first)), None)

    def within(self, action):
        """Calls ACTION in a process that has all rights over the machine: in its namespaces, and without an
        exec, at which an ordinary user would lose them."""
        namespaces = [os.open(f"/proc/{self._first()}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
                      for kind in ([] if AS_ROOT else ["user"]) + ["mnt", "uts"]]
        pid = os.fork()
        if not pid:
            try:
                if not any(libc.setns(namespace, 0) for namespace in namespaces):
                    action()
                    os._exit(0)
            finally:
                os._exit(1)
        for namespace in namespaces:
            os.close(namespace)
        if os.waitpid(pid, 0)[1]:
            raise RuntimeError(f"{self.name}: cannot change its namespaces")

    def kill(self):
        """Kills slurmd. Jobs run on, and so do their slurmstepds."""
        pid = self._daemon()
        kill(pid)
        wait_until(lambda: not command_of(pid))

    def lose(self):
        """Ends everything in the node at once, as a power failure does."""
        if self.process:
            kill(self._first())
            self._join()

    def _join(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()  # for all processes of the machine
        self.process = None

    def end(self):
        if self.process:
            self.process.kill()  # and with it the first process
            self._join()

    def state(self):
        """Returns what sinfo calls the node's state; "*" at its end means that slurmd does not answer."""
        return self.slurm.admin("sinfo", "--noheader", "--nodes", self.name, "--format=%T").out.strip()


class Slurm:
    """with Slurm(home) as slurm: slurm.run("sbatch", …). Jobs run as the home's user.

    environment: what a client needs, beyond the home's
    settings: lines for slurm.conf, which replace those of SETTINGS"""
    count = 0

    def __init__(self, home=None, nodes=2, processors=2, **settings):
        Slurm.count += 1
        self.home = home or Home()
        self.dir = f"{SCRATCH}/slurm.{os.getpid()}.{Slurm.count}"
        self.configuration = f"{self.dir}/slurm.conf"
        self.environment = {"SLURM_CONF": self.configuration}
        self.nodes = {f"s{number + 1}": Node(self, f"s{number + 1}") for number in range(nodes)}
        self.processors, self.settings = processors, settings
        self.daemons = []

    def __enter__(self):
        began = time.monotonic()
        try:
            self._prepare()
            self._start()
        except BaseException:
            self.end()
            raise
        self.seconds = time.monotonic() - began
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Ends and removes everything, with any jobs."""
        for node in self.nodes.values():
            node.end()
        helpers = [pid for daemon in self.daemons for pid in children(daemon.pid)]
        for daemon in reversed(self.daemons):
            daemon.kill()
            daemon.wait()
        # slurmctld has a child, which notices that it is gone.
        wait_until(lambda: not any(map(command_of, helpers)))
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- starting ---------------------------------------------------------------------------------

    def own_environment(self):
        return {"PATH": PATH, "LANG": "C.UTF-8", "SLURM_CONF": self.configuration}

    def _prepare(self):
        for name in ("", "munge", "state", "clock", *self.nodes):
            os.makedirs(f"{self.dir}/{name}", mode=0o755)
        # The longest name of a socket is that of a batch step.
        if len(f"{self.dir}/s1/s1_100000.4294967291") > LONGEST_SOCKET:
            raise RuntimeError(f"{self.dir} is too long for sockets in it")
        with open(self.configuration, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in self._lines())
        with open(f"{self.dir}/clock/set", "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\ncat {self.dir}/clock/"$SLURMD_NODENAME" 2>/dev/null || :\n')
        os.chmod(f"{self.dir}/clock/set", 0o755)

    def _lines(self):
        user, host = ("root" if AS_ROOT else plain_user().name), socket.gethostname().partition(".")[0]
        ports = _free_ports(1 + len(self.nodes))
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
        # slurmctld asks each node three times in the first, and retries a refused connection for the second:
        # a lost node is noticed after their sum or a little later.
        silence, message = max(3, math.ceil(pace())), max(2, math.ceil(pace()))
        settings = {
            **SETTINGS, "ClusterName": "test", "SlurmctldHost": f"{host}({LOOPBACK})",
            "SlurmctldPort": ports[0], "SlurmUser": user, "SlurmdUser": user,
            # A job that lost its node is not started again before its credential has expired.
            "AuthInfo": f"socket={self.dir}/munge/socket,cred_expire={math.ceil(patient(5))}",
            "StateSaveLocation": f"{self.dir}/state",
            "SlurmdSpoolDir": f"{self.dir}/%n", "SlurmctldPidFile": f"{self.dir}/slurmctld.pid",
            "SlurmdPidFile": f"{self.dir}/%n.pid", "TaskProlog": f"{self.dir}/clock/set",
            "SlurmdTimeout": silence, "MessageTimeout": message, **self.settings}
        lines = [f"{name}={value}" for name, value in settings.items()]
        lines += [f"NodeName={name} NodeHostname={name} NodeAddr={LOOPBACK} Port={port} "
                  f"CPUs={self.processors} RealMemory={memory}"
                  for name, port in zip(self.nodes, ports[1:])]
        return [*lines, f"PartitionName=test Nodes={','.join(self.nodes)} Default=YES State=UP"]

    def _daemon(self, *words):
        """Starts a daemon in the foreground; it does not outlive the test."""
        with open(f"{self.dir}/{words[0]}.log", "ab") as log:
            self.daemons.append(subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *words],
                                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                 env=self.own_environment(), start_new_session=True))

    def _expect(self, condition, what):
        while not (good := wait_until(condition, 1)) and all(one.poll() is None for one in self.daemons):
            if time.monotonic() > self.late:
                break
        if not good:
            raise RuntimeError(f"Slurm does not start: {what}\n{self.logs()}")

    def _start(self):
        self.late = time.monotonic() + patient(60)
        munge = f"{self.dir}/munge"
        subprocess.run(["mungekey", f"--keyfile={munge}/key"], check=True, env=self.own_environment())
        self._daemon("munged", "--foreground", f"--key-file={munge}/key", f"--socket={munge}/socket",
                     f"--pid-file={munge}/pid", f"--seed-file={munge}/seed", f"--log-file={munge}/log")
        self._expect(lambda: self.admin("munge", "--no-input", f"--socket={munge}/socket").status == 0,
                     "munged does not answer")
        self._daemon("slurmctld", "-D", "-f", self.configuration)
        self._expect(lambda: " is UP" in self.admin("scontrol", "ping").out, "slurmctld does not answer")
        for node in self.nodes.values():
            node.start()
        self._expect(lambda: all(node.state() == "idle" for node in self.nodes.values()),
                     "a node is not idle")
        for daemon in self.daemons:
            KEPT.update({daemon.pid, *children(daemon.pid)})

    def logs(self):
        """Returns the end of each log."""
        text = ""
        for name in sorted(os.listdir(self.dir)):
            if name.endswith(".log"):
                with open(f"{self.dir}/{name}", encoding="utf-8", errors="replace") as file:
                    text += f"{name}:\n  " + "  ".join(file.readlines()[-15:])
        return text

    # --- using ------------------------------------------------------------------------------------

    def run(self, *words, **more):
        """Runs a client as the home's user, in the home."""
        environment = {**self.environment, **more.pop("environment", {})}
        return self.home.run(*words[1:], program=words[0], environment=environment, **more)

    def admin(self, *words):
        """Runs a client as SlurmUser."""
        return self.run(*words, **({"user": 0, "group": 0} if AS_ROOT else {}), seconds=60)

    def node(self, name):
        return self.nodes[name]

    def down(self, name):
        """As an administrator would: slurmctld gives up the node's jobs."""
        self.update(name, "State=DOWN", "Reason=test")

    def update(self, name, *words):
        outcome = self.admin("scontrol", "update", f"NodeName={name}", *words)
        if outcome.status:
            raise RuntimeError(f"scontrol update: {outcome}")

    def jobs(self, *words):
        """Returns what squeue lists, each task by itself: pending, running and completing ones, unless WORDS
        such as "--states=all" say otherwise."""
        outcome = self.admin("squeue", "--noheader", "--array", "--format=%F|%K|%T|%N|%r", *words)
        if outcome.status:
            raise RuntimeError(f"squeue: {outcome}")
        found = []
        for line in outcome.out.splitlines():
            job, index, state, node, reason = line.split("|")
            found.append(Job(int(job), None if index == "N/A" else int(index), state, node, reason))
        return found

    def cancel(self, task):
        """Cancels a job or task, as the home's user. TASK: a Job, or its name such as "12_3"."""
        return self.run("scancel", task.name if isinstance(task, Job) else task)

    def hide(self, name, directory):
        """Covers a directory on one node with an empty one, as if the nodes did not share it."""
        self.nodes[name].within(lambda: cover(directory))

    def set_clock(self, name, seconds):
        """Moves the clock that later jobs see on one node. Ages of files stay true: a file server has its own
        clock."""
        with open(f"{self.dir}/clock/{name}", "w", encoding="utf-8") as file:
            file.write(f"export LD_PRELOAD={BUILD}/tests/clock.so\nexport CLOCK_AHEAD={seconds}\n")
