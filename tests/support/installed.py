"""rootlet-helper as an administrator installs it (with its capabilities, a policy and a directory for the
audit log), in a mount namespace of this test program, so that nothing is visible outside."""
import ctypes
import os
import subprocess

from . import tap
from .world import AS_ROOT, BUILD, SCRATCH, User, user_named

CLONE_NEWNS = 0x20000
PREFIX = "/usr/local"
HELPER = f"{PREFIX}/libexec/rootlet/rootlet-helper"
POLICY = "/etc/rootlet/policy.conf"
RECORD = "/var/log/rootlet/audit.log"
FIRST = 1000000000  # first id of the ranges in test policies


def _mount(*words):
    subprocess.run(["mount", *words], check=True)


def _dir(path):
    """Creates a mount point, which stays as an empty directory."""
    os.makedirs(path, exist_ok=True)


def enter(*skipped):
    """Enters a new mount namespace. Without root: skips SKIPPED and ends the program."""
    if not AS_ROOT:
        for what in skipped:
            tap.skip(what, "needs root to install with privileges")
        tap.done()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    _mount("--make-rprivate", "/")
    for directory in ("/etc/rootlet", "/var/log/rootlet", "/var/lib/rootlet"):
        _dir(directory)
        _mount("-t", "tmpfs", "-o", "mode=755", "none", directory)


def stage(target):
    """Installs the files of `meson install` below TARGET; in a guest without meson, those that the host put
    into $ROOTLET_TEST_INSTALLED. Returns the outcome."""
    ready = os.environ.get("ROOTLET_TEST_INSTALLED")
    words = ["cp", "-a", ready, target] if ready else \
        ["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", target]
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def install(group, *options):
    """Installs everything to its real place, then runs install-helper for GROUP. Returns its outcome and the
    path of rootlet."""
    target = f"{SCRATCH}/{os.getpid()}.installed"
    stage(target).check_returncode()
    subprocess.run(["chmod", "-R", "go-w", target], check=True)
    for directory in ("libexec/rootlet", "share/rootlet"):
        _dir(f"{PREFIX}/{directory}")
        _mount("--bind", f"{target}{PREFIX}/{directory}", f"{PREFIX}/{directory}")
    done = subprocess.run([f"{PREFIX}/share/rootlet/install-helper", "--group", group, *options],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done, f"{target}{PREFIX}/bin/rootlet"


def set_policy(text, mode=0o644):
    with open(POLICY, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(POLICY, mode)


def allow(user, *lines, audit=(), ids=(), folders="*", keyrings="*"):
    """Writes a policy that allows USER everything except what LINES restrict."""
    rows = [f"[allow test]\nusers = {user.name}", f"folders = {folders}", f"keyrings = {keyrings}",
            *lines, "[ids]", f"first = {FIRST}", "uids = 1-9999", *ids, "[audit]", "journal = no",
            *audit]
    set_policy("\n".join(rows) + "\n")


def range_of(user):
    return FIRST + (user.uid - 1) * 65536


def user_without_range():
    """Returns a user without a range in /etc/subuid, or the test user if ./tests/run created none."""
    try:
        return user_named("rootlet-norange")
    except KeyError:
        return user_named(os.environ["ROOTLET_TEST_USER"])


def group_of(user: User):
    import grp
    return grp.getgrgid(user.gid).gr_name
