"""Ctrl-C, and kill -9 of either half, in each stage of create, of run before its VM, in delete and in check.
Afterwards the old rootfs is intact, or no rootfs exists, and after the next command no process, mount or
staging directory remains."""
import glob
import os
import random
import shutil
import signal
import subprocess
import time

from support import debs, tap, vng
from support import mirror as mirrors
from support.server import Fault, Server
from support.world import (AS_ROOT, NOBODY, SCRATCH, Home, Tidy, children, command_of, kill, mirror,
                           processes_left, wait_until)

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
AT = mirror()
INTERRUPTED = 130

# A stage is recognised by the line that create prints when it begins, or (to make it last as long as the test
# needs) by a request that the mirror does not complete.
STAGES = {
    "asking for InRelease": Fault("InRelease$", "stall", 10),
    "downloading packages": Fault(r"/dpkg_[^/]*\.deb$", "stall", 1000),
    "verifying": "Verifying",
    "unpacking": "Unpacking",
    "half a second into unpacking": ("Unpacking", 0.5),
    "configuring": ("Unpacking", 6),
    "adding users": "Adding groups",
    "writing to disk": "Writing",
}
# The stages to test without --long, for a kill of the helper, a kill of the front end, and Ctrl-C. While
# users are added, there is a jail just as while packages are configured.
SHORT = {"unpacking", "asking for InRelease", "downloading packages", "configuring", "writing to disk"}


def helper_of(pid):
    return next((child for child in children(pid) if "rootlet-helper" in command_of(child)), None)


METHODS = {
    "Ctrl-C": lambda front: kill(front.pid, signal.SIGINT),
    "SIGTERM": lambda front: kill(front.pid, signal.SIGTERM),
    "kill -9 of the front end": lambda front: kill(front.pid),
    "kill -9 of the helper": lambda front: kill(helper_of(front.pid) or front.pid),
}


def wait_for_stage(front, server, stage):
    """Returns whether the stage began. A plain pause counts as part of the stage."""
    if isinstance(stage, Fault):
        return server.wait_for(stage.pattern)
    line, pause = stage if isinstance(stage, tuple) else (stage, 0)
    # A command that prints another program's output on one stream reports progress on the other.
    for text in iter((front.stdout if "create" in front.args else front.stderr).readline, b""):
        if text.decode(errors="replace").startswith(line):
            time.sleep(pause)
            return True
    return False


def strike(home, name, method, *words):
    """Interrupts one create in the stage. Returns complaints about how it ends."""
    stage = STAGES[name]
    faults = [stage] if isinstance(stage, Fault) else []
    wrong = []
    with Server(AT.root, faults) as server, Tidy(home) as tidy:
        front = home.start("create", "--fresh", "--release", "jammy", "--profile", "test", "--mirror",
                           server.url, "--keyring", AT.keyring, *words,
                           environment={"XDG_CACHE_HOME": f"{home.dir}/cold"} if faults else {})
        if not wait_for_stage(front, server, stage):
            wrong.append("the stage was never reached")
        more, err = strike_down(home, front, method, tidy, name == "writing to disk")
        wrong += more
        if front.returncode > 0 and len(err.strip().splitlines()) != 1:
            wrong.append("not exactly one message")
    return wrong, err


def strike_down(home, front, method, tidy, may_wait=False):
    """Returns complaints about the end of FRONT, and its standard error. Only a disk write in progress MAY
    delay the end, and only as long as the write takes."""
    wrong = []
    METHODS[method](front)
    began = time.monotonic()
    try:
        _, err = front.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        front.kill()
        _, err = front.communicate()
        wrong.append("it did not end within five minutes")
    if time.monotonic() - began > 30 and not may_wait:
        wrong.append(f"it ended only after {time.monotonic() - began:.0f} s")
    finished = front.returncode == 0
    if method in ("Ctrl-C", "SIGTERM") and front.returncode != INTERRUPTED and not finished:
        wrong.append(f"exit status {front.returncode}, not {INTERRUPTED}")
    if method == "kill -9 of the helper" and front.returncode != 1 and not finished:
        wrong.append(f"exit status {front.returncode}, not 1")
    if "kill -9" in method:
        # The next command removes what a killed one leaves.
        wrong += [f"still runs: {line}" for line in processes_left(300)]
        home.run("list")
    return wrong + tidy.complaints(), err.decode(errors="replace")


def strike_all(home, with_old):
    """With an old rootfs in place, and without one."""
    tree = f"{home.store}/test-rootfs"
    words = ["--force"] if with_old else ["--name", "fresh"]
    for name in STAGES:
        for method in METHODS:
            if not LONG and (name not in SHORT or method == "SIGTERM" or
                             with_old == (name in ("asking for InRelease", "adding users",
                                                   "unpacking"))):
                continue
            before = os.lstat(tree).st_ino
            wrong, err = strike(home, name, method, *words)
            if os.path.lexists(f"{home.store}/fresh"):
                check = home.run("check", "--name", "fresh")
                if check.status:
                    wrong.append(f"a partial rootfs exists: {check}")
                home.run("delete", "--yes", "--name", "fresh")
            replaced = os.lstat(tree).st_ino != before
            check = home.run("check")
            if check.status:
                wrong.append(f"the {'new' if replaced else 'old'} rootfs is not ready: {check}")
            tap.report(not wrong, f"{method} while {name}, "
                       f"{'over an old rootfs' if with_old else 'with none there'}", *wrong, err)


def strike_anywhere(home, seconds):
    """kill -9 at moments between stages, with --force over the old rootfs. SECONDS: the duration of a whole
    create."""
    chance = random.Random(7)
    tree = f"{home.store}/test-rootfs"
    instants = 60 if LONG else 6
    for number in range(instants):
        # Spread evenly, with a varying start; the last ones hit publishing.
        after = seconds * (number + chance.random()) / instants
        victim = ("kill -9 of the helper", "kill -9 of the front end")[number % 2]
        with Server(AT.root) as server, Tidy(home) as tidy:
            front = home.start("create", "--fresh", "--release", "jammy", "--profile", "test", "--mirror",
                               server.url, "--keyring", AT.keyring, "--force", "--quiet")
            time.sleep(after)
            METHODS[victim](front)
            _, err = front.communicate(timeout=300)
            wrong = [f"still runs: {line}" for line in processes_left(300)]
            home.run("list")
            wrong += tidy.complaints()
        check = home.run("check", *(["--deep"] if LONG else []))
        if check.status or not os.path.isdir(tree):
            wrong.append(f"the rootfs is not ready: {check}")
        tap.report(not wrong, f"{victim} after {100 * (number + 1) // instants} % of create", *wrong,
                   f"after {after:.2f} s", err.decode(errors="replace"))


def strike_delete(home, server):
    """Interrupts delete: what remains is either intact or removed by the next command. The next rootfs are
    cloned from SERVER's snapshot: how they are made does not matter here."""
    tree = f"{home.store}/test-rootfs"
    for method in METHODS:
        if method == "SIGTERM" and not LONG:
            continue
        if not os.path.isdir(tree):
            home.create("--quiet", server=server, at=AT, fresh=False)
        with Tidy(home) as tidy:
            front = home.start("delete", "--yes")
            wait_until(lambda: helper_of(front.pid) or front.poll() is not None, 10)
            time.sleep(0.1)
            METHODS[method](front)
            _, err = front.communicate(timeout=300)
            wrong = [f"still runs: {line}" for line in processes_left(300)]
            home.run("list")
            wrong += tidy.complaints()
        if os.path.lexists(tree):
            check = home.run("check")
            if check.status:
                wrong.append(f"a partial rootfs exists: {check}")
        tap.report(not wrong, f"{method} during delete", *wrong, err.decode(errors="replace"))


UBUNTU = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
TOY = "6.9.0-toy"
# The stages of run to interrupt, the mirror fault that makes each last, and the methods. During the kernel
# download the helper is idle.
RUN_STAGES = {
    "fetching the kernel": (Fault("/linux-image-6", "stall", 1000), ("Ctrl-C", "kill -9 of the front end")),
    "unpacking the kernel": ("Unpacking the kernel", ("Ctrl-C", "kill -9 of the front end")),
    "building the root image": ("Building the root image",
                                ("Ctrl-C", "kill -9 of the front end", "kill -9 of the helper")),
}


def kernel_packages(directory):
    """A kernel header that allows booting from an image, padded so that it takes a while."""
    config = "".join(f"CONFIG_{name}=y\n"
                     for name in ("NET_9P_VIRTIO", "9P_FS", "VIRTIO_BLK", "OVERLAY_FS", "EROFS_FS",
                                                      "EXT4_FS"))
    files = [("./boot", "dir"), (f"./boot/vmlinuz-{TOY}", vng.kernel(TOY)),
             (f"./boot/config-{TOY}", config.encode()), ("./lib/modules", "dir"),
             (f"./lib/modules/{TOY}", "dir"), (f"./lib/modules/{TOY}/modules.order", b"")]
    files += [(f"./lib/modules/{TOY}/large{number}", os.urandom(1 << 20)) for number in range(32)]
    return [debs.make(directory, "linux-image-virtual", mirrors.arch(),
                      fields=f"Depends: linux-image-{TOY}\n"),
            debs.make(directory, f"linux-image-{TOY}", mirrors.arch(), entries=files, suffix="")]


def run_command(home):
    """Arguments of Home.start for `run` with our program instead of vng, and the mirror's key in place of the
    Ubuntu archive key that kernels are verified with."""
    os.chmod(home.write("bin/vng", "#!/bin/sh\necho exit 0 >/mnt/status\n"), 0o755)
    return {"before": ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                       f"mount --bind {AT.keyring} {UBUNTU} && exec setpriv --reuid {home.user.uid} "
                       f'--regid {home.user.gid} --clear-groups "$@"', "sh"], **NOBODY,
            "environment": {"PATH": f"{home.dir}/bin:/usr/bin:/bin"}}


def parts_left(home):
    """Returns unfinished kernels. (A root image has no name until it is complete.)"""
    path = f"{home.cache}/rootlet/kernels"
    names = os.listdir(path) if os.path.isdir(path) else []
    return [f"left in the cache: kernels/{name}" for name in names if name.startswith((".new-", ".link-"))]


def strike_run(home, server):
    """Everything that run does before the VM starts; vm.py and hypervisor.py test the VM. SERVER is the
    mirror of the rootfs, and has a kernel."""
    if not AS_ROOT or not os.path.exists(UBUNTU):
        tap.skip("run interrupted before its VM",
                 "needs root, and Ubuntu's keyring to mount another one over")
        return
    words = ["run", "--kernel", "distro", "--", "true"]
    for what, (stage, methods) in RUN_STAGES.items():
        for method in methods:
            for name in ("images",) if "image" in what else ("kernels",):
                shutil.rmtree(f"{home.cache}/rootlet/{name}", ignore_errors=True)
            server.faults = [stage] if isinstance(stage, Fault) else []
            server.requests.clear()
            with Tidy(home) as tidy:
                front = home.start(*words, **run_command(home))
                wrong = [] if wait_for_stage(front, server, stage) else ["the stage was never reached"]
                more, err = strike_down(home, front, method, tidy)
            wrong += more
            if front.returncode == 0 or glob.glob(f"{home.cache}/rootlet/images/*"):
                wrong.append("the interruption came too late")
            if "kill -9" not in method:
                wrong += parts_left(home)
            if front.returncode > 0 and not err.rstrip().splitlines()[-1].startswith("rootlet run: "):
                wrong.append("no message at the end")
            tap.report(not wrong, f"{method} while run is {what}", *wrong, err)
    with Tidy(home) as tidy:
        outcome = home.run(*words, **run_command(home))
        wrong = tidy.complaints() + parts_left(home)
    images = glob.glob(f"{home.cache}/rootlet/images/*")
    tap.report(outcome.status == 0 and len(images) == 1 and not wrong,
               "after interrupted runs, the next run works", *wrong,
               images, outcome)


def strike_check(home):
    """While dpkg inspects the tree."""
    for method in METHODS:
        if method == "SIGTERM" and not LONG:
            continue
        with Tidy(home) as tidy:
            front = home.start("check", "--deep")
            there = wait_until(lambda: any("dpkg" in command_of(pid) for pid in children(front.pid)) or
                               front.poll() is not None, 30)
            wrong, err = strike_down(home, front, method, tidy)
        check = home.run("check", "--deep")
        tap.report(there and not wrong and front.returncode and check.status == 0,
                   f"{method} during check --deep", *wrong, front.returncode, err, check)


home = Home()
directory = f"{SCRATCH}/{os.getpid()}.kernel"
with Server(f"{directory}/mirror") as first:
    with_kernel = AT.with_packages(directory, kernel_packages(f"{directory}.debs"))
    made = home.create("--quiet", server=first, at=with_kernel)
    good = tap.report(made.status == 0, "the first create works", made)
    if good:
        strike_run(home, first)
        strike_check(home)
if good:
    strike_all(home, True)
    strike_all(home, False)
    strike_anywhere(home, made.seconds)
    with Server(AT.root) as same:
        strike_delete(home, same)
tap.done()
