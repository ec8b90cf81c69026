"""Full disks for the rootfs and for the cache. Root mounts small disks for this."""
import os

from support import tap
from support.disks import disk
from support.server import Server
from support.world import AS_ROOT, Case, Home, Tidy, judge, mirror

SPACE = 7
CASES = ["disk full while unpacking", "disk full while unpacking, ext4", "no inodes left",
         "disk full with --force: the old rootfs is kept", "full cache"]


def fill(what, kind, options):
    home = Home()
    with disk(home, kind, options) as point, Server(AT.root) as server:
        if not point:
            tap.skip(what, f"cannot mount {kind} here")
            return
        with Tidy(home, point) as tidy:
            outcome = home.create("--path", f"{point}/tree", server=server, at=AT)
            wrong = judge(Case("", ["create"], SPACE, ["space|full"]), outcome, home, tidy)
        wrong += [f"left behind: {name}" for name in os.listdir(point) if name != "lost+found"]
        tap.report(not wrong, what, *wrong, outcome)


def fill_under_force(what):
    """There is space for one tree, but not for two."""
    home = Home()
    with disk(home, "tmpfs", "size=200m,mode=755") as point, Server(AT.root) as server:
        first = home.create("--path", f"{point}/tree", "--quiet", server=server, at=AT)
        inode = os.lstat(f"{point}/tree").st_ino if first.status == 0 else 0
        with Tidy(home, point) as tidy:
            outcome = home.create("--path", f"{point}/tree", "--force", server=server, at=AT)
            wrong = judge(Case("", ["create"], SPACE, ["space|full"]), outcome, home, tidy)
        if not inode or os.lstat(f"{point}/tree").st_ino != inode:
            wrong.append("the old rootfs is gone")
        check = home.run("check", "--deep", "--path", f"{point}/tree")
        if check.status:
            wrong.append(f"the old rootfs is not ready: {check}")
        tap.report(not wrong, what, *wrong, first, outcome)
        home.run("delete", "--yes", "--path", f"{point}/tree")


def fill_cache(what):
    home = Home()
    with disk(home, "tmpfs", "size=8m,mode=755") as point, Server(AT.root) as server:
        home.cache = f"{point}/cache"
        with Tidy(home) as tidy:
            outcome = home.create(server=server, at=AT)
            wrong = judge(Case("", ["create"], SPACE, ["space|full"]), outcome, home, tidy)
        tap.report(not wrong, what, *wrong, outcome)


if AS_ROOT:
    AT = mirror()
    fill(CASES[0], "tmpfs", "size=90m,mode=755")
    fill(CASES[1], "ext4", 100 << 20)
    fill(CASES[2], "tmpfs", "size=1g,nr_inodes=2k,mode=755")
    fill_under_force(CASES[3])
    fill_cache(CASES[4])
else:
    for case in CASES:
        tap.skip(case, "needs root to mount a small disk")
tap.done()
