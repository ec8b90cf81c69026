"""Private versions of the world-writable directories, so that a test only sees files that its own commands
left there."""
import atexit
import os
import subprocess

from .world import AS_ROOT, KEPT, NOBODY, SCRATCH, SHARED

_WRITABLE = ("/tmp", "/var/tmp", "/dev/shm", "/run/lock")


def _script():
    """Mounts an empty directory over each, but keeps the tests' files below /var/tmp visible."""
    kept = [path for path in (SCRATCH, SHARED) if path.startswith("/var/tmp/")]
    lines = ["set -e", "mount -t tmpfs -o mode=1777 private /dev/shm"]
    for number, path in enumerate(kept):
        lines += [f"mkdir /dev/shm/{number}", f"mount --bind {path} /dev/shm/{number}"]
    lines += [f"mount -t tmpfs -o mode=1777 private {place}" for place in _WRITABLE if place != "/dev/shm"]
    for number, path in enumerate(kept):
        lines += [f"mkdir -p {path}", f"mount --move /dev/shm/{number} {path}", f"rmdir /dev/shm/{number}"]
    return "\n".join([*lines, "echo ready", "read end"])


class Places:
    """places = Places(home); home.start(…, **places.within()); places.left(). Without root, the places are
    shared with other programs, and only $TMPDIR is checked."""

    def __init__(self, home):
        self.home, self.keeper = home, None
        self.temporary = home.make_dir(f"{home.dir}/tmp")
        if not AS_ROOT:
            return
        self.keeper = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c",
                                        _script()],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self.end)
        KEPT.add(self.keeper.pid)
        if self.keeper.stdout.readline() != "ready\n":
            raise RuntimeError("no private places")

    def within(self):
        """Returns arguments for Home.run() and Home.start()."""
        if not self.keeper:
            return {"environment": {"TMPDIR": self.temporary}}
        user = self.home.user
        enter = ["nsenter", f"--mount=/proc/{self.keeper.pid}/ns/mnt", "sh", "-c", 'cd "$0" && exec "$@"',
                 self.home.dir]
        if user.uid is not None:
            enter += ["setpriv", "--reuid", str(user.uid), "--regid", str(user.gid), "--clear-groups"]
        return {"before": enter, **NOBODY}

    def left(self):
        """Returns the files in them."""
        root = f"/proc/{self.keeper.pid}/root" if self.keeper else ""
        found = []
        for place in _WRITABLE if self.keeper else [self.temporary]:
            found += [f"{place}/{name}" for name in os.listdir(f"{root}{place}")]
        return [path for path in found if not self.keeper or
                not any(f"{kept}/".startswith(f"{path}/") for kept in (SCRATCH, SHARED))]

    def end(self):
        self.keeper.stdin.close()
        self.keeper.wait()
