"""rootlet fstests --install-missing: packages for what tests did not find, and these tests again. The rootfs
and its packages are real; a test program stands for vng and its guest."""
import contextlib
import gzip
import json
import os
import shutil

from support import debs, tap, vng
from support import mirror as mirrors
from support.changes import manifest
from support.schemas import stream
from support.server import Fault, Server
from support.world import SCRATCH, SOURCE, Home, Tidy, mirror

PLACE = f"{SCRATCH}/{os.getpid()}.missing"
ODD = debs.make(f"{PLACE}.debs", "odd-tools", mirrors.arch(), {}, [
    ("./usr/", "dir"), ("./usr/bin/", "dir"), ("./usr/bin/oddtool", b"#!/bin/sh\necho odd\n")])
FAILS = debs.make(f"{PLACE}.debs", "odd-fails", mirrors.arch(), {"postinst": "#!/bin/sh\nexit 7\n"})
CONTENTS = gzip.compress(b"usr/bin/badtool utils/odd-fails\nusr/bin/oddtool utils/odd-tools\n"
                         b"usr/bin/othertool utils/odd-tools\n")
AT = mirror().with_packages(f"{PLACE}.packages", [ODD, FAILS]).with_contents(
    PLACE, {f"Contents-{mirrors.arch()}.gz": CONTENTS})
# generic/002 and 004 need oddtool, 003 a command that no package has. NEEDS can replace oddtool.
GUEST = vng.PRELUDE + r"""
begin
echo "$boot $(cat $results/check.$boot)" >>$results/boots
tests=$(cat $results/check.$boot)
for test in 001 002 003 004; do
	[[ $tests == *generic/$test* ]] || continue
	running generic/$test
	if [[ $boot == 1 && $test == 00[24] ]]; then
		echo '[not run] NEEDS utility required, skipped this test'
	elif [[ $test == 003 ]]; then echo "[not run] nosuchtool command not found"
	else echo ' 1s'; fi
done
finish 0
"""
TESTS = [f"generic/00{number}" for number in range(1, 5)]

home = Home()
MINI = f"{home.dir}/fstests-mini"
shutil.copytree(f"{SOURCE}/tests/fstests-mini", MINI)
KERNEL = home.write("kernel", vng.kernel_with(vng.MAGIC + vng.EROFS + vng.EXT4))


class Run:
    """A run with --install-missing, whose guest lacks NEEDS."""

    def __init__(self, *more, needs="oddtool", tests=TESTS):
        os.chmod(home.write("bin/vng", GUEST.replace("NEEDS", needs)), 0o755)
        before = manifest(home)
        with Tidy(home) as tidy:
            self.outcome = home.run(
                "fstests", "--json", "--kernel", KERNEL, "--fstests", MINI, "--keyring", AT.keyring,
                "--devices", "2", "--device-size", "1M", "--install-missing", *more, "--", *tests,
                environment={"PATH": f"{home.dir}/bin:/usr/bin:/bin"})
            self.wrong = tidy.complaints() + stream("fstests", self.outcome)[2]
        self.events = [json.loads(line) for line in self.outcome.out.splitlines()]
        self.last = self.events[-1] if self.events else {}
        self.missing = {one["command"]: one for one in self.last.get("missing", ())}
        self.changed = manifest(home)["generation"] - before["generation"]

    def kept(self):
        """Returns {test: statuses} of the run's list of results."""
        found = {}
        with contextlib.suppress(OSError), open(f"{self.last.get('results')}/tests.jsonl",
                                                encoding="utf-8") as file:
            for one in map(json.loads, file):
                found.setdefault(one["name"], []).append(one["status"])
        return found

    def boots(self):
        with contextlib.suppress(OSError), open(f"{self.last.get('results')}/results/boots",
                                                encoding="utf-8") as file:
            return file.read().splitlines()
        return []

    def says(self, good, what, *notes):
        tap.report(good and not self.wrong, what, *notes, *self.wrong, self.outcome)


def found():
    run = Run()
    run.says(run.outcome.status == 0 and run.kept() ==
             {"generic/001": ["pass"], "generic/002": ["pass"], "generic/003": ["notrun"],
              "generic/004": ["pass"]}, "tests run again once the rootfs has what they need", run.kept())
    run.says(run.boots()[1:] == ["2 'generic/002' 'generic/004' "], "only these tests run again", run.boots())
    run.says(run.missing.get("oddtool") == {"command": "oddtool", "package": "odd-tools", "tests": 2,
                                            "installed": True, "why": None},
             "the result says what was installed, and for how many tests", run.missing)
    run.says(run.missing.get("nosuchtool", {}).get("package", "") is None and
             "no package" in run.missing["nosuchtool"]["why"],
             "the result names commands that no package has", run.missing)
    run.says(run.changed == 1 and "odd-tools" in manifest(home)["requested"], "the rootfs has the package")
    identity = json.loads(home.run("runs", "show", "last", "--json").out).get("identity", {})
    again = Run(tests=TESTS[:1])
    run.says(again.changed == 0 and len(again.boots()) == 1 and again.last.get("missing") == [],
             "nothing is installed if no test asks for anything", again.last)
    kept = json.loads(home.run("runs", "show", "last", "--json").out).get("identity", {})
    run.says(identity and identity == kept, "run.json describes the rootfs that the last tests had", identity,
             kept)


def not_found():
    run = Run(needs="othertool")
    run.says(run.changed == 0 and len(run.boots()) == 1 and not run.missing["othertool"]["installed"],
             "a command of a package that is installed already is not looked for in it", run.missing)
    run = Run(needs="nosuchtool")
    run.says(run.changed == 0 and run.outcome.status == 0 and run.kept()["generic/002"] == ["notrun"] and
             run.missing["nosuchtool"]["tests"] == 3, "without a package the tests stay not run", run.missing)
    touched = f"{home.dir}/touched"
    for what, needs in (("an option", "--force"), ("two words", "a b"), ("a path", "x/y"),
                        ("a command line", f"$(touch {touched})")):
        run = Run(needs=needs)
        run.says(run.outcome.status == 0 and run.changed == 0 and set(run.missing) == {"nosuchtool"} and
                 not os.path.exists(touched), f"a reason that names no command, but {what}", run.missing)


def fails():
    run = Run(needs="badtool")
    run.says(run.changed == 0 and run.outcome.status == 0 and not run.missing["badtool"]["installed"] and
             "odd-fails" in run.missing["badtool"]["why"],
             "if the package cannot be configured, the results and the rootfs stay", run.missing)
    check = home.run("check", "--deep")
    tap.report(check.status == 0, "check of the rootfs after that", check)


def refused(server):
    for what, more, says in (
            ("--shard", ["--shard", "1/2"], "--install-missing does not go with --shard"),
            ("--cluster", ["--cluster", "slurm", "--cluster-tasks", "2", "--cluster-directory", home.dir],
             "--install-missing does not go with --cluster")):
        outcome = home.run("fstests", "--kernel", KERNEL, "--fstests", MINI, "--install-missing", *more, "--",
                           *TESTS)
        tap.report(outcome.status == 2 and says in outcome.err, f"--install-missing with {what}", outcome)
    server.faults = [Fault(r"InRelease", "status", 503)]
    run = Run(needs="oddtool")
    run.says(run.outcome.status == 0 and run.changed == 0 and run.kept()["generic/002"] == ["notrun"],
             "without a mirror the results stay as they are", run.missing)


with Server(AT.root) as server:
    outcome = home.create("--quiet", server=server, at=AT)
    if tap.report(outcome.status == 0, "a rootfs is created", outcome):
        found()
        not_found()
        gone = home.run("uninstall", "--keyring", AT.keyring, "odd-tools")
        tap.report(gone.status == 0 and "odd-tools" not in manifest(home)["packages"],
                   "the package is uninstalled again", gone)
        fails()
        refused(server)
tap.done()
