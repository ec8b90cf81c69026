"""A disk that fills up at every point of create --force: the old rootfs stays whole, and nothing is left of the
new one. Root mounts a small tmpfs for it; the sizes go from no room at all to almost what the tree takes."""
import os
import subprocess

from support import tap
from support.server import Server
from support.world import AS_ROOT, MOUNTED_BY_TEST, Home, Tidy, mirror

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
POINTS = 20 if LONG else 3
SPACE = 7

if not AS_ROOT:
    tap.skip("a disk that fills up", "needs root, to mount a small disk")
    tap.done()
AT = mirror()
home = Home()
POINT = home.make_folder(f"{home.folder}/{MOUNTED_BY_TEST}")


def used():
    st = os.statvfs(POINT)
    return (st.f_blocks - st.f_bfree) * st.f_frsize


def resize(size):
    subprocess.run(["mount", "-o", f"remount,size={size}", POINT], check=True)


def create(server, *words):
    return home.create("--path", f"{POINT}/tree", "--quiet", *words, server=server, at=AT)


subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g,mode=755", "none", POINT], check=True)
try:
    os.chown(POINT, home.user.uid, home.user.gid)
    with Server(AT.root) as server:
        made = create(server)
        if tap.report(made.status == 0, "a rootfs to begin with", made):
            base, inode = used(), os.lstat(f"{POINT}/tree").st_ino
            for number in range(POINTS):
                room = int(base * (number + 0.5) / POINTS)
                resize(base + room)
                with Tidy(home, POINT) as tidy:
                    outcome = create(server, "--force")
                    wrong = tidy.complaints()
                resize(2 << 30)
                now = os.lstat(f"{POINT}/tree").st_ino
                if outcome.status != SPACE:
                    wrong.append(f"exit status {outcome.status}, not {SPACE}")
                if now != inode:
                    wrong.append("the old rootfs is gone")
                check = home.run("check", "--deep", "--path", f"{POINT}/tree")
                if check.status:
                    wrong.append(f"the rootfs is not ready: {check}")
                tap.report(not wrong, f"point {number + 1} of {POINTS}: {room >> 20} MiB free", *wrong, outcome)
            home.run("delete", "--yes", "--path", f"{POINT}/tree")
finally:
    subprocess.run(["umount", "--lazy", POINT], check=False)
tap.done()
