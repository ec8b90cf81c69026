"""Compares rootlet's verdicts with those of running check by hand. Runs tests of the real fstests with
rootlet (profile fstests) and by hand: with check in a plain vng guest whose root has everything (profile
fstests-build, with fstests built in it), on the same kernel, disks and mkfs, without rootlet code. A test
fails if the two verdicts differ, or if they differ from the one recorded for this kernel. Some tests are
unsteady, for example because they choose operations at random: a test whose verdicts differ is repeated on
both sides until they have one in common, and recorded with all of its verdicts. Needs root, because the
plain guest's tree has files of several users, and ROOTLET_FSTESTS, an fstests source tree.

oracle.py [OPTION…] [TEST…]   default: the first twenty tests of recorded/fstests/ext4.list; with
                              ROOTLET_TEST_LONG=1, all of the three lists

  --fstype TYPE   ext4, xfs or btrfs; may be repeated
  --quick         all tests of group quick instead of the list
  --from N        skip the first N tests of the list
  --count N       run N tests of each list; 0: all
  --batch N       tests per guest (default: 10)
  --state FILE    file with known verdicts, to which new ones are added; lets an interrupted run continue
  --record        write verdicts that agree to recorded/fstests/FSTYPE.verdicts
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
import sys
import threading
import time

from support import apt, tap
from support.world import AS_ROOT, SHARED, SOURCE, Tidy, fstests_rootfs

sys.path.insert(0, f"{SOURCE}/tests/tools")
import choose_fstests  # noqa: E402

FSTESTS = os.environ.get("ROOTLET_FSTESTS")
LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
LISTS = f"{SOURCE}/tests/recorded/fstests"
DISKS = 7
DISK_SIZE = 10 << 30
MEMORY = "2G"
CPUS = "1"  # emulated guests take twice as long with two
TEST_SECONDS = 3600  # after that, it counts as hung
REPEATS = 4
SUITE = apt.host_suite()

# The commands to type, with virtio-blk device names. The last disk has the tree that vng booted, because
# programs take seconds to start over 9p. It must be the root of the namespace: the kernel creates no user
# namespace for a process in a chroot.
BY_HAND = """
exec >/opt/results/check.out 2>&1
modprobe virtio_blk; modprobe sd_mod; modprobe {fstype}; modprobe ext4
mount /dev/vdh /mnt || exit 99
for at in proc sys dev run opt/results; do mount --rbind /$at /mnt/$at || exit 99; done
exec unshare --mount bash -c 'cd /mnt && mkdir -p old && pivot_root . old && umount -l old &&
        exec bash /opt/results/check-it'
"""
CHECK = """
mount -t tmpfs tmp /tmp && mount -t tmpfs mnt /mnt && mkdir /mnt/test /mnt/scratch || exit 99
export FSTYP={fstype} TEST_DIR=/mnt/test SCRATCH_MNT=/mnt/scratch RESULT_BASE=/opt/results TEST_DEV=/dev/vda
export SCRATCH_DEV_POOL="/dev/vdb /dev/vdc /dev/vdd /dev/vde /dev/vdf" LOGWRITES_DEV=/dev/vdg
export KCONFIG_PATH=/opt/results/kernel.config
{mkfs} /dev/vda || exit 99
cd /opt/xfstests && keyctl session - ./check {tests}
sync
"""
MKFS = {"ext4": "mkfs.ext4 -q -F", "xfs": "mkfs.xfs -f", "btrfs": "mkfs.btrfs -f"}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fstype", action="append", choices=sorted(MKFS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--from", dest="start", type=int, default=0)
    parser.add_argument("--count", type=int, default=0 if LONG else 20)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--state")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("tests", nargs="*")
    return parser.parse_args()


def quick(fstype):
    tests = choose_fstests.Fstests(FSTESTS).tests(fstype, choose_fstests.WANTED[fstype][1])
    return sorted(name for name, (_, _, groups) in tests.items() if "quick" in groups)


def listed(fstype):
    with open(f"{LISTS}/{fstype}.list", encoding="utf-8") as file:
        return [line.split()[0] for line in file if not line.startswith("#")]


# --- with rootlet ---

def with_rootlet(home, fstype, tests):
    """Returns {test: [verdict, reason]}."""
    with Tidy(home) as tidy:
        outcome = home.run("fstests", "--json", "--kernel", "distro", "--build", "--fstests", FSTESTS,
                           "--fstype", fstype, "--memory", MEMORY, "--cpus", CPUS,
                           "--test-timeout", TEST_SECONDS, "--", *tests, seconds=TEST_SECONDS * len(tests))
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


# --- by hand ---

def image_of(tree):
    """Returns an image of the tree; guests' writes to it are discarded."""
    image = f"{tree}.ext4"
    if not os.path.exists(image):
        for name in ("opt/results", "run", "proc", "sys", "dev"):
            os.makedirs(f"{tree}/{name}", exist_ok=True)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, f"{image}.new", "8G"], check=True)
        os.rename(f"{image}.new", image)
    return image


def kernel_of(home):
    """Returns the path of the release's kernel, which rootlet downloads if the cache has none."""
    pattern = f"{home.cache}/rootlet/kernels/{SUITE}-*/boot/vmlinuz"
    if not glob.glob(pattern):
        outcome = home.run("run", "--quiet", "--kernel", "distro", "--", "true", seconds=1200)
        if not tap.report(outcome.status == 0, "the release's kernel is downloaded", outcome):
            tap.done()
    return os.path.realpath(glob.glob(pattern)[0])


def sources_name():
    """Returns an id of the state of the sources."""
    known = subprocess.run(["git", "-c", "safe.dir=*", "-C", FSTESTS, "rev-parse", "HEAD"], check=False,
                           stdout=subprocess.PIPE, text=True).stdout
    return hashlib.sha256(f"{known or os.path.realpath(FSTESTS)}".encode()).hexdigest()[:16]


def hand_tree(home):
    """Returns a root with everything: a rootfs of profile fstests-build with fstests built in it, and the
    kernel modules. Its files have the same owners on this host as in the guest."""
    place = f"{SHARED}/oracle"
    tree = f"{place}/{SUITE}-{sources_name()}"
    os.makedirs(place, exist_ok=True)
    if not os.path.exists(tree):
        rootfs = f"{home.dir}/everything"
        outcome = home.run("create", "--quiet", "--force", "--path", rootfs, "--profile", "fstests-build",
                           "--release", SUITE, seconds=3600)
        shell = ["shell", "--path", rootfs, "--"]
        pack = ["tar", "-C", FSTESTS, "--exclude=.git", "-c", "."]
        with subprocess.Popen(pack, stdout=subprocess.PIPE) as sources:
            built = home.run(*shell, "bash", "-c", "mkdir -p /opt/xfstests && cd /opt/xfstests && "
                             "tar -x --no-same-owner && make -j2 >/tmp/l 2>&1 || { tail /tmp/l; exit 1; }",
                             stdin=sources.stdout, seconds=3600)
        if not tap.report(outcome.status == 0 == built.status, "a root for check by hand is created",
                          outcome, built):
            tap.done()
        shutil.rmtree(f"{tree}.new", ignore_errors=True)
        os.makedirs(f"{tree}.new")
        packed = home.start(*shell, "tar", "--one-file-system", "--numeric-owner", "--xattrs", "-C", "/",
                            "-c", ".")
        subprocess.run(["tar", "-C", f"{tree}.new", "--numeric-owner", "--same-owner", "-p", "--xattrs",
                        "-x"], stdin=packed.stdout, check=True)
        packed.communicate()
        home.run("delete", "--path", rootfs, "--yes")
        os.rename(f"{tree}.new", tree)
    modules = f"{os.path.dirname(os.path.dirname(kernel_of(home)))}/lib/modules"
    for version in os.listdir(modules):
        if not os.path.exists(f"{tree}/lib/modules/{version}"):
            shutil.copytree(f"{modules}/{version}", f"{tree}/lib/modules/{version}", symlinks=True)
    return tree


def runs_kvm(home):
    checks = json.loads(home.run("doctor", "--json").out)["checks"]
    return any(check["what"] == "KVM" and check["verdict"] == "ok" for check in checks)


def run_vng(words, progress):
    """Runs vng on its own terminal until it ends or PROGRESS (a file) does not change for too long. Returns
    whether it ended by itself, and its last output."""
    said = bytearray()
    near, far = pty.openpty()
    with open(os.devnull, "rb") as nothing:
        process = subprocess.Popen(words, stdin=nothing, stdout=far, stderr=far, start_new_session=True,
                                   env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    os.close(far)

    def drain():
        with contextlib.suppress(OSError):
            while data := os.read(near, 4096):
                said[:] = (said + data)[-2000:]

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    changed, size = time.monotonic(), -1
    while process.poll() is None:
        time.sleep(1)
        now = os.path.getsize(progress) if os.path.exists(progress) else -1
        if now != size:
            changed, size = time.monotonic(), now
        if time.monotonic() - changed > TEST_SECONDS:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            break
    reader.join(10)
    os.close(near)
    return time.monotonic() - changed <= TEST_SECONDS, said.decode(errors="replace")


def read_hand(results, tests):
    """Reads check's RESULTS. Returns the verdicts of the tests that it began, whether it completed, and its
    output."""
    seen = {}
    text = ""
    with contextlib.suppress(OSError), open(f"{results}/check.out", errors="replace") as file:
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
    # check's own summary takes precedence.
    log = ""
    with contextlib.suppress(OSError), open(f"{results}/check.log", encoding="utf-8") as file:
        log = file.read()
    for line in re.findall(r"^Failures: (.*)$", log, re.M):
        for test in line.split():
            if seen.get(test, ["pass"])[0] == "pass":
                seen[test] = ["fail", "in check.log"]
    return seen, bool(re.search(r"^Ran: ", log, re.M)), text


def by_hand(home, fstype, tests):
    """Returns {test: [verdict, reason]}. If a guest dies, the remaining tests run in another one."""
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
            drives += (f" -drive if=none,id=d{number},format=raw,cache=unsafe,discard=unmap,"
                       f"file={work}/disk{number} -device virtio-blk-pci,drive=d{number}")
        drives += (f" -drive if=none,id=root,format=raw,snapshot=on,cache=unsafe,file={image_of(tree)}"
                   " -device virtio-blk-pci,drive=root")
        for name, text in (("by-hand", BY_HAND), ("check-it", CHECK)):
            with open(f"{work}/results/{name}", "w", encoding="utf-8") as file:
                file.write(text.format(fstype=fstype, mkfs=MKFS[fstype], tests=" ".join(left)))
        shutil.copy(f"{os.path.dirname(kernel)}/config", f"{work}/results/kernel.config")
        words = ["vng", "--run", kernel, "--root", tree, "--user", "root", "--memory", MEMORY,
                 "--cpus", CPUS, "--disable-microvm", "--force-9p",
                 "--rwdir", f"/opt/results={work}/results",
                 # A /dev/kvm that opens may still not run guests; and both sides must use the same method.
                 *([] if runs_kvm(home) else ["--disable-kvm"]),
                 "--append", "loglevel=7 panic=-1", "--exec", "bash /opt/results/by-hand",
                 f"--qemu-opts=-no-reboot{drives}"]
        ended, said = run_vng(words, f"{work}/results/check.out")
        new, whole, text = read_hand(f"{work}/results", left)
        if not new:
            tap.report(False, "check by hand starts", text[-2000:], said)
            break
        if not whole:
            # It died in the test that started last; check has its own order.
            last = max(new, key=lambda test: re.search(rf"^{test}[ \t]", text, re.M).start())
            new[last] = ["crash" if ended else "timeout", ""]
        seen.update(new)
        left = [test for test in left if test not in seen] if not whole else []
        shutil.rmtree(work, ignore_errors=True)
    return seen


# --- recorded verdicts ---

def recorded(fstype):
    """Returns {(kernel, test): verdict}."""
    known = {}
    with contextlib.suppress(OSError), open(f"{LISTS}/{fstype}.verdicts", encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                kernel, test, verdict = line.split()[:3]
                known[kernel, test] = verdict
    return known


def record(fstype, known):
    with open(f"{LISTS}/{fstype}.verdicts", "w", encoding="utf-8") as file:
        file.write("# KERNEL TEST VERDICT, on which rootlet and check by hand agree: "
                   "integration/oracle.py.\n")
        file.writelines(f"{kernel} {test} {verdict}\n" for (kernel, test), verdict in sorted(known.items()))


def save(state, path):
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(state, file, indent=1)
    os.rename(f"{path}.new", path)


def verdicts_of(state, side, test):
    """Returns all verdicts that a side gave, repetitions included."""
    first = state[side].get(test, ["no result"])[0]
    return {first, *state.get("repeats", {}).get(test, {}).get(side, ())} - {"no result"}


def repeat(home, fstype, tests, state):
    """Repeats tests until both sides gave one and the same verdict, or REPEATS times."""
    for test in tests:
        more = {}
        while not verdicts_of(state, "rootlet", test) & verdicts_of(state, "hand", test) and \
                len(more.get("hand", ())) < REPEATS:
            state.setdefault("repeats", {})[test] = more
            for side, run in (("hand", by_hand), ("rootlet", with_rootlet)):
                more.setdefault(side, []).append(run(home, fstype, [test]).get(test, ["no result"])[0])


def collect(home, fstype, tests, options):
    """Returns {side: {test: [verdict, reason]}}, and the verdicts of repetitions in "repeats"."""
    path = f"{options.state or f'{SHARED}/oracle'}.{fstype}.json"
    state = {}
    with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
        state = json.load(file)
    for at in range(0, len(tests), options.batch):
        for side, run in (("rootlet", with_rootlet), ("hand", by_hand)):
            known = state.setdefault(side, {})
            batch = [test for test in tests[at:at + options.batch] if test not in known]
            if batch:
                known.update(run(home, fstype, batch))
            save(state, path)
        repeat(home, fstype, tests[at:at + options.batch], state)
        save(state, path)
    return state


def compare(home, fstype, options):
    known = quick(fstype) if options.quick else listed(fstype)
    tests = options.tests or known[options.start:][:options.count or None]
    state = collect(home, fstype, tests, options)
    kernel = os.listdir(f"{os.path.dirname(os.path.dirname(kernel_of(home)))}/lib/modules")[0]
    known, counts = recorded(fstype), {}
    for test in tests:
        ours, hand = (verdicts_of(state, side, test) for side in ("rootlet", "hand"))
        reasons = [state[side].get(test, ["no result", ""])[1] for side in ("rootlet", "hand")]
        verdict = "/".join(sorted(ours | hand))
        before = known.get((kernel, test), verdict)
        what = verdict if ours & hand else "different"
        as_before = ours | hand <= set(before.split("/"))
        tap.report(ours & hand and as_before, f"{fstype} {test}: {verdict}",
                   f"rootlet: {' '.join(sorted(ours))}: {reasons[0]}",
                   f"by hand: {' '.join(sorted(hand))}: {reasons[1]}", f"recorded for {kernel}: {before}")
        counts[what] = counts.get(what, 0) + 1
        if ours & hand:
            known[kernel, test] = before if as_before else verdict
    tap.note(f"{fstype}, {kernel}: {counts}")
    if options.record:
        record(fstype, known)


def main():
    options = arguments()
    if not FSTESTS or not AS_ROOT:
        tap.skip("rootlet's verdicts match check by hand",
                 "check by hand needs root" if FSTESTS
                 else "ROOTLET_FSTESTS does not name an fstests source tree")
        tap.done()
    home = fstests_rootfs()
    for fstype in options.fstype or (sorted(MKFS) if LONG else ["ext4"]):
        compare(home, fstype, options)
    tap.done()


main()
