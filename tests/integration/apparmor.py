"""AppArmor's restriction of user namespaces as on Ubuntu: noble's kernel in a guest, with the restriction on,
and rootlet installed with its profile. tools/apparmor_guest.py runs in the guest.

The caller's code cannot gain capabilities in a user namespace by being preloaded into rootlet's programs, and
gets none at all if the helper is installed. Creating rootfs still works."""
import os
import shutil
import subprocess

from support import guest, installed, tap
from support.world import AS_ROOT, BUILD, SCRATCH, SOURCE, Home, mirror, shared_cache

SHARE = f"{SCRATCH}/{os.getpid()}.guest"
PACKAGES = ("apparmor uidmap gpgv libcurl4t64 libsolv1 libsolvext1 libarchive13t64 libjansson4 libssl3t64 "
            "libsqlite3-0 python3 libcap2-bin passwd iproute2")
# What the test support reads of the build.
BUILT = ("meson-info/intro-buildoptions.json", "proto/list_requests")


def stage(user):
    """Fills SHARE with the installed files, the small mirror and the test programs, for the guest."""
    os.makedirs(SHARE, mode=0o755)
    installed.stage(f"{SHARE}/installed").check_returncode()
    at = mirror()
    shutil.copytree(at.root, f"{SHARE}/mirror")
    shutil.copy(at.keyring, SHARE)
    shutil.copytree(f"{SOURCE}/tests/support", f"{SHARE}/tests/support",
                    ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(f"{SOURCE}/tests/tools/apparmor_guest.py", f"{SHARE}/tests")
    for name in BUILT:
        os.makedirs(os.path.dirname(f"{SHARE}/build/{name}"), exist_ok=True)
        shutil.copy(f"{BUILD}/{name}", f"{SHARE}/build/{name}")
    for name in ("userns_attack", "userns_attack_preloaded.so"):
        shutil.copy(f"{BUILD}/tests/{name}", SHARE)
    subprocess.run(["chmod", "-R", "go=u-w", SHARE], check=True)
    subprocess.run(["chown", "-R", f"{user.uid}:{user.gid}", SHARE], check=True)


def try_in_guest():
    home = Home(cache=shared_cache())
    home.write("config/rootlet/profiles/guest.conf",
               f"[profile]\nextend = minimal\n[packages]\nguest = {PACKAGES}\n")
    outcome = home.run("create", "--release", "noble", "--profile", "guest", "--components", "main,universe",
                       "--quiet", seconds=1800)
    if not tap.report(outcome.status == 0, "a noble rootfs with apparmor is created", outcome):
        return
    stage(home.user)
    outcome = home.run("run", "--quiet", "--kernel", "distro", "--memory", "3G", "--timeout", "6000",
                       "--append", "apparmor=1 security=apparmor", "--rwdir", SHARE, "--",
                       "env", f"PYTHONPATH={SHARE}/tests", f"ROOTLET_BUILD={SHARE}/build", "python3", "-B",
                       f"{SHARE}/tests/apparmor_guest.py", SHARE, seconds=6200)
    tap.report(guest.pass_on(outcome.out, "guest") > 20 and
               outcome.status == (1 if "\nnot ok" in f"\n{outcome.out}" else 0), "the guest ran all cases",
               outcome)
    shutil.rmtree(SHARE, ignore_errors=True)


if AS_ROOT:
    try_in_guest()
else:
    tap.skip("noble's kernel with restricted user namespaces", "needs root to run rootlet as another user")
tap.done()
