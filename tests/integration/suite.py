"""rootlet fstests on the miniature fstests in tests/fstests-mini, with a real kernel: tests that pass, fail,
do not run, crash the kernel and hang; what is reported, and what remains."""
import glob
import json
import mmap
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree

from support import tap
from support.guest import PATIENCE
from support.mini import Mini
from support.schemas import document
from support.world import Case, Tidy, play

mini = Mini()
home = mini.home


def kept_memory(directory, last):
    """--dump-on-crash: the memory of the kernel that crashed, for crash(8) and gdb."""
    path = f"{directory}/vmcore"
    size, disk = os.path.getsize(path), os.stat(path).st_blocks * 512
    tap.report(last.get("dump") == {"file": "vmcore", "bytes": size} and 1 << 30 <= size < 1280 << 20 and
               disk < size // 2, "the memory of a kernel that crashes is kept, without its zeros",
               last.get("dump"), disk)
    tap.note(f"vmcore: {size >> 20} MiB, {disk >> 20} MiB on the disk")
    headers = subprocess.run(["readelf", "--wide", "-h", "-l", "-n", path], capture_output=True, text=True,
                             check=False)
    tap.report(headers.returncode == 0 and not headers.stderr and "CORE (Core file)" in headers.stdout and
               "QEMU" in headers.stdout and re.search(r"LOAD +0x\w+ 0xffff8\w+ ", headers.stdout),
               "vmcore is an ELF core file with the kernel's addresses and registers", headers.stdout[-2000:],
               headers.stderr)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        tap.report(memory.find(b"sysrq triggered crash") > 0, "vmcore has the kernel's last message")
    if shutil.which("gdb"):
        gdb = subprocess.run(["gdb", "-nx", "-batch", "-c", path, "-ex", "x/i $pc"],
                             capture_output=True, text=True, check=False)
        tap.report(re.search(r"^=> 0xffffffff\w+:\t\w", gdb.stdout, re.M),
                   "gdb opens vmcore and finds where the CPU was", gdb.stdout, gdb.stderr)
    else:
        tap.skip("gdb opens vmcore", "gdb is not installed")


def everything():
    """All tests, in three boots: one test crashes the kernel and another hangs."""
    junit = f"{home.dir}/junit.xml"
    exclude = home.write("exclude.list", "# of another machine\ngeneric/004 # hangs\n")
    before = mini.state()
    outcome, seen, last, wrong = mini.run_json("--test-timeout", "60", "--junit", junit, "--mkfs-options",
                                               "-b 2048", "--dump-on-crash",
                                               tests=["-g", "all", "-E", exclude])
    tap.report(outcome.status == 3 and last.get("event") == "result" and
               last.get("status") == "crashed" and last.get("exit_status") == 3,
               "a run with a kernel crash has the right result", outcome)
    tap.report(not wrong, "the run leaves nothing behind", *wrong)
    tests = {event["name"]: event for event in seen if event.get("event") == "test"}
    for name, status, reason in (("generic/001", "pass", ""), ("generic/002", "fail", "output mismatch"),
                                 ("generic/003", "notrun", "^this kernel has no such thing; and no other$"),
                                 ("generic/004", "expunged", ""),
                                 ("mini/101", "crash", "sysrq triggered crash"),
                                 ("mini/102", "timeout", r"timed out after 60 s"),
                                 ("mini/103", "pass", ""), ("mini/104", "pass", ""),
                                 ("mini/105", "fail",
                                  r"^in dmesg: WARNING: CPU: 0 PID: 1 at fs/mini/file.c:34"),
                                 ("mini/106", "pass", "")):
        event = tests.get(name, {})
        tap.report(event.get("status") == status and re.search(reason, event.get("reason", "")),
                   f"{name}: {status}", event)
    tap.report("-two" in tests.get("generic/002", {}).get("detail", ""),
               "a failure is reported with the diff", tests.get("generic/002"))
    tap.report("sysrq_handle_crash" in tests.get("mini/101", {}).get("detail", ""),
               "a crash is reported with its trace", tests.get("mini/101"))
    tap.report("mini_caller" in tests.get("mini/105", {}).get("detail", ""),
               "a dmesg complaint is reported with its trace", tests.get("mini/105"))
    tap.report(last.get("boots") == 3, "the tests after a crash and a hang run in a new VM", last)
    kernel = [(event["kind"], event["test"]) for event in seen if event.get("event") == "kernel"]
    tap.report(kernel == [("panic", "mini/101"), ("WARNING", "mini/104"), ("WARNING", "mini/105")],
               "kernel messages are reported with the running test", kernel)
    tap.report(last.get("counts", {}).get("pass") == 4, "the counts", last.get("counts"))
    progress = [event for event in seen if event.get("event") == "progress"]
    tap.report(progress and progress[-1]["total"] == 10, "the number of tests is reported",
               progress[-1:])
    directory = last.get("results", "")
    tap.report(sorted(os.listdir(directory)) == ["check.out", "console.log", "kernel.jsonl", "results",
                                              "run.json", "tests.jsonl", "vmcore"],
               "the run directory has the right files", directory)
    kept_memory(directory, last)
    tap.report(os.path.exists(f"{directory}/results/mini/101.full") and
               open(f"{directory}/results/mini/101.full",
                    encoding="utf-8").read() == "the last line before it\n",
               "a test's output is kept up to the last line before a crash")
    with open(f"{directory}/results/mini/106.full", encoding="utf-8") as file:
        seen = file.read()
    tap.report("\nblock 2048\n" in seen, "--mkfs-options are passed to the mkfs of the type", seen)
    tap.report("\nconfig 1\n" in seen, "tests find the kernel's configuration", seen)
    tap.report(re.search(r"^keyring .* keyring: mini$", seen, re.M),
               "a test finds the keys that it made in the session keyring", seen)
    tap.report(seen.endswith("\nloaded 3\n"), "a program finds the library shipped with fstests", seen)
    with open(f"{directory}/run.json", encoding="utf-8") as file:
        record = json.load(file)
    tap.report(record.get("root") == "image", "the release's kernel gets a root image", record)
    tap.report(record.get("first_test_seconds", 0) > 0,
               "the time to the first test is recorded", record)
    tap.report(mini.state() == before, "the fstests tree is unchanged")
    with open(f"{directory}/console.log", encoding="utf-8", errors="replace") as file:
        tap.report(file.read().count("Linux version") == 3, "the console output of every boot is saved")
    bad = glob.glob(f"{directory}/results/generic/002.out.bad")
    tap.report(bad and (home.user.uid is None or os.lstat(bad[0]).st_uid == home.user.uid),
               "result files exist and belong to the user", bad)
    root = xml.etree.ElementTree.parse(junit).getroot()
    tap.report((root.get("tests"), root.get("failures"), root.get("errors"), root.get("skipped")) ==
               ("11", "2", "2", "3") and len(root.findall("testcase")) == 11, "JUnit's file",
               root.attrib)
    properties = {one.get("name"): one.get("value") for one in root.iter("property")}
    tap.report(properties.get("run") == last.get("run") and properties.get("fstype") == "ext4" and
               all(re.fullmatch("[0-9a-f]{64}", properties.get(f"sha256.{name}", ""))
                   for name in ("kernel", "fstests", "configuration", "rootfs", "image")),
               "its properties say what was tested", properties)
    return last.get("run")


def shown(run):
    play(Case("runs list", ["runs"], 0, [rf"^{run} +crashed +ext4 +4 +4 +2 "]), home)
    play(Case("runs show", ["runs", "show", run], 0,
              [r"^crashed:  mini/101 \(\d+ s\): Kernel panic", r"^timeout:  mini/102",
               r"^failed:   generic/002 .*output mismatch\n +--- ",
               r"^failed:   mini/105 .*: in dmesg: WARNING",
               r"^not run: this kernel has no such thing; and no other: generic/003 generic/005$",
               r"check.out, console.log"]), home)
    play(Case("runs show last --json", ["runs", "show", "last", "--json"], 0, f'"run": ?"{run}"'), home)
    for name, line in (("runs-show", ["runs", "show", run]), ("runs-list", ["runs"]),
                       ("runs-compare", ["runs", "compare", run, run])):
        value, wrong = document(name, home.run(*line, "--json"))
        tap.report(bool(value) and not wrong, f"--json of {' '.join(line[:2])} fits its schema", *wrong)
    play(Case("runs show of an unknown run", ["runs", "show", "nosuch"], 1,
              "run nosuch does not exist.*runs list"), home)
    play(Case("runs compare of a run with itself", ["runs", "compare", run, run], 0,
              "0 newly fail, 0 newly pass, 4 still fail"), home)


def lines_and_baseline(run):
    """The output for people, and a different --results directory; one test is fixed, another one broken."""
    results = f"{home.dir}/results-of-mine"
    device = home.write("device", b"")
    os.truncate(device, 512 << 20)
    for name, text in (("tests/generic/002.out", "one\nnot two\n"), ("tests/generic/001.out", "x\n")):
        with open(f"{mini.tree}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    with Tidy(home) as tidy:
        outcome = home.run(*mini.words("--baseline", run, "--results", results, "--device-backing", "tmpfs",
                                       "--io-scheduler", "none", "--devices", "7", "--device", device,
                                       "--mkfs", "mkfs.ext4 -q -F -I 512", "--mkfs-options", "-b 1024",
                                       "--mount-options", "-o noatime", "--cpus", "2",
                                       "--append", 'mini.word=1 mini.quoted="a b"',
                                       "--exclude", home.write("lists", "mini/103: on fire\n"
                                                               "mini/106 fstype=xfs: floods\n"),
                                       tests=["generic/001", "generic/002", "mini/103", "mini/106"]),
                           seconds=PATIENCE)
        wrong = tidy.complaints()
    tap.report(outcome.status == 1 and not wrong, "a run with a failed test exits with 1", *wrong, outcome)
    for what, pattern in {"a line per test": r"^generic/002 +pass +\d+ s$",
                          "a table of failures": r"^failed:   generic/001 .*\n +--- ",
                          "the counts": r"^failed: 2 passed, 1 failed, 0 not run, 1 excluded, in [\d:]+ and "
                                        r"1 boot$",
                          "what is excluded": r"^excluded: on fire: mini/103$",
                          "new failures": r"^newly fails: generic/001 \(pass before, fail now; failed 0 of ",
                          "new passes": r"^newly passes: generic/002 \(fail before, pass now\)$",
                          "where the logs are": rf"^run .*: {results}$"}.items():
        tap.report(bool(re.search(pattern, outcome.out + outcome.err, re.M)), f"it shows {what}",
                   outcome)
    tap.report(os.path.exists(f"{results}/run.json"), "--results DIR")
    as_wished(f"{results}/results/mini/106.full", device)
    play(Case("fstests --results: a directory that is not empty", mini.words("--results", results), 5,
              "not empty"),
         home)
    play(Case("runs compare", ["runs", "compare", run, "last"], 1, "1 newly fail, 1 newly pass"), home)
    mini.copy()


def as_wished(path, device):
    """How the options reached mini/106 in the guest, and the user's disk afterwards."""
    with open(path, encoding="utf-8") as file:
        seen = file.read()
    for what, pattern in {"there is one test disk, five scratch disks and one log disk":
                              rf"^test {512 << 20}\n(scratch {512 << 20}\n){{5}}log {512 << 20}$",
                          "--io-scheduler applies to each disk":
                          r"^(scheduler .*\[none\].*\n){7}(?!scheduler)",
                          "--mkfs applies": "^inode 512$", "--mkfs-options applies with --mkfs":
                          "^block 1024$", "--mount-options applies": r"^/dev/\S+ /mnt/test ext4 \S*noatime",
                          "--cpus": "^cpus 2$", "--memory": r"^memory (8|9|10)\d{5}$",
                          "--append applies": r"^words .*\bmini\.word=1\b",
                          "--append keeps quotes": r'^words .*"mini\.quoted=a b"'}.items():
        tap.report(bool(re.search(pattern, seen, re.M)), f"in the guest: {what}", seen)
    with open(device, "rb") as file:
        file.seek(1024 + 56)
        tap.report(file.read(2) == b"\x53\xef", "--device: the test filesystem is on the user's file")


def usage():
    for what, command, says in (
            ("\"-g quick\" in one word", mini.words(tests=["-g quick"]), "is one argument.*-- -g quick"),
            ("an option after a test, and unknown tests", mini.words(
                tests=["generic/001", "generic/9999", "generic/9", "-x", "shutdown"]),
             "generic/9999 - unknown test; generic/9 - unknown test; .*Arguments before tests, please!"),
            ("a test in a missing directory", mini.words(tests=["xfs/001"]), "xfs/001 - unknown test"),
            ("-E with a missing file", mini.words(tests=["-E", "nosuch", "generic/001"]),
             "-E nosuch: no such file here or in"),
            ("-X with a name that no directory has", mini.words(tests=["-X", "/etc/passwd", "generic/001"]),
             "-X /etc/passwd: no directory below .* use: -E FILE"),
            ("an option without its value", mini.words(tests=["-g"]), "-g needs a value"),
            ("no kernel", ["fstests", "--fstests", mini.tree], "--kernel is missing"),
            ("no fstests", ["fstests", "--kernel", "distro"], "--fstests is missing"),
            ("a directory without fstests",
             ["fstests", "--kernel", "distro", "--path", mini.rootfs, "--fstests", "/etc"],
             "is not an fstests tree"),
            ("an unknown scheduler", mini.words("--io-scheduler", "cfq"), "mq-deadline, none, bfq or kyber"),
            ("an unknown backing", mini.words("--device-backing", "tape"), "disk or tmpfs"),
            ("an invalid size", mini.words("--device-size", "big"), "not a size"),
            ("a directory as a device", mini.words("--device", "/etc"), "neither a block device nor a"),
            ("more devices than disks", mini.words("--devices", "1", "--device", "/dev/null", "--device",
                                                   "/dev/null"), "--device is given 2 times"),
            ("--kmemleak with a kernel that has none", mini.words("--kmemleak"),
             "lacks CONFIG_DEBUG_KMEMLEAK; fix: build one"),
            ("--gcov with a kernel that does not count", mini.words("--gcov"),
             "lacks CONFIG_GCOV_KERNEL; fix: build one"),
            ("a missing baseline", mini.words("--baseline", "nosuch"), "run nosuch does not exist"),
            ("--dump-on-crash with --host-root",
             mini.words("--host-root", "--dump-on-crash", kernel="/nonexistent"),
             "--dump-on-crash does not go with --host-root"),
            ("--host-root with a rootfs", mini.words("--host-root", "--name", "x"), "uses no rootfs"),
            ("runs with an unknown subcommand", ["runs", "remove"],
             "list, show, compare, durations, flaky, merge, report, archive, save, baselines, prune"),
            ("runs show without a run", ["runs", "show"], "show needs RUN")):
        with Tidy(home) as tidy:
            outcome = home.run(*command, seconds=120)
            wrong = tidy.complaints()
        tap.report(outcome.status == 2 and re.search(says, outcome.err) and not wrong,
                   f"fstests: {what}", *wrong, outcome)


def whole():
    run = everything()
    shown(run)
    lines_and_baseline(run)


# Arguments name the only cases to run.
for part in (usage, whole):
    if len(sys.argv) < 2 or part.__name__ in sys.argv:
        part()
tap.done()
