"""The test environment: the unprivileged user, private directories, the built rootlet, and checks for
leftovers of a command. ./tests/run sets these variables; there are defaults.

ROOTLET_BUILD         the build directory
ROOTLET_TEST_USER     the user that commands run as, if the tests run as root
ROOTLET_TEST_SHARED   files kept between runs (downloads, the test mirror)
ROOTLET_TEST_SCRATCH  files of one run; removed by the program that set it
"""
import atexit
import contextlib
import ctypes
import fcntl
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

from . import apt
from . import mirror as mirrors
from . import sanitizers
from . import server as servers
from . import tap
from .pace import patient

AS_ROOT = os.geteuid() == 0
BUILD = os.environ.get("ROOTLET_BUILD", "/tmp/build-tests")
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("ROOTLET_TEST_SHARED", f"/var/tmp/rootlet-tests-{os.geteuid()}")
ROOTLET = f"{BUILD}/frontend/rootlet"
HELPER = f"{BUILD}/helper/rootlet-helper"
LEFTOVER = re.compile(r"^\.rootlet-(staging|trash)\.")
PR_SET_CHILD_SUBREAPER = 36
MOUNTED_BY_TEST = "mounted-by-test"  # in the name of every mount point that tests create

PROFILE = "[packages]\nall = attr acl\n[group fsgqa]\ngid = 1002\n" \
          "[user fsqa]\nuid = 1000\ngroups = fsgqa\n[user fsgqa2]\nuid = 1001\n"


def _scratch():
    given = os.environ.get("ROOTLET_TEST_SCRATCH")
    if given:
        return given
    made = tempfile.mkdtemp(prefix="rootlet-test.", dir="/var/tmp")
    os.chmod(made, 0o755)
    atexit.register(shutil.rmtree, made, True)
    return made


SCRATCH = _scratch()
sanitizers.watch(BUILD, f"{SCRATCH}/reports.{os.getpid()}")
# Processes that a command leaves behind become children of this process, whatever their session.
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@dataclass
class User:
    """The user that a command runs as; uid None means the user that runs the tests."""
    name: str
    uid: int = None
    gid: int = None

    def switch(self):
        """Returns arguments for subprocess."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def ids(self):
        """Returns (uid, gid) of the files that it creates."""
        return (os.geteuid(), os.getegid()) if self.uid is None else (self.uid, self.gid)


def user_named(name):
    entry = pwd.getpwnam(name)
    return User(name, entry.pw_uid, entry.pw_gid)


def other_user():
    """Returns the second user that ./tests/run creates, or None."""
    for name in ("rootlet-other", os.environ.get("ROOTLET_TEST_OTHER", "")):
        try:
            return user_named(name)
        except KeyError:
            continue
    return None


def plain_user():
    name = os.environ.get("ROOTLET_TEST_USER")
    if AS_ROOT and not name:
        name = next((entry.pw_name for entry in pwd.getpwall()
                     if os.path.exists("/etc/subuid") and
                     re.search(rf"^{re.escape(entry.pw_name)}:", open("/etc/subuid").read(), re.M)),
                    None)
    if AS_ROOT:
        return user_named(name)
    return User(pwd.getpwuid(os.geteuid()).pw_name)


@dataclass
class Outcome:
    status: int
    out: str
    err: str
    seconds: float
    notes: list = field(default_factory=list)

    def __str__(self):
        text = f"exit status {self.status} after {self.seconds:.1f} s"
        for name, lines in (("standard output", self.out), ("standard error", self.err)):
            if lines.strip():
                text += f"\n{name}:\n  " + "\n  ".join(lines.rstrip().splitlines()[-15:])
        return text


@contextlib.contextmanager
def locked(name, directory=SHARED):
    """A lock for one test program at a time; the others wait."""
    os.makedirs(directory, mode=0o755, exist_ok=True)
    with open(f"{directory}/{name}.lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def mirror():
    with locked("mirror"):
        return mirrors.shared(SHARED)


class Home:
    """A separate home directory with the small profile "test", in which commands run."""
    count = 0

    def __init__(self, user=None, directory=None, cache=None, lasts=False):
        Home.count += 1
        self.user = user or plain_user()
        self.dir = directory or f"{SCRATCH}/{os.getpid()}.{Home.count}"
        self.cache = cache or f"{self.dir}/.cache"
        self.caches = {self.cache}  # all caches that its commands used
        self.store = f"{self.dir}/.kerneldev-mcp"
        self.make_dir(self.dir)
        self.write("config/rootlet/profiles/test.conf", PROFILE)
        if not lasts:
            atexit.register(self.remove)

    def make_dir(self, path):
        os.makedirs(path, mode=0o755, exist_ok=True)
        if self.user.uid is not None:
            os.chown(path, self.user.uid, self.user.gid)
        return path

    def write(self, name, data):
        """Writes a file of the user; NAME is relative to the home directory."""
        path = f"{self.dir}/{name}"
        parts = name.split("/")
        for i in range(1, len(parts)):
            self.make_dir(f"{self.dir}/{'/'.join(parts[:i])}")
        with open(path, "wb" if isinstance(data, bytes) else "w") as file:
            file.write(data)
        if self.user.uid is not None:
            os.chown(path, self.user.uid, self.user.gid)
        return path

    def state(self, name):
        """Returns the path of rootlet's file NAME in $XDG_STATE_HOME."""
        return f"{self.dir}/state/rootlet/{name}"

    def environment(self):
        return {"HOME": self.dir, "XDG_CACHE_HOME": self.cache, "LANG": "C.UTF-8",
                "XDG_CONFIG_HOME": f"{self.dir}/config", "USER": self.user.name,
                "XDG_STATE_HOME": f"{self.dir}/state", "TMPDIR": "/var/tmp",
                # Like a login without sbin.
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "TERM": "dumb",
                "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
                **sanitizers.environment()}

    def start(self, *words, program=None, before=(), stdin=subprocess.DEVNULL, stdout=None,
              stderr=None, environment=None, **more):
        """Starts `rootlet WORDS`, or PROGRAM; BEFORE is a command prefix such as strace."""
        self.caches.add((environment or {}).get("XDG_CACHE_HOME", self.cache))
        # A process has only one tracer, and the leak checker is one.
        traced = {"ASAN_OPTIONS": "detect_leaks=0"} if "strace" in before else {}
        return subprocess.Popen([*before, program or ROOTLET, *map(str, words)], cwd=self.dir,
                                env={**self.environment(), **traced, **(environment or {})}, stdin=stdin,
                                stdout=stdout or subprocess.PIPE,
                                stderr=stderr or subprocess.PIPE,
                                **{**self.user.switch(), **more})

    def run(self, *words, seconds=600, text=None, **more):
        """Runs the command to its end. TEXT is its standard input."""
        began = time.monotonic()
        if text is not None:
            more["stdin"] = subprocess.PIPE
        process = self.start(*words, **more)
        try:
            out, err = process.communicate(text, timeout=patient(seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += f"\n(the test ended it after {patient(seconds):.0f} s)".encode()
        return Outcome(process.returncode, (out or b"").decode(errors="replace"),
                       (err or b"").decode(errors="replace"), time.monotonic() - began)

    def create(self, *words, server=None, at=None, fresh=True, **more):
        """Runs `rootlet create` for the small rootfs with SERVER's mirror; FRESH neither clones nor saves a
        snapshot. Only root can inspect a closed rootfs."""
        source = ["--mirror", server.url, "--keyring", at.keyring] if server else []
        source += ["--fresh"] if fresh else []
        source += [] if AS_ROOT else ["--tree-mode", "0755"]
        return self.run("create", "--release", mirrors.SUITE, "--profile", "test", *source, *words,
                        **more)

    def leftovers(self, *directories):
        """Returns hidden directories here or in the store, which a command must not leave behind."""
        found = []
        for directory in {self.store, self.dir, *directories}:
            if os.path.isdir(directory):
                found += [f"{directory}/{name}" for name in os.listdir(directory) if LEFTOVER.match(name)]
        return found

    def remove(self):
        """Removes everything created here: directly as root, otherwise through rootlet and a namespace."""
        if not AS_ROOT:
            for name in os.listdir(self.store) if os.path.isdir(self.store) else ():
                self.run("delete", "--name", name, "--yes", seconds=120)
            for cache in sorted(cache for cache in self.caches if cache.startswith(f"{self.dir}/")):
                self.run("cache", "prune", "--max-size", "0", seconds=300,
                         environment={"XDG_CACHE_HOME": cache})
        shutil.rmtree(self.dir, ignore_errors=True)


def lasting(name, create, **more):
    """Returns a home with a rootfs made by CREATE(home), shared by several test programs: the first that
    needs it creates it. Ends this program if that fails."""
    directory = f"{SCRATCH}/lasting-{name}"
    with locked(f"lasting-{name}", SCRATCH):
        home = Home(directory=directory, lasts="ROOTLET_TEST_SCRATCH" in os.environ, **more)
        if not os.path.exists(f"{directory}/made"):
            outcome = create(home)
            if not tap.report(outcome.status == 0, f"the shared rootfs {name} is created", outcome):
                tap.done()
            home.write("made", str(outcome.seconds))
    return home


def _create_small(home):
    at = mirror()
    with servers.Server(at.root) as server:
        return home.create("--quiet", server=server, at=at)


def small_rootfs():
    """Returns a shared rootfs of the small profile from the test mirror. Other programs use it at the same
    time."""
    return lasting("small", _create_small)


def own_rootfs():
    """Returns the same for this program only: nothing else changes it, so its images stay valid."""
    home = Home()
    outcome = _create_small(home)
    if not tap.report(outcome.status == 0, "the private rootfs is created", outcome):
        tap.done()
    return home


def shared_cache():
    """Returns a $XDG_CACHE_HOME that is kept between runs and belongs to the current test user."""
    user = plain_user()
    directory = f"{SHARED}/cache"
    with locked("cache"):
        os.makedirs(directory, mode=0o755, exist_ok=True)
        if user.uid is not None and os.stat(directory).st_uid != user.uid:
            # The snapshots belong to the previous user's range.
            shutil.rmtree(f"{directory}/rootlet/bases", ignore_errors=True)
            subprocess.run(["chown", "-R", f"{user.uid}:{user.gid}", directory], check=True)
    return directory


def fstests_rootfs():
    """Returns the real thing: profile fstests, the host's release, from the host's mirror."""
    mode = [] if AS_ROOT else ["--tree-mode", "0755"]
    return lasting("fstests", lambda home: home.run("create", "--release", apt.host_suite(), *mode,
                                                    "--quiet", seconds=1500), cache=shared_cache())


def _parent(pid):
    """Returns the parent of a process; None if the process is gone, or a zombie."""
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/stat", "rb") as file:
        state, parent = file.read().rpartition(b")")[2].split(None, 2)[:2]
        return None if state == b"Z" else int(parent)
    return None


def _parents():
    """Returns {pid: parent pid} of all processes except zombies."""
    found = {int(entry): _parent(entry) for entry in os.listdir("/proc") if entry.isdigit()}
    return {pid: parent for pid, parent in found.items() if parent is not None}


def _listed(pid):
    """Returns the children of one process, as the kernel lists them for each of its threads."""
    found = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += [int(child) for child in file.read().split() if _parent(int(child)) is not None]
    return found


# Without CONFIG_PROC_CHILDREN, all processes have to be looked at, which takes twenty times as long.
LISTS_CHILDREN = os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children")


def children(pid):
    """Returns all processes below PID, each after its parent."""
    parents = {} if LISTS_CHILDREN else _parents()
    found = [pid]
    for ancestor in found:  # which grows during the loop
        found += _listed(ancestor) if LISTS_CHILDREN else \
            [child for child, parent in parents.items() if parent == ancestor]
    return found[1:]


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def field_of(pid, name):
    """Returns a field of /proc/PID/status; "" if the process is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            return next((line.split()[1] for line in file if line.startswith(f"{name}:")), "")
    except OSError:
        return ""


def link_of(path):
    """Returns where a link in /proc leads; "" if its process is gone, or has closed the file."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return os.readlink(path)
    return ""


def links_of(pid):
    """Returns {descriptor: where it leads} of the files that a process has open; {} if it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        links = {int(fd): link_of(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        return {fd: link for fd, link in links.items() if link}
    return {}


def ids_of(pid):
    """Returns the rows of the process's uid_map, as lists of words; [] if it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
            open(f"/proc/{pid}/uid_map", encoding="ascii") as file:
        return [line.split() for line in file]
    return []


# Processes that a test keeps itself; they are not leftovers.
KEPT = set()


def processes_left(seconds=120):
    """Returns processes of finished commands that still run after SECONDS; [] as soon as all are gone."""
    end = time.monotonic() + patient(seconds)
    while True:
        left = [pid for pid in children(os.getpid()) if pid not in KEPT and command_of(pid)]
        if not left or time.monotonic() > end:
            return [f"{pid} {command_of(pid)[:100]}" for pid in left]
        time.sleep(0.05)


def mounts(*directories):
    """Returns the mount points in and below `directories` and this program's own directories; other programs
    may mount elsewhere."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        points = {line.split()[4] for line in file}
    return {point for point in points if MOUNTED_BY_TEST not in point and
            (point.startswith(f"{SCRATCH}/{os.getpid()}.") or
             any(f"{point}/".startswith(f"{directory}/") for directory in directories))}


def wait_until(condition, seconds=30):
    """Returns the result of CONDITION as soon as it is true."""
    end = time.monotonic() + patient(seconds)
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    return None


class Tidy:
    """with Tidy(home, …) as tidy: commands …; then tidy.complaints() returns what they left behind."""

    def __init__(self, home, *directories):
        self.home, self.directories = home, directories
        self.places = (home.dir, home.store, *directories)
        self.before = mounts(*self.places)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def complaints(self, seconds=120):
        found = [f"still runs: {line}" for line in processes_left(seconds)]
        found += [f"left behind: {path}" for path in self.home.leftovers(*self.directories)]
        return found + [f"left mounted: {point}" for point in mounts(*self.places) - self.before]


# For Home.run with a BEFORE that switches to the user itself.
NOBODY = {"user": None, "group": None, "extra_groups": None}


def without(home, path):
    """Returns a command prefix that runs a command as the user with PATH hidden, in a private mount
    namespace."""
    cover = f"mount --bind {'/sys/kernel/debug' if os.path.isdir(path) else '/dev/null'} {path}"
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            f'{cover} && exec setpriv --reuid {home.user.uid} --regid {home.user.gid} --clear-groups "$@"',
            "sh"]


def traced(home, *options):
    """Returns what Home.run takes to run a command as the user under strace. Only the calls in OPTIONS stop a
    process, which takes a tenth of the time. Without root, newuidmap gains no privileges under strace."""
    words = ["strace", "-f", "-qq", *options, "-e", "signal=none"]
    if not AS_ROOT:
        return {"before": words}
    return {"before": ["env", f"LD_PRELOAD={BUILD}/tests/gaining.so", *words, "--seccomp-bpf", "-E",
                       "LD_PRELOAD", "setpriv", "--reuid", str(home.user.uid), "--regid",
                       str(home.user.gid), "--clear-groups"], **NOBODY}


def kill(pid, number=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


@dataclass
class Case:
    """A command and its expected outcome.

    words: the command line; status: the exit status; says: regular expressions that standard error must match
    (standard output for status 0); silent: what must not be printed."""
    what: str
    words: list
    status: int
    says: tuple = ()
    silent: tuple = ()
    setup: object = None     # called with the home beforehand
    check: object = None     # called with the home afterwards; returns complaints
    faults: tuple = ()       # for the server
    seconds: int = 300


def reports(case):
    """Whether the command prints its findings on standard output, whatever the exit status."""
    return bool(case.words) and (case.words[0] in ("check", "doctor", "policy", "audit") or
                                 case.words[:2] == ["runs", "compare"] or
                                 {"--dry-run", "--check"} & set(case.words))


def judge(case, outcome, home, tidy):
    """Returns complaints about OUTCOME, as a list of lines."""
    wrong = []
    says = (case.says,) if isinstance(case.says, str) else case.says
    text = outcome.err if case.status and not reports(case) else outcome.out + outcome.err
    if outcome.status != case.status:
        wrong.append(f"expected exit status {case.status}")
    for pattern in says:
        if not re.search(pattern, text, re.I | re.M):
            wrong.append(f"does not print: {pattern}")
    for pattern in case.silent:
        if re.search(pattern, outcome.out + outcome.err, re.M):
            wrong.append(f"must not print: {pattern}")
    if case.status and case.words and not reports(case) and case.words[0] not in ("run", "shell"):
        wrong += one_message(case.words[0], outcome.err)
    wrong += tidy.complaints()
    if case.check:
        wrong += case.check(home) or []
    return wrong


def one_message(command, err):
    """Errors are one line: "rootlet COMMAND: what, on what: why; what to do"."""
    lines = [line for line in err.splitlines() if line.strip()]
    if len(lines) != 1 or not lines[0].startswith((f"rootlet {command}: ", "rootlet: ")):
        return [f"standard error is not one line that begins with \"rootlet {command}: \""]
    return []


def play(case, home, words=None):
    """Runs one case and reports it."""
    if case.setup:
        case.setup(home)
    with Tidy(home) as tidy:
        outcome = home.run(*(words or case.words), seconds=case.seconds)
        wrong = judge(case, outcome, home, tidy)
    return tap.report(not wrong, case.what, *wrong, outcome)
