"""Every profile on every release. Checks what create would install and skip, using recorded indexes
(tests/tools/record_releases.py). With --long, uses the live archives: rootfs are created by both engines,
checked by dpkg, compared file by file, and booted.

To run a part: releases.py [--part recorded|profiles|groups]… [--only PROFILE|GROUP]… [RELEASE…]"""
import argparse
import json
import os
import re
import tarfile

from support import apt, tap, trees
from support.server import Server
from support.world import AS_ROOT, SCRATCH, SOURCE, Home, locked, shared_cache

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
RECORDED = f"{SOURCE}/tests/recorded/releases"
RELEASES = ("bionic", "focal", "jammy", "noble", "bookworm", "trixie")
PARTS = ("recorded", "profiles", "groups")
PROFILES = ("minimal", "fstests", "fstests-build", "blktests", "kselftest", "ltp")
DEBIAN = RELEASES[4:]
# Rows in which the releases differ; the others are as recorded.
LEFT_OUT = {("bionic", "fstests-build"): ["fsverity", "lz4", "liburing-dev", "libbtrfs-dev"],
            ("focal", "fstests-build"): ["fsverity", "liburing-dev"], ("focal", "blktests"): ["liburing-dev"],
            ("bionic", "fstests"): ["fsverity", "lz4"], ("focal", "ltp"): [], ("jammy", "fstests-build"): [],
            ("trixie", "fstests-build"): []}


def dry_run(home, release, profile, *source):
    """Returns (packages as "name=NAME version=VERSION", packages left out, outcome)."""
    outcome = home.run("create", "--dry-run", "--json", "--fresh", "--release", release, "--arch", "amd64",
                       "--profile", profile, "--name", "recorded", *source)
    result = json.loads(outcome.out.splitlines()[-1]) if outcome.out else {}
    return sorted(request["arguments"] for request in result.get("requests", ())
                  if request["request"] == "Package"), result.get("left_out"), outcome


def recorded(release):
    """The complete indexes gave the same choice when they were recorded."""
    home, directory = Home(), f"{SCRATCH}/{os.getpid()}.{release}"
    with tarfile.open(f"{RECORDED}/{release}.tar.xz") as tar:
        tar.extractall(directory)
    with open(f"{directory}/expected.json", encoding="utf-8") as file:
        expected = json.load(file)
    with Server(directory) as server:
        for profile in PROFILES:
            packages, left_out, outcome = dry_run(home, release, profile, "--mirror", server.url, "--keyring",
                                                  f"{RECORDED}/keyring.gpg")
            want = expected[profile]
            tap.report(packages == want["packages"] and len(packages) > 80,
                       f"{release}, {profile}: the right packages are chosen",
                       set(packages) ^ set(want["packages"]), outcome)
            tap.report(left_out == LEFT_OUT.get((release, profile), want["left_out"]),
                       f"{release}, {profile}: the right packages are left out", left_out)
    home.remove()


# --- live: with --long, or on request ---- ------------------------------------------------------------------

NATIVE_TIMES = 3  # per choice: parallel unpacking varies in order


def live(what, home, name, *words):
    """Creates NAME from the live archive and checks it with dpkg. Returns whether both succeeded."""
    outcome = home.run("create", "--fresh", "--quiet", "--name", name, *words, seconds=3600)
    if not tap.report(outcome.status == 0, f"{what}: create", outcome):
        return False
    check = home.run("check", "--deep", "--name", name, seconds=1800)
    tap.note(f"{what}: {outcome.seconds:.0f} s, {' '.join(re.findall('Size: .*|Packages: .*', check.out))}")
    return tap.report(check.status == 0, f"{what}: check --deep succeeds", check)


def boots(what, home, name):
    """Boots the rootfs with the release's own kernel."""
    ran = home.run("run", "--name", name, "--kernel", "distro", "--timeout", "1200", "--", "uname", "-r",
                   seconds=1500)
    tap.report(ran.status == 0 and re.fullmatch(r"\d+\.\d+\.\d+[-+]\S+\s*", ran.out),
               f"{what}: it boots", ran)
    tap.note(f"{what}: {ran.out.strip()} boots and ends in {ran.seconds:.0f} s")


def both(what, home, *words, times=1, boot=False):
    """Runs the native engine TIMES times and debootstrap once: all give the same tree. With BOOT, one is
    booted."""
    names = [f"native{i}" for i in range(times)]
    good = [name for name in names if live(f"{what}, native", home, name, *words)]
    made = live(f"{what}, debootstrap", home, "debootstrap", "--engine", "debootstrap", *words)
    if AS_ROOT and made:
        other = trees.census(f"{home.store}/debootstrap")
        for name in good:
            wrong = trees.differences(other, trees.census(f"{home.store}/{name}"),
                                      trees.EVERYWHERE + trees.DEBOOTSTRAP)
            tap.report(not wrong, f"{what}, {name} has the same files as with debootstrap", *wrong[:40],
                       len(wrong))
    if boot and good:
        boots(what, home, good[0])
    for name in [*names, "debootstrap"]:
        home.run("delete", "--yes", "--name", name, seconds=600)


def profiles_live(release, only):
    home = Home(cache=shared_cache())
    for profile in PROFILES:
        times = NATIVE_TIMES if profile in ("minimal", "fstests") else 1
        if not only or profile in only:
            both(f"{release}, {profile}", home, "--release", release, "--profile", profile, times=times,
                 boot=True)
    home.remove()


def groups_live(release, only):
    """Common server packages. Packages that a release lacks are left out of the group."""
    home = Home(cache=shared_cache())
    with open(f"{RECORDED}/groups.list", encoding="utf-8") as file:
        groups = re.findall(r"^([a-z-]+): (.*)$", file.read(), re.M)
    for group, packages in groups:
        if only and group not in only:
            continue
        home.write(f"config/rootlet/profiles/{group}.conf",
                   f"[profile]\nextend = minimal\n[packages]\noptional = {packages}\n")
        both(f"{release}, {group}", home, "--release", release, "--profile", group)
    home.remove()


def words():
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--only", action="append")
    parser.add_argument("releases", nargs="*", metavar="RELEASE")
    options = parser.parse_args()
    options.part = options.part or (PARTS if LONG else PARTS[:1])
    options.releases = options.releases or RELEASES
    if not set(options.releases) <= set(RELEASES):
        parser.error(f"there are {' '.join(RELEASES)}")
    return options


def live_parts(release, options):
    if release in DEBIAN and not apt.host_source(release):
        tap.report(False, f"{release}: the host's apt configuration names a mirror")
        return
    with locked("cache-of-engines"):
        if "profiles" in options.part:
            profiles_live(release, options.only)
        if "groups" in options.part:
            groups_live(release, options.only)


def main():
    options = words()
    for release in options.releases if "recorded" in options.part else ():
        recorded(release)
    for release in options.releases if set(options.part) & set(PARTS[1:]) else ():
        live_parts(release, options)


main()
tap.done()
