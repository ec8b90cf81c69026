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
from .world import BUILD, SOURCE, Home, Tidy, fstests_rootfs, small_rootfs

SMALL = ["--memory", "1G", "--devices", "3", "--device-size", "512M"]


class Mini:
    kernel, environment = "distro", {}

    def __init__(self):
        boot = fstests_rootfs()
        self.prepare(f"{boot.store}/test-rootfs", Home(cache=boot.cache))

    def prepare(self, rootfs, home):
        self.rootfs, self.home = rootfs, home
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

    def words(self, *more, tests=(), kernel=None):
        """Returns a command line of rootlet fstests, with the shared rootfs unless MORE names another
        root."""
        root = [] if "--host-root" in more or "--path" in more else ["--path", self.rootfs]
        return ["fstests", "--kernel", kernel or self.kernel, "--fstests", self.tree, *root, *SMALL, *QUICK,
                *more, *(["--", *tests] if tests else [])]

    def run_json(self, *more, tests=(), kernel=None):
        """Returns the outcome, its events, the last event, and complaints."""
        with Tidy(self.home) as tidy:
            outcome = self.home.run(*self.words("--json", *more, tests=tests, kernel=kernel),
                                    seconds=PATIENCE, environment=self.environment)
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


# A guest in which each test ends as it does on a real kernel. LIST prints what check -n prints.
GUEST = r"""
token=$(cat "$root"/rootlet/command "$root"/usr/lib/rootlet/run "$directory"/command 2>/dev/null |
	grep -aho 'rootlet-[0-9a-f]\{16\}' | head -n 1)
status started
while echo "$token ready 0" && IFS=$'\037' read -ra order; do
	case ${order[0]} in
	list) { LIST
		} >$results/rootlet.list; continue ;;
	run) ;;
	*) break ;;
	esac
	[[ ${order[1]} != -s ]] || echo "SECTION       -- ${order[2]}"
	for test in "${order[@]:1}"; do
		[[ $test == */* && $test != /* ]] || continue
		running $test
		[[ $test != mini/10[45] ]] ||
			console "WARNING: CPU: 0 PID: 1 at fs/mini/file.c:1 mini_${test#*/}+0x1/0x2"
		case $test in
		generic/002) echo "- output mismatch (see $results/$test.out.bad)"
			printf '    %s\n' "--- tests/$test.out" "+++ $test.out.bad" -two '+not two' ;;
		generic/003 | generic/005) echo '[not run] this kernel has no such thing' ;;
		mini/105) echo "_check_dmesg: something found in dmesg (see $results/$test.dmesg)"; echo ;;
		*) echo ' 1s' ;;
		esac
	done
done
status exit 1
"""


class StandIn(Mini):
    """The same without guests: a program takes vng's place, and check's in it."""

    def __init__(self, listed):
        """LISTED: the shell command that prints the list of tests."""
        home = Home()
        self.prepare(f"{small_rootfs().store}/test-rootfs", home)
        self.kernel = home.write("kernel", vng.kernel_with(vng.MAGIC + vng.EROFS + vng.EXT4, "6.1.0"))
        os.chmod(home.write("bin/vng", vng.PRELUDE + GUEST.replace("LIST", listed)), 0o755)
        self.environment = {"PATH": f"{home.dir}/bin:/usr/bin:/bin"}


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
