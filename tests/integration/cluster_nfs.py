"""Batches that two NFS clients share (frontend/cluster/claims.h): NFS 3 and 4.2, Linux's own server, its
replies lost and the server restarted. One boot of bookworm's kernel, since this host's may have no NFS;
tools/nfs_guest.py runs in the guest.

cluster_nfs.py [SEED]"""
import random
import re
import shutil
import subprocess
import sys

from support import guest, tap
from support.world import BUILD, SOURCE, Home, shared_cache

PACKAGES = "nfs-kernel-server nfs-common rpcbind iproute2 python3 e2fsprogs util-linux kmod"
SEED = sys.argv[1] if len(sys.argv) > 1 else str(random.randrange(1 << 16))
SECONDS = 1500
CASES = 26


def main():
    home = Home(cache=shared_cache())
    packages = "\n\t".join(PACKAGES.split())
    home.write("config/rootlet/profiles/guest.conf",
               f"[profile]\nextend = minimal\n[packages]\nguest = {packages}\n")
    outcome = home.run("create", "--release", "bookworm", "--profile", "guest", "--quiet", seconds=1800)
    if not tap.report(outcome.status == 0, "a rootfs for the guest is created", outcome):
        return
    share = home.make_dir(f"{home.dir}/share")
    shutil.copytree(f"{SOURCE}/tests/support", f"{share}/tests/support",
                    ignore=shutil.ignore_patterns("__pycache__"))
    for file in (f"{SOURCE}/tests/tools/nfs_guest.py", f"{BUILD}/tests/claims_hammer"):
        shutil.copy(file, share)
    subprocess.run(["chmod", "-R", "a+rX", share], check=True)
    outcome = home.run("run", "--quiet", "--kernel", "distro", "--memory", "2G", "--cpus", "2",
                       "--timeout", SECONDS, *guest.QUICK[2:], "--rwdir", share, "--",
                       "env", f"PYTHONPATH={share}/tests", "python3", "-B", f"{share}/nfs_guest.py", share,
                       SEED, seconds=SECONDS + 100)
    tap.report(guest.pass_on(outcome.out, "guest") >= CASES, "the guest ran all cases", outcome)
    for line in re.findall(r"^# (.*)", outcome.out, re.M):
        tap.note(f"guest: {line}")


main()
tap.done()
