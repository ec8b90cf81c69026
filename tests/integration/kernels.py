"""The helper's suites on kernels in common use: those of jammy (5.15, Landlock 1), bookworm (6.1) and noble
(6.8, where AppArmor restricts user namespaces). Each runs in a guest with the release's own programs, kernel
and libraries, and this build's programs. tools/kernel_guest.py runs in the guest.

kernels.py [RELEASE…] [PROGRAM…]   default: all three releases, and the programs below"""
import glob
import os
import re
import shutil
import subprocess
import sys

from support import guest, installed, mirror, tap
from support.world import AS_ROOT, BUILD, SCRATCH, SHARED, SOURCE, Home, shared_cache
from support.world import mirror as test_mirror

PACKAGES = ("uidmap gpgv gnupg libsolv1 libsolvext1 libjansson4 libsqlite3-0 python3 libcap2-bin passwd "
            "iproute2 strace procps "
            "xz-utils zstd e2fsprogs busybox-static erofs-utils squashfs-tools debootstrap linux-libc-dev "
            "libseccomp2 "
            "binutils file")
# Release: the library packages whose names vary, components, kernel options.
RELEASES = {
    "jammy": ("libcurl4 libarchive13 libssl3", "main,universe", ""),
    "bookworm": ("libcurl4 libarchive13 libssl3", "main", ""),
    "noble": ("libcurl4t64 libarchive13t64 libssl3t64 apparmor", "main,universe",
              "apparmor=1 security=apparmor"),
}
PROGRAMS = ("unit/test_landlock", "unit/test_memory_code", "unit/test_filter", "unit/test_idmap",
            "integration/privileges", "integration/jail", "integration/attack", "integration/lists",
            "adversary/lists", "adversary/frontend", "adversary/between", "adversary/policy_paths",
            "adversary/users", "adversary/packages", "adversary/installed")
SECONDS = 3 * 3600  # for all programs in an emulated guest
# jammy's library has no symbol versions, so the dynamic linker would warn in each program: use this host's.
LIBRARY = "libjansson.so.4"


def pack(share, release):
    """Packs everything the guest needs into one archive, with the same paths as here: many files are slow
    over 9p."""
    staged = f"{share}/mirror"
    at = test_mirror()
    shutil.copytree(at.dir, staged, ignore=shutil.ignore_patterns("S.*"))
    # A guest of another release would rebuild the mirror from its own packages.
    mirror.claim(staged, release)
    installed.stage(f"{share}/installed").check_returncode()
    tar = ["tar", "-C", "/", "--owner=0", "--group=0", "--mode=go=u-w", f"--file={share}/all.tar",
           "--exclude=*.p",
           "--exclude=meson-private", "--exclude=meson-logs", "--exclude=__pycache__", "--exclude=./.git"]
    subprocess.run([*tar, "--exclude=build*", "-c", SOURCE.lstrip("/")], check=True)
    subprocess.run([*tar, "-r", BUILD.lstrip("/")], check=True)
    for directory, place in ((staged, f"{SHARED}/jammy"), (f"{share}/installed", f"{SHARED}/installed")):
        subprocess.run([*tar, f"--transform=s,^{directory[1:]},{place[1:]},", "-r", directory[1:]],
                       check=True)
        shutil.rmtree(directory)


def report_all(release, outcome, programs):
    """Reports the output of each program in the guest; each must have completed."""
    for program in programs:
        found = re.search(rf"^== {program}\n(.*?)^== end: (.*)$", outcome.out, re.M | re.S)
        text, status = found.groups() if found else ("", "it did not end")
        count = guest.pass_on(text, f"{release}: {program}")
        tap.report(count > 0, f"{release}: {program} completes", status, text[-2000:] or outcome)
        tap.note(f"{release}: {program}: {status}")


def run_in(release, programs):
    libraries, components, words = RELEASES[release]
    home = Home(cache=shared_cache())
    packages = "\n\t".join(f"{PACKAGES} {libraries}".split())
    home.write("config/rootlet/profiles/guest.conf",
               f"[profile]\nextend = minimal\n[packages]\nguest = {packages}\n")
    outcome = home.run("create", "--release", release, "--profile", "guest", "--components", components,
                       "--quiet",
                       seconds=1800)
    if not tap.report(outcome.status == 0, f"{release}: a rootfs for the guest is created", outcome):
        return
    share = home.make_dir(f"{SCRATCH}/{os.getpid()}.{release}")
    pack(share, release)
    for file in (f"{SOURCE}/tests/tools/kernel_guest.py", *glob.glob(f"/usr/lib/*/{LIBRARY}")):
        shutil.copy(file, share)
    subprocess.run(["chown", "-R", f"{home.user.uid}:{home.user.gid}", share], check=True)
    outcome = home.run("run", "--quiet", "--kernel", "distro", "--memory", "4G", "--cpus", "2", "--disk",
                       "12G",
                       "--timeout", str(SECONDS), *guest.QUICK[2:], "--append", words or "quiet", "--rwdir",
                       share, "--",
                       "python3", "-B", f"{share}/kernel_guest.py", share, SOURCE, BUILD, SHARED, *programs,
                       seconds=SECONDS + 200)
    print("\n".join(f"# {line}" for line in outcome.err.splitlines()[-5:]))
    report_all(release, outcome, programs)
    shutil.rmtree(share, ignore_errors=True)
    home.remove()


def main():
    if not AS_ROOT:
        tap.skip("the helper's suites on other kernels", "needs root to run rootlet as another user")
        tap.done()
    releases = [word for word in sys.argv[1:] if word in RELEASES] or list(RELEASES)
    programs = [word for word in sys.argv[1:] if "/" in word] or list(PROGRAMS)
    for release in releases:
        run_in(release, programs)
    tap.done()


main()
