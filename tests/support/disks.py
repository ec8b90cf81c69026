"""Small disks of another filesystem type than /var/tmp, mounted by root."""
import contextlib
import os
import subprocess

from .world import MOUNTED_BY_TEST, SCRATCH

# By type: the command that creates the filesystem in an image file.
MAKERS = {"ext4": ["mkfs.ext4", "-q", "-F", "-m", "0"], "xfs": ["mkfs.xfs", "-q", "-f", "-m", "reflink=1"]}


@contextlib.contextmanager
def disk(home, kind, options):
    """Mounts a disk inside the home directory; yields its path, or None if that is impossible. OPTIONS: for a
    tmpfs, or the size of an image file."""
    point = home.make_dir(f"{home.dir}/{MOUNTED_BY_TEST}")
    image = f"{SCRATCH}/{os.getpid()}.img"
    if kind in MAKERS:
        with open(image, "wb") as file:
            file.truncate(options)
        subprocess.run([*MAKERS[kind], image], check=True)
        words = ["mount", "-o", "loop", image, point]
    else:
        words = ["mount", "-t", kind, "-o", options, kind, point]
    made = subprocess.run(words, stderr=subprocess.PIPE, check=False)
    try:
        if made.returncode:
            yield None
            return
        os.chown(point, home.user.uid, home.user.gid)
        yield point
    finally:
        subprocess.run(["umount", "--lazy", point], stderr=subprocess.DEVNULL, check=False)
        with contextlib.suppress(OSError):
            os.unlink(image)
