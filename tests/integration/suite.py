"""rootlet fstests over the miniature of fstests in tests/fstests-mini, on a real kernel: tests that
pass, fail, do not run, crash the kernel and do not end; what is told of them and what is left."""
import contextlib
import glob
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

from support import tap
from support.schemas import document, stream
from support.world import (BUILD, SCRATCH, SHARED, SOURCE, Case, Tidy, children, command_of, fstests_rootfs, kill, play,
                           wait_until)

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
home = fstests_rootfs()
MINI = f"{home.folder}/fstests-mini"
RUNS = f"{home.folder}/state/rootlet/runs"
SMALL = ["--memory", "1G", "--devices", "3", "--device-size", "512M"]
# Of the guest's start and of a test, on a busy host that emulates it.
PATIENCE = 1200


def copy_mini(carried=True):
    """The user's own, so that it could be written to. It has a program whose library no rootfs has; CARRIED:
    it comes with the tree."""
    shutil.rmtree(MINI, ignore_errors=True)
    shutil.copytree(f"{SOURCE}/tests/fstests-mini", MINI)
    os.makedirs(f"{MINI}/src")
    shutil.copy(f"{BUILD}/tests/absent", f"{MINI}/src/absent")
    if carried:
        os.makedirs(f"{MINI}/.rootlet/lib")
        shutil.copy(f"{BUILD}/tests/librootlet-absent.so", f"{MINI}/.rootlet/lib/librootlet-absent.so.3")
    if home.user.uid is not None:
        subprocess.run(["chown", "-R", f"{home.user.uid}:{home.user.gid}", MINI], check=True)


def words(*more, tests=(), kernel="distro"):
    return ["fstests", "--kernel", kernel, "--fstests", MINI, *SMALL, *more,
            *(["--", *tests] if tests else [])]


def events(outcome):
    found = []
    for line in outcome.out.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            tap.report(False, "every line of --json is JSON", line)
    return found


def run_json(*more, tests=(), kernel="distro", folders=()):
    with Tidy(home, *folders) as tidy:
        outcome = home.run(*words("--json", *more, tests=tests, kernel=kernel), seconds=PATIENCE)
        wrong = tidy.complaints()
    wrong += stream("fstests", outcome)[2] if outcome.out else []
    seen = events(outcome)
    last = seen[-1] if seen else {}
    return outcome, seen, last, wrong


def tree_of_fstests():
    """What would be others if something were written there."""
    return {path: (os.lstat(path).st_mtime_ns, os.lstat(path).st_size) for folder, names, files in os.walk(MINI)
            for path in (folder, *(f"{folder}/{name}" for name in files))}


def everything():
    """All of them: three boots, since one test crashes the kernel and another does not end."""
    junit = f"{home.folder}/junit.xml"
    exclude = home.write("exclude.list", "# of another machine\ngeneric/004 # hangs\n")
    before = tree_of_fstests()
    outcome, seen, last, wrong = run_json("--test-timeout", "60", "--junit", junit, "--mkfs-options", "-b 2048",
                                          tests=["-g", "all", "-E", exclude])
    tap.report(outcome.status == 3 and last.get("event") == "result" and
               last.get("status") == "crashed" and last.get("exit_status") == 3,
               "a run in which the kernel crashes", outcome)
    tap.report(not wrong, "nothing of it stays", *wrong)
    tests = {event["name"]: event for event in seen if event.get("event") == "test"}
    for name, status, reason in (("generic/001", "pass", ""), ("generic/002", "fail", "output mismatch"),
                                 ("generic/003", "notrun", "^this kernel has no such thing; and no other$"),
                                 ("generic/004", "expunged", ""),
                                 ("mini/101", "crash", "sysrq triggered crash"),
                                 ("mini/102", "timeout", r"no end after 60 s"),
                                 ("mini/103", "pass", ""), ("mini/104", "pass", ""),
                                 ("mini/105", "fail", r"^in dmesg: WARNING: CPU: 0 PID: 1 at fs/mini/file.c:34"),
                                 ("mini/106", "pass", "")):
        event = tests.get(name, {})
        tap.report(event.get("status") == status and re.search(reason, event.get("reason", "")),
                   f"{name}: {status}", event)
    tap.report("-two" in tests.get("generic/002", {}).get("detail", ""),
               "a failure comes with the difference", tests.get("generic/002"))
    tap.report("sysrq_handle_crash" in tests.get("mini/101", {}).get("detail", ""),
               "a crash comes with the trace", tests.get("mini/101"))
    tap.report("mini_caller" in tests.get("mini/105", {}).get("detail", ""),
               "a complaint in dmesg comes with its trace", tests.get("mini/105"))
    tap.report(last.get("boots") == 3, "the tests behind a crash and a hang run in a fresh VM", last)
    kernel = [(event["kind"], event["test"]) for event in seen if event.get("event") == "kernel"]
    tap.report(kernel == [("panic", "mini/101"), ("WARNING", "mini/104"), ("WARNING", "mini/105")],
               "what the kernel says is told, with the test that ran", kernel)
    tap.report(last.get("counts", {}).get("pass") == 4, "the counts", last.get("counts"))
    progress = [event for event in seen if event.get("event") == "progress"]
    tap.report(progress and progress[-1]["total"] == 10, "how many tests there are is known",
               progress[-1:])
    folder = last.get("results", "")
    tap.report(sorted(os.listdir(folder)) == ["check.out", "console.log", "kernel.jsonl", "results",
                                              "run.json", "tests.jsonl"], "the run's folder", folder)
    tap.report(os.path.exists(f"{folder}/results/mini/101.full") and
               open(f"{folder}/results/mini/101.full", encoding="utf-8").read() == "the last line before it\n",
               "what a test wrote is there up to the crash's last line")
    with open(f"{folder}/results/mini/106.full", encoding="utf-8") as file:
        seen = file.read()
    tap.report("\nblock 2048\n" in seen, "--mkfs-options go to the type's own mkfs", seen)
    tap.report("\nconfig 1\n" in seen, "tests find the kernel's configuration", seen)
    tap.report(seen.endswith("\nloaded 3\n"), "a program finds the library that came with fstests", seen)
    with open(f"{folder}/run.json", encoding="utf-8") as file:
        record = json.load(file)
    tap.report(record.get("root") == "image", "the release's kernel gets an image as root", record)
    tap.report(record.get("first_test_seconds", 0) > 0,
               "how long it took to the first test is kept", record)
    tap.report(tree_of_fstests() == before, "fstests' own tree is as it was")
    with open(f"{folder}/console.log", encoding="utf-8", errors="replace") as file:
        tap.report(file.read().count("Linux version") == 3, "the console of every boot is kept")
    bad = glob.glob(f"{folder}/results/generic/002.out.bad")
    tap.report(bad and (home.user.uid is None or os.lstat(bad[0]).st_uid == home.user.uid),
               "fstests' own files are there, and the user's", bad)
    root = xml.etree.ElementTree.parse(junit).getroot()
    tap.report((root.get("tests"), root.get("failures"), root.get("errors"), root.get("skipped")) ==
               ("11", "2", "2", "3") and len(root.findall("testcase")) == 11, "JUnit's file",
               root.attrib)
    return last.get("run")


def shown(run):
    play(Case("runs list", ["runs"], 0, [rf"^{run} +crashed +ext4 +4 +4 +2 "]), home)
    play(Case("runs show", ["runs", "show", run], 0,
              [r"^crashed:  mini/101 \(\d+ s\): Kernel panic", r"^no end:   mini/102",
               r"^failed:   generic/002 .*output mismatch\n +--- ", r"^failed:   mini/105 .*: in dmesg: WARNING",
               r"^not run: this kernel has no such thing; and no other: generic/003 generic/005$",
               r"check.out, console.log"]), home)
    play(Case("runs show last --json", ["runs", "show", "last", "--json"], 0, f'"run": ?"{run}"'), home)
    for name, line in (("runs-show", ["runs", "show", run]), ("runs-list", ["runs"]),
                       ("runs-compare", ["runs", "compare", run, run])):
        value, wrong = document(name, home.run(*line, "--json"))
        tap.report(bool(value) and not wrong, f"--json of {' '.join(line[:2])} fits its schema", *wrong)
    play(Case("runs show of none", ["runs", "show", "nosuch"], 1, "no run nosuch.*runs list"), home)
    play(Case("runs compare with itself", ["runs", "compare", run, run], 0,
              "0 newly fail, 0 newly pass, 4 still fail"), home)


def lines_and_baseline(run):
    """What a person sees, and another --results folder; one test is mended, another one broken."""
    results = f"{home.folder}/results-of-mine"
    device = home.write("device", b"")
    os.truncate(device, 512 << 20)
    for name, text in (("tests/generic/002.out", "one\nnot two\n"), ("tests/generic/001.out", "x\n")):
        with open(f"{MINI}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    with Tidy(home) as tidy:
        outcome = home.run(*words("--baseline", run, "--results", results, "--device-backing", "tmpfs",
                                  "--io-scheduler", "none", "--devices", "7", "--device", device,
                                  "--mkfs", "mkfs.ext4 -q -F -I 512", "--mkfs-options", "-b 1024",
                                  "--mount-options", "-o noatime", "--cpus", "2",
                                  "--append", 'mini.word=1 mini.quoted="a b"',
                                  tests=["generic/001", "generic/002", "mini/106"]), seconds=PATIENCE)
        wrong = tidy.complaints()
    tap.report(outcome.status == 1 and not wrong, "a run in which a test fails", *wrong, outcome)
    for what, pattern in {"a line for each test": r"^generic/002 +pass +\d+ s$",
                          "a table of failures": r"^failed:   generic/001 .*\n +--- ",
                          "counts": r"^failed: 2 passed, 1 failed, 0 not run, in [\d:]+ and 1 boot$",
                          "newly fails": r"^newly fails: generic/001 \(pass before, fail now\)$",
                          "newly passes": r"^newly passes: generic/002 \(fail before, pass now\)$",
                          "where the logs are": rf"^run .*: {results}$"}.items():
        tap.report(bool(re.search(pattern, outcome.out + outcome.err, re.M)), f"it shows {what}",
                   outcome)
    tap.report(os.path.exists(f"{results}/run.json"), "--results DIR")
    as_wished(f"{results}/results/mini/106.full", device)
    play(Case("fstests into a folder that is not empty", words("--results", results), 5, "not empty"),
         home)
    play(Case("runs compare", ["runs", "compare", run, "last"], 1, "1 newly fail, 1 newly pass"), home)
    copy_mini()


def as_wished(path, device):
    """What the guest's mini/106 saw of the options, and the user's own disk afterwards."""
    with open(path, encoding="utf-8") as file:
        seen = file.read()
    for what, pattern in {"one test disk, five to scratch, one for the log":
                              rf"^test {512 << 20}\n(scratch {512 << 20}\n){{5}}log {512 << 20}$",
                          "--io-scheduler, on each": r"^(scheduler .*\[none\].*\n){7}(?!scheduler)",
                          "--mkfs": "^inode 512$", "--mkfs-options with it": "^block 1024$", "--mount-options": r"^/dev/\S+ /mnt/test ext4 \S*noatime",
                          "--cpus": "^cpus 2$", "--memory": r"^memory (8|9|10)\d{5}$",
                          "--append": r"^words .*\bmini\.word=1\b",
                          "--append with quotes": r'^words .*"mini\.quoted=a b"'}.items():
        tap.report(bool(re.search(pattern, seen, re.M)), f"in the guest: {what}", seen)
    with open(device, "rb") as file:
        file.seek(1024 + 56)
        tap.report(file.read(2) == b"\x53\xef", "--device: the tests' filesystem is on the user's own file")


def sections():
    """Two sections of a configuration, neither of --fstype's filesystem; in each a test crashes. mini/103
    looks for the section's filesystem on its device."""
    config = home.write("sections.config", "[one]\nFSTYP=xfs\nMKFS_OPTIONS=-m reflink=0\n"
                                           "[two]\nFSTYP = ext3\n")
    outcome, seen, last, wrong = run_json("--config", config, tests=["mini/101", "mini/103"])
    got = [(e["section"], e["name"], e["status"]) for e in seen if e.get("event") == "test"]
    play(Case("runs list: the filesystems of its sections", ["runs"], 0, [rf"^{last.get('run')} +crashed +xfs,ext3 "]),
         home)
    tap.report(outcome.status == 3 and not wrong and
               got == [("one", "mini/101", "crash"), ("one", "mini/103", "pass"),
                       ("two", "mini/101", "crash"), ("two", "mini/103", "pass")],
               "sections: each test of each, whatever crashes", got, *wrong, outcome)


def stops():
    outcome, seen, last, wrong = run_json("--stop-on-crash", tests=["mini/101", "mini/103"])
    got = {e["name"]: e["status"] for e in seen if e.get("event") == "test"}
    tap.report(outcome.status == 3 and not wrong and
               got == {"mini/101": "crash", "mini/103": "unreached"} and last.get("boots") == 1,
               "--stop-on-crash", got, *wrong, outcome)
    outcome, seen, last, wrong = run_json("--timeout", "90", tests=["mini/102", "mini/103"])
    got = {e["name"]: e["status"] for e in seen if e.get("event") == "test"}
    tap.report(outcome.status == 4 and not wrong and got.get("mini/103") == "unreached",
               "--timeout ends the run", got, *wrong, outcome)


def unstartable():
    """A program without its library is an error of the run, which ends before the tests."""
    copy_mini(carried=False)
    outcome, seen, last, wrong = run_json(tests=["generic/001", "generic/002"])
    got = [event["name"] for event in seen if event.get("event") == "test"]
    says = r"cannot start programs of fstests: src/absent: librootlet-absent\.so\.3: cannot open shared object"
    tap.report(outcome.status == 5 and not wrong and not got and last.get("status") == "error" and
               re.search(says, outcome.err), "a program that the guest cannot load is no failed test", got,
               *wrong, outcome)
    copy_mini()


def other_roots():
    before = tree_of_fstests()
    outcome, seen, last, wrong = run_json("--root-transport", "dir", "--force-9p",
                                          tests=["generic/001", "mini/103", "mini/107"])
    tap.report(outcome.status == 0 and not wrong and last.get("counts", {}).get("pass") == 3,
               "--root-transport dir", *wrong, outcome)
    # That one is in no group, and needs no other guest.
    hostile = [e for e in seen if e.get("event") == "test" and e["name"] == "mini/107"]
    tap.report([e["status"] for e in hostile] == ["pass"], "a hostile guest writes to none of the directories "
               "that are shared read-only, and sets no setuid bit", *hostile)
    tap.report(tree_of_fstests() == before, "--root-transport dir: fstests' own tree is as it was")
    outcome, seen, last, wrong = run_json("--host-root", tests=["generic/001"],
                                          kernel=distribution_kernel())
    tap.report(outcome.status == 0 and not wrong and last.get("counts", {}).get("pass") == 1,
               "--host-root", *wrong, outcome)


def image():
    """Built once, built anew when the tree changed, and never written to."""
    images = f"{home.cache}/rootlet/images"

    def names():
        return {name: os.stat(f"{images}/{name}").st_ino for name in os.listdir(images)}

    command = ["run", "--kernel", "distro", "--root-transport", "image", "--", "sh", "-c",
               "echo changed >/etc/hostname; mount | grep ' / '; cat /etc/of-the-shell"]
    first = home.run(*command, seconds=PATIENCE)
    before = names()
    second = home.run(*command, seconds=PATIENCE)
    tap.report("overlay on / type overlay" in first.out + second.out and names() == before,
               "the root image is used again", first, second)
    home.run("shell", "--", "sh", "-c", "echo new >/etc/of-the-shell")
    third = home.run(*command, seconds=PATIENCE)
    tap.report("new" in third.out and names() != before and len(names()) == len(before),
               "the root image is built anew after a change, in place of the old one", third)
    home.run("shell", "--", "rm", "/etc/of-the-shell")
    tap.report(home.run("shell", "--", "cat", "/etc/hostname").out.strip() == "rootlet",
               "what a guest writes is in no image and no rootfs")
    play(Case("a root image where the kernel is known to lack what that takes",
              ["run", "--kernel", bare_kernel(), "--root-transport", "image", "--", "true"], 2,
              "no CONFIG_VIRTIO_BLK.*--root-transport dir"), home)


def distribution_kernel():
    return glob.glob(f"{home.cache}/rootlet/kernels/*-amd64/boot/vmlinuz")[0]


def bare_kernel():
    """The release's kernel, with a configuration beside it that has nothing."""
    folder = home.make_folder(f"{home.folder}/bare")
    shutil.copy(distribution_kernel(), f"{folder}/vmlinuz")
    home.write("bare/config", "# CONFIG_VIRTIO_BLK is not set\nCONFIG_EXT4_FS=y\n")
    return f"{folder}/vmlinuz"


def usage():
    for what, command, says in (
            ("\"-g quick\" in one word", words(tests=["-g quick"]), "is one word.*-- -g quick"),
            ("an option behind a test, and tests that there are not", words(
                tests=["generic/001", "generic/9999", "generic/9", "-x", "shutdown"]),
             "generic/9999 - unknown test; generic/9 - unknown test; .*Arguments before tests, please!"),
            ("a test of a directory that there is not", words(tests=["xfs/001"]), "xfs/001 - unknown test"),
            ("-E of a file that is not there", words(tests=["-E", "nosuch", "generic/001"]),
             "-E nosuch: there is no such file, neither here nor in"),
            ("-X of a name that no directory has", words(tests=["-X", "/etc/passwd", "generic/001"]),
             "-X /etc/passwd: no directory below .* use: -E FILE"),
            ("an option without its value", words(tests=["-g"]), "-g takes a value"),
            ("no kernel", ["fstests", "--fstests", MINI], "--kernel is missing"),
            ("no fstests", ["fstests", "--kernel", "distro"], "--fstests is missing"),
            ("a folder that is no fstests", ["fstests", "--kernel", "distro", "--fstests", "/etc"],
             "no tree of fstests"),
            ("an unknown scheduler", words("--io-scheduler", "cfq"), "mq-deadline, none, bfq or kyber"),
            ("an unknown backing", words("--device-backing", "tape"), "disk or tmpfs"),
            ("a size that is none", words("--device-size", "big"), "not a size"),
            ("a device that is a folder", words("--device", "/etc"), "neither a block device nor a"),
            ("more devices than disks", words("--devices", "1", "--device", "/dev/null", "--device",
                                              "/dev/null"), "2 times --device"),
            ("a baseline that is not there", words("--baseline", "nosuch"), "no run nosuch"),
            ("--host-root with a rootfs", words("--host-root", "--name", "x"), "uses no rootfs"),
            ("runs with an unknown word", ["runs", "remove"], "list, show, compare, prune"),
            ("runs show without a run", ["runs", "show"], "takes 1 run")):
        with Tidy(home) as tidy:
            outcome = home.run(*command, seconds=120)
            wrong = tidy.complaints()
        tap.report(outcome.status == 2 and re.search(says, outcome.err) and not wrong,
                   f"fstests: {what}", *wrong, outcome)


def left_behind():
    """The user's files, sockets among them, outside the run's folder and the cache: there are none to
    be left."""
    owner = os.geteuid() if home.user.uid is None else home.user.uid
    found = []
    for folder in ("/var/tmp", "/tmp", "/tmp/*", "/dev/shm", "/run", "/run/user/*"):
        for path in glob.glob(f"{folder}/*") + glob.glob(f"{folder}/.*"):
            with contextlib.suppress(OSError):
                if os.lstat(path).st_uid == owner and not path.startswith((SCRATCH, SHARED)):
                    found.append(path)
    return found


def deaths():
    """SIGKILL of the front end at random moments, before there is a VM and in it, and the signals that
    people send."""
    before = set(left_behind())
    # In seconds from the start, or with True from when there is a qemu.
    tries = [(signal.SIGKILL, random.uniform(0.2, 40), False) for _ in range(20 if LONG else 2)]
    tries += [(signal.SIGKILL, random.uniform(0.2, 20), True) for _ in range(5 if LONG else 1)]
    tries += [(signal.SIGINT, 5, True), (signal.SIGTERM, 15, True), (signal.SIGHUP, 15, True)]
    host = ["--host-root"]  # where no namespace ends it all
    for number, after, up, more in [(*one, []) for one in tries] + [(signal.SIGKILL, 10, True, host),
                                                                   (signal.SIGTERM, 10, True, host)]:
        with Tidy(home) as tidy:
            front = home.start(*words(*more, tests=["mini/102"],
                                      kernel=distribution_kernel() if more else "distro"))
            there = True
            if up:
                there = wait_until(lambda: [pid for pid in children(front.pid) if "qemu" in command_of(pid)], 120)
            time.sleep(after)
            kill(front.pid, number)
            _, err = front.communicate(timeout=120)
            wrong = tidy.complaints()
        new = set(left_behind()) - before
        good = there and front.returncode == (-9 if number == signal.SIGKILL else 130)
        when = f"{after:.1f} s after {'qemu began' if up else 'the start'}"
        tap.report(good and not wrong and not new,
                   f"{signal.Signals(number).name} {when} takes all of the run with it"
                   f"{', also with --host-root' if more else ''}",
                   *wrong, *new, front.returncode, err[-1000:])
    states = home.run("runs").out
    tap.report("cut off" in states and "interrupted" in states and "running" not in states,
               "runs: one that was killed can be told", states)
    play(Case("runs prune", ["runs", "prune", "--keep", "1"], 0, r"removed \d+ of \d+ runs"), home)
    tap.report(len(os.listdir(RUNS)) == 1, "runs prune: the newest stays", os.listdir(RUNS))


def whole():
    run = everything()
    shown(run)
    lines_and_baseline(run)


copy_mini()
# As words of the command line: only these.
for part in (usage, whole, sections, stops, unstartable, other_roots, image, deaths):
    if len(sys.argv) < 2 or part.__name__ in sys.argv:
        part()
tap.done()
