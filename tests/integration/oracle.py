"""Are rootlet's verdicts those of check by hand? Runs tests of the real fstests with rootlet, in the profile
fstests, and by hand: check in one plain vng guest whose root has everything (profile fstests-build, fstests
built in it), with the same kernel, disks and mkfs, and no code of rootlet's. A test whose two verdicts differ
fails; so does one whose verdict differs from the recorded one of this kernel. Needs root, for the plain
guest's tree has files of several users, and ROOTLET_FSTESTS, a source tree of fstests.

oracle.py [OPTION…] [TEST…]   default: the first tests of recorded/fstests/ext4.list

  --fstype TYPE   ext4, xfs or btrfs
  --from N        skip the first N of the list
  --count N       how many (default: 20, or ROOTLET_ORACLE_COUNT; 0: all)
  --batch N       tests in one guest (default: 10)
  --state FILE    verdicts that are known already, and where new ones go: a run can be continued
  --record        write verdicts on which both agree to recorded/fstests/FSTYPE.verdicts
"""
import argparse
import contextlib
import glob
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import threading
import time

from support import apt, tap
from support.world import AS_ROOT, SHARED, SOURCE, Tidy, fstests_rootfs

FSTESTS = os.environ.get("ROOTLET_FSTESTS")
LISTS = f"{SOURCE}/tests/recorded/fstests"
DISKS = 7
DISK_SIZE = 10 << 30
MEMORY = "2G"
CPUS = "2"
TEST_SECONDS = 3600  # then it has no end
SUITE = apt.host_suite()

# What one types, with the device names of virtio-blk.
BY_HAND = """
exec >/results/check.out 2>&1
modprobe virtio_blk; modprobe {fstype}
mount -t tmpfs mnt /mnt && mkdir /mnt/test /mnt/scratch || exit 99
export FSTYP={fstype} TEST_DIR=/mnt/test SCRATCH_MNT=/mnt/scratch RESULT_BASE=/results TEST_DEV=/dev/vda
export SCRATCH_DEV_POOL="/dev/vdb /dev/vdc /dev/vdd /dev/vde /dev/vdf" LOGWRITES_DEV=/dev/vdg
{mkfs} /dev/vda || exit 99
cd /opt/xfstests && ./check {tests}
sync
"""
MKFS = {"ext4": "mkfs.ext4 -q -F", "xfs": "mkfs.xfs -f", "btrfs": "mkfs.btrfs -f"}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fstype", default="ext4", choices=sorted(MKFS))
    parser.add_argument("--from", dest="start", type=int, default=0)
    parser.add_argument("--count", type=int, default=int(os.environ.get("ROOTLET_ORACLE_COUNT", "20")))
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--state")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("tests", nargs="*")
    return parser.parse_args()


def listed(fstype):
    with open(f"{LISTS}/{fstype}.list", encoding="utf-8") as file:
        return [line.split()[0] for line in file if not line.startswith("#")]


# --- with rootlet ---------------------------------------------------------------------------------------------

def with_rootlet(home, fstype, tests):
    """{test: [verdict, reason]}"""
    with Tidy(home) as tidy:
        outcome = home.run("fstests", "--json", "--kernel", "distro", "--build", "--fstests", FSTESTS, "--fstype", fstype,
                           "--memory", MEMORY, "--cpus", CPUS, "--test-timeout", TEST_SECONDS, "--", *tests,
                           seconds=TEST_SECONDS * len(tests))
        wrong = tidy.complaints()
    seen = {}
    for line in outcome.out.splitlines():
        event = json.loads(line)
        if event.get("event") == "test":
            seen[event["name"]] = [event["status"], event.get("reason", "")]
    if outcome.status == 5 or not seen:
        wrong.append("the tests could not be run")
    tap.report(not wrong, f"rootlet runs {tests[0]} and {len(tests) - 1} more on {fstype}", *wrong, outcome)
    return seen


# --- by hand --------------------------------------------------------------------------------------------------

def kernel_of(home):
    return os.path.realpath(glob.glob(f"{home.cache}/rootlet/kernels/{SUITE}-*/boot/vmlinuz")[0])


def sources_name():
    """The state of the sources, as far as it matters here."""
    known = subprocess.run(["git", "-c", "safe.directory=*", "-C", FSTESTS, "rev-parse", "HEAD"], check=False,
                           stdout=subprocess.PIPE, text=True).stdout
    return hashlib.sha256(f"{known or os.path.realpath(FSTESTS)}".encode()).hexdigest()[:16]


def hand_tree(home):
    """A root with everything: a rootfs of the profile fstests-build with fstests built in it, and the kernel's
    modules. Its files belong on this host to whom they belong in the guest."""
    place = f"{SHARED}/oracle"
    tree = f"{place}/{SUITE}-{sources_name()}"
    os.makedirs(place, exist_ok=True)
    if not os.path.exists(tree):
        rootfs = f"{home.folder}/everything"
        outcome = home.run("create", "--quiet", "--force", "--path", rootfs, "--profile", "fstests-build", "--release",
                           SUITE, seconds=3600)
        shell = ["shell", "--path", rootfs, "--"]
        with subprocess.Popen(["tar", "-C", FSTESTS, "--exclude=.git", "-c", "."], stdout=subprocess.PIPE) as sources:
            built = home.run(*shell, "bash", "-c", "mkdir -p /opt/xfstests && cd /opt/xfstests && "
                             "tar -x --no-same-owner && make -j2 >/tmp/log 2>&1 || { tail /tmp/log; exit 1; }",
                             stdin=sources.stdout, seconds=3600)
        if not tap.report(outcome.status == 0 == built.status, "a root for check by hand", outcome, built):
            tap.done()
        shutil.rmtree(f"{tree}.new", ignore_errors=True)
        os.makedirs(f"{tree}.new")
        packed = home.start(*shell, "tar", "--one-file-system", "--numeric-owner", "--xattrs", "-C", "/", "-c", ".")
        subprocess.run(["tar", "-C", f"{tree}.new", "--numeric-owner", "--same-owner", "-p", "--xattrs", "-x"],
                       stdin=packed.stdout, check=True)
        packed.communicate()
        home.run("delete", "--path", rootfs, "--yes")
        os.rename(f"{tree}.new", tree)
    modules = f"{os.path.dirname(os.path.dirname(kernel_of(home)))}/lib/modules"
    for version in os.listdir(modules):
        if not os.path.exists(f"{tree}/lib/modules/{version}"):
            shutil.copytree(f"{modules}/{version}", f"{tree}/lib/modules/{version}", symlinks=True)
    return tree


def run_vng(words, progress):
    """vng on a terminal of its own, until it ends or PROGRESS (a file) stays as it is for too long. Returns
    whether it ended itself."""
    near, far = pty.openpty()
    with open(os.devnull, "rb") as nothing:
        process = subprocess.Popen(words, stdin=nothing, stdout=far, stderr=far, start_new_session=True,
                                   env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb"})
    os.close(far)

    def drain():
        with contextlib.suppress(OSError):
            while os.read(near, 4096):
                pass

    threading.Thread(target=drain, daemon=True).start()
    changed, size = time.monotonic(), -1
    while process.poll() is None:
        time.sleep(1)
        now = os.path.getsize(progress) if os.path.exists(progress) else -1
        if now != size:
            changed, size = time.monotonic(), now
        if time.monotonic() - changed > TEST_SECONDS:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return False
    return True


def read_hand(results, tests):
    """What check left in RESULTS: of what it began."""
    seen = {}
    text = ""
    with contextlib.suppress(OSError), open(f"{results}/check.out", encoding="utf-8", errors="replace") as file:
        text = file.read()
    for test in tests:
        begun = re.search(rf"^{test}[ \t](.*)$", text, re.M)
        reason = ""
        if os.path.exists(f"{results}/{test}.notrun"):
            with open(f"{results}/{test}.notrun", encoding="utf-8", errors="replace") as file:
                reason = " ".join(file.read().split())
            seen[test] = ["notrun", reason]
        elif begun and re.search(r"\[expunged\]|no such test", begun.group(1)):
            seen[test] = ["notrun", begun.group(1).strip()]
        elif begun and re.search(r"\d+s\s*$", begun.group(1)):
            seen[test] = ["pass", ""]
        elif begun:
            seen[test] = ["fail", begun.group(1).strip()]
    # Of the whole of it, check knows best.
    log = ""
    with contextlib.suppress(OSError), open(f"{results}/check.log", encoding="utf-8") as file:
        log = file.read()
    for line in re.findall(r"^Failures: (.*)$", log, re.M):
        for test in line.split():
            if seen.get(test, ["pass"])[0] == "pass":
                seen[test] = ["fail", "in check.log"]
    return seen, bool(re.search(r"^Ran: ", log, re.M))


def by_hand(home, fstype, tests):
    """{test: [verdict, reason]}: what remains after a guest that died runs in another one."""
    tree, kernel = hand_tree(home), kernel_of(home)
    seen, left = {}, list(tests)
    while left:
        work = f"{SHARED}/oracle/work.{os.getpid()}"
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(f"{work}/results")
        drives = ""
        for number in range(DISKS):
            with open(f"{work}/disk{number}", "wb") as file:
                file.truncate(DISK_SIZE)
            drives += (f" -drive if=none,id=d{number},format=raw,cache=unsafe,discard=unmap,file={work}/disk{number}"
                       f" -device virtio-blk-pci,drive=d{number}")
        with open(f"{work}/results/by-hand", "w", encoding="utf-8") as file:
            file.write(BY_HAND.format(fstype=fstype, mkfs=MKFS[fstype], tests=" ".join(left)))
        words = ["vng", "--run", kernel, "--root", tree, "--user", "root", "--memory", MEMORY, "--cpus", CPUS,
                 "--disable-microvm", "--force-9p", "--rwdir", f"/results={work}/results",
                 *([] if os.access("/dev/kvm", os.W_OK) else ["--disable-kvm"]),
                 "--append", "loglevel=7 panic=-1", "--exec", "bash /results/by-hand",
                 f"--qemu-opts=-no-reboot{drives}"]
        ended = run_vng(words, f"{work}/results/check.out")
        new, whole = read_hand(f"{work}/results", left)
        if not new:
            tap.report(False, "check by hand begins", open(f"{work}/results/check.out", errors="replace").read()[-2000:]
                       if os.path.exists(f"{work}/results/check.out") else "vng printed nothing")
            break
        if not whole:
            new[[test for test in left if test in new][-1]] = ["crash" if ended else "timeout", ""]
        seen.update(new)
        left = [test for test in left if test not in seen] if not whole else []
        shutil.rmtree(work, ignore_errors=True)
    return seen


# --- what was known -------------------------------------------------------------------------------------------

def recorded(fstype):
    """{(kernel, test): verdict}"""
    known = {}
    with contextlib.suppress(OSError), open(f"{LISTS}/{fstype}.verdicts", encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                kernel, test, verdict = line.split()[:3]
                known[kernel, test] = verdict
    return known


def record(fstype, known):
    with open(f"{LISTS}/{fstype}.verdicts", "w", encoding="utf-8") as file:
        file.write("# KERNEL TEST VERDICT, as rootlet and check by hand agree on it: tests/integration/oracle.py.\n")
        file.writelines(f"{kernel} {test} {verdict}\n" for (kernel, test), verdict in sorted(known.items()))


def main():
    options = arguments()
    if not FSTESTS:
        tap.skip("rootlet's verdicts are those of check by hand", "ROOTLET_FSTESTS names no source tree of fstests")
        tap.done()
    if not AS_ROOT:
        tap.skip("rootlet's verdicts are those of check by hand", "check by hand needs root")
        tap.done()
    tests = options.tests or listed(options.fstype)[options.start:][:options.count or None]
    home = fstests_rootfs()
    path = options.state or f"{SHARED}/oracle.{options.fstype}.json"
    state = {}
    with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
        state = json.load(file)
    for at in range(0, len(tests), options.batch):
        for side, run in (("rootlet", with_rootlet), ("hand", by_hand)):
            known = state.setdefault(side, {})
            batch = [test for test in tests[at:at + options.batch] if test not in known]
            if batch:
                known.update(run(home, options.fstype, batch))
            with open(f"{path}.new", "w", encoding="utf-8") as file:
                json.dump(state, file, indent=1)
            os.rename(f"{path}.new", path)
    kernel = os.listdir(f"{os.path.dirname(os.path.dirname(kernel_of(home)))}/lib/modules")[0]
    known, counts = recorded(options.fstype), {}
    for test in tests:
        ours, hand = (state[side].get(test, ["no result", ""]) for side in ("rootlet", "hand"))
        same = ours[0] == hand[0] != "no result"
        before = known.get((kernel, test), ours[0])
        tap.report(same and before == ours[0], f"{options.fstype} {test}: {hand[0]}", f"rootlet: {ours[0]} {ours[1]}",
                   f"by hand: {hand[0]} {hand[1]}", f"recorded for {kernel}: {before}")
        counts[ours[0] if same else "different"] = counts.get(ours[0] if same else "different", 0) + 1
        if same:
            known[kernel, test] = ours[0]
    tap.note(f"{options.fstype}, {kernel}: {counts}")
    if options.record:
        record(options.fstype, known)
    tap.done()


main()
