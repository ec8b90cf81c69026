"""This host's root directory with changes of its own: what is installed or configured there stays there."""
import os
import subprocess

from .world import SCRATCH, SHARED, patient

# An overlay as the root directory of a mount namespace: in a chroot, there would be no user namespaces.
ENTER = """set -e
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
cd "$1/root"
for at in proc sys dev; do mount --rbind "/$at" "$at"; done
mount -t tmpfs -o mode=755 none run
for at in "$2" "$3"; do mkdir -p "./$at"; mount --rbind "$at" "./$at"; done
mkdir -p .host
pivot_root . .host
umount -l /.host
cd /
shift 3
exec "$@"
"""


class HostCopy:
    """Each command sees what the ones before it changed."""

    def __init__(self, directory):
        self.dir = directory
        for name in ("upper", "work", "root"):
            os.makedirs(f"{directory}/{name}")
        os.chmod(f"{directory}/upper", 0o755)

    def run(self, *words, seconds=600, text=None, **environment):
        """Runs a command as root; standard error goes where standard output goes."""
        return subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh",
                               self.dir, SCRATCH, SHARED, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
                              timeout=patient(seconds), input=text if text is not None else "",
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                                   "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root", **environment})

    def shell(self, script, *words, **more):
        return self.run("sh", "-euc", script, "sh", *words, **more)
