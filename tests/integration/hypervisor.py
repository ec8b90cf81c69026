"""What surrounds vng and qemu, with a program of the test's in vng's place: what it can reach is what a
guest can that has taken qemu over; and what it says is what a hostile guest may say. No VM is booted."""
import json
import os
import re
import signal
import socket
import subprocess
import time

from support import sums, tap, vng
from support.schemas import stream
from support.terminal import Terminal
from support.world import Home, Outcome, Tidy, kill, small_rootfs, wait_until

TIMEOUT, INTERRUPTED, FAILED_VM = 124, 130, 125
rootfs = small_rootfs()
TREE = f"{rootfs.store}/test-rootfs"
home = Home()
SHARE = home.make_folder(f"{home.folder}/share")
home.write("precious", "of-the-host")


def kernel(name="kernel", version=""):
    return home.write(name, vng.kernel(version))


KERNEL = kernel()


def start(script, *words, image=KERNEL):
    """`rootlet run` where vng is a shell SCRIPT."""
    os.chmod(home.write("bin/vng", f"#!/bin/bash\n{script}\n"), 0o755)
    return home.start("run", "--path", TREE, "--kernel", image, *words, "--", "true",
                      environment={"PATH": f"{home.folder}/bin:/usr/bin:/bin"})


def run(script, *words, seconds=120, **more):
    process = start(script, *words, **more)
    began = time.monotonic()
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace"), \
        time.monotonic() - began


# "true" where it came through. HOME is the test's own folder.
ATTACKS = {
    "writes to the user's home": "touch $HOME/escaped",
    "overwrites a file of the user's": "echo x >>$HOME/precious",
    "writes to the rootfs": "touch $TREE/escaped || touch /mnt/tree/escaped || touch /mnt/root/escaped",
    "writes to /tmp": "touch /tmp/escaped.$$",
    "writes to /var/tmp": "touch /var/tmp/escaped.$$",
    "remounts the host writable": "mount -o remount,rw / || mount -o remount,bind,rw /",
    "does so in namespaces of its own": "unshare --user --map-root-user --mount sh -c "
        "'mount -o remount,bind,rw / && touch $HOME/escaped'",
    "mounts": "mount -t tmpfs none /var/tmp",
    "makes a file of the rootfs's root": "setpriv --reuid 0 true",
    "gains from a setuid program": "test \"$(setpriv --dump | grep -c 'no_new_privs: 1')\" = 0",
    "holds more than one capability": "test $(setpriv --dump | sed -n 's/^Effective capabilities: //p' | "
        "tr , '\\n' | grep -c .) -gt 1",
    "sees a process of the user's": f"kill -0 {os.getpid()}",
    "looks into a process of the user's": "cat /proc/FRONT/environ || ls -l /proc/FRONT/fd/ || "
        "head -c 1 /proc/FRONT/mem",
    "reaches a network": "test $(wc -l </proc/net/route) -gt 1",
    "connects to a socket of the user's": "perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0) or exit 1; "
        "exit(connect(S, pack_sockaddr_un(qq($ENV{HOME}/socket))) ? 0 : 1)'",
    "sends to a socket of the user's": "perl -MSocket -e 'socket(S, PF_UNIX, SOCK_DGRAM, 0) or exit 1; "
        "exit(send(S, q(x), 0, pack_sockaddr_un(qq($ENV{HOME}/datagrams))) ? 0 : 1)'",
    "keeps a descriptor of the caller's": "ls -l /proc/self/fd | grep -q open-file",
}


def taken_over():
    listeners = []
    for name, kind in (("socket", socket.SOCK_STREAM), ("datagrams", socket.SOCK_DGRAM)):
        listener = socket.socket(socket.AF_UNIX, kind)
        listener.bind(f"{home.folder}/{name}")
        os.chmod(f"{home.folder}/{name}", 0o777)
        listeners.append(listener)
    listeners[0].listen()
    lines = ["exec 2>/dev/null", f"TREE={TREE}", "read -r FRONT <$HOME/front"]
    for number, attack in enumerate(ATTACKS.values()):
        attack = attack.replace("FRONT", "$FRONT")
        lines.append(f"if ( {attack} ) >/dev/null </dev/null; then echo {number} yes; else echo {number} no; fi")
    lines.append("touch /mnt/share0/given && echo given")
    with Tidy(home) as tidy, open(home.write("open-file", "x"), encoding="utf-8") as opened:
        home.write("front", f"{os.getpid()}\n")
        os.set_inheritable(opened.fileno(), True)
        status, out, err, _ = run("\n".join(lines), "--rwdir", SHARE)
        wrong = tidy.complaints()
    said = dict(line.split() for line in out.splitlines() if len(line.split()) == 2)
    for number, what in enumerate(ATTACKS):
        tap.report(said.get(str(number)) == "no", f"who took qemu over never {what}",
                   said.get(str(number), "it was not tried"), err)
    tap.report("given" in out.split() and os.path.exists(f"{SHARE}/given"),
               "who took qemu over can write to what --rwdir gives", out, err)
    tap.report(status == FAILED_VM and not wrong, "a VM that ends without a word has failed", status,
               *wrong, err)
    for listener in listeners:
        listener.close()


STATUS, CONSOLE = "/mnt/status", "/mnt/console"
TERMINAL_IN, TERMINAL_OUT = "/mnt/terminal.in", "/mnt/terminal.out"
FLOODS = {"the status line": f"exec cat /dev/zero >{STATUS}",
          "lines on the status line": f"exec yes started >{STATUS}",
          "the console": f"exec cat /dev/zero >{CONSOLE}",
          "lines on the console": f"exec yes '[ 1.0] a line' >{CONSOLE}",
          "standard output": "exec cat /dev/zero",
          "all of them": f"cat /dev/zero >{STATUS} & cat /dev/zero >{CONSOLE} & cat /dev/zero >&2"}


def floods():
    """Neither the clock nor Ctrl-C may wait for a guest that never stops to talk."""
    for what, script in FLOODS.items():
        with Tidy(home) as tidy:
            process = start(script, "--timeout", "3")
            out = drained(process)
            wrong = tidy.complaints()
        tap.report(out == TIMEOUT and not wrong, f"--timeout ends a guest that floods {what}", out, *wrong)
    with Tidy(home) as tidy:
        process = start(FLOODS["lines on the status line"], "--timeout", "600")
        time.sleep(3)
        kill(process.pid, signal.SIGINT)
        out = drained(process)
        wrong = tidy.complaints()
    tap.report(out == INTERRUPTED and not wrong, "Ctrl-C ends a guest that floods the status line", out,
               *wrong)


def drained(process, seconds=60):
    """Reads what it says, without keeping it; its exit status, or None where it does not end."""
    end = time.monotonic() + seconds
    for stream in (process.stdout, process.stderr):
        os.set_blocking(stream.fileno(), False)
    while process.poll() is None and time.monotonic() < end:
        got = [stream.read(1 << 20) for stream in (process.stdout, process.stderr)]
        if not any(got):
            time.sleep(0.02)
    if process.poll() is None:
        kill(process.pid)
        process.wait()
        return None
    return process.returncode


SAYINGS = {
    "an exit status": (f"echo started >{STATUS}; echo exit 37 >{STATUS}", 37, ""),
    "two exit statuses": (f"echo exit 3 >{STATUS}; echo exit 4 >{STATUS}", 3, ""),
    "an impossible exit status": (f"echo exit 4096 >{STATUS}; echo exit -1 >{STATUS}", FAILED_VM, ""),
    "an exit status with more behind it": (f"echo 'exit 0 x' >{STATUS}", FAILED_VM, ""),
    "a line without an end": (f"head -c 100000 /dev/zero >{STATUS}; echo >{STATUS}; echo exit 5 >{STATUS}", 5, ""),
    "a panic with an escape sequence": (
        f"printf 'Kernel panic - not syncing: \\033[2J\\a%%n%%s\\n' >{CONSOLE}; sleep 1", FAILED_VM,
        "panic - not syncing: .*%n%s"),
    "an escape sequence on the console": (f"printf 'a \\033[2J line\\n' >{CONSOLE}; sleep 1", FAILED_VM,
                                          "a .*line"),
}


def sayings():
    for what, (script, status, says) in SAYINGS.items():
        with Tidy(home) as tidy:
            got, _, err, _ = run(script)
            wrong = tidy.complaints()
        tap.report(got == status and re.search(says, err) and "\033" not in err and "\a" not in err and
                   not wrong, f"a guest that says {what}", got, *wrong, err)


JSON = {
    # what the guest does: how it ends, exit status, standard output and error as events
    "its command succeeds": (f"echo one; printf 'two, \\377'; echo three >&2; echo started >{STATUS}; "
                             f"echo exit 0 >{STATUS}", "exited", 0, "one\ntwo, ?", "three\n"),
    "its command fails": (f"yes 0123456789 | head -n 2000; echo exit 37 >{STATUS}", "exited", 37,
                          "0123456789\n" * 2000, ""),
    "its time is over": (f"echo started >{STATUS}; echo up; sleep 600", "timeout", TIMEOUT, "up\n", ""),
    "it fails": ("echo gone", "failed", FAILED_VM, "gone\n", ""),
}


# On its first boot the guest's kernel dies; on the next, which FIRST tells, the command gets what was on
# standard input.
DIES = """if mkdir /mnt/share0/booted 2>/dev/null; then
	%(before)s
	echo 'Kernel panic - not syncing: %(panic)s' >%(console)s
	sleep 600
fi
echo started >%(status)s; cat; echo exit 7 >%(status)s"""
TIMER = "IO-APIC + timer doesn't work!  Boot with apic=debug"
DEATHS = {
    # what: panic, before, exit status, standard output
    "of its timer": (TIMER, "", 7, "typed"),
    "of its timer, and again": (TIMER, "rmdir /mnt/share0/booted", FAILED_VM, ""),
    "of something else": ("VFS: Unable to mount root fs on unknown-block(0,0)", "", FAILED_VM, ""),
    "of its timer while the command runs": (TIMER, f"echo started >{STATUS}; sleep 1", FAILED_VM, ""),
}


def boots_once_more():
    """Only of what a busy host causes, and only once. Nothing of standard input is lost."""
    for what, (reason, before, status, out) in DEATHS.items():
        script = DIES % {"before": before, "panic": reason.replace("'", "'\\''"), "console": CONSOLE,
                         "status": STATUS}
        os.chmod(home.write("bin/vng", f"#!/bin/bash\n{script}\n"), 0o755)
        with Tidy(home) as tidy:
            outcome = home.run("run", "--path", TREE, "--kernel", KERNEL, "--rwdir", SHARE, "--", "true",
                               text=b"typed", seconds=120,
                               environment={"PATH": f"{home.folder}/bin:/usr/bin:/bin"})
            wrong = tidy.complaints()
        again = outcome.err.count("; booting once more")
        tap.report(outcome.status == status and outcome.out == out and not wrong and
                   again == ("timer" in what and "runs" not in what), f"a kernel that dies {what}", again,
                   *wrong, outcome)
        if os.path.exists(f"{SHARE}/booted"):
            os.rmdir(f"{SHARE}/booted")


# Typed at the guest's terminal: what the guest gets, and whether that ends the VM. More: unit/test_keys.c
KEYS = {"~.": ("", True), "~~.\r\x03": ("~.\r\x03", False)}


def keys():
    for typed, (want, ends) in KEYS.items():
        script = f"echo started >{STATUS}; exec 3>{TERMINAL_OUT}; printf '<<' >&3; " \
                 f"head -c {len(want) or 99} <{TERMINAL_IN} | od -An -c >&3; " \
                 f"printf '>>' >&3; echo exit 0 >{STATUS}"
        os.chmod(home.write("bin/vng", f"#!/bin/bash\n{script}\n"), 0o755)
        path = {"PATH": f"{home.folder}/bin:/usr/bin:/bin"}
        with Tidy(home) as tidy, Terminal(home, "run", "--path", TREE, "--kernel", KERNEL,
                                          environment=path) as terminal:
            terminal.expect("<<", 60)
            terminal.type(typed)
            status = terminal.wait(60)
            wrong = tidy.complaints()
        shown = terminal.text.partition("<<")[2].partition(">>")[0].split() if not ends else []
        wants = [{"\r": "\\r", "\x03": "003"}.get(key, key) for key in want]
        tap.report(status == (INTERRUPTED if ends else 0) and shown == wants and not wrong,
                   f"typed on a terminal: {typed!r}", status, shown, *wrong, repr(terminal.text[-300:]))


def as_json():
    """What the command says is in events, and the result fits its schema."""
    for what, (script, ends, status, said, complained) in JSON.items():
        with Tidy(home) as tidy:
            code, out, err, seconds = run(script, "--json", "--timeout", "3")
            wrong = tidy.complaints()
        events, result, more = stream("run", Outcome(code, out, err, seconds))
        wrong += more
        text = {name: "".join(event["text"] for event in events if event.get("stream") == name)
                for name in ("stdout", "stderr")}
        tap.report(not wrong and code == status and result["status"] == ends and ("error" in result) == (ends == "failed") and
                   text == {"stdout": said, "stderr": complained} and result["seconds"] <= seconds + 1,
                   f"run --json: {what}", *wrong, code, out[-1000:], err)


def shows_boot():
    """A stage of its own, until the guest's first word; none is told twice."""
    words = f"echo booted >{CONSOLE}; sleep 1; echo started >{STATUS}; sleep 1; echo out; sleep 1; echo exit 0 >{STATUS}"
    code, out, err, _ = run(words)
    lines = err.splitlines()
    tap.report(code == 0 and out == "out\n" and lines[-1:] == ["Booting the kernel"] and len(lines) == len(set(lines)),
               "run shows that it boots", code, out, err)
    told, result, wrong = stream("run", Outcome(*run(words, "--json")))
    events = [event["stage"] for event in told if event["event"] == "progress"]
    tap.report(not wrong and events[-1:] == ["Booting the kernel"] and len(events) == len(set(events)),
               "run --json: the same as events", *wrong, events, result)
    words = words.replace("echo out", f"printf 'out\\r\\n' >{TERMINAL_OUT}")
    os.chmod(home.write("bin/vng", f"#!/bin/bash\n{words}\n"), 0o755)
    with Terminal(home, "run", "--path", TREE, "--kernel", KERNEL, "--", "true",
                  environment={"PATH": f"{home.folder}/bin:/usr/bin:/bin", "TERM": "xterm"}) as terminal:
        terminal.wait(60)
    tap.report(re.search(r"\rBooting the kernel[^\r\n]*[\r\n]+out\r\n$", terminal.text),
               "run on a terminal: what the guest says begins a line", repr(terminal.text[-300:]))


def leftovers():
    """A daemon that it leaves, in a session of its own, deaf to signals."""
    daemon = "trap '' HUP INT TERM; setsid sleep 4999 & setsid sh -c 'trap \"\" TERM; sleep 4998' &"
    for what, number in (("ends", 0), ("is ended by kill -9 of the front end", signal.SIGKILL)):
        with Tidy(home) as tidy:
            process = start(f"{daemon} echo up; {'sleep 4997' if number else 'sleep 1'}")
            seen = wait_until(lambda: b"up" in (process.stdout.readline() or b""), 30)
            if number:
                kill(process.pid, number)
            process.communicate(timeout=60)
            wrong = tidy.complaints()
        tap.report(seen and not wrong, f"a VM that {what} leaves no daemon", *wrong)


TOY = "6.9.0-toy"
# What vng is given, then what the guest sees of the kernel and of its modules.
TELL = f"""printf 'word <%s>\n' "$@"
cksum </mnt/kernel/boot/vmlinuz
for root in /mnt/root/lib/modules /mnt/root/usr/lib/modules; do
    sed 's/^/listed /' $root/{TOY}/modules.dep && cksum <$root/{TOY}/kernel/fs/toy/toy.ko
done 2>/dev/null
sed 's/^/set /' /mnt/root/rootlet/settings
echo exit 0 >{STATUS}"""
IMAGE_OPTIONS = ["NET_9P_VIRTIO", "9P_FS", "VIRTIO_PCI", "VIRTIO_BLK", "OVERLAY_FS", "EROFS_FS", "EXT4_FS"]


def cksum(path):
    with open(path, "rb") as file:
        return subprocess.run(["cksum"], stdin=file, stdout=subprocess.PIPE, check=True,
                              text=True).stdout.strip()


def build_folder():
    """A kernel's, as its build leaves it, with one module that is as much as depmod looks at."""
    image = kernel("linux/arch/x86/boot/bzImage", f"{TOY} (somebody@somewhere) #1")
    home.write("linux/modules.order", "fs/toy/toy.ko\n")
    home.write("linux/modules.builtin", "")
    module = home.write("linux/fs/toy/toy.ko", "")
    subprocess.run(["cc", "-c", "-x", "c", "-", "-o", module], check=True, text=True, input=
                   '__attribute__((section(".modinfo"), used)) static const char name[] = "name=toy";')
    return image, module


def kernels_of_ones_own():
    image, module = build_folder()
    folder = f"{home.folder}/linux"
    whole = "".join(f"CONFIG_{option}=y\n" for option in IMAGE_OPTIONS)
    for what, path, config, root in (
            ("a build folder", folder, whole, "image"),
            ("the image in a build folder", image, whole, "image"),
            ("a build folder whose kernel has no virtio_blk", folder,
             whole.replace("CONFIG_VIRTIO_BLK=y", "# CONFIG_VIRTIO_BLK is not set"), "tree")):
        home.write("linux/.config", config)
        with Tidy(home) as tidy:
            status, out, err, _ = run(TELL, image=path)
            wrong = tidy.complaints()
        lines = out.splitlines()
        for expected in ("word <--run>", "word </mnt/kernel/boot/vmlinuz>", cksum(image), cksum(module),
                         "listed kernel/fs/toy/toy.ko:"):
            if expected not in lines:
                wrong.append(f"no line: {expected}")
        if ("set fstype=erofs" in lines or "set fstype=ext4" in lines) != (root == "image"):
            wrong.append(f"the root is not the {root}")
        tap.report(status == 0 and not wrong, f"--kernel with {what}: vng gets its image, and the guest its "
                   f"modules, with the {root} as root", *wrong, out, err)
    os.unlink(image)
    status, out, err, _ = run(TELL, image=folder)
    tap.report(status == 2 and f"no kernel was built in {folder}" in err and f"make -C {folder} bzImage" in err,
               "--kernel with a build folder in which nothing is built yet", status, err)


def size_of_guest():
    """What vng makes of the options; vm.py looks from inside."""
    default = min(os.cpu_count(), 8)
    for what, words, memory, cpus in (("default", (), "2G", default),
                                      ("--memory and --cpus", ("--memory", "768M", "--cpus", "5"), "768M", 5)):
        status, out, err, _ = run(f"printf '%s ' \"$@\"; echo exit 0 >{STATUS}", *words)
        tap.report(status == 0 and f"--memory {memory} --cpus {cpus} " in out,
                   f"memory and processors of the guest: {what}", status, out, err)


def kept(kind):
    folder = f"{home.cache}/rootlet/{kind}"
    return [name for name in os.listdir(folder) if not name.startswith(".") and
            not os.path.islink(f"{folder}/{name}")]


def plant_kernel():
    """One in the cache, as a run would have fetched it within a day."""
    with open(f"{TREE}/etc/rootlet/manifest.json", encoding="utf-8") as file:
        made = json.load(file)
    kernel(f".cache/rootlet/kernels/{TOY}_1/boot/vmlinuz", TOY)
    home.write(f".cache/rootlet/kernels/{TOY}_1/boot/config", "".join(f"CONFIG_{o}=y\n" for o in IMAGE_OPTIONS))
    home.write(f".cache/rootlet/kernels/{TOY}_1/lib/modules/{TOY}/modules.order", "")
    home.write(f".cache/rootlet/kernels/{TOY}_1/lib/modules/{TOY}/toy.ko", "module")
    folder = f"{home.cache}/rootlet/kernels"
    for link, target in ((f"{made['suite']}-{made['arch']}", f"{TOY}_1"), (f"{TOY}_1/usr", "lib")):
        if os.path.lexists(f"{folder}/{link}"):
            os.unlink(f"{folder}/{link}")
        os.symlink(target, f"{folder}/{link}")
    sums.write(f"{folder}/{TOY}_1")
    return f"{folder}/{TOY}_1"


def run_image():
    """Where the mirror does not answer, so that no other kernel is to be had. Whether it built an image, too."""
    outcome = run(f"echo exit 0 >{STATUS}", "--root-transport", "image", image="distro")
    return "Building the root image" in outcome[2], outcome


def relink(path):
    os.unlink(path)
    os.symlink("lob", path)


# What of a kernel in the cache can be damaged.
KERNEL_DAMAGES = {
    "a bit of its image": lambda at: sums.flip(f"{at}/boot/vmlinuz"),
    "a bit of a module": lambda at: sums.flip(f"{at}/lib/modules/{TOY}/toy.ko"),
    "a link": lambda at: relink(f"{at}/usr"),
    "a module less": lambda at: os.unlink(f"{at}/lib/modules/{TOY}/toy.ko"),
    "a module more": lambda at: open(f"{at}/lib/modules/{TOY}/more.ko", "w").close(),
    "its sums, which are not there": lambda at: os.unlink(f"{at}/.sums"),
}


def damaged():
    """What is damaged is not used, whether `cache verify` has found it or not."""
    plant_kernel()
    (_, whole), (built, again) = run_image(), run_image()
    tap.report(whole[0] == again[0] == 0 and not built and len(kept("images")) == 1,
               "run: what is in the cache and whole is used", whole, again, kept("images"))
    image = f"{home.cache}/rootlet/images/{kept('images')[0]}"
    os.utime(image)
    built, again = run_image()
    tap.report(again[0] == 0 and not built, "run: an image that was only touched is used", again)
    sums.flip(image)
    found, gone = home.run("cache", "verify"), not kept("images")
    built, again = run_image()
    tap.report(found.status == 3 and "damaged, removed: images/" in found.out and gone and again[0] == 0 and built and
               os.path.exists(image), "an image with a flipped bit is found by cache verify, and made anew", found, again)
    sums.flip(image)
    built, again = run_image()
    tap.report(again[0] == 0 and built and os.path.exists(image),
               "an image with a flipped bit is not used, but made anew", again)
    verify = home.run("cache", "verify")
    tap.report(verify.status == 0, "and what was made anew is whole", verify)
    for what, damage in KERNEL_DAMAGES.items():
        damage(plant_kernel())
        status, _, err, _ = run_image()[1]
        tap.report(status not in (0, FAILED_VM) and re.search("kernel in the cache, which is damaged: ", err),
                   f"run: a kernel of which {what} is damaged is not booted", status, err)
        verify = home.run("cache", "verify")
        tap.report(verify.status == 3 and f"damaged, removed: kernels/{TOY}_1: " in verify.out and not kept("kernels"),
                   "and cache verify removes it", verify, kept("kernels"))


def pruned():
    """The cache is emptied beside a run, which still needs its root and its kernel."""
    plant_kernel()
    process = start("echo up; exec sleep 4996", "--root-transport", "image", image="distro")
    wait_until(lambda: b"up" in (process.stdout.readline() or b""), 60)
    before, outcome = kept("images"), home.run("cache", "prune", "--max-size", "0")
    tap.report(outcome.status == 0 and before and kept("images") == before,
               "cache prune leaves the images of a run that is under way", outcome, before, kept("images"))
    tap.report(kept("kernels") == [f"{TOY}_1"], "and the kernel", outcome, kept("kernels"))
    os.chmod(home.write("other/vng", "#!/bin/sh\nexit 3\n"), 0o755)
    words = {"environment": {"PATH": f"{home.folder}/other:/usr/bin:/bin"}}
    another = ["run", "--path", TREE, "--kernel", KERNEL, "--root-transport", "image", "--", "true"]
    for name in before:
        sums.flip(f"{home.cache}/rootlet/images/{name}")
    outcome = home.run(*another, **words)
    tap.report(outcome.status == FAILED_VM and kept("images") == before, "one that is damaged, and in use, is made anew",
               outcome, before, kept("images"))
    process.kill()
    process.communicate()
    process = start("echo up; exec sleep 4996", "--root-transport", "image")
    wait_until(lambda: b"up" in (process.stdout.readline() or b""), 60)
    changed = home.run("shell", "--path", TREE, "--", "touch", "/root/changed")
    outcome = home.run(*another, **words)
    tap.report(changed.status == 0 and set(before) < set(kept("images")), "another run's image of the same rootfs, "
               "which has changed, does not take its place", changed, outcome, before, kept("images"))
    kill(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    outcome = home.run("cache", "prune", "--max-size", "0")
    tap.report(outcome.status == 0 and not kept("images") and not kept("kernels"),
               "and removes them when it has ended", outcome, kept("images"), kept("kernels"))
    tap.report(not [name for name in os.listdir(f"{home.cache}/rootlet/images")], "with their sums",
               os.listdir(f"{home.cache}/rootlet/images"))


taken_over()
floods()
sayings()
as_json()
shows_boot()
boots_once_more()
keys()
leftovers()
kernels_of_ones_own()
size_of_guest()
damaged()
pruned()
tap.done()
