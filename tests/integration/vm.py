"""Kernels booted on the rootfs: the release's own, what is no kernel, one that panics, commands that
never end, front ends that die. Under emulation a boot takes a minute, so one boot serves many cases."""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import time

from support import apt, kernels, tap, trees
from support.guest import QUICK
from support.terminal import Terminal
from support.world import (AS_ROOT, SOURCE, Case, Tidy, children, command_of, fstests_rootfs, kill, play,
                           processes_left, wait_until)

home = fstests_rootfs()
FAILED_VM, TIMEOUT, INTERRUPTED = 125, 124, 130

# Run in the guest, each by bash -c; what it must print.
IN_GUEST = [
    ("root runs it", "id -u", r"^0$"),
    ("fsqa's ids", "id fsqa", r"uid=1000\(fsqa\) gid=1000\(fsqa\).*1002\(fsgqa\)"),
    ("fsgqa2's ids", "id fsgqa2", r"uid=1001\(fsgqa2\) gid=1001"),
    ("files belong to the guest's root", "stat -c %u:%g / /etc /usr/bin/su", r"^0:0\n0:0\n0:0$"),
    ("setuid programs work", "su fsqa -c 'su --version'", "util-linux"),
    ("sudo is setuid root", "stat -c %u:%a /usr/bin/sudo", "^0:4755$"),
    ("its own init", "cat /proc/1/comm", "."),
    ("the kernel is the release's", "test -d /lib/modules/$(uname -r) && echo yes", "^yes$"),
    ("modules can be loaded", "modprobe xfs && grep -w xfs /proc/filesystems", "xfs"),
    ("/tmp can be written", "echo x >/tmp/x && cat /tmp/x", "^x$"),
    ("the scratch disk has its size", "cat /sys/block/vda/size", "^1048576$"),
    # Each has a size of its own; the root's comes after them.
    ("as many disks as one can ask for, in their order",
     "(cd /sys/block; cat vd*/size | sort -n | uniq -c | wc -l; cat vdb/size vdz/size vdae/size vdaf/serial)",
     "^32\n2\n26\n31\nrootlet-root$"),
    ("the shared folder can be written", "echo from-the-guest >$SHARE/file && cat $SHARE/file",
     "from-the-guest"),
    ("one that was given by a symbolic link is there by both names",
     "echo by-the-link >$LINK/file && cat $LINK-real/file && "
     "grep -c \" $LINK\\(-real\\)\\? 9p \" /proc/mounts",
     "^by-the-link\n2$"),
    ("it sets no setuid bit in the shared folder", "cp /bin/true $SHARE/bit && chmod 4755 $SHARE/bit 2>&1; "
     "cp /bin/true /tmp/bit && chmod 4755 /tmp/bit && stat -c %a $SHARE/bit /tmp/bit",
     r"Operation not permitted\n755\n4755$"),
    ("the user's home is not the guest's", "ls $HOST_HOME/config 2>&1", "No such file"),
    ("standard error", "echo to-error >&2; echo x", "^x$"),
    ("programs are the rootfs's", "ls --version", "GNU coreutils"),
    ("programs are the rootfs's, in sh, too", "sh -c 'ls --version; dd --version'", r"dd \(coreutils"),
    ("sh is the rootfs's", "sh -c 'readlink /proc/$$/exe'", "/(da|ba)sh$"),
    ("dd takes what coreutils' takes",
     "sh -c 'dd if=/dev/zero of=/tmp/z bs=1M count=1 oflag=nonblock && echo yes'", "^yes$"),
    ("no process is busybox", "for p in /proc/[0-9]*; do readlink $p/exe; done | grep -c busybox", "^0$"),
    ("busybox is nowhere to be found",
     "find ${PATH//:/ } /run /boot -iname '*busybox*' 2>&1 | grep -v 'No such'; echo none", r"\Anone\Z"),
    ("the environment is the command's", "env | grep -cE '^(virtme|nr_open|OLDPWD)'", "^0$"),
    ("its processors are those of --cpus", "nproc", "^3$"),
    ("its clock is the processor's, or the host's through KVM, and not the slow HPET",
     "cat /sys/devices/system/clocksource/clocksource0/current_clocksource", "^(tsc(-early)?|kvm-clock)$"),
    # The kernel keeps some of it for itself.
    ("its memory is that of --memory", "awk '/^MemTotal/ { print ($2 > 600000 && $2 < 900000) }' /proc/meminfo",
     "^1$"),
]


def guest_script(share, link):
    lines = [f"SHARE={share}; LINK={link}; HOST_HOME={home.folder}"]
    for number, (_, command, _) in enumerate(IN_GUEST):
        lines.append(f"echo '<case {number}>'; {command}; echo '</case>'")
    with open(f"{SOURCE}/frontend/guest/smoke.sh", encoding="utf-8") as file:
        smoke = file.read()
    lines.append(f"echo '<smoke>'\nbash -s <<'END-OF-SMOKE'\n{smoke}\nEND-OF-SMOKE")
    lines.append("echo \"smoke: $?\"; exit 37")
    return "\n".join(lines)


def one_boot():
    share = home.make_folder(f"{home.folder}/share")
    link = f"{home.folder}/link"
    home.make_folder(f"{link}-real")
    os.symlink(f"{link}-real", link)
    more_disks = [word for number in range(2, 32) for word in ("--disk", number * 512)]
    with Tidy(home) as tidy:
        outcome = home.run("run", "--kernel", "distro", "--disk", "512M", *more_disks, "--rwdir", share,
                           "--rwdir", "./link/", "--memory", "900M", "--cpus", "3", "--timeout", "1500", "--", "bash",
                           "-c", guest_script(share, link), seconds=1600)
        wrong = tidy.complaints()
    out = outcome.out.replace("\r\n", "\n")
    tap.report("<case 0>" in out, "run: the release's kernel boots", outcome)
    tap.report(outcome.status == 37, "run: the command's exit status comes back", outcome)
    tap.report(not wrong, "run: nothing stays", *wrong)
    for number, (what, _, says) in enumerate(IN_GUEST):
        found = re.search(rf"<case {number}>\n(.*?)</case>", out, re.S)
        text = found.group(1).rstrip("\n") if found else ""
        tap.report(bool(found and re.search(says, text, re.M)), f"in the guest: {what}", text)
    tap.report("to-error" in outcome.err, "run: standard error is passed on", outcome.err[-500:])
    smoke = out.partition("<smoke>")[2]
    for good, what in re.findall(r"^(ok|not ok) \d+ - (.*)$", smoke, re.M):
        tap.report(good == "ok", f"smoke: {what}", smoke if good != "ok" else "")
    tap.report("smoke: 0" in smoke and "passed, 0 failed" in smoke, "smoke: all of it", smoke[-500:])
    path = f"{share}/file"
    tap.report(os.path.exists(path) and (home.user.uid is None or
                                         os.lstat(path).st_uid == home.user.uid),
               "run: what the guest wrote in the shared folder is the user's")
    tap.report(os.path.islink(link) and os.path.exists(f"{link}-real/file"), "run: a shared link stays one")
    play(Case("run: the rootfs is as it was", ["check", "--deep"], 0, "✓"), home)


def no_kernels():
    os.makedirs(f"{home.folder}/empty-folder", exist_ok=True)
    home.write("text", "this is no kernel\n" * 100)
    home.write("nothing", "")
    header = bytearray(4096)
    header[0x1fe:0x200] = b"\x55\xaa"
    home.write("boot-sector", bytes(header))
    for what, path, status, says in (
            ("a text file", "text", 2, "not a kernel"),
            ("an empty file", "nothing", 2, "not a kernel"),
            ("a program", "/bin/true", 2, "not a kernel"),
            ("a boot sector", "boot-sector", 2, "not a kernel"),
            ("a folder without one", "empty-folder", None, "no kernel|cannot read the kernel"),
            ("nothing at all", "no-such-file", None, "cannot open the kernel"),
            ("a device", "/dev/zero", 2, "not a kernel")):
        with Tidy(home) as tidy:
            outcome = home.run("run", "--kernel", path, "--", "true", seconds=60)
            wrong = tidy.complaints()
        good = outcome.status in ((status,) if status else (1, 2)) and re.search(says, outcome.err)
        tap.report(good and not wrong, f"run: {what} in place of a kernel", *wrong, outcome)


def broken_kernel():
    """The right header, and rubbish behind it."""
    header = bytearray(os.urandom(1 << 20))
    header[:0x300] = bytes(0x300)
    header[0x1f1] = 4
    header[0x1fe:0x200] = b"\x55\xaa"
    header[0x202:0x206] = b"HdrS"
    header[0x206:0x208] = b"\x0f\x02"
    home.write("rubbish", bytes(header))
    with Tidy(home) as tidy:
        outcome = home.run("run", "--kernel", "rubbish", "--timeout", "10", "--", "true", seconds=120)
        wrong = tidy.complaints()
    tap.report(outcome.status in (TIMEOUT, FAILED_VM) and not wrong,
               "run: a kernel that does not boot ends by itself or by --timeout", *wrong, outcome)


# On the tree itself, under a layer of the guest's own.
ON_TREE = r"""touch /root/file /file /mnt/file && echo wrote
grep -c ' / overlay ' /proc/mounts
sh -c 'readlink /proc/$$/exe; ls --version'
echo "busybox: $(readlink /proc/[0-9]*/exe | grep -c busybox)"
test -e /proc/self/fd/0 && test -c /dev/null && test -d /sys/class &&
	test -d /lib/modules/$(uname -r)/kernel && echo all
echo c >/proc/sysrq-trigger; sleep 1000"""


def panic():
    with Tidy(home) as tidy:
        outcome = home.run("run", "--kernel", "distro", *QUICK, "--append", "init=/nonexistent rdinit=/nonexistent",
                           "--timeout", "600", "--", "true", seconds=700)
        wrong = tidy.complaints()
    tap.report(outcome.status == FAILED_VM and not wrong and "panic" in outcome.err.lower(),
               "run: a kernel that panics at boot", *wrong, outcome)
    with Tidy(home) as tidy:
        outcome = home.run("run", "--kernel", "distro", "--root-transport", "dir", *QUICK, "--timeout", "1200",
                           "--", "sh", "-c", ON_TREE, seconds=1300)
        wrong = tidy.complaints()
    tap.report(outcome.status == FAILED_VM and not wrong and "panic" in outcome.err.lower(),
               "run: a kernel that panics while the command runs", *wrong, outcome)
    out = outcome.out.replace("\r", "").splitlines()
    for what, line in (("/ and /root can be written", "wrote"), ("/ has a layer in memory", "1"),
                       ("no process is busybox", "busybox: 0"), ("what was mounted is there", "all")):
        tap.report(line in out, f"on the tree: {what}", outcome)
    tap.report(any("GNU coreutils" in line for line in out) and
               any(re.search("/(da|ba)sh$", line) for line in out), "on the tree: programs are the rootfs's",
               outcome)


def never_ends(boot):
    """--timeout counts from the start of run; BOOT: what of it passes until the command runs."""
    limit = int(20 + 2 * boot)
    with Tidy(home) as tidy:
        began = time.monotonic()
        outcome = home.run("run", "--kernel", "distro", *QUICK, "--timeout", limit, "--", "sh", "-c",
                           "echo started; trap '' TERM INT HUP; while :; do sleep 1; done",
                           seconds=600 + 2 * limit)
        took = time.monotonic() - began
        wrong = tidy.complaints()
    tap.report(outcome.status == TIMEOUT and "started" in outcome.out and not wrong and
               limit <= took < limit + 60,
               "run: a command that never ends is ended by --timeout", *wrong, outcome)


def shell_on_terminal():
    """Without a command: a shell on a terminal of its own, as under ssh -t. Returns a boot's seconds."""
    began = time.monotonic()
    with Tidy(home) as tidy:
        with Terminal(home, "run", "--kernel", "distro", *QUICK, "--timeout", "1200", size=(50, 132),
                      environment={"TERM": "screen"}) as terminal:
            there = terminal.expect(r"[#$] $", 1200)
            boot = time.monotonic() - began
            terminal.type("tty; stty size; echo type $TERM; sh -c 'echo sum $((40 + 2)); exec sleep 1000'\n")
            seen = terminal.expect(r"sum 42", 30 + 2 * boot)
            terminal.type("\x03")
            stopped = terminal.expect(r"\^C[^#$]*[#$] $", 30 + 2 * boot)
            terminal.resize(41, 101)
            terminal.type("until [ \"$(stty size)\" = '41 101' ]; do sleep 0.1; done; echo now $((40 + 3))\n")
            resized = terminal.expect("now 43", 30 + 2 * boot)
            terminal.type("exit 5\n")
            ended = terminal.wait(90 + 2 * boot)
            restored = terminal.as_it_was()
        wrong = tidy.complaints()
    shown = repr(terminal.text[-1500:])
    tap.report(there and seen and re.search(r"/dev/hvc0\r\n50 132\r\ntype screen\r\n", terminal.text),
               "run: without a command, a shell on a terminal of this one's size and type", shown)
    tap.report(stopped, "run: Ctrl-C goes to what the shell runs", shown)
    tap.report(resized, "run: the terminal's size follows this one's", shown)
    tap.report(restored, "run: this terminal is as it was, afterwards", shown)
    tap.report(ended == 5 and not wrong, "run: its exit status comes back, and nothing stays", ended, *wrong,
               shown)
    tap.note(f"from run to a prompt: {boot:.0f} s")
    return boot


# In the place of an old udev's, which kills what is in its cgroup if process 1 is its parent.
OLD_UDEVD = "#!/bin/sh\n[ $PPID != 1 ] || touch /run/killer\n"


def replace_udevd(tree):
    """By a file of its own: others of the tree are shared with the snapshot."""
    places = (f"{tree}/usr/lib/systemd/systemd-udevd", f"{tree}/lib/systemd/systemd-udevd")
    path = next(path for path in places if os.path.lexists(path))
    os.unlink(path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(OLD_UDEVD)
    os.chmod(path, 0o755)
    owner = os.stat(tree)
    os.chown(path, owner.st_uid, owner.st_gid)


def without_erofs(boot):
    """A kernel that cannot have an erofs root, and a rootfs that shares its files with a snapshot."""
    suite = apt.host_suite()
    kernels = f"{home.cache}/rootlet/kernels"
    name = next(name for name in os.listdir(kernels) if name.startswith(f"{suite}-"))
    copy = f"{home.folder}/no-erofs"
    shutil.copytree(f"{kernels}/{os.readlink(f'{kernels}/{name}')}", copy, symlinks=True,
                    ignore=shutil.ignore_patterns("erofs", ".sums"))
    if AS_ROOT:
        subprocess.run(["chown", "-R", f"{home.user.uid}:{home.user.gid}", copy], check=True)
    for path in [f"{copy}/boot/config", *glob.glob(f"{copy}/lib/modules/*/modules.dep")]:
        with open(path, encoding="utf-8") as file:
            lines = [line for line in file if "erofs" not in line.lower()]
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(lines)
    with Tidy(home) as tidy:
        made = home.run("create", "--name", "clone", "--release", suite, "--quiet", seconds=1500)
        if AS_ROOT:
            replace_udevd(trees.inside(f"{home.store}/clone"))
        ran = home.run("run", "--name", "clone", "--kernel", f"{copy}/boot/vmlinuz", *QUICK, "--timeout",
                       int(600 + 4 * boot), "--", "sh", "-c",
                       "ls /sys/fs/ext4 /run; grep -c erofs /proc/filesystems", seconds=1500)
        gone = home.run("delete", "--name", "clone", "--yes")
        wrong = tidy.complaints()
    shutil.rmtree(copy)
    out = ran.out.split()
    tap.report(made.status == gone.status == 0 and not wrong, "a rootfs from a snapshot", *wrong, made, gone)
    tap.report(ran.status == 1 and "vda" in out and out[-1:] == ["0"],
               "run: a kernel without erofs has an ext4 image, with room for what a snapshot shares", ran)
    what = "run: an old udev does not take process 1 for systemd"
    if AS_ROOT:
        tap.report("rootlet" in out and "killer" not in out, what, ran)
    else:
        tap.skip(what, "needs root, to change a file of the rootfs")


def qemu_of(pid):
    return [child for child in children(pid) if "qemu" in command_of(child)]


def filters_of(pid):
    """How many seccomp filters each of its threads has."""
    counts = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8") as file:
            counts.append(int(re.search(r"^Seccomp_filters:\t(\d+)", file.read(), re.M).group(1)))
    return counts


def sandboxed(front):
    """The filters of qemu and vng, once qemu has loaded one of its own (-sandbox) besides what rootlet gave
    to both."""
    def seen():
        qemu = [pid for pid in qemu_of(front.pid) if command_of(pid).startswith("/usr/bin/qemu")]
        vng = [pid for pid in children(front.pid) if re.match(r"\S*python3? \S*vng ", command_of(pid))]
        try:
            counts = [filters_of(pid) for pid in (qemu + vng)[:2]]
        except OSError:  # one of those that vng only asks for its version, gone again
            return None
        return counts if len(counts) == 2 and min(counts[0]) > max(counts[1]) > 0 else None
    return wait_until(seen, 120)


def deaths():
    """The VM ends with the front end, whatever that one dies of."""
    for what, number, status in (("kill -9", signal.SIGKILL, -9), ("Ctrl-C", signal.SIGINT, INTERRUPTED)):
        with Tidy(home) as tidy:
            front = home.start("run", "--kernel", "distro", *QUICK, "--timeout", "300", "--", "sleep", "1000")
            there = sandboxed(front)
            kill(front.pid, number)
            _, err = front.communicate(timeout=300)
            wrong = tidy.complaints()
        tap.report(bool(there), f"run: qemu has a sandbox of its own, besides rootlet's ({what})", err[-1000:])
        tap.report(bool(there) and front.returncode == status and not wrong,
                   f"run: {what} of the front end takes the VM with it", *wrong, err[-1000:])
    play(Case("run: no lock stays", ["shell", "--", "true"], 0), home)


# Of each profile besides fstests, what a guest of it must be able to do.
PROFILES = {
    "minimal": "command -v udevadm ip poweroff",
    "fstests-build": "id fsqa && echo 'int main(void) { return 0; }' >/tmp/a.c && cc -o /tmp/a /tmp/a.c && /tmp/a",
    "blktests": "command -v make gcc fio",
    "kselftest": "command -v make gcc",
    "ltp": "command -v make gcc autoconf",
}


def profiles():
    """Each made from the host's mirror, and booted."""
    for name, command in PROFILES.items():
        with Tidy(home) as tidy:
            made = home.run("create", "--name", name, "--profile", name, "--release", apt.host_suite(), "--quiet",
                            seconds=1500)
            check = home.run("check", "--name", name)
            ran = home.run("run", "--name", name, "--kernel", "distro", "--timeout", "1200", "--", "sh", "-c",
                           f"cat /proc/version && {command}", seconds=1300)
            gone = home.run("delete", "--name", name, "--yes")
            wrong = tidy.complaints()
        tap.report([made.status, check.status, ran.status, gone.status] == [0, 0, 0, 0] and
                   "Linux version" in ran.out and not wrong, f"profile {name}: made, checked, booted, deleted",
                   *wrong, made, check, ran, gone)


def vng_kernel():
    """A kernel as `vng --kconfig` makes it boots from squashfs, since it has nothing better; built again with
    ext4, it runs fstests on an ext4 image, and that is told once. Neither boots from the tree itself."""
    began = time.monotonic()
    tree = kernels.vng_kernel(home)
    if not tree:
        return
    tap.note(f"a kernel with vng's configuration: built in {time.monotonic() - began:.0f} s")
    guest = "uname -r; grep -c lowerdir=/run/image /proc/mounts; cat /proc/filesystems"
    ran = home.run("run", "--kernel", tree, "--timeout", "1200", "--", "sh", "-c", guest, seconds=1300)
    out = ran.out.split()
    tap.note(f"it boots and ends in {ran.seconds:.0f} s")
    tap.report(ran.status == 0 and out[:2] == [kernels.release(home, tree), "1"] and "squashfs" in out and
               not {"erofs", "ext4"} & set(out) and "is the tree itself" not in ran.err,
               "run: a kernel with vng's configuration boots from an image", ran)
    kernels.build(home, tree, "CONFIG_EXT4_FS=y")
    mini = f"{home.folder}/mini"
    shutil.copytree(f"{SOURCE}/tests/fstests-mini", mini)
    if AS_ROOT:
        subprocess.run(["chown", "-R", f"{home.user.uid}:{home.user.gid}", mini], check=True)
    ran = home.run("fstests", "--json", "--kernel", tree, "--fstests", mini, "--fstype", "ext4", "--memory", "1G",
                   "--devices", "3", "--device-size", "512M", "--", "generic/001", seconds=1800)
    events = [json.loads(line) for line in ran.out.splitlines()]
    result = events[-1] if events else {}
    told = [event for event in events if event["event"] == "log" and "an ext4 image" in event["line"]]
    try:
        with open(f"{result.get('results')}/run.json", encoding="utf-8") as file:
            root = json.load(file).get("root")
    except (OSError, ValueError) as error:
        root = error
    tap.note(f"fstests on it: first test after {result.get('first_test_seconds')} s, all in {ran.seconds:.0f} s")
    tap.report(ran.status == 0 and result.get("counts", {}).get("pass") == 1 and root == "image" and len(told) == 1,
               "fstests: with ext4 besides, the root is an ext4 image, which is told once", root, told, ran)
    shutil.rmtree(os.path.dirname(tree))


one_boot()
no_kernels()
broken_kernel()
deaths()
boot_seconds = shell_on_terminal()
never_ends(boot_seconds)
panic()
without_erofs(boot_seconds)
if os.environ.get("ROOTLET_TEST_LONG") == "1":
    profiles()
    vng_kernel()
tap.report(not processes_left(5), "nothing runs in the end")
tap.done()
