"""What delete and create --force remove, and what they must not: mounts inside a rootfs, and files that
another process puts in its place. The test rootfs are made by hand: a directory of the range's first id with
a manifest counts as one."""
import contextlib
import ctypes
import fcntl
import os
import re
import subprocess
import threading

from support import tap
from support.protocol import Helper, opened
from support.server import Server
from support.world import (AS_ROOT, MOUNTED_BY_TEST, Case, Home, Tidy, judge, mirror, wait_until)

BUSY = 6
RENAME_EXCHANGE = 2
AT_FDCWD = -100


def first_id(name):
    with open("/etc/subuid", encoding="utf-8") as file:
        return int(re.search(rf"^{re.escape(name)}:(\d+):", file.read(), re.M).group(1))


def make_rootfs(home, name="test-rootfs"):
    tree = home.make_dir(home.make_dir(home.store) + f"/{name}")
    os.makedirs(f"{tree}/etc/rootlet")
    os.makedirs(f"{tree}/{MOUNTED_BY_TEST}")
    with open(f"{tree}/etc/rootlet/manifest.json", "w", encoding="utf-8") as file:
        file.write("{}")
    own(home, tree)
    return tree


def own(home, tree):
    first = str(first_id(home.user.name))
    subprocess.run(["chown", "-R", f"{first}:{first}", tree], check=True)


@contextlib.contextmanager
def mounted(source, point):
    subprocess.run(["mount", "--bind", source, point], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", point], check=True)


def refused(home, what, words, keeps, server=None):
    with Tidy(home) as tidy:
        outcome = home.run(*words)
        wrong = judge(Case("", [words[0]], BUSY, ["mounted on /.*" + MOUNTED_BY_TEST, "umount"]),
                      outcome, home, tidy)
    wrong += [f"{path} is gone" for path in keeps if not os.path.lexists(path)]
    if server and server.requests:
        wrong.append(f"requests to the mirror: {server.requests}")
    tap.report(not wrong, what, *wrong, outcome)


def mounts_stay():
    """User data mounted in a rootfs: a helper that entered the mount could delete it."""
    home, at = Home(), mirror()
    tree = make_rootfs(home)
    point = f"{tree}/{MOUNTED_BY_TEST}"
    data = home.make_dir(f"{home.dir}/data")
    keeps = [home.write("data/precious", "x"), f"{tree}/etc/rootlet/manifest.json"]
    with mounted(data, point):
        refused(home, "delete of a rootfs with a directory mounted in it", ["delete", "--yes"], keeps)
        with Server(at.root) as server:
            refused(home, "create --force over a rootfs with a directory mounted in it fails before any "
                    "download",
                    ["create", "--force", "--profile", "test", "--mirror", server.url, "--keyring",
                     at.keyring], keeps, server)
        outcome = home.run("check")
        tap.report(outcome.status == 1 and "mounted on" in outcome.out,
                   "check reports mounts in the rootfs", outcome)
    os.rmdir(point)
    with open(point, "w", encoding="utf-8"):
        pass
    own(home, tree)
    with mounted(keeps[0], point):
        refused(home, "delete of a rootfs with a file mounted in it", ["delete", "--yes"], keeps)
    removed(home, tree, "delete works after the unmount")


def removed(home, tree, what):
    with Tidy(home) as tidy:
        outcome = home.run("delete", "--yes")
        wrong = judge(Case("", ["delete"], 0), outcome, home, tidy)
    tap.report(not wrong and not os.path.lexists(tree), what, *wrong, outcome)


def depths_go():
    """Deeper than the descriptor limit and the path length limit allow."""
    home = Home()
    tree = make_rootfs(home)
    here = os.open(tree, os.O_RDONLY)
    for _ in range(5000):
        os.mkdir("below", dir_fd=here)
        below = os.open("below", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    own(home, tree)
    os.mkdir(f"{tree}/.hoisted.0")
    removed(home, tree, "delete of 5000 nested directories")


def exchange(one, other):
    ctypes.CDLL(None, use_errno=True).renameat2(AT_FDCWD, one.encode(), AT_FDCWD, other.encode(),
                                                RENAME_EXCHANGE)


def remove_slowly(home, answers):
    """Runs a Remove whose rename is delayed by two seconds."""
    slow = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2",
            "-e", "inject=renameat2:delay_enter=2000000", "-u", home.user.name]
    helper = Helper(home.user, before=slow)
    with opened(home.store) as fds:
        answers.append(helper.ask("Remove", fds, name="test-rootfs"))
    helper.leave()


def is_locked(path):
    """Reads /proc/locks: trying to lock the file could get in the helper's way."""
    with open("/proc/locks", encoding="ascii") as file:
        return f":{os.lstat(path).st_ino} " in file.read()


def exchanged_stays():
    """Between the helper's check and the removal, a front end puts another directory in the rootfs's
    place."""
    home, answers = Home(), []
    tree = make_rootfs(home)
    other = make_rootfs(home, "other")
    with open(f"{other}/precious", "w", encoding="utf-8"):
        pass
    own(home, other)
    remover = threading.Thread(target=remove_slowly, args=(home, answers))
    remover.start()
    # The lock shows that the helper has done its check.
    held = wait_until(lambda: is_locked(tree), 30)
    exchange(tree, other)
    remover.join()
    tap.report(held and answers[0].code == 5 and os.path.exists(f"{tree}/precious") and
               os.path.exists(f"{other}/etc/rootlet/manifest.json") and not home.leftovers(),
               "a directory that takes the rootfs's place during removal is kept", answers,
               os.listdir(home.store))


def others_stay():
    """A rootfs and staging locked by another rootlet, and staging that rootlet did not create."""
    home = Home()
    tree = make_rootfs(home)
    staging = f"{home.store}/.rootlet-staging.new"
    os.mkdir(staging)
    own(home, staging)
    user = first_id(home.user.name) + 1000
    for what, path, name, stale, uid, codes in (
            ("a rootfs in use", tree, "test-rootfs", 0, None, (5, 0)),
            ("staging in use", staging, "new", 1, None, (5, 0)),
            ("staging owned by a user of the rootfs", staging, "new", 1, user, (2, 2))):
        os.makedirs(path, exist_ok=True)
        own(home, path)
        if uid:
            os.chown(path, uid, uid)
        answers = []
        with Helper(home.user) as helper, opened(home.store, path) as (store, directory):
            fcntl.flock(directory, fcntl.LOCK_SH)
            answers.append(helper.ask("Remove", [store], name=name, stale=stale))
            there = os.path.exists(path)
            fcntl.flock(directory, fcntl.LOCK_UN)
            answers.append(helper.ask("Remove", [store], name=name, stale=stale))
        tap.report(tuple(one.code for one in answers) == codes and there and
                   os.path.exists(path) == bool(uid),
                   f"{what} is kept", *answers)


def base_in_use():
    """A snapshot that another rootlet has locked for removal."""
    home = Home()
    tree = make_rootfs(home, "base")
    with Helper(home.user) as helper, opened(home.store, tree) as (store, base):
        fcntl.flock(base, fcntl.LOCK_EX)
        answer = helper.ask("Clone", [store, store], name="new", base_name="base")
    tap.report(answer.code == 5 and "snapshot base is in use" in answer.message and not home.leftovers(),
               "a locked snapshot is not cloned", answer, *home.leftovers())


CASES = {mounts_stay: "mounts in a rootfs are kept", depths_go: "delete of deep directories",
         exchanged_stays: "a directory that takes a rootfs's place is kept",
         others_stay: "trees in use are kept", base_in_use: "a locked snapshot is not cloned"}
for case, title in CASES.items():
    if AS_ROOT:
        case()
    else:
        tap.skip(title, "needs root to mount and to give files to the range")
tap.done()
