"""rootlet fstests with a test program instead of vng: the arguments that vng gets, how guest output and
result files are interpreted, and the display. No VM is booted."""
import base64
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

from support import sums, tap, vng
from support.pace import patient
from support.kept_runs import result, write_run
from support.schemas import stream
from support.terminal import Terminal
from support.trees import inside
from support.world import AS_ROOT, SOURCE, Home, Tidy, own_rootfs

rootfs = own_rootfs()
TREE = f"{rootfs.store}/test-rootfs"
home = Home()
MINI = f"{home.dir}/fstests-mini"
shutil.copytree(f"{SOURCE}/tests/fstests-mini", MINI)
MAGIC, EROFS, EXT4, SQUASHFS = vng.MAGIC, vng.EROFS, vng.EXT4, "CONFIG_SQUASHFS=y\n"


def kernel(name, config=None, version=None):
    return home.write(f"kernels/{name}", vng.kernel_with(config, version))


WHOLE = kernel("whole", MAGIC + EROFS + EXT4)
BARE = kernel("bare")

LATER = "# this guest's command begins later\n"


def environment(script, **more):
    started = "" if script.startswith(LATER) else "begin\n"
    os.chmod(home.write("bin/vng", vng.PRELUDE + started + script), 0o755)
    return {"PATH": f"{home.dir}/bin:/usr/bin:/bin", **more}


def words(*more, tests=(), image=WHOLE, at=("--path", TREE)):
    return ["fstests", *at, "--kernel", image, "--fstests", MINI, *more, *(["--", *tests] if tests else [])]


class Run:
    """A run of rootlet fstests --json: EVENTS, the LAST of them, and the fake vng's files for each boot."""

    def __init__(self, script, *more, **how):
        with Tidy(home) as tidy:
            self.outcome = home.run(*words("--json", *more, **how), seconds=120,
                                    environment=environment(script))
            self.wrong = tidy.complaints()
        self.wrong += stream("fstests", self.outcome)[2]
        self.events = [json.loads(line) for line in self.outcome.out.splitlines()]
        self.last = self.events[-1] if self.events else {}
        self.dir = self.last.get("results", "")
        self.tests = {event["name"]: event for event in self.events if event["event"] == "test"}

    def read(self, name):
        try:
            with open(f"{self.dir}/{name}", encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def says(self, good, what, *notes):
        tap.report(good and not self.wrong, what, *notes, *self.wrong, self.outcome)


def refused(what, says, *line, status=2):
    with Tidy(home) as tidy:
        outcome = home.run(*line, seconds=120, environment=environment("exit 1"))
        wrong = tidy.complaints()
    tap.report(outcome.status == status and re.search(says, outcome.err) and not wrong, what, *wrong, outcome)


# --- vng's arguments ------- ------------------------------------------------------------------------

ALL_PASS = r"""
echo generic/001 >$results/rootlet.list
running generic/001; echo ' 1s'
finish 0
"""


def asked_for():
    device = home.write("device", b"\0" * (1 << 20))
    run = Run(ALL_PASS, "--memory", "1234M", "--cpus", "3", "--append", "one=1 two", "--append", "three",
              "--vng-arg",
              "--verbose", "--vng-arg=--extra", "--devices", "4", "--device-size", "256M", "--device", device,
              "--mkfs-options", "-b 1024", "--mount-options", "-o noatime", "--io-scheduler", "bfq", "--mkfs",
              "mkfs.of-mine -x", tests=["-g", "auto", "-x", "dangerous", "-X", "group.list", "generic/001"])
    line = run.read("results/words.1").splitlines()
    pairs = list(zip(line, line[1:]))
    run.says(run.outcome.status == 0 and run.last.get("status") == "passed",
             "a run in which every test passes")
    run.says(json.loads(run.read("run.json")).get("boot") == "bzimage" and
             not any(" -kernel " in word for word in line),
             "a kernel that has no PVH entry point boots from its bzImage", line)
    for option, value in (("--memory", "1234M"), ("--cpus", "3"), ("--append", "one=1 two three")):
        run.says((option, value) in pairs, f"vng gets {option}", line)
    if "--disable-kvm" in line and os.uname().machine == "x86_64":
        rates = [value for option, value in pairs if option == "--append" and "tsc_early_khz" in value]
        run.says(rates and re.fullmatch(r"tsc_early_khz=\d{6,8}", rates[0]),
                 "an emulated guest is told the rate of the host's TSC", line)
    run.says("--verbose" in line and "--extra" in line, "vng gets the arguments of --vng-arg", line)
    qemu = [word for word in line if word.startswith("--qemu-opts=")]
    drives = re.findall(r"-drive (\S+) -device virtio-blk-pci,drive=\S+,serial=([^, ]+)", qemu[0] if qemu
                        else "")
    run.says([serial for _, serial in drives] == ["device0", "device1", "device2", "device3",
                                                  "rootlet-fstests",
                                                  "rootlet-root"] and
             all("format=raw" in drive for drive, _ in drives), "vng gets the disks, all of them raw", drives)
    run.says([("readonly=on" in drive) for drive, _ in drives] == [False] * 4 + [True] * 2,
             "only files that all runs share are read-only", drives)
    command = run.read("results/command.1")
    for what, text in (("--mkfs-options", "'MKFS_OPTIONS=-b 1024'"),
                       ("--io-scheduler", "'ROOTLET_SCHEDULER=bfq'"),
                       ("--mount-options", "'MOUNT_OPTIONS=-o noatime'"),
                       ("--mkfs", "'ROOTLET_MKFS=mkfs.of-mine -x'"),
                       ("--mount-options for the test disk", "'TEST_FS_MOUNT_OPTS=-o noatime'")):
        run.says(text in command, f"the guest gets {what}", command[-600:])
    command = run.read("results/check.1")
    run.says(command == "'-g' 'auto' '-x' 'dangerous' '-X' 'group.list' 'generic/001' ",
             "check gets its own arguments", command)


def overlays():
    """The guest gets the overlays' images as disks, and the run records a hash of what is in them."""
    directories = [home.make_dir(f"{home.dir}/over{number}") for number in (1, 2)]
    hashes = []
    for content in ("one", "one", "two"):
        home.write("over2/file", content)
        run = Run(ALL_PASS, *[word for directory in directories for word in ("--overlay", directory)],
                  tests=["generic/001"])
        identity = json.loads(run.read("run.json") or "{}").get("identity", {})
        hashes.append(identity.get("overlays", ""))
        serials = re.findall(r"serial=(rootlet-[a-z0-9]+)", run.read("results/words.1"))
        run.says(serials == ["rootlet-fstests", "rootlet-root", "rootlet-overlay0", "rootlet-overlay1"],
                 "a run with two overlays", serials)
    tap.report(re.fullmatch("[0-9a-f]{64}", hashes[0]) and hashes[0] != hashes[2],
               "the hash depends on the overlays' content", *hashes)
    tap.report(hashes[0] == hashes[1], "but not on when a file was written", *hashes)


SIZES = r"""
# The disks are vng's own descriptors.
while read -r file; do stat -L -c '%s %b' "$file" >>$results/sizes; stat -f -L -c %T "$file" >>$results/places
done < <(grep -o '/proc/[0-9]*/fd/[0-9]*' "$results/words.$boot")
running generic/001; echo ' 1s'
finish 0
"""


def disks():
    """By default seven sparse disks of 10G; checks where they are stored."""
    for backing in ("disk", "tmpfs"):
        run = Run(SIZES, "--device-backing", backing, "--root-transport", "dir", tests=["generic/001"])
        sizes = [line.split() for line in run.read("results/sizes").splitlines()]
        places = run.read("results/places").splitlines()
        run.says([int(size[0]) for size in sizes] == [10 << 30] * 7,
                 f"--device-backing {backing}: there are seven disks of 10G",
                 sizes)
        run.says(sizes and all(int(size[1]) < 2048 for size in sizes),
                 f"--device-backing {backing}: the disks are sparse", sizes)
        run.says(len(places) == 7 and {place == "tmpfs" for place in places} == {backing == "tmpfs"},
                 f"--device-backing {backing}: the disks are on the right filesystem", places)
    run = Run(ALL_PASS)
    run.says(run.read("results/check.1") == "'-g' 'quick' ", "without arguments for check: -g quick",
             run.read("results/check.1"))


# --- the root -------------------------------------------------------------------------------------

def chosen():
    no_overlay = kernel("no-overlay", EROFS + MAGIC.replace("OVERLAY_FS=y", "X=y"))
    for what, image, root in (("all that an image needs", WHOLE, "image"),
                              ("no readable configuration", BARE, "dir"),
                              ("no overlayfs", no_overlay, "dir")):
        # Without a readable list of the tests, which the event schema must also allow.
        run = Run(ALL_PASS.replace("rootlet.list", "other.list"), image=image, tests=["-g", "auto"])
        run.says(json.loads(run.read("run.json") or "{}").get("root") == root,
                 f"--root-transport auto: {root} for a kernel that has {what}", run.read("run.json"))


def of_kernel(image, *more):
    return ["run", "--path", TREE, "--kernel", image, "--root-transport", "image", *more, "--", "true"]


def known():
    """Where rootlet finds a kernel's configuration."""
    config = MAGIC.replace("CONFIG_VIRTIO_BLK=y", "# CONFIG_VIRTIO_BLK is not set") + EROFS
    refused("a kernel's IKCONFIG is read", "no CONFIG_VIRTIO_BLK", *of_kernel(kernel("ik", config)))
    refused("a build directory's .config is read", "no CONFIG_VIRTIO_BLK", *of_kernel(build_dir(config)))
    home.write("beside/.config", config)
    shutil.copy(BARE, f"{home.dir}/beside/vmlinuz")
    refused("a .config beside the kernel is read", "no CONFIG_VIRTIO_BLK",
            *of_kernel(f"{home.dir}/beside/vmlinuz"))
    modules = ["drivers/block/virtio_blk", "net/9p/9pnet_virtio", "fs/9p/9p", "fs/erofs/erofs"]
    refused("without a configuration, modules.dep is read", "no CONFIG_OVERLAY_FS",
            *of_kernel(installed(modules)))
    refused("neither erofs nor ext4 is among the modules", "neither erofs.*nor ext4",
            *of_kernel(installed([*modules[:3], "fs/overlayfs/overlay"])), status=5)
    run = Run(ALL_PASS, image=installed([*modules, "fs/overlayfs/overlay"]), tests=["generic/001"])
    run.says(json.loads(run.read("run.json") or "{}").get("root") == "image",
             "a kernel with everything as modules uses an image")


def build_dir(config):
    home.write("build/.config", config)
    home.write("build/arch/x86/boot/bzImage", "")
    shutil.copy(BARE, f"{home.dir}/build/arch/x86/boot/bzImage")
    return f"{home.dir}/build"


def installed(modules):
    version = f"6.1.{len(modules)}"
    image = kernel(f"vmlinuz-{version}", version=version)
    below = f"kernels/lib/modules/{version}"
    for name in modules:
        home.write(f"{below}/kernel/{name}.ko", b"\0")
    home.write(f"{below}/modules.dep", "".join(f"kernel/{name}.ko:\n" for name in modules))
    return image


def preferred():
    """The root image has a filesystem type that is not tested, if possible; otherwise rootlet prints a
    note."""
    erofs, ext4 = kernel("erofs", MAGIC + EROFS), kernel("ext4", MAGIC + EXT4)
    # The ones of the three that vng --kconfig enables, alone and with the tested one.
    squashfs, both = kernel("squashfs", MAGIC + SQUASHFS), kernel("both", MAGIC + EXT4 + SQUASHFS)
    sections = home.write("sections.config", "[a]\nFSTYP=xfs\n[b]\nexport FSTYP=\"ext4\" # comment\n")
    for what, image, more, root, told in (
            ("ext4 on a kernel that also has erofs", WHOLE, ["--fstype", "ext4"], "erofs", 0),
            ("erofs on a kernel that also has ext4", WHOLE, ["--fstype", "erofs"], "ext4", 0),
            ("xfs on a kernel that has only ext4", ext4, ["--fstype", "xfs"], "ext4", 0),
            ("ext4 on a kernel that has only ext4", ext4, [], "ext4", 1),
            ("ext2 on a kernel that has only ext4", ext4, ["--fstype", "ext2"], "ext4", 1),
            ("ext4 in a section on a kernel that has only ext4", ext4,
             ["--fstype", "xfs", "--config", sections], "ext4", 1),
            ("erofs on a kernel that has only erofs", erofs, ["--fstype", "erofs"], "erofs", 1),
            ("xfs on a kernel that has only squashfs", squashfs, ["--fstype", "xfs"], "squashfs", 0),
            ("ext4 on a kernel that also has squashfs", both, [], "ext4", 1)):
        run = Run(ALL_PASS, *more, image=image, tests=["generic/001"])
        notes = [event["line"] for event in run.events if event["event"] == "log" and
                 "under test" in event["line"]]
        run.says(run.outcome.status == 0 and f"set fstype={root}" in run.read("results/settings") and
                 len(notes) == told,
                 f"the root for tests of {what} is {root}{', with one note' * told}", *notes,
                 run.read("results/settings"))


def virtiofs():
    """vng gets --force-9p if there is no usable virtiofsd; the old one from qemu does not count."""
    places = ("/usr/libexec/virtiofsd", "/usr/lib/virtiofsd/virtiofsd", "/usr/lib/virtiofsd",
              "/usr/lib/qemu/virtiofsd")
    old = not any(os.path.isfile(place) for place in places[:-1])
    for says, more, forced in (("virtiofsd 1.10.0", [], False), ("virtiofsd 1.10.0", ["--force-9p"], True),
                               ("virtiofsd version 7.2.0", [], True)):
        if says.endswith("7.2.0") and not old:
            tap.note("not tested: this host has a virtiofsd in another place")
            continue
        os.chmod(home.write("bin/virtiofsd", f"#!/bin/sh\necho '{says}'\n"), 0o755)
        run = Run(ALL_PASS, "--root-transport", "dir", *more, tests=["generic/001"])
        got = "--force-9p" in run.read("results/words.1").splitlines()
        run.says(run.outcome.status == 0 and got == forced,
                 f"{says}{' and --force-9p' if more else ''}: {'9p' if forced else 'virtiofs'}")
    os.unlink(f"{home.dir}/bin/virtiofsd")


# --- guest output and result files -- -----------------------------------------------------------------

FILES = r"""
printf 'generic/00%d\n' 1 2 3 4 5 >$results/rootlet.list
mkdir -p $results/generic
running generic/001
echo '_check_dmesg: something found in dmesg (see /opt/rootlet/results/generic/001.dmesg)'
printf '[ 1.0] %s\n' 'run fstests generic/001' 'WARNING: CPU: 0 PID: 7 at fs/x.c:1 x_warn+0x1/0x2' \
	' x_caller+0x3/0x4' >$results/generic/001.dmesg
printf 'needs this\nand that\n' >$results/generic/002.notrun
running generic/002; printf '[not run] needs this\nand that\n'
printf 'QA output created by 003\nboom\n' >$results/generic/003.out.bad
running generic/003; echo 'no qualified output'
running generic/004; echo ' 1s'
ln -s /etc/passwd $results/generic/005.notrun
running generic/005; echo '[not run] as printed'
printf 'Ran: generic/001 generic/004\nFailures: generic/001 generic/003 generic/004\n' >$results/check.log
echo 'Ran: generic/001 generic/004'
finish 1
"""


def files():
    run = Run(FILES, tests=[f"generic/00{n}" for n in range(1, 6)])
    test = run.tests.get("generic/001", {})
    run.says(test.get("reason") == "in dmesg: WARNING: CPU: 0 PID: 7 at fs/x.c:1 x_warn+0x1/0x2" and
             "x_caller+0x3/0x4" in test.get("detail", ""), "a dmesg complaint is reported with its text",
             test)
    test = run.tests.get("generic/002", {})
    run.says(test.get("reason") == "needs this; and that", "the whole .notrun file is the reason", test)
    test = run.tests.get("generic/003", {})
    run.says("boom" in test.get("detail", ""), "the output of a test without golden output is reported", test)
    run.says(run.tests.get("generic/005", {}).get("reason") == "as printed",
             "a link out of the results is not followed",
             run.tests.get("generic/005"))
    kept = [json.loads(line) for line in run.read("tests.jsonl").splitlines()]
    run.says(run.last.get("counts", {}).get("fail") == 3 and run.last.get("counts", {}).get("pass") == 0 and
             [test["status"] for test in kept] == ["fail", "notrun", "fail", "fail", "notrun"],
             "a test that check.log lists as failed has failed", kept, run.last.get("counts"))
    run.says(0 < run.last.get("first_test_seconds", 0) < 60, "the time to the first test is reported",
             run.last)


SUFFIXED = r"""
echo mini/108-quota >$results/rootlet.list
running mini/108-quota; echo ' 1s'
finish 0
"""


def suffixed():
    """check finds a test by the start of its name. Its result has the whole name."""
    home.write("fstests-mini/tests/mini/108-quota", "")
    with open(f"{MINI}/tests/mini/group.list", "a", encoding="utf-8") as file:
        file.write("108-quota auto\n")
    run = Run(SUFFIXED, tests=["mini/108"])
    got = {name: test["status"] for name, test in run.tests.items()}
    run.says(run.outcome.status == 0 and got == {"mini/108-quota": "pass"},
             "a test that is given without the end of its name has one result", got)


# A check that runs whatever it is told to, section by section.
OBEDIENT = LATER + r"""
status started
while echo "$token ready 0" && IFS=$'\037' read -ra order; do
	case ${order[0]} in
	list) eval "$(grep 'rootlet[.]list$' "$0")" ;;
	run) echo "${order[*]:1}" >>$results/check.$boot
		for word in "${order[@]:1}"; do
			[[ $before != -s ]] || echo "SECTION       -- $word"
			before=$word
			[[ $word == */* ]] || continue
			running $word; echo ' 1s'
		done ;;
	*) break ;;
	esac
done
status exit 0
"""
LISTS = r"""
printf '%s\n' generic/001 generic/002 'generic/003   [expunged]' generic/004 mini/103 >$results/rootlet.list
"""
IN_SECTIONS = r"""
printf '%s\n' 'SECTION       -- a' generic/00{1,2} 'SECTION       -- b' generic/00{1,2} >$results/rootlet.list
"""


def excluded_of(run):
    return {" ".join(filter(None, [test.get("section"), test["name"]])): test.get("reason")
            for test in map(json.loads, run.read("tests.jsonl").splitlines())
            if test["status"] == "excluded"}


def notes_of(run):
    return "\n".join(event["line"] for event in run.events if event["event"] == "log")


def excluded():
    """Tests that --exclude leaves out do not run, and the results say why."""
    lists = home.write("lists", "generic/001 mini/10? see=https://example.org/1: hangs\n"
                       "generic/002 fstype=xfs: slow\n")
    junit = f"{home.dir}/excluded.xml"
    run = Run("exit 1", "--exclude", lists, "--junit", junit, tests=["generic/001", "mini/103"])
    run.says(run.outcome.status == 0 and run.last.get("boots") == 0 and run.last["counts"]["excluded"] == 2,
             "a run whose tests are all excluded passes and boots no guest", run.last)
    run.says(excluded_of(run) == dict.fromkeys(["generic/001", "mini/103"], "hangs (https://example.org/1)"),
             "the results have the reason and the reference", run.read("tests.jsonl"))
    with open(junit, encoding="utf-8") as file:
        run.says('skipped="2"' in (text := file.read()) and
                 '<skipped message="hangs (https://example.org/1)" type="excluded">' in text,
                 "JUnit's file counts them as skipped, with the reason", text)
    outcome = home.run("runs", "show", "last")
    tap.report("\nexcluded: hangs (https://example.org/1): generic/001 mini/103\n" in outcome.out and
               "0 timed out, 2 excluded\n" in outcome.out,
               "runs show has each reason once, and their number", outcome)
    for jobs in ("1", "2"):
        run = Run(OBEDIENT + LISTS, "--exclude", lists, "--jobs", jobs, tests=["-g", "quick"])
        run.says(run.outcome.status == 0 and sorted(excluded_of(run)) == ["generic/001", "mini/103"] and
                 {name: test["status"] for name, test in run.tests.items()} ==
                 {"generic/001": "excluded", "mini/103": "excluded", "generic/002": "pass",
                  "generic/003": "expunged", "generic/004": "pass"},
                 f"of the tests that a guest lists, only the others run, with --jobs {jobs}", run.tests)
    run = Run(OBEDIENT + LISTS, "--exclude", lists, tests=["-i", "3", "-T", "-g", "quick"])
    run.says(run.read("results/check.1") == "-i 3 -T generic/002 generic/004\n",
             "check still gets the options about how tests run", run.read("results/check.1"))
    run = Run(OBEDIENT + LISTS, "--exclude", home.write("other", "xfs/*: not now\n"),
              tests=["-i", "3", "-g", "quick"])
    run.says(run.read("results/check.1") == "-i 3 -g quick\n" and "excludes" in run.last,
             "if no test is excluded, check gets the user's own words", run.read("results/check.1"))


def excluded_in_sections():
    config = home.write("two.config", "[a]\nFSTYP=ext4\n[b]\nFSTYP=xfs\n")
    lists = home.write("lists", "generic/001 configuration=a kernel=<4: no\ngeneric/001 configuration=b: x\n"
                       "generic/002 fstype=ext4 arch=*: y\n")
    run = Run(OBEDIENT + IN_SECTIONS, "--exclude", lists, "--config", config, tests=["-g", "quick"])
    run.says(excluded_of(run) == {"b generic/001": "x", "a generic/002": "y"} and
             run.read("results/check.1") == "-s a generic/001\n-s b generic/002\n",
             "conditions are about each section", excluded_of(run), run.read("results/check.1"))
    for part, tests in (("1/2", {"b generic/001": "x", "a generic/002": "y"}), ("2/2", {})):
        at = f"{home.dir}/part-{part[0]}"
        # Another machine has another history, which must not change the plan.
        if part == "2/2":
            write_run(home, "29990104-000000-ext4", [result("generic/002", seconds=1000, section="b")])
        run = Run(OBEDIENT + IN_SECTIONS, "--exclude", lists, "--config", config, "--shard", part,
                  "--results", at, tests=["-g", "quick"])
        run.says(excluded_of(run) == tests and run.last["counts"]["pass"] == 1,
                 f"part {part} has {len(tests)} of the excluded tests", run.read("tests.jsonl"))
    outcome = home.run("runs", "merge", "./part-1", "./part-2")
    shutil.rmtree(home.state("runs/29990104-000000-ext4"))
    tap.report(outcome.status == 0 and "2 passed, 0 failed, 0 not run, 2 excluded" in outcome.out,
               "the merged run has them once: earlier runs here do not change the parts' plan", outcome)


def excludes_reported():
    """Entries that somebody should look at, and files that cannot be read."""
    own = home.write("config/rootlet/excludes/mine", "generic/001: mine\ngeneric/002 until=2020-02-29: old\n"
                     "generic/0011 generic/9??: typo\nmini/106: elsewhere\nmini/105 fstype=xfs: xfs\n")
    run = Run(OBEDIENT + LISTS, tests=["-g", "quick"])
    entries = run.last.get("excludes", {})
    run.says(excluded_of(run) == {"generic/001": "mine"} and entries.get("entries") == 5,
             "the user's own files are read", entries)
    for kind, line, note in (("expired", 2, "generic/002 was excluded until 2020-02-29 and runs again"),
                             ("unknown", 3, f"no test of {MINI} is called generic/0011; did you mean: "
                                            "generic/001"),
                             ("unused", 4, "1 exclude matches no test of this run: ")):
        run.says([one["entry"] for one in entries.get(kind, [])] == [f"{own}:{line}"] and
                 note in notes_of(run), f"an entry is reported as {kind}", entries, notes_of(run))
    with open(f"{run.dir}/excludes", encoding="utf-8") as file:
        tap.report(file.read().startswith("generic/001: mine\ngeneric/002 until=2020-02-29: old\n"),
                   "the run keeps what it read")
    run = Run(OBEDIENT + LISTS, "--exclude", "none", tests=["-g", "quick"])
    run.says(not excluded_of(run) and "excludes" not in run.last, "--exclude none ignores them", run.last)
    home.write("config/rootlet/excludes/bad", "generic/001 until=tomorrow: x\n")
    refused("a file there with a mistake ends the run", "excludes/bad:1: until=tomorrow: must be a date",
            *words(tests=["generic/001"]))
    shutil.rmtree(f"{home.dir}/config/rootlet/excludes")
    refused("and so does a missing file", "--exclude: cannot open .*nosuch: No such file",
            *words("--exclude", "nosuch", tests=["generic/001"]))


def unsound_baseline():
    for what, text, says in (("a damaged run", "[]", "run.json is damaged"),
                             ("a run of a newer format", '{"format": 2}', "was written by a newer rootlet")):
        home.write("unsound/run.json", text)
        home.write("unsound/tests.jsonl", "")
        refused(f"--baseline: {what}", f"--baseline: .*{says}",
                *words("--baseline", "./unsound", tests=["generic/001"]))


BUSY = LATER + r"""
case $boot in
1)	console "Kernel panic - not syncing: IO-APIC + timer doesn't work!"
	sleep 600 ;;
2)	begin
	echo generic/001 >$results/rootlet.list
	running generic/001; echo ' 1s'
	finish 0 ;;
esac
"""


def busy_host():
    run = Run(BUSY, tests=["generic/001"])
    lines = [event["line"] for event in run.events if event["event"] == "log"]
    notes = [line for line in lines if "; booting once more" in line]
    run.says(run.outcome.status == 0 and run.last.get("status") == "passed" and len(notes) == 1 and
             run.tests.get("generic/001", {}).get("status") == "pass",
             "a boot failure as on a busy host is not a crash: the VM is booted again", notes,
             run.last)
    run.says(run.last.get("boots") == 2 and json.loads(run.read("run.json")).get("boots") == 2,
             "the second boot counts", run.last)


def unbooted():
    """A guest that never starts its command is ended. One that is only late is not."""
    script = LATER + "console 'Waiting for root device'; sleep 600\n"
    run = Run(script, "--boot-timeout", "3", tests=["generic/001"])
    run.says(run.outcome.status == 5 and 3 <= run.outcome.seconds < patient(60) and
             "the guest did not boot within 3 s" in run.outcome.err and
             "--boot-timeout" in run.last["error"]["message"], "a guest that never boots is ended")
    run = Run(LATER + "sleep 2; begin\n" + ALL_PASS, "--boot-timeout", "600", tests=["generic/001"])
    run.says(run.outcome.status == 0, "a guest that boots late runs its tests")
    line = ["run", "--path", TREE, "--kernel", WHOLE, "--root-transport", "dir", "--boot-timeout", "2", "--",
            "true"]
    with Tidy(home) as tidy:
        outcome = home.run(*line, seconds=120, environment=environment(script))
        wrong = tidy.complaints()
    tap.report(outcome.status == 125 and not wrong and
               re.search(r"the console's last lines:\n.*Waiting for root device(.|\n)*"
                         r"did not boot within 2 s: .*--boot-timeout", outcome.err),
               "rootlet run ends it, too, and shows its console", *wrong, outcome)
    refused("--boot elf with such a kernel", "--boot elf: .* has no PVH entry point", "run", "--path", TREE,
            "--kernel", WHOLE, "--boot", "elf", "--", "true")
    refused("--boot-timeout 0", "--boot-timeout 0: not a number from 1", "run", "--kernel", WHOLE,
            "--boot-timeout", "0", "--", "true")


OOPS = r"""
case $boot in
1)	running generic/001; echo ' 1s'
	running generic/002
	console 'BUG: kernel NULL pointer dereference, address: 0000000000000008'
	console 'RIP: 0010:mini_oops+0x5/0x10'
	console '---[ end trace 0000000000000000 ]---'
	sleep 60; echo ' 60s'; running generic/003; echo ' 1s'; finish 0 ;;
2)	running generic/003; echo ' 1s'; finish 0 ;;
esac
"""


def oops():
    began = time.monotonic()
    run = Run(OOPS, tests=["generic/001", "generic/002", "generic/003"])
    took = time.monotonic() - began
    test = run.tests.get("generic/002", {})
    run.says(run.outcome.status == 3 and test.get("status") == "crash" and
             test.get("reason", "").startswith("BUG: kernel NULL pointer") and
             "mini_oops" in test.get("detail", ""),
             "an oops counts as a crash of the running test", test)
    run.says(took < patient(45) and run.last.get("boots") == 2 and 5 < test.get("seconds", 0) < patient(20),
             "an oops ends the VM some seconds later", took, run.last)
    run.says(run.tests.get("generic/003", {}).get("status") == "pass", "the next test runs in a new VM",
             run.tests)


COUNTED = """static int taken(int x)
{
	if (x)
		return 1;
	return 2;
}

int main(int argc, char **argv)
{
	(void)argv;
	return taken(argc) - 1;
}
"""
# Stand-ins for the archives that frontend/guest/fstests.sh leaves, one of them hostile.
LEAVES = r"""
echo generic/001 >$results/rootlet.list
running generic/001; echo ' 1s'
base64 -d <<<'%s' >$results/gcov-1.tar
ln -s /etc/passwd $results/gcov-2.tar
finish 0
"""


def counted():
    """--gcov: a program stands for the kernel: its counts come back, and lcov finds its notes."""
    tree = build_dir(MAGIC + EROFS + EXT4 + "CONFIG_GCOV_KERNEL=y\n")
    home.write("build/fs/counted.c", COUNTED)
    for command in (["gcc", "--coverage", "-c", "-o", "fs/counted.o", "fs/counted.c"],
                    ["gcc", "--coverage", "-o", "counted", "fs/counted.o"], [f"{tree}/counted"]):
        subprocess.run(command, cwd=tree, check=True, **home.user.switch())
    # The guest's link to the notes leads elsewhere.
    staged = home.make_dir(f"{home.dir}/staged")
    place = home.make_dir(f"{staged}{tree}/fs")
    os.rename(f"{tree}/fs/counted.gcda", f"{place}/counted.gcda")
    os.symlink("/etc/passwd", f"{place}/counted.gcno")
    archive = subprocess.run(["tar", "-C", staged, "-c", "."], check=True, capture_output=True).stdout
    run = Run(LEAVES % base64.b64encode(archive).decode(), "--gcov", image=tree, tests=["generic/001"])
    info = run.read("gcov.info")
    lcov = shutil.which("lcov")
    run.says(run.outcome.status == 0 and
             run.last.get("gcov") == {"archives": 1, "lcov": "gcov.info" if lcov else None} and
             os.path.isfile(f"{run.dir}/gcov-1.tar") and not os.path.lexists(f"{run.dir}/gcov-2.tar"),
             "--gcov: a guest's archive comes to the run's directory, a link does not", run.last.get("gcov"))
    if lcov:
        run.says(f"SF:{tree}/fs/counted.c\n" in info and "\nDA:4,1\n" in info and "\nDA:5,0\n" in info and
                 not os.path.lexists(f"{run.dir}/gcov.work"),
                 "--gcov: lcov says which lines were executed", info)
    else:
        tap.skip("--gcov: lcov says which lines were executed", "lcov is not installed")
    run = Run(LEAVES % "bm8gYXJjaGl2ZQ==", "--gcov", image=tree, tests=["generic/001"])
    run.says(run.outcome.status == 0 and run.last.get("gcov") == {"archives": 1, "lcov": None},
             "--gcov: a damaged archive changes no result", run.last.get("gcov"))
    shutil.rmtree(tree)


PANIC = r"""
printf 'generic/00%d\n' 1 2 >$results/rootlet.list
running generic/001
console 'Kernel panic - not syncing: sysrq triggered crash'
"""
HANG = r"""
printf 'generic/00%d\n' 1 2 >$results/rootlet.list
running generic/001; sleep 600
"""


def stops():
    tests = ["generic/001", "generic/002"]
    run = Run(PANIC, "--stop-on-crash", tests=tests)
    got = {name: event.get("status") for name, event in run.tests.items()}
    run.says(run.outcome.status == 3 and run.last.get("boots") == 1 and
             got == {"generic/001": "crash", "generic/002": "unreached"}, "--stop-on-crash", got, run.last)
    run = Run(HANG, "--timeout", "5", tests=tests)
    got = {name: event.get("status") for name, event in run.tests.items()}
    run.says(run.outcome.status == 4 and got.get("generic/002") == "unreached" and
             5 <= run.outcome.seconds < patient(30), "--timeout ends the run", got, run.last)


def no_boot():
    """If the tests cannot be run, the exit status is 5, with the reason."""
    for what, script, says in (("ends at once", "exit 1", "the VM ended before"),
                               ("has no disk",
                                LATER + "status started; echo 'rootlet: no disk'; status exit 120",
                                "run the tests: no disk"),
                               ("panics at boot", "console 'Kernel panic - not syncing: no init'", "no init"),
                               ("prints nothing", LATER + "status started; status exit 0",
                                "cannot run the tests"),
                               ("runs no test", "finish 0", "cannot run the tests"),
                               ("does not know an option", "echo 'check options'; finish 1",
                                "tests: check options")):
        run = Run(script, tests=["--unknown"] if "option" in what else ["generic/001"])
        error = run.last.get("error", {}).get("message", "")
        run.says(run.outcome.status == 5 and run.last.get("status") == "error" and re.search(says, error) and
                 re.search(says, run.outcome.err), f"a guest that {what}")


LACKS = r"""
printf 'generic/00%d\n' 1 2 3 >$results/rootlet.list
mkdir -p $results/generic
running generic/001; echo ' 1s'
echo '/opt/rootlet/fstests/ltp/fsstress: error while loading shared libraries: libx.so.2: cannot open' \
	>$results/generic/002.FILE
running generic/002; echo ' LINE'
running generic/003; sleep 100; echo ' 100s'
finish 0
"""


def unstartable():
    """The result of a test whose program did not start means nothing, so the run ends."""
    for what, suffix, line in (("fails", "out.bad", "- output mismatch (see /x/002.out.bad)"),
                               ("passes", "full", "1s"),
                               ("does not run", "notrun", "[not run] no such feature")):
        run = Run(LACKS.replace("FILE", suffix).replace("LINE", line), tests=["-g", "auto"])
        got = {name: test["status"] for name, test in run.tests.items()}
        run.says(run.outcome.status == 5 and run.last.get("status") == "error" and
                 run.outcome.seconds < 90 and
                 got == {"generic/001": "pass", "generic/002": "unreached", "generic/003": "unreached"} and
                 re.search(r"generic/002: the guest cannot start a program: .*fsstress: .*libx.so.2.*; fix: "
                           r".*--build",
                           run.outcome.err), f"a test that {what} because its program does not start", got)


def needs_told():
    """MINI has one program that tests start: check."""
    run = Run(ALL_PASS, tests=["-g", "auto"])
    run.says(run.read("results/rootlet.needs") == "script\t/bin/bash\tcheck\t\n",
             "the guest gets the list of libraries that fstests programs need",
             run.read("results/rootlet.needs"))


# --- display ----- --------------------------------------------------------------------------------

SLOW = r"""
printf 'generic/00%d\n' 1 2 3 >$results/rootlet.list
running generic/001; sleep 1; echo ' 1s'
running generic/002; sleep 1; echo '[not run] for a reason'
running generic/003; sleep 3; echo ' 3s'
finish 0
"""


def shown():
    """The progress line; the second run knows from the first one how long each test takes."""
    for what, last in (("a first run",
                        r"3/3  generic/003 0:0[12]  1 passed, 0 failed, 1 not run  0:0\d left"),
                       ("a second run",
                        r"1/3  generic/001 0:0\d  0 passed, 0 failed, 0 not run  0:0[45] left")):
        with Terminal(home, *words("--root-transport", "dir", tests=["-g", "auto"]),
                      environment=environment(SLOW)) as terminal:
            found = terminal.expect(last, 60)
            status = terminal.wait(60)
        tap.report(found and status == 0,
                   f"on a terminal, {what} shows the test, the counts and the time left",
                   repr(terminal.text[-1500:]))
        # The latest run reached none of them, so it says nothing about their duration.
        cut_short = "state/rootlet/runs/29990101-000000-ext4"
        home.write(f"{cut_short}/tests.jsonl", "".join(
            f'{{"name": "generic/00{n}", "status": "unreached", "seconds": 0}}\n' for n in (1, 2, 3)))
        home.write(f"{cut_short}/run.json", "{}")
    tap.report(re.search(r"\nfirst test after 0:\d\d\r?\n", terminal.text),
               "on a terminal, the time to the first test is shown",
               terminal.text[-500:])


THREE = ["generic/001", "generic/002", "generic/003"]
# A test ends once $results/go exists.
TOGETHER = OBEDIENT.replace("running $word; ",
                            "running $word; until [[ -e $results/go ]]; do sleep 0.1; done; ")


def shown_together():
    """Two guests at once: the progress line has both tests. They begin with the test that took longest on
    this filesystem, even if the newest run was on another one."""
    for name, fstype, durations in (("29990102-000000-ext4", "ext4", (1, 2, 30)),
                                    ("29990103-000000-xfs", "xfs", (90, 1, 1))):
        write_run(home, name, [result(test, seconds=seconds) for test, seconds in zip(THREE, durations)],
                  fstype=fstype)
    run = Run(OBEDIENT, "--jobs", "2", "--cpus", "1", "--memory", "512M", tests=THREE)
    begun = [event["name"] for event in run.events if event["event"] == "progress" and event.get("name")]
    run.says(run.outcome.status == 0 and begun[0] == THREE[2] and sorted(begun) == THREE,
             "the longest test by earlier runs on the same filesystem starts first", begun)
    with Terminal(home, *words("--root-transport", "dir", "--jobs", "2", "--cpus", "1", "--memory", "512M",
                               tests=THREE), environment=environment(TOGETHER), size=(24, 120)) as terminal:
        found = terminal.expect(r"2/3  generic/00\d 0:\d\d, generic/00\d 0:\d\d  0 passed[^\r]* left", 60)
        for path in glob.glob(home.state("runs/*/**/words.1"), recursive=True):
            home.write(os.path.relpath(f"{os.path.dirname(path)}/go", home.dir), "")
        status = terminal.wait(60)
    tap.report(found and status == 0,
               "on a terminal, the line shows what each of two guests runs, and for how long",
               repr(terminal.text[-1500:]))
    for name in ("29990102-000000-ext4", "29990103-000000-xfs"):
        shutil.rmtree(home.state(f"runs/{name}"))


# --- --build --------------------------------------------------------------------------------------

def build_leftovers():
    """Leftovers of a killed build of other sources; this build cannot get a rootfs to build in."""
    cache = f"{home.cache}/rootlet/fstests"
    home.make_dir(f"{home.cache}/rootlet")
    home.write(".cache/rootlet/fstests/.new-0123/tests/file", "x")
    with Tidy(home) as tidy:
        outcome = home.run(*words("--build"), seconds=120,
                           environment=environment("exit 1", http_proxy="http://[::1]:9"))
        wrong = tidy.complaints()
    tap.report(outcome.status == 5 and not wrong and not glob.glob(f"{cache}/.new-*"),
               "--build removes leftovers of killed builds and leaves none of its own", *wrong,
               os.listdir(cache), outcome)


def plant_build(more=b""):
    """Puts MINI into the cache as if it had been built: its name has the hash of its source and of its build
    script; MORE is added for a different script."""
    with open(f"{inside(TREE)}/etc/rootlet/manifest.json", encoding="utf-8") as file:
        made = json.load(file)
    archive = subprocess.run(["tar", "-C", MINI, "--sort=name", "--mtime=@0", "--owner=0", "--group=0",
                              "--numeric-owner",
                              "--exclude=./.git", "--null", "-T", "/dev/stdin", "-c"], input=b".\0",
                             stdout=subprocess.PIPE, check=True).stdout
    cache = home.make_dir(f"{home.make_dir(f'{home.cache}/rootlet')}/fstests")
    with open(f"{SOURCE}/frontend/guest/build-fstests.sh", "rb") as file:
        parts = [hashlib.sha256(data).digest() for data in (archive, file.read() + more)]
    directory = f"{cache}/{made['suite']}-{made['arch']}-{hashlib.sha256(b''.join(parts)).hexdigest()}"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(MINI, directory)
    os.symlink("check", f"{directory}/link")
    if home.user.uid is not None:
        subprocess.run(["chown", "-hR", f"{home.user.uid}:{home.user.gid}", directory], check=True)
    sums.write(directory)
    return directory


def relink(path):
    os.unlink(path)
    os.symlink("czeck", path)


def images_there():
    directory = f"{home.cache}/rootlet/images"
    return {name: os.stat(f"{directory}/{name}").st_mtime_ns for name in os.listdir(directory)
            if name[0] != "."}


def built():
    """A build is reused as long as it is undamaged; nothing can be rebuilt here."""
    def run():
        with Tidy(home) as tidy:
            outcome = home.run(*words("--build", tests=["-g", "auto"]), seconds=120,
                               environment=environment(ALL_PASS, http_proxy="http://[::1]:9"))
            return outcome, tidy.complaints(), images_there()

    plant_build(b"# another one")
    outcome, wrong, _ = run()
    tap.report(outcome.status == 5 and not wrong, "--build: a build from another script is not used", *wrong,
               outcome)
    plant_build()
    (first, wrong, before), (again, more, after) = run(), run()
    tap.report(first.status == again.status == 0 and not wrong + more and before == after,
               "--build: an existing build and its image are reused", *wrong, *more, first, again, before,
               after)
    for what, damage in {"a bit": lambda at: sums.flip(f"{at}/check"),
                         "a link": lambda at: relink(f"{at}/link"),
                         "all of its sums": lambda at: os.unlink(f"{at}/.sums")}.items():
        damage(plant_build())
        outcome, wrong, _ = run()
        tap.report(outcome.status == 5 and not wrong and
                   "the fstests build in the cache is damaged, rebuilding it: " in outcome.err,
                   f"--build: a build with damage to {what} is not used", *wrong, outcome)


def build_rootfs():
    """A damaged build rootfs is not used, and there is no other here; the undamaged one cannot build
    anything."""
    if not AS_ROOT:
        tap.skip("--build in a damaged rootfs", "needs root to copy and damage another user's files")
        return
    with open(f"{inside(TREE)}/etc/rootlet/manifest.json", encoding="utf-8") as file:
        made = json.load(file)
    directory = home.make_dir(f"{home.make_dir(f'{home.cache}/rootlet')}/build")
    name = f"{made['suite']}-{made['arch']}"
    place = f"{directory}/{name}"
    subprocess.run(["cp", "-a", TREE, place], check=True)
    sums.write_digest(home.user, directory, name)
    shutil.copytree(MINI, f"{home.dir}/other-fstests", dirs_exist_ok=True)
    home.write("other-fstests/Makefile", "default:\n\tfalse\n")
    line = [word if word != MINI else f"{home.dir}/other-fstests" for word in words("--build")]
    for what, damage, says in (
            ("nothing", lambda: None, "make failed"), ("nothing after a build", lambda: None, "make failed"),
            ("a bit", lambda: sums.flip(f"{inside(place)}/etc/passwd"),
             "rootfs in the cache is damaged, rebuilding it: its digest"),
            ("all of its digest", lambda: os.unlink(f"{directory}/.{name}.digest"),
             "rootfs in the cache is damaged, rebuilding it: its saved digest is missing")):
        damage()
        with Tidy(home) as tidy:
            outcome = home.run(*line, seconds=120,
                               environment=environment("exit 1", http_proxy="http://[::1]:9"))
            wrong = tidy.complaints()
        tap.report(outcome.status == 5 and re.search(says, outcome.err) and not wrong and
                   ("damaged" in outcome.err) == ("damaged" in says),
                   f"--build in a rootfs with damage to {what}", *wrong, outcome)


# --- tests that run more than once --------------------------------------------------------------------

# Runs the tests that it is told to. The function `verdict` gets a test and how often that has run.
SERVE = LATER + r"""
status started
says="ready 0$more"
while echo "$token $says" && IFS=$'\037' read -ra order; do
	case ${order[0]} in
	list) printf '%s\n' generic/001 generic/002 >$results/rootlet.list; continue ;;
	end) break ;;
	esac
	says="ready 0$more"
	for test in "${order[@]:1}"; do
		[[ $test == */* ]] || continue
		[[ -z $more ]] || says=more
		runs=$results/runs.${test//\//-}
		echo >>"$runs"
		running "$test"
		case $(verdict "$test" "$(wc -l <"$runs")") in
		pass) echo ' 1s' ;;
		fail) echo '- output mismatch (see /x/y.out.bad)' ;;
		none) echo '[not run] this test requires a valid device' ;;
		crash) console 'Kernel panic - not syncing: sysrq triggered crash'; status; exit ;;
		esac
	done
done
status exit 0
"""
PAIR = ["generic/001", "generic/002"]


def served(verdict, *more, asks=" more", tests=PAIR):
    """Returns a run whose tests end as the shell function's body VERDICT says, and their statuses."""
    script = SERVE.replace(LATER, f"{LATER}more='{asks}'\nverdict() {{\n{verdict}\n}}\n")
    run = Run(script, *more, tests=tests)
    got = {}
    for event in run.events:
        if event["event"] == "test":
            got.setdefault(event["name"], []).append(event["status"])
    return run, got


def repeated():
    always, never = "echo pass", 'echo fail'
    second_fails = '[[ $1 == generic/001 && $2 == 2 ]] && echo fail || echo pass'
    passes_again = '[[ $1 == generic/001 && $2 -lt 3 ]] && echo fail || echo pass'
    crashes_once = '[[ $1 == generic/001 && $2 == 1 ]] && echo crash || echo pass'
    for what, verdict, line, status, expected in (
            ("--repeat", always, ["--repeat", "3"], 0, (["pass"] * 3, ["pass"] * 3)),
            ("--repeat, and one failure", second_fails, ["--repeat", "3"], 1,
             (["pass", "fail", "pass"], ["pass"] * 3)),
            ("--repeat, and a crash", crashes_once, ["--repeat", "2"], 3, (["crash", "pass"], ["pass"] * 2)),
            ("--repeat with a test that does not run", '[[ $1 == generic/001 ]] && echo none || echo pass',
             ["--repeat", "3"], 0, (["notrun"], ["pass"] * 3)),
            ("--until-failure", second_fails, ["--until-failure"], 1, (["pass", "fail"], None)),
            ("--until-failure with a limit", always, ["--until-failure", "--repeat", "2"], 0,
             (["pass"] * 2, ["pass"] * 2)),
            ("--retry-failed", passes_again, ["--retry-failed", "3"], 0,
             (["fail", "fail", "pass"], ["pass"])),
            ("--retry-failed that do not suffice", passes_again, ["--retry-failed", "1"], 1,
             (["fail", "fail"], ["pass"])),
            ("--retry-failed of tests that always fail", never, ["--retry-failed", "2"], 1,
             (["fail"] * 3, ["fail"] * 3)),
            ("--retry-failed after a crash", crashes_once, ["--retry-failed", "1"], 3,
             (["crash", "pass"], ["pass"]))):
        for asks in (" more", ""):
            run, got = served(verdict, *line, asks=asks)
            run.says(run.outcome.status == status and got.get(PAIR[0]) == expected[0] and
                     expected[1] in (got.get(PAIR[1]), None),
                     f"{what}: the tests run as often as that{'' if asks else ', with an older check'}", got)
    run, got = served(always, "--repeat", "8", "--jobs", "3", "--cpus", "1", "--memory", "512M",
                      tests=PAIR[:1])
    run.says(run.outcome.status == 0 and got == {PAIR[0]: ["pass"] * 8},
             "--repeat: several guests share one test", got)
    run, got = served(second_fails, "--repeat", "3")
    lines = [json.loads(line) for line in run.read("tests.jsonl").splitlines()]
    run.says([one.get("repetition") for one in lines if one["name"] == PAIR[0]] == [None, 2, 3],
             "each repetition has a line in tests.jsonl", lines)
    outcome = home.run("runs", "show", run.last["run"])
    tap.report("failed 1 of 3 times: generic/001 (33.3 %; 95 % interval 6.1 to 79.2 %)" in outcome.out,
               "runs show says how often a test failed", outcome)
    run, _ = served(passes_again, "--retry-failed", "3", "--junit", "retried.xml")
    with open(f"{home.dir}/retried.xml", encoding="utf-8") as file:
        junit = file.read()
    run.says([one.get("excuse") for one in run.last["failures"]] == ["retried"] * 2 and
             'failures="0" errors="0" skipped="2"' in junit and 'name="generic/001 (3)"' in junit,
             "a failure that passed on a retry is excused", run.last, junit)


def quarantined():
    """A known flake does not fail the run; a new failure, a regression and a crash do."""
    at = f"{home.dir}/quarantine"
    os.makedirs(at)
    shutil.chown(at, home.user.name if AS_ROOT else None)
    flaky = {"generic/001": "fail", "generic/002": "pass"}
    for number in range(6):
        write_run(home, f"{number}-ext4", {name: status if number < 2 else "pass"
                                           for name, status in flaky.items()},
                  at="quarantine/rootlet/runs", image="a" * 64, began=number)
    for what, verdict, line, status, excuses in (
            ("a known flake", '[[ $1 == generic/001 ]] && echo fail || echo pass', [], 0, ["quarantined"]),
            ("a new failure", '[[ $1 == generic/002 ]] && echo fail || echo pass', [], 1, [None]),
            ("both", "echo fail", [], 1, ["quarantined", None]),
            ("a flake that now fails always", '[[ $1 == generic/001 ]] && echo fail || echo pass',
             ["--repeat", "8"], 1, [None] * 8),
            ("a flake that crashes the kernel", '[[ $1 == generic/001 ]] && echo crash || echo pass', [], 3,
             [None])):
        script = SERVE.replace(LATER, f"{LATER}more=' more'\nverdict() {{\n{verdict}\n}}\n")
        outcome = home.run(*words("--json", "--quarantine", *line, tests=PAIR), seconds=120,
                           environment=environment(script, XDG_STATE_HOME=at))
        _, last, wrong = stream("fstests", outcome)
        failures = sorted(last.get("failures", ()), key=lambda one: one["name"])
        tap.report(outcome.status == status and [one.get("excuse") for one in failures] == excuses and
                   not wrong, f"--quarantine: {what} ends with {status}", failures, *wrong, outcome)
        shutil.rmtree(last.get("results", f"{at}/none"))


# --- configurations ------------------------------------------------------------------------------------

MINE = """[filesystem]
type = ext4
kernel = EXT4_FS
[one]
mkfs = -b 1024
exclude = generic/002: of no use here
[two]
mkfs = -b 2048
[three]
kernel = NO_SUCH
[four]
packages = no-such
"""
# Every test passes, except in a section that cannot be prepared.
SECTIONS = r"""
while [[ ${order[0]} == run ]]; do
	echo "${order[*]}" >>"$results/orders"
	if [[ ${order[2]} == mine_%s ]]; then
		echo "rootlet: section ${order[2]}: the guest lacks x"
		failed=1
	else
		echo "SECTION       -- ${order[2]}"
		for test in "${order[@]:3}"; do running "$test"; echo ' 1s'; done
		failed=0
	fi
	echo "$token ready $failed"
	IFS=$'\037' read -ra order
done
status exit 0
"""


def configured():
    """Each configuration is a section, and check gets one at a time."""
    home.write("config/rootlet/configurations/mine.conf", MINE)
    both = ["-c", "mine/one,mine/two"]
    run = Run(SECTIONS % "none", *both, tests=["generic/001", "generic/002"])
    found = {(event["section"], event["name"]): (event["status"], event.get("reason", ""))
             for event in run.events if event["event"] == "test"}
    run.says(run.outcome.status == 0 and found == {
        ("mine_one", "generic/001"): ("pass", ""), ("mine_two", "generic/001"): ("pass", ""),
        ("mine_two", "generic/002"): ("pass", ""),
        ("mine_one", "generic/002"): ("excluded", "of no use here")},
             "tests run in each configuration, but not those that it excludes", found)
    orders = run.read("results/orders").splitlines()
    form = re.compile(r"run -s mine_(one|two)( generic/00[12])+")
    run.says(orders and all(form.fullmatch(order) for order in orders),
             "check gets one configuration at a time", *orders)
    run.says("'ROOTLET_CONFIG=catalogue'" in run.read("results/command.1") and
             run.read("results/local.config").startswith(
                 "[mine_one]\nFSTYP=ext4\nMKFS_OPTIONS=\"-b 1024\"\n"),
             "the guest gets the sections", run.read("results/local.config"))
    run = Run(SECTIONS % "two", *both, tests=["generic/001", "generic/002"])
    found = [(event["section"], event["name"], event["status"]) for event in run.events
             if event["event"] == "test"]
    run.says(run.outcome.status == 5 and "section mine_two: the guest lacks x" in run.outcome.err and
             ("mine_one", "generic/001", "pass") in found and
             ("mine_two", "generic/001", "unreached") in found,
             "a configuration that cannot be prepared does not keep others from running", found)
    run = Run(SECTIONS % "none", *both[:1], "mine/one", tests=["generic/002"])
    run.says(run.outcome.status == 0 and not run.read("results/orders") and
             [event["status"] for event in run.events if event["event"] == "test"] == ["excluded"],
             "nothing runs if a configuration excludes all tests", run.read("results/orders"))
    for what, chosen, says, status in (
            ("the kernel lacks an option", "mine/three",
             "cannot run mine/three needs CONFIG_NO_SUCH; leave it out", 2),
            ("the rootfs lacks a package", "mine/four", "run: rootlet install no-such$", 5)):
        refused(f"{what}: said before a boot", says, *words("-c", chosen, tests=["generic/001"]),
                status=status)


def smoke():
    run = Run(ALL_PASS, tests=["smoke"])
    run.says(run.read("results/check.1") == "'-g' 'smoketest' " and
             "'SOAK_DURATION=3m'" in run.read("results/command.1"), "smoke is a short soak test",
             run.read("results/check.1"))


def in_tree():
    """Without --kernel, the tree around the working directory."""
    top = f"{home.dir}/linux"
    for name in ("Kbuild", "Kconfig", "MAINTAINERS", "scripts/Kbuild.include", "init/main.c",
                 "fs/ext4/inode.c"):
        home.write(f"linux/{name}", "")
    home.write("linux/.config", MAGIC + EROFS + EXT4)
    shutil.copy(WHOLE, home.write("linux/arch/x86/boot/bzImage", ""))
    line = [word for word in words("--json", tests=["generic/001"]) if word not in ("--kernel", WHOLE)]
    for what, directory in (("its top", top), ("a directory of it", f"{top}/fs/ext4")):
        outcome = home.run(*line, before=("env", "-C", directory), environment=environment(ALL_PASS),
                           seconds=120)
        tap.report(outcome.status == 0 and f"the kernel is that of {top}" in outcome.out,
                   f"without --kernel, a kernel tree is used in {what}", outcome)
    os.unlink(f"{top}/arch/x86/boot/bzImage")
    for command in (line, ["run", "--path", TREE, "--", "true"]):
        outcome = home.run(*command, before=("env", "-C", f"{top}/fs"), environment=environment("exit 1"),
                           seconds=120)
        tap.report(outcome.status in (2, 5) and f"run: make -C {top} bzImage" in outcome.err + outcome.out,
                   f"{command[0]}: nothing has been built in the tree", outcome)


# Arguments name the only cases to run.
for part in (configured, smoke, in_tree, asked_for, overlays, disks, chosen, known, preferred, virtiofs,
             files, suffixed, excluded, excluded_in_sections, excludes_reported, unsound_baseline, busy_host,
             unbooted, oops, counted, stops, no_boot, unstartable, needs_told, shown, shown_together,
             build_leftovers, built, build_rootfs, repeated, quarantined):
    if len(sys.argv) < 2 or part.__name__ in sys.argv:
        part()
tap.done()
