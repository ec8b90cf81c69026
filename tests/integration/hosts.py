"""Hosts with problems: no range of ids, a range that is too small, forbidden user namespaces, or a different
range than the one a rootfs was made with."""
import contextlib
import errno
import glob
import os
import re
import shutil
import subprocess

from support import tap
from support.server import Server
from support.trees import inside
from support.world import (AS_ROOT, BUILD, HELPER, Case, Home, Tidy, judge, mirror, play, plain_user,
                           NOBODY, small_rootfs, user_named, without)

HOST = 5
AT = mirror()
USERMOD = r"usermod --add-subuids \d+-\d+ --add-subgids \d+-\d+"


def user_without(kind):
    """Returns a user that ./tests/run created (rootlet-norange, rootlet-small), or None if missing."""
    try:
        return user_named(f"rootlet-{kind}")
    except KeyError:
        return None


def refused(what, home, says, before=(), environment=None):
    """Runs create, which must fail before it changes anything or contacts the mirror."""
    with Server(AT.root) as server, Tidy(home) as tidy:
        outcome = home.create(server=server, at=AT, before=before, environment=environment)
        wrong = judge(Case("", ["create"], HOST, says), outcome, home, tidy)
        if server.requests:
            wrong.append(f"requested from the mirror: {server.requests}")
    tap.report(not wrong, what, *wrong, outcome)


def ranges():
    for kind, what, says in (
            ("norange", "no range in /etc/subuid", [r"/etc/subuid", '"?rootlet-norange"?', USERMOD]),
            ("small", "a range under 65536", [r"65536|65535", USERMOD])):
        user = user_without(kind) if AS_ROOT else None
        if not user:
            tap.skip(f"create: {what}", "needs root and the users that ./tests/run creates")
            tap.skip(f"doctor: {what}", "needs root and the users that ./tests/run creates")
            continue
        home = Home(user=user)
        refused(f"create: {what}", home, says)
        play(Case(f"doctor: {what}", ["doctor"], 1, [r"^missing .*sub", USERMOD]), home)


def halves():
    """A range in two pieces: doctor, create and its dry run suggest the same command."""
    if not AS_ROOT:
        tap.skip("create: two ranges of 32768 ids", "needs root to hide the file")
        return
    home = Home()
    user = home.user
    for file in ("subuid", "subgid"):
        home.write(file, f"{user.name}:100000:32768\n{user.name}:200000:32768\nother:300000:65536\n")
    before = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
              "mount --bind subuid /etc/subuid && mount --bind subgid /etc/subgid && "
              f'exec setpriv --reuid {user.uid} --regid {user.gid} --clear-groups "$@"', "sh"]
    with Server(AT.root) as server, Tidy(home) as tidy:
        made = home.create(server=server, at=AT, before=before, **NOBODY)
        asked = home.create("--dry-run", server=server, at=AT, before=before, **NOBODY)
        doctor = home.run("doctor", before=before, **NOBODY)
        wrong = tidy.complaints()
    for what, outcome, status, text in (("create", made, HOST, made.err),
                                        ("create --dry-run", asked, 1, asked.out),
                                        ("doctor", doctor, 1, doctor.out)):
        tap.report(outcome.status == status and not wrong and
                   "the longest of 2 has 32768 ids; 65536 in one piece" in text and
                   "usermod --add-subuids 365536-431071 --add-subgids 365536-431071" in text,
                   f"{what}: two ranges of 32768 ids", *wrong, outcome)
    tap.report("refused Hello" in asked.out and "allowed Hello" not in asked.out,
               "create --dry-run: shows that the helper would refuse", asked)


def services():
    """A name service has the ranges, and the files have none that count."""
    if not AS_ROOT:
        tap.skip("ranges of a name service", "needs root to mount other files over the host's")
        return
    home = Home()
    places = home.make_dir(f"{home.dir}/lib")
    for name in ("full", "few"):
        shutil.copy(f"{BUILD}/tests/libsubid_rootlet{name}.so", places)
    # newuidmap, which is setuid, finds them as well.
    subprocess.run(["/sbin/ldconfig", "-X", "-C", f"{home.dir}/ld.so.cache", places], check=True)
    with open("/etc/nsswitch.conf", encoding="utf-8") as file:
        others = re.sub(r"(?m)^subid:.*\n", "", file.read())
    library, = glob.glob("/usr/lib/*/libsubid.so.[45]")
    asked = "ok +sub-id ranges +user ids from 3000000000, group ids from 3000000000"
    for service, covers, status, says, shown in (
            ("rootletfull", "", 4, "", asked),
            ("rootletfew", "", HOST, "rootletfew, which /etc/nsswitch.conf names for subid, gives \".*\" no "
             "range of user ids .*: the longest of 1 has 1000; 65536 in one piece are needed; ask an "
             "administrator of rootletfew for a range", "missing +sub-id ranges +rootletfew, .* 1000;"),
            ("rootletfull", f" && mount --bind /dev/null {library}", HOST,
             "rootletfull has the ranges, and libsubid, which asks it, is not installed",
             "missing +libsubid +not installed; it would ask rootletfull .*\n +fix: apt install libsubid5"),
            # libsubid and newuidmap use the files.
            ("rootletnone", "", 4, "", "ok +libsubid +installed: it asks rootletnone"),
            ("files", "", 4, "", "ok +libsubid +installed, and not needed")):
        home.write("nsswitch.conf", f"{others}subid: {service}\n")
        before = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                  "mount --bind nsswitch.conf /etc/nsswitch.conf && "
                  f"mount --bind ld.so.cache /etc/ld.so.cache{covers} && "
                  f'exec setpriv --reuid {home.user.uid} --regid {home.user.gid} --clear-groups "$@"', "sh"]
        with Server(places) as server, Tidy(home) as tidy:
            made = home.create(server=server, at=AT, before=before, **NOBODY)
            wrong = tidy.complaints()
        what = f"ranges of the service {service}{' without libsubid' if covers else ''}"
        tap.report(made.status == status and not wrong and re.search(says, made.err),
                   f"create: {what}", *wrong, made)
        doctor = home.run("doctor", before=before, **NOBODY)
        tap.report(re.search(shown, doctor.out), f"doctor: {what}", doctor)


def forbidden(before, what, says, found):
    home = Home()
    refused(f"create when user namespaces are forbidden ({what})", home, says, before)
    outcome = home.run("doctor", before=before)
    tap.report(outcome.status == 1 and re.search(rf"^missing .*namespaces? .*{found}", outcome.out, re.M),
               f"doctor when user namespaces are forbidden ({what})", outcome)


def namespaces():
    deny = f"{BUILD}/tests/deny"
    if os.path.exists(deny):
        forbidden([deny, str(errno.EPERM)], "EPERM", "namespace", "cannot be made: Operation not permitted")
    else:
        tap.report(False, "the program deny exists", deny)
    # In a user namespace whose own limit is 0, as the sysctl would set it for the host.
    limit = ["unshare", "--user", "--map-current-user", "--keep-caps", "sh", "-c",
             'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"', "sh"]
    possible = subprocess.run(limit + ["true"], **plain_user().switch(), check=False,
                              stderr=subprocess.PIPE)
    if possible.returncode:
        tap.skip("create when user.max_user_namespaces is 0",
                 f"unshare cannot lower it here: {possible.stderr.decode().strip()}")
    else:
        forbidden(limit, "sysctl", r"namespace",
                  r"the sysctl user\.max_user_namespaces is 0\n +fix: sysctl -w "
                  r"user\.max_user_namespaces=[1-9]")


def other_range():
    """One user's tree, used by another user with a different range."""
    if not AS_ROOT or not user_without("other"):
        tap.skip("a rootfs with another id range", "needs root and the users that ./tests/run creates")
        return
    theirs = small_rootfs()
    home = Home(user=user_without("other"))
    tree = f"{theirs.store}/test-rootfs"
    play(Case("check of a rootfs in another user's store", ["check", "--path", tree], 1,
              [r"cannot open .*Permission denied"]), home)
    with opened_to_all(theirs.store):
        look_at_other(home, tree)


@contextlib.contextmanager
def opened_to_all(directory):
    os.chmod(directory, 0o755)
    try:
        yield
    finally:
        os.chmod(directory, 0o700)


def look_at_other(home, tree):
    play(Case("check of a rootfs with another id range", ["check", "--path", tree], 1,
              [r"made with host ids \d+:\d+", "/etc/subuid", f"rm -r {tree}"]), home)
    for words in (["shell", "--path", tree, "--", "true"],
                  ["run", "--kernel", "distro", "--path", tree, "--", "true"]):
        with Tidy(home) as tidy:
            outcome = home.run(*words)
            wrong = tidy.complaints()
        tap.report(outcome.status not in (0, -11, -6) and not wrong and
                   outcome.err.startswith(f"rootlet {words[0]}: "),
                   f"{words[0]} of a rootfs with another id range is refused", *wrong, outcome)
    play(Case("delete of a rootfs with another id range", ["delete", "--yes", "--path", tree], 5,
              [r"made with host ids \d+:\d+", "/etc/subuid", f"rm -r {tree}"],
              check=lambda _: [] if os.path.isdir(f"{inside(tree)}/etc") else ["the rootfs is gone"]), home)


def good_host():
    home = Home()
    outcome = home.run("doctor")
    tap.report(outcome.status == 0 and re.search(r"^\d+ ok, \d+ warnings?, 0 missing", outcome.out,
                                                 re.M), "doctor on this host", outcome)
    for what in ("gpgv|signatures", "debootstrap", "vng", "qemu", "KVM", "space", "root images", "keyring",
                 "kernel",
                 "namespace", "sub"):
        tap.report(bool(re.search(what, outcome.out)), f"doctor checks: {what}", outcome)


# What a host may lack: the hidden file, doctor's name for it, and the package that fixes it.
ABSENT = [("/usr/bin/gpgv", "signatures", "gpgv"), ("/usr/sbin/debootstrap", "debootstrap", "debootstrap"),
          ("/usr/bin/vng", "vng", "virtme-ng"), ("/usr/bin/qemu-system-x86_64", "qemu", "qemu-system-x86"),
          ("/usr/bin/newuidmap", "newuidmap, newgidmap", "uidmap"),
          ("/usr/bin/newgidmap", "newuidmap, newgidmap", "uidmap"),
          ("/usr/sbin/depmod", "depmod", "kmod"), ("/usr/bin/busybox", "static busybox", "busybox-static"),
          ("/usr/share/keyrings", "keyrings", "debian-archive-keyring")]
# Without these, doctor only warns.
WARNINGS = ("debootstrap",)
# create's message for some of these.
NEEDED = {"/usr/bin/gpgv": "apt(-get)? install gpgv", "/usr/sbin/debootstrap": "apt install debootstrap",
          "/usr/bin/newuidmap": "apt install .*uidmap", "/usr/bin/newgidmap": "apt install .*uidmap"}


def absent():
    """doctor and create if a program that they need is missing."""
    if not AS_ROOT:
        tap.skip("doctor and create without a program", "needs root to hide the program")
        return
    home = Home()
    for path, what, package in ABSENT:
        outcome = home.run("doctor", before=without(home, path), **NOBODY)
        verdict = "warning" if what in WARNINGS else "missing"
        tap.report(outcome.status == (verdict == "missing") and re.search(
            rf"^{verdict} +{what} .*\n.*fix: .*{package}", outcome.out, re.M),
            f"doctor without {path}", outcome)
        if path in NEEDED:
            with Server(AT.root) as server, Tidy(home) as tidy:
                words = ["--engine", "debootstrap"] if what in WARNINGS else []
                outcome = home.create(*words, server=server, at=AT, before=without(home, path), **NOBODY)
                wrong = judge(Case("", ["create"], HOST, NEEDED[path]), outcome, home, tidy)
            tap.report(not wrong, f"create without {path}", *wrong, outcome)


def no_helper():
    """An incomplete installation: a front end copied out of its build directory."""
    home = Home()
    copy = f"{home.dir}/rootlet"
    shutil.copy(f"{BUILD}/frontend/rootlet", copy)
    if glob.glob("/usr/**/libexec/rootlet/rootlet-helper"):
        tap.skip("a front end without its helper", "rootlet is installed on this host")
        return
    outcome = home.create(program=copy)
    tap.report(outcome.status == HOST and "rootlet-helper: it does not exist" in outcome.err,
               "a front end without its helper says so", outcome)


def lazily():
    """Commands that do not use the helper work without it; the others report that it is missing."""
    if not AS_ROOT:
        tap.skip("commands without the helper", "needs root to hide it")
        return
    home = Home()
    hidden = {"before": without(home, HELPER), **NOBODY}
    for words in (["help"], ["help", "create"], ["--version"], ["list"], ["list", "--json"], ["profiles"],
                  ["profiles", "show", "fstests"], ["cache"], ["runs"], ["policy", "seccomp"]):
        outcome = home.run(*words, **hidden)
        tap.report(outcome.status == 0 and not outcome.err, f"no helper is started for: {' '.join(words)}",
                   outcome)
    outcome = home.run("create", "--profile", "test", "--release", "jammy", "--mirror", "http://127.0.0.1:9/",
                       "--keyring", AT.keyring, **hidden)
    tap.report(outcome.status == HOST and re.search("cannot start .*rootlet-helper", outcome.err),
               "create starts the helper before any request to a mirror", outcome)


ranges()
halves()
services()
namespaces()
other_range()
good_host()
absent()
no_helper()
lazily()
tap.done()
