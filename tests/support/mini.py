"""The miniature fstests in tests/fstests-mini, and runs of it in guests. Each test program has its own home
and copy, and boots a shared rootfs."""
import glob
import json
import os
import shutil
import subprocess

from . import apt, tap, vng
from .guest import PATIENCE, QUICK
from .schemas import stream
from .world import BUILD, SOURCE, Home, Tidy, fstests_rootfs

SMALL = ["--memory", "1G", "--devices", "3", "--device-size", "512M"]


class Mini:
    def __init__(self):
        boot = fstests_rootfs()
        self.rootfs = f"{boot.store}/test-rootfs"
        self.home = Home(cache=boot.cache)
        self.tree = f"{self.home.dir}/fstests-mini"
        self.runs = self.home.state("runs")
        self.copy()

    def copy(self, carried=True):
        """Copies the tree for the user, so that writing to it would be possible. It has a program whose
        library no rootfs has;
    CARRIED: the tree includes the library."""
        shutil.rmtree(self.tree, ignore_errors=True)
        shutil.copytree(f"{SOURCE}/tests/fstests-mini", self.tree)
        os.makedirs(f"{self.tree}/src")
        shutil.copy(f"{BUILD}/tests/absent", f"{self.tree}/src/absent")
        if carried:
            os.makedirs(f"{self.tree}/.rootlet/lib")
            shutil.copy(f"{BUILD}/tests/librootlet-absent.so",
                        f"{self.tree}/.rootlet/lib/librootlet-absent.so.3")
        user = self.home.user
        if user.uid is not None:
            subprocess.run(["chown", "-R", f"{user.uid}:{user.gid}", self.tree], check=True)

    def words(self, *more, tests=(), kernel="distro"):
        """Returns a command line of rootlet fstests, with the shared rootfs unless MORE names another
        root."""
        root = [] if "--host-root" in more or "--path" in more else ["--path", self.rootfs]
        return ["fstests", "--kernel", kernel, "--fstests", self.tree, *root, *SMALL, *QUICK, *more,
                *(["--", *tests] if tests else [])]

    def run_json(self, *more, tests=(), kernel="distro"):
        """Returns the outcome, its events, the last event, and complaints."""
        with Tidy(self.home) as tidy:
            outcome = self.home.run(*self.words("--json", *more, tests=tests, kernel=kernel),
                                    seconds=PATIENCE)
            wrong = tidy.complaints()
        wrong += stream("fstests", outcome)[2] if outcome.out else []
        seen = events(outcome)
        return outcome, seen, seen[-1] if seen else {}, wrong

    def state(self):
        """Returns a value that changes if anything in the tree is written."""
        return {path: (os.lstat(path).st_mtime_ns, os.lstat(path).st_size)
                for directory, names, files in os.walk(self.tree)
                for path in (directory, *(f"{directory}/{name}" for name in names + files))}

    def distribution_kernel(self):
        """Returns the path of the release's kernel: a fake vng ends the run after it was downloaded."""
        kernels = f"{self.home.cache}/rootlet/kernels/{apt.host_suite()}-*/boot/vmlinuz"
        if not glob.glob(kernels):
            _, environment = vng.stand_in(self.home)
            self.home.run("run", "--kernel", "distro", "--path", self.rootfs, "--", "true",
                          environment=environment)
        return glob.glob(kernels)[0]


def verdicts(seen):
    """Returns {test: status} from the events."""
    return {event["name"]: event["status"] for event in seen if event.get("event") == "test"}


def events(outcome):
    found = []
    for line in outcome.out.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            tap.report(False, "every line of --json is JSON", line)
    return found
