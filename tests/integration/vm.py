"""Kernels booted on the rootfs: the release's own, files that are not kernels, one that panics, commands that
never end, and front ends that die. An emulated boot takes a minute, so one boot serves many cases."""
import glob
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time

from support import apt, kernels, tap, trees
from support.guest import QUICK
from support.terminal import Terminal
from support.world import (AS_ROOT, SOURCE, Case, Tidy, children, command_of, field_of, fstests_rootfs,
                           kill, play, processes_left, wait_until)

home = fstests_rootfs()
FAILED_VM, TIMEOUT, INTERRUPTED = 125, 124, 130

# Each command runs in the guest with bash -c, and must print the pattern.
IN_GUEST = [
    ("commands run as root", "id -u", r"^0$"),
    ("fsqa has the right ids", "id fsqa", r"uid=1000\(fsqa\) gid=1000\(fsqa\).*1002\(fsgqa\)"),
    ("fsgqa2 has the right ids", "id fsgqa2", r"uid=1001\(fsgqa2\) gid=1001"),
    ("files belong to the guest's root", "stat -c %u:%g / /etc /usr/bin/su", r"^0:0\n0:0\n0:0$"),
    ("setuid programs work", "su fsqa -c 'su --version'", "util-linux"),
    ("sudo is setuid root", "stat -c %u:%a /usr/bin/sudo", "^0:4755$"),
    ("the guest has its own init", "cat /proc/1/comm", "."),
    ("the kernel is the release's", "test -d /lib/modules/$(uname -r) && echo yes", "^yes$"),
    ("modules can be loaded", "modprobe xfs && grep -w xfs /proc/filesystems", "xfs"),
    ("/tmp is writable", "echo x >/tmp/x && cat /tmp/x", "^x$"),
    ("the scratch disk has its size", "cat /sys/block/vda/size", "^1048576$"),
    # The boot protocol's version is 2.12 then. Source: Linux arch/x86/platform/pvh/enlighten.c.
    ("--boot elf starts the kernel through its PVH entry point", "cat /sys/kernel/boot_params/version",
     "^0x020c$"),
    ("udev knows the disks", "ls -l /dev/disk/by-path", r"-> \.\./\.\./vda\n"),
    ("udev sets modes", "stat -c %a /dev/fuse", "^666$"),
    # Each has a different size; the root disk comes last.
    ("the maximum number of disks appears in order",
     "(cd /sys/block; cat vd*/size | sort -n | uniq -c | wc -l; cat vdb/size vdz/size vdae/size vdaf/serial)",
     "^32\n2\n26\n31\nrootlet-root$"),
    ("the shared directory is writable", "echo from-the-guest >$SHARE/file && cat $SHARE/file",
     "from-the-guest"),
    ("a directory shared through a symlink has both names",
     "echo by-the-link >$LINK/file && cat $LINK-real/file && "
     "grep -c \" $LINK\\(-real\\)\\? 9p \" /proc/mounts",
     "^by-the-link\n2$"),
    ("the guest cannot set a setuid bit in the shared directory",
     "cp /bin/true $SHARE/bit && chmod 4755 $SHARE/bit 2>&1; "
     "cp /bin/true /tmp/bit && chmod 4755 /tmp/bit && stat -c %a $SHARE/bit /tmp/bit",
     r"Operation not permitted\n755\n4755$"),
    ("the user's home is not visible", "ls $HOST_HOME/config 2>&1", "No such file"),
    ("standard error reaches the user", "echo to-error >&2; echo x", "^x$"),
    ("programs are the rootfs's", "ls --version", "GNU coreutils"),
    ("programs are the rootfs's in sh too", "sh -c 'ls --version; dd --version'", r"dd \(coreutils"),
    ("sh is the rootfs's", "sh -c 'readlink /proc/$$/exe'", "/(da|ba)sh$"),
    ("dd accepts coreutils options",
     "sh -c 'dd if=/dev/zero of=/tmp/z bs=1M count=1 oflag=nonblock && echo yes'", "^yes$"),
    ("no process is busybox", "for p in /proc/[0-9]*; do readlink $p/exe; done | grep -c busybox", "^0$"),
    ("busybox is not found anywhere",
     "find ${PATH//:/ } /run /boot -iname '*busybox*' 2>&1 | grep -v 'No such'; echo none", r"\Anone\Z"),
    ("virtme's variables are not in the environment", "env | grep -cE '^(virtme|nr_open|OLDPWD)'", "^0$"),
    ("--cpus sets the number of processors", "nproc", "^3$"),
    # While the host's clock, which the real-time clock shows, advances by five seconds.
    ("the guest's clock runs at the host's rate",
     "hosts() { cat /sys/class/rtc/rtc0/since_epoch; }; first=$(hosts); "
     "while (($(hosts) == first)); do sleep 0.05; done; begin=${EPOCHREALTIME/./}; "
     "while (($(hosts) < first + 6)); do sleep 0.05; done; echo $(((${EPOCHREALTIME/./} - begin) / 100000))",
     r"^[3-7]\d$"),
    ("the clock source is the TSC or KVM's, not the slow HPET",
     "cat /sys/devices/system/clocksource/clocksource0/current_clocksource", "^(tsc(-early)?|kvm-clock)$"),
    # The kernel reserves some of it.
    ("--memory sets the memory size",
     "awk '/^MemTotal/ { print ($2 > 600000 && $2 < 900000) }' /proc/meminfo",
     "^1$"),
]


def guest_script(share, link):
    lines = [f"SHARE={share}; LINK={link}; HOST_HOME={home.dir}"]
    for number, (_, command, _) in enumerate(IN_GUEST):
        lines.append(f"echo '<case {number}>'; {command}; echo '</case>'")
    lines.append("exit 37")
    return "\n".join(lines)


def one_boot():
    share = home.make_dir(f"{home.dir}/share")
    link = f"{home.dir}/link"
    home.make_dir(f"{link}-real")
    os.symlink(f"{link}-real", link)
    more_disks = [word for number in range(2, 32) for word in ("--disk", number * 512)]
    with Tidy(home) as tidy:
        outcome = home.run("run", "--kernel", "distro", "--disk", "512M", *more_disks, "--rwdir", share,
                           "--rwdir", "./link/", "--memory", "900M", "--cpus", "3", "--boot", "elf",
                           *QUICK[2:], "--timeout", "1500", "--", "bash", "-c", guest_script(share, link),
                           seconds=1600)
        wrong = tidy.complaints()
    out = outcome.out.replace("\r\n", "\n")
    tap.report("<case 0>" in out, "run: the release's kernel boots", outcome)
    tap.report(outcome.status == 37, "run: returns the command's exit status", outcome)
    tap.report(not wrong, "run: leaves nothing behind", *wrong)
    for number, (what, _, says) in enumerate(IN_GUEST):
        found = re.search(rf"<case {number}>\n(.*?)</case>", out, re.S)
        text = found.group(1).rstrip("\n") if found else ""
        tap.report(bool(found and re.search(says, text, re.M)), f"in the guest: {what}", text)
    tap.report("to-error" in outcome.err, "run: passes on standard error", outcome.err[-500:])
    path = f"{share}/file"
    tap.report(os.path.exists(path) and (home.user.uid is None or
                                         os.lstat(path).st_uid == home.user.uid),
               "run: files that the guest wrote in the shared directory belong to the user")
    tap.report(os.path.islink(link) and os.path.exists(f"{link}-real/file"),
               "run: a shared symlink remains a symlink")
    play(Case("run: does not change the rootfs", ["check", "--deep"], 0, "✓"), home)


def no_kernels():
    os.makedirs(f"{home.dir}/empty-directory", exist_ok=True)
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
            ("a directory without a kernel", "empty-directory", None, "no kernel|cannot read the kernel"),
            ("a missing file", "no-such-file", None, "cannot open the kernel"),
            ("a device", "/dev/zero", 2, "not a kernel")):
        with Tidy(home) as tidy:
            outcome = home.run("run", "--kernel", path, "--", "true", seconds=60)
            wrong = tidy.complaints()
        good = outcome.status in ((status,) if status else (1, 2)) and re.search(says, outcome.err)
        tap.report(good and not wrong, f"run: rejects {what} as kernel", *wrong, outcome)


def broken_kernel():
    """A valid header, and code that halts the processor for good: garbage would be emulated at full speed
    until the time is up."""
    header = bytearray(1 << 20)
    header[0x1f1] = 4
    header[0x1fe:0x202] = b"\x55\xaa\xfa\xf4"  # cli, hlt
    header[0x202:0x206] = b"HdrS"
    header[0x206:0x208] = b"\x0f\x02"
    home.write("rubbish", bytes(header))
    with Tidy(home) as tidy:
        outcome = home.run("run", "--kernel", "rubbish", "--timeout", "10", "--", "true", seconds=120)
        wrong = tidy.complaints()
    tap.report(outcome.status in (TIMEOUT, FAILED_VM) and not wrong,
               "run: a kernel that does not boot ends by itself or on --timeout", *wrong, outcome)


# On the tree itself, with the guest's own layer on top.
ON_TREE = r"""touch /root/file /file /mnt/file && echo wrote
grep -c ' / overlay ' /proc/mounts
sh -c 'readlink /proc/$$/exe; ls --version'
echo "busybox: $(readlink /proc/[0-9]*/exe | grep -c busybox)"
test -e /proc/self/fd/0 && test -c /dev/null && test -d /sys/class &&
	test -d /lib/modules/$(uname -r)/kernel && echo all
echo "protocol: $(cat /sys/kernel/boot_params/version)"
echo c >/proc/sysrq-trigger; sleep 1000"""


def panic():
    with Tidy(home) as tidy:
        outcome = home.run("run", "--kernel", "distro", *QUICK, "--append",
                           "init=/nonexistent rdinit=/nonexistent",
                           "--timeout", "600", "--", "true", seconds=700)
        wrong = tidy.complaints()
    tap.report(outcome.status == FAILED_VM and not wrong and "panic" in outcome.err.lower(),
               "run: a kernel that panics at boot", *wrong, outcome)
    with Tidy(home) as tidy:
        outcome = home.run("run", "--kernel", "distro", "--root-transport", "dir", "--boot", "bzimage",
                           *QUICK, "--timeout", "1200", "--", "sh", "-c", ON_TREE, seconds=1300)
        wrong = tidy.complaints()
    tap.report(outcome.status == FAILED_VM and not wrong and "panic" in outcome.err.lower(),
               "run: a kernel that panics while the command runs", *wrong, outcome)
    out = outcome.out.replace("\r", "").splitlines()
    for what, line in (("/ and /root are writable", "wrote"), ("/ has a layer in memory", "1"),
                       ("no process is busybox", "busybox: 0"), ("the usual mounts exist", "all"),
                       ("--boot bzimage starts the bzImage", "protocol: 0x020f")):
        tap.report(line in out, f"on the tree: {what}", outcome)
    tap.report(any("GNU coreutils" in line for line in out) and
               any(re.search("/(da|ba)sh$", line) for line in out), "on the tree: programs are the rootfs's",
               outcome)


def shell_on_terminal():
    """Without a command: a shell on its own terminal, as with ssh -t. Returns the boot time in seconds."""
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
               "run: without a command, starts a shell on a terminal with the size and type of this one",
               shown)
    tap.report(stopped, "run: Ctrl-C reaches the command in the shell", shown)
    tap.report(resized, "run: the guest's terminal follows size changes", shown)
    tap.report(restored, "run: restores the terminal afterwards", shown)
    tap.report(ended == 5 and not wrong, "run: returns the shell's exit status and leaves nothing behind",
               ended, *wrong,
               shown)
    tap.note(f"from run to a prompt: {boot:.0f} s")
    return boot


# Replaces an old udev, which kills everything in its cgroup if its parent is process 1.
OLD_UDEVD = "#!/bin/sh\n[ $PPID != 1 ] || touch /run/killer\n"


def replace_udevd(tree):
    """Replaces the file: the tree shares its files with the snapshot."""
    places = (f"{tree}/usr/lib/systemd/systemd-udevd", f"{tree}/lib/systemd/systemd-udevd")
    path = next(path for path in places if os.path.lexists(path))
    os.unlink(path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(OLD_UDEVD)
    os.chmod(path, 0o755)
    owner = os.stat(tree)
    os.chown(path, owner.st_uid, owner.st_gid)


def without_erofs(boot):
    """A kernel without erofs, and a rootfs that shares files with a snapshot. The command never ends.
    --timeout counts from the start of run; BOOT: seconds until a command runs."""
    limit = int(45 + 2 * boot)
    suite = apt.host_suite()
    kernels = f"{home.cache}/rootlet/kernels"
    name = next(name for name in os.listdir(kernels) if name.startswith(f"{suite}-"))
    copy = f"{home.dir}/no-erofs"
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
                       limit, "--", "sh", "-c",
                       "trap '' TERM INT HUP; ls /sys/fs/ext4 /run; grep -c erofs /proc/filesystems; "
                       "while :; do sleep 1; done", seconds=600 + 2 * limit)
        gone = home.run("delete", "--name", "clone", "--yes")
        wrong = tidy.complaints()
    shutil.rmtree(copy)
    out = ran.out.split()
    tap.report(made.status == gone.status == 0 and not wrong, "a rootfs is cloned from a snapshot", *wrong,
               made, gone)
    tap.report(ran.status == TIMEOUT and out[-1:] == ["0"] and limit <= ran.seconds < limit + 60,
               "run: --timeout ends a command that never ends", ran)
    tap.report("vda" in out and out[-1:] == ["0"],
               "run: a kernel without erofs gets an ext4 image with space for files shared with a snapshot",
               ran)
    what = "run: an old udev does not take process 1 for systemd"
    if AS_ROOT:
        tap.report("rootlet" in out and "killer" not in out, what, ran)
    else:
        tap.skip(what, "needs root to change a file of the rootfs")


def qemu_of(pid):
    return [child for child in children(pid) if "qemu" in command_of(child)]


def filters_of(pid):
    """Returns the number of seccomp filters of each thread. Threads may end meanwhile."""
    counts = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        counts.append(field_of(f"{pid}/task/{thread}", "Seccomp_filters"))
    return [int(count) for count in counts if count]


def sandboxed(front):
    """Returns the filters of qemu and vng after qemu has loaded its own (-sandbox) in addition to
    rootlet's."""
    def seen():
        qemu = [pid for pid in qemu_of(front.pid) if command_of(pid).startswith("/usr/bin/qemu")]
        vng = [pid for pid in children(front.pid) if re.match(r"\S*python3? \S*vng ", command_of(pid))]
        try:
            counts = [filters_of(pid) for pid in (qemu + vng)[:2]]
        except OSError:  # vng had only started it to get its version; it is gone
            return None
        return counts if len(counts) == 2 and all(counts) and min(counts[0]) > max(counts[1]) > 0 else None
    return wait_until(seen, 120)


def gdb(line):
    """Runs gdb by the line that rootlet printed, and returns what it said about the processor."""
    words = [*shlex.split(line.replace("gdb VMLINUX", "gdb", 1)), "-nx", "-batch",
             "-ex", "info registers rip", "-ex", "detach"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
                          check=False, **home.user.switch())
    return done.stdout + done.stderr


def debugged(front):
    """Attaches the real gdb twice: to the guest that waits, and while it boots."""
    said = front.stderr.readline
    line = next((found.group(1) for found in (re.search(r"waits for a debugger; run: (gdb .*)", text.decode())
                                              for text in iter(said, b"")) if found), "")
    if not shutil.which("gdb"):
        tap.skip("run --gdb: gdb attaches", "gdb is not installed")
        return
    first, second = gdb(line), gdb(line)
    tap.report(re.search(r"^rip +0xfff0 ", first, re.M),
               "run --gdb: gdb finds the guest before its first instruction", line, first)
    found = re.search(r"^rip +(0x[0-9a-f]+) ", second, re.M)
    tap.report(found and found.group(1) != "0xfff0",
               "run --gdb: gdb leaves, the guest runs, and gdb comes back", second)


def deaths():
    """The VM ends with the front end, however that dies."""
    for what, number, status, more in (("kill -9", signal.SIGKILL, -9, []),
                                       ("Ctrl-C", signal.SIGINT, INTERRUPTED, ["--gdb"])):
        with Tidy(home) as tidy:
            front = home.start("run", "--kernel", "distro", *QUICK, *more, "--timeout", "300", "--", "sleep",
                               "1000")
            there = sandboxed(front)
            if more:
                debugged(front)
            kill(front.pid, number)
            _, err = front.communicate(timeout=300)
            wrong = tidy.complaints()
        tap.report(bool(there), f"run: qemu has its own sandbox in addition to rootlet's ({what})",
                   err[-1000:])
        tap.report(bool(there) and front.returncode == status and not wrong,
                   f"run: {what} of the front end ends the VM", *wrong, err[-1000:])
    play(Case("run: the lock is released", ["shell", "--", "true"], 0), home)


# What a guest of each profile (other than fstests) must be able to do.
PROFILES = {
    "minimal": "command -v udevadm ip poweroff",
    "fstests-build":
            "id fsqa && echo 'int main(void) { return 0; }' >/tmp/a.c && cc -o /tmp/a /tmp/a.c && /tmp/a",
    "blktests": "command -v make gcc fio",
    "kselftest": "command -v make gcc",
    "ltp": "command -v make gcc autoconf",
}


def profiles():
    """Each profile is created from the host's mirror and booted."""
    for name, command in PROFILES.items():
        with Tidy(home) as tidy:
            made = home.run("create", "--name", name, "--profile", name, "--release", apt.host_suite(),
                            "--quiet",
                            seconds=1500)
            check = home.run("check", "--name", name)
            ran = home.run("run", "--name", name, "--kernel", "distro", "--timeout", "1200", "--", "sh", "-c",
                           f"cat /proc/version && {command}", seconds=1300)
            gone = home.run("delete", "--name", name, "--yes")
            wrong = tidy.complaints()
        tap.report([made.status, check.status, ran.status, gone.status] == [0, 0, 0, 0] and
                   "Linux version" in ran.out and not wrong,
                   f"profile {name}: can be created, checked, booted and deleted",
                   *wrong, made, check, ran, gone)


def vng_kernel():
    """A kernel built with `vng --kconfig` boots from squashfs, the best that it supports. Rebuilt with ext4,
    it runs fstests on an ext4 image, with one note. Neither boots from the tree itself."""
    began = time.monotonic()
    tree = kernels.vng_kernel(home)
    if not tree:
        return
    tap.note(f"a kernel with vng's configuration: built in {time.monotonic() - began:.0f} s")
    guest = "uname -r; grep -c lowerdir=/run/image /proc/mounts; cat /proc/filesystems"
    ran = home.run("run", "--kernel", tree, "--timeout", "1200", "--", "sh", "-c", guest, seconds=1300)
    out = ran.out.split()
    tap.note(f"boot and exit took {ran.seconds:.0f} s")
    tap.report(ran.status == 0 and out[:2] == [kernels.release(home, tree), "1"] and "squashfs" in out and
               not {"erofs", "ext4"} & set(out) and "is the tree itself" not in ran.err,
               "run: a kernel with vng's configuration boots from an image", ran)
    kernels.build(home, tree, "CONFIG_EXT4_FS=y")
    mini = f"{home.dir}/mini"
    shutil.copytree(f"{SOURCE}/tests/fstests-mini", mini)
    if AS_ROOT:
        subprocess.run(["chown", "-R", f"{home.user.uid}:{home.user.gid}", mini], check=True)
    ran = home.run("fstests", "--json", "--kernel", tree, "--fstests", mini, "--fstype", "ext4", "--memory",
                   "1G",
                   "--devices", "3", "--device-size", "512M", "--", "generic/001", seconds=1800)
    events = [json.loads(line) for line in ran.out.splitlines()]
    result = events[-1] if events else {}
    told = [event for event in events if event["event"] == "log" and "an ext4 image" in event["line"]]
    try:
        with open(f"{result.get('results')}/run.json", encoding="utf-8") as file:
            root = json.load(file).get("root")
    except (OSError, ValueError) as error:
        root = error
    tap.note(f"fstests on this kernel: first test after {result.get('first_test_seconds')} s, total "
             f"{ran.seconds:.0f} s")
    tap.report(ran.status == 0 and result.get("counts", {}).get("pass") == 1 and root == "image" and
               len(told) == 1,
               "fstests: with ext4 as well, the root is an ext4 image, with one note", root, told, ran)
    shutil.rmtree(os.path.dirname(tree))


one_boot()
no_kernels()
broken_kernel()
deaths()
boot_seconds = shell_on_terminal()
panic()
without_erofs(boot_seconds)
if os.environ.get("ROOTLET_TEST_LONG") == "1":
    profiles()
    vng_kernel()
tap.report(not processes_left(5), "no processes remain")
tap.done()
