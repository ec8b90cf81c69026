"""Snapshots in the cache: how they are cloned, that a change to one clone reaches no other, that damage is
found and never used, and that two simultaneous creates share one snapshot."""
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time

from support import apt, changes, debs, sums, tap, trees
from support import mirror as mirrors
from support.disks import disk
from support.pace import patient
from support.protocol import TRUST, Helper, opened
from support.server import Fault, Server
from support.sums import flip
from support.world import AS_ROOT, PROFILE, SCRATCH, Home, Tidy, mirror, shared_cache, wait_until

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
PACKAGES = f"{SCRATCH}/{os.getpid()}.capable"
AT = mirror().with_packages(PACKAGES, [debs.capable(f"{PACKAGES}.debs", mirrors.arch())])
NETWORK = 4
OWN = [(r"/etc/rootlet/(manifest.json|digest|linked)", None, "differs in every tree")]
CLONED = "^Cloned from a cached snapshot, with (reflinks|hard links|copies)(.*)"
WHY = {"reflinks": ".",
       "hard links": " below /usr, until something writes: this filesystem has no reflinks.",
       "copies": ": the cache is on another filesystem."}


def bases(home):
    directory = f"{home.cache}/rootlet/bases"
    return sorted(name for name in os.listdir(directory) if re.fullmatch(r"\w{64}", name))


def create(home, server, name, *words):
    return home.create("--name", name, "--include", "odd-capable", *words, server=server, at=AT, fresh=False)


def way_of(outcome):
    """Returns the clone method that it reports, if it gives the right reason."""
    found = re.search(CLONED, outcome.out, re.M)
    return found.group(1) if found and found.group(2) == WHY[found.group(1)] else None


def way_here(home):
    """Returns what the filesystem of the test directories supports."""
    home.write("reflink", "x")
    done = subprocess.run(["cp", "--reflink=always", f"{home.dir}/reflink", f"{home.dir}/reflink2"],
                          stderr=subprocess.DEVNULL, check=False)
    return "hard links" if done.returncode else "reflinks"


def clone(home, server):
    first, second = create(home, server, "first", "--json"), create(home, server, "second")
    third = create(home, server, "third", "--json")
    said = [json.loads((one.out.splitlines() or ["{}"])[-1]).get("cloned", "") for one in (first, third)]
    tap.report(first.status == 0 and said[0] is None, "the first create saves a snapshot", first)
    tap.report(second.status == 0 and way_of(second) == way_here(home),
               "the second create clones it and says how and why", way_here(home), second)
    tap.report(third.status == 0 and said[1] == way_of(second), "create --json clones it and says how", said,
               third)
    tap.report(len(bases(home)) == 1, "there is one snapshot", bases(home))
    for name in ("first", "second"):
        check = home.run("check", "--name", name)
        tap.report(check.status == 0, f"check of the {name}", check)
    tap.note(f"made in {first.seconds:.1f} s, cloned in {second.seconds:.1f} s")


def same(made, tree, how=""):
    """Compares everything: owners, setgid bits, capabilities, times of links."""
    if not AS_ROOT:
        tap.skip(f"a clone{how} matches file by file", "needs root to read another user's files")
        return
    one, other = trees.census(made), trees.census(tree)
    wrong = trees.differences(one, other, OWN)
    tap.report(not wrong and len(one) > 1000, f"a clone{how} matches file by file", *wrong[:20], len(one))
    has = trees.attributed(other)
    tap.report(set(has) >= debs.CAPABLE, f"a clone{how} has extended attributes and file capabilities", has)


# In place, so that trees that share the file would change as well.
CHANGES = {"writes into a program": "echo changed >>/usr/bin/attr",
           "writes into one of two hard links":
           "ln /usr/bin/getfacl /usr/bin/two; echo changed >>/usr/bin/two",
           "changes a mode": "chmod 600 /usr/bin/setfattr", "changes an owner": "chown 5:5 /usr/bin/chacl",
           "truncates a file": ": >/usr/share/bash-completion/bash_completion; : >/usr/bin/getfattr",
           "writes into a file of /etc": "echo changed >>/etc/passwd",
           "writes into dpkg's database": "echo changed >>/var/lib/dpkg/status",
           "writes through a mapping": "perl -e 'open F, q(+<), q(/usr/bin/setfacl); print F q(XXXX)'"}


def isolated(home, how=""):
    """HOW: how the clones share files, for the claims."""
    if not AS_ROOT:
        tap.skip("a change to one clone", "needs root to read another user's files")
        return
    base = f"{home.cache}/rootlet/bases/{bases(home)[0]}"
    before = {path: trees.census(path) for path in (f"{home.store}/first", base)}
    for what, script in CHANGES.items():
        outcome = home.run("shell", "--name", "second", "--", "sh", "-ec", script)
        tap.report(outcome.status == 0, f"a process in a clone{how} {what}", outcome)
    for path, census in before.items():
        wrong = trees.differences(census, trees.census(path), [])
        tap.report(not wrong, f"{'the snapshot' if path == base else 'another clone'}{how} does not change",
                   *wrong[:20])
    changed = trees.differences(before[f"{home.store}/first"], trees.census(f"{home.store}/second"), OWN)
    tap.report(len(changed) >= len(CHANGES), f"the clone{how} itself changes", *changed[:20])
    tap.report(not any("attributes" in line for line in changed),
               f"the clone's attributes do not change{how}",
               *changed)
    verify = home.run("cache", "verify")
    tap.report(verify.status == 0 and re.search(r", 0 damaged$", verify.out, re.M),
               f"cache verify finds no damage{how}",
               verify)


def used_of(path):
    os.sync()
    st = os.statvfs(path)
    return (st.f_blocks - st.f_bfree) * st.f_frsize


def disk_apart():
    """The type and options of a disk for the snapshot. tmpfs supports user attributes since Linux 6.6."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        try:
            os.setxattr(file.name, "user.x", b"y")
        except OSError:
            return "ext4", 800 << 20
    return "tmpfs", "size=400m,mode=755"


def elsewhere(home, server, kind, options, want):
    """Clones a snapshot on its own disk; the clones are on another disk (for copies) or on the same one."""
    what = f"on {kind}: clones are made by {want}"
    if not AS_ROOT:
        tap.skip(what, "needs root to mount a disk")
        return
    outer = Home()
    with disk(outer, kind, options) as point:
        if not point:
            tap.skip(what, f"cannot mount {kind} here")
            return
        other = outer if want == "copies" else Home(directory=point)
        other.cache = other.make_dir(f"{point}/cache")
        subprocess.run(["cp", "-a", f"{home.cache}/rootlet", other.cache], check=True)
        first = create(other, server, "first")
        before = used_of(point)
        second = create(other, server, "second")
        # For copies, the disk has the snapshot and none of the clones.
        added = used_of(point) - before
        tap.report(first.status == second.status == 0 and way_of(first) == way_of(second) == want and
                   added < 30 << 20, what, f"{added} bytes more", first, second)
        if way_of(second):
            same(f"{home.store}/first", f"{other.store}/second", f" by {want}")
            isolated(other, f" by {want}")


def keys(home, server):
    """What invalidates a snapshot. No packages are available, so create only works by cloning: the same
    snapshot, or (SIMILAR) the first of two that have the same packages."""
    packages = f"{home.cache}/rootlet/packages"
    older = mirrors.date(mirrors.datetime.datetime.now(mirrors.datetime.timezone.utc) -
                         mirrors.datetime.timedelta(hours=1))
    release = Fault(rf"dists/{mirrors.SUITE}/InRelease$", "body", AT.inrelease(Date=older))
    similar = True
    rows = [("nothing", [], (), PROFILE, False),
            ("the date of the release", ["--allow-older-release"], (release,), PROFILE, similar),
            ("the engine", ["--engine", "debootstrap"], (), PROFILE, False),
            ("a package of --include", ["--include", "hostname"], (), PROFILE, similar),
            ("the components", ["--components", "main,universe"], (), PROFILE, similar),
            ("which files are left out", [], (),
             f"{PROFILE}[files]\npath-exclude = /usr/share/man/*\n", False),
            ("a user's id", [], (), PROFILE.replace("1001", "1004"), False),
            ("nothing else", [], (), PROFILE, False)]
    os.rename(packages, f"{packages}.away")
    for what, words, faults, profile, similar in rows:
        home.write("config/rootlet/profiles/test.conf", profile)
        server.faults = [Fault(r"\.deb$", "status", 404), *faults]
        known = set(os.listdir(f"{home.cache}/rootlet/bases"))
        outcome = create(home, server, "keyed", "--force", *words)
        new = set(os.listdir(f"{home.cache}/rootlet/bases")) - known
        same = what.startswith("nothing")
        if same:
            good, does = outcome.status == 0 and way_of(outcome) and not new, "clones the snapshot"
        elif similar:
            good = outcome.status == 0 and way_of(outcome) and len(new) == 2 and \
                "0 packages to add, 0 to replace" in outcome.out
            does = "clones the snapshot and saves another"
        else:
            good, does = outcome.status == NETWORK and len(new) == 1, "needs another snapshot"
        tap.report(good, f"if {what} changes, create {does}", new, outcome)
        for base in new:
            with Helper(home.user, seconds=60) as helper, opened(f"{home.cache}/rootlet/bases") as fds:
                helper.ask("Remove", fds, name=base) if base[0] != "." else None
    server.faults = []
    shutil.rmtree(packages, ignore_errors=True)
    os.rename(f"{packages}.away", packages)


# How to damage a snapshot, and how to undo it. Sizes and times need not change.
DAMAGES = {
    "a bit of a program": (lambda base: flip(f"{base}/usr/bin/attr"),) * 2,
    "a bit of dpkg's status": (lambda base: flip(f"{base}/var/lib/dpkg/status"),) * 2,
    # It remains valid JSON.
    "a bit of the manifest": (lambda base: flip(f"{base}/etc/rootlet/manifest.json", b"fsqa"),
                              lambda base: flip(f"{base}/etc/rootlet/manifest.json", b"gsqa")),
    "a mode": (lambda base: os.chmod(f"{base}/usr/bin/chacl", 0o700),
               lambda base: os.chmod(f"{base}/usr/bin/chacl", 0o755)),
    "an owner": (lambda base: os.chown(f"{base}/usr/bin/chacl", 1, 1),
                 lambda base: os.chown(f"{base}/usr/bin/chacl", os.lstat(base).st_uid,
                                       os.lstat(base).st_gid)),
    "a link": (lambda base: (os.unlink(f"{base}/bin"), os.symlink("tmp", f"{base}/bin"),
                             os.lchown(f"{base}/bin", os.lstat(base).st_uid, os.lstat(base).st_gid)),
               lambda base: (os.unlink(f"{base}/bin"), os.symlink("usr/bin", f"{base}/bin"),
                             os.lchown(f"{base}/bin", os.lstat(base).st_uid, os.lstat(base).st_gid))),
    "a file's name": (lambda base: os.rename(f"{base}/usr/bin/getfacl", f"{base}/usr/bin/setfbcl"),
                      lambda base: os.rename(f"{base}/usr/bin/setfbcl", f"{base}/usr/bin/getfacl")),
    "a file more": (lambda base: open(f"{base}/usr/bin/more-than-that", "w").close(),
                    lambda base: os.unlink(f"{base}/usr/bin/more-than-that")),
    "an extended attribute": (lambda base: os.setxattr(f"{base}/usr/bin/attr", "user.x", b"y"),
                              lambda base: os.removexattr(f"{base}/usr/bin/attr", "user.x")),
}


def damaged(home, server):
    if not AS_ROOT:
        tap.skip("damaged snapshots", "needs root to damage another user's files")
        return
    base = f"{home.cache}/rootlet/bases/{bases(home)[0]}"
    for what, (damage, undo) in {"nothing": (lambda base: None,) * 2, **DAMAGES}.items():
        damage(trees.inside(base))
        with Helper(home.user, seconds=300) as helper, opened(base) as fds:
            answer = helper.ask("Verify", fds)
        undo(trees.inside(base))
        tap.report(answer.code == (0 if what == "nothing" else TRUST), f"a snapshot with {what} changed",
                   answer)
    for what, damage in {"a bit of a program": DAMAGES["a bit of a program"][0],
                         "a bit of the manifest": DAMAGES["a bit of the manifest"][0],
                         "its manifest's owner": lambda base:
                         os.chown(f"{base}/etc/rootlet/manifest.json", 1, 1),
                         "its manifest": lambda base: open(f"{base}/etc/rootlet/manifest.json", "w").write(
                             "{")}.items():
        with opened(base) as (before,):  # while it is open, its inode number is not reused
            damage(trees.inside(base))
            outcome = create(home, server, "repaired", "--force")
            another = not os.path.samestat(os.fstat(before), os.lstat(base))
        tap.report(outcome.status == 0 and another and not re.search(CLONED, outcome.out, re.M),
                   f"a snapshot with {what} damaged is not used but rebuilt", outcome)
    check = home.run("check", "--deep", "--name", "repaired")
    tap.report(check.status == 0, "the rebuilt snapshot is undamaged", check)


def verified(home):
    """Tries every kind of object."""
    if not AS_ROOT:
        tap.skip("cache verify finds damage", "needs root to damage another user's files")
        return
    directory = f"{home.cache}/rootlet"
    for what in ("packages", "indexes", "solv", "bases"):
        name = sorted(one for one in os.listdir(f"{directory}/{what}") if re.fullmatch(r"\w{64}", one))[0]
        path = f"{directory}/{what}/{name}"
        flip(f"{trees.inside(path)}/usr/bin/attr" if what == "bases" else path)
        outcome = home.run("cache", "verify")
        tap.report(outcome.status == 3 and re.search(rf"^damaged, removed: {what}/{name}", outcome.out, re.M)
                   and not os.path.lexists(f"{directory}/{what}/{name}"),
                   f"cache verify finds a flipped bit in {what}", outcome)
    outcome = home.run("cache", "verify")
    tap.report(outcome.status == 0, "cache verify finds nothing the second time", outcome)


def at_once(home, server):
    """Only one of the two builds; the other waits for its snapshot."""
    words = ["create", "--release", mirrors.SUITE, "--profile", "test", "--mirror", server.url,
             "--keyring", AT.keyring, "--include", "acl,attr"]
    with Tidy(home) as tidy:
        server.requests.clear()
        both = [home.start(*words, "--name", name, environment={"XDG_CACHE_HOME": f"{home.dir}/both"})
                for name in ("one", "other")]
        out = [process.communicate(timeout=900)[0].decode(errors="replace") for process in both]
        wrong = tidy.complaints()
    cloned = [bool(re.search(CLONED, text, re.M)) for text in out]
    tap.report(not wrong and [process.returncode for process in both] == [0, 0] and sorted(cloned) == [
        False, True], "two creates at once: one saves the snapshot, the other clones it", *wrong, *out)
    fetched = [path for path in server.requests if path.endswith(".deb")]
    tap.report(len(fetched) > 50 and len(fetched) == len(set(fetched)),
               "two creates at once: every package is fetched once", len(fetched), len(set(fetched)))


def result_of(outcome):
    return json.loads((outcome.out.splitlines() or ["{}"])[-1])


def manifest_of(home, name):
    """Returns the manifest of a rootfs, without its time."""
    with open(f"{trees.inside(f'{home.store}/{name}')}/etc/rootlet/manifest.json", encoding="utf-8") as file:
        return {**json.load(file), "created": None}


def same_as_built(home, what, built, extended):
    """Compares two rootfs of HOME, file by file, their manifests and their locks."""
    if not AS_ROOT:
        tap.skip(f"{what}: the tree is the one that a build makes", "needs root to read another user's files")
        return
    one, other = (trees.census(f"{home.store}/{name}") for name in (built, extended))
    wrong = trees.differences(one, other, trees.EXTENDED)
    tap.report(not wrong and len(one) > 1000, f"{what}: the tree is the one that a build makes", *wrong[:20])
    first, second = manifest_of(home, built), manifest_of(home, extended)
    tap.report(first == second, f"{what}: the manifest is the same", first, second)
    locks = [home.run("lock", "--name", name) for name in (built, extended)]
    tap.report(locks[0].status == 0 and locks[0].out == locks[1].out, f"{what}: the lock is the same", *locks)


def extended(home, server):
    """The cache of at_once() has a snapshot that lacks one package of the rootfs "repaired"."""
    cache = {"XDG_CACHE_HOME": f"{home.dir}/both"}
    words = ["--include", "odd-capable", "--json"]
    server.requests.clear()
    made = home.create("--name", "extended", *words, server=server, at=AT, fresh=False, environment=cache)
    result, fetched = result_of(made), [path for path in server.requests if path.endswith(".deb")]
    base = (result.get("extended") or {}).get("snapshot", "")
    tap.report(made.status == 0 and result.get("cloned") is None and
               result.get("extended") == {"snapshot": base, "added": 1, "replaced": 0} and
               len(fetched) == 1 and os.path.isdir(f"{home.dir}/both/rootlet/bases/{base}"),
               "a create that needs one package more extends the snapshot, and fetches only that", made,
               fetched)
    same_as_built(home, "a snapshot with a package more", "repaired", "extended")
    check = home.run("check", "--deep", "--name", "extended")
    tap.report(check.status == 0, "check --deep of it", check)
    again = home.create("--name", "extended", "--force", *words, server=server, at=AT, fresh=False,
                        environment=cache)
    result = result_of(again)
    tap.report(again.status == 0 and result.get("cloned") == way_here(home) and not result.get("extended"),
               "the next create clones what was extended", again)


def replaced():
    """Long: a snapshot of older release files, a package of which has a conffile, lacks a user, too."""
    own, at = Home(), changes.Mirrors(mirror())
    words = ["--include", "odd-app,odd-held"]
    with Server(at.first.root) as server:
        first = own.create("--name", "old", *words, server=server, at=at.first, fresh=False)
        server.dir = at.second.root
        own.write("config/rootlet/profiles/test.conf", f"{PROFILE}[user more]\nuid = 1003\n")
        made = own.create("--name", "extended", *words, "--json", server=server, at=at.second, fresh=False)
        built = own.create("--name", "built", *words, server=server, at=at.second)
        asked = own.create("--name", "keys", *words, "--include", "odd-late", "--json", server=server,
                           at=at.second, fresh=False)
    said = result_of(made).get("extended") or {}
    tap.report(first.status == made.status == built.status == 0 and
               (said.get("added"), said.get("replaced")) == (1, 2),
               "a create with newer release files extends the snapshot", first, made, built)
    same_as_built(own, "a snapshot with newer packages and a user more", "built", "extended")
    said = result_of(asked).get("extended") or {}
    tap.report(asked.status == 0 and said.get("replaced") == 2,
               "a snapshot that was extended is not extended again", asked)


def real():
    """Long: the profile fstests of the host's release with some packages more."""
    own = Home(cache=shared_cache())
    words = ["create", "--release", apt.host_suite(), "--include", "gdb,strace,nfs-kernel-server"]
    base = own.run("create", "--release", apt.host_suite(), "--name", "base", seconds=1500)
    made = own.run(*words, "--name", "extended", "--json", seconds=1500)
    built = own.run(*words, "--name", "built", "--fresh", seconds=1500)
    tap.report(base.status == made.status == built.status == 0 and result_of(made).get("extended"),
               "profile fstests with more packages extends the snapshot of the profile", base, made, built)
    same_as_built(own, "profile fstests with more packages", "built", "extended")
    tap.note(f"extended in {made.seconds:.1f} s, built in {built.seconds:.1f} s")


def fetched_once(home, server, what, options):
    """Two creates that cannot share a snapshot share most of their packages."""
    words = ["create", "--release", mirrors.SUITE, "--profile", "test", "--mirror", server.url,
             "--keyring", AT.keyring]
    name = what.replace(" ", "-")
    cache = {"XDG_CACHE_HOME": f"{home.dir}/{name}"}
    server.faults, server.requests[:] = [Fault(r"/perl-base_[^/]*\.deb$", "slow", 1 << 20)], []
    with Tidy(home) as tidy:
        both = [home.start(*words, *more, "--name", f"{name}-{number}", environment=cache)
                for number, more in enumerate(options)]
        out = [process.communicate(timeout=900) for process in both]
        wrong = tidy.complaints()
    server.faults = []
    asked = [path for path in server.requests if path.endswith(".deb")]
    tap.report(not wrong and [process.returncode for process in both] == [0, 0] and len(asked) > 50 and
               len(asked) == len(set(asked)), f"two creates at once, {what}: every package is requested once",
               *wrong, *sorted(path for path in set(asked) if asked.count(path) > 1), *out)


def draft_of(home, cache, package):
    """Imitates a process that is fetching PACKAGE: its partial file, locked."""
    with open(f"{AT.root}/{AT.deb_of(package)}", "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    for directory in (cache, f"{cache}/rootlet", f"{cache}/rootlet/packages"):
        home.make_dir(directory)
    path = f"{cache}/rootlet/packages/.{digest}.part"
    file = open(path, "wb")
    if AS_ROOT:
        os.chown(path, home.user.uid, home.user.gid)
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def held(home, server):
    """Another process is fetching a package, and then exits, is interrupted, or hangs."""
    words = ["create", "--release", mirrors.SUITE, "--profile", "test", "--mirror", server.url,
             "--keyring", AT.keyring, "--fresh", "--force", "--name", "held"]
    package = AT.deb_of("perl-base")
    for what, status, most in (("is interrupted while another fetches a package", 130, 10),
                               ("fetches a package after another process left it", 0, 25),
                               ("fetches a package after another process stalls", 0, 90)):
        cache = f"{home.dir}/held-{status}-{most}"
        server.requests.clear()
        with draft_of(home, cache, "perl-base") as draft, Tidy(home) as tidy:
            process = home.start(*words, environment={"XDG_CACHE_HOME": cache})
            wait_until(lambda: len([path for path in server.requests if path.endswith(".deb")]) > 50)
            time.sleep(2)
            early, began = package in server.requests, time.monotonic()
            if status:
                process.send_signal(signal.SIGINT)
            elif most < 30:
                fcntl.flock(draft, fcntl.LOCK_UN)
            out = process.communicate(timeout=600)
            took = time.monotonic() - began
            wrong = tidy.complaints()
        tap.report(process.returncode == status and not wrong and not early and took < patient(most) and
                   server.requests.count(package) == (status == 0), f"a create {what}", early,
                   f"{took:.1f} s",
                   *wrong, *out)


KINDS = ("packages", "indexes", "solv", "bases", "images", "kernels", "build", "fstests")


def objects(home, *kinds):
    """Returns KIND/NAME of each object, except hidden ones."""
    directory = f"{home.cache}/rootlet"
    return {f"{kind}/{name}" for kind in kinds or KINDS if os.path.isdir(f"{directory}/{kind}")
            for name in os.listdir(f"{directory}/{kind}") if not name.startswith(".")}


def furnish(home, server):
    """Creates what runs leave in the cache: an image, a kernel, a build rootfs and its result."""
    directory = f"{home.cache}/rootlet"
    for name in ("images/0123-4567.erofs", "kernels/6.1_1/boot/vmlinuz",
                 "kernels/6.1_1/lib/modules/6.1/toy.ko",
                 "fstests/x-y/check"):
        home.make_dir(home.cache)
        subprocess.run(["install", "-D", "-m", "600", "/dev/stdin", f"{directory}/{name}"],
                       input=b"x" * 100000,
                       check=True)
    for name in ("kernels/6.1_1/usr", "fstests/x-y/link"):
        if not os.path.lexists(f"{directory}/{name}"):
            os.symlink("lib", f"{directory}/{name}")
    sums.write(f"{directory}/images", "0123-4567.erofs")
    sums.write(f"{directory}/kernels/6.1_1")
    sums.write(f"{directory}/fstests/x-y")
    if AS_ROOT:
        for kind in ("images", "kernels", "fstests"):
            subprocess.run(["chown", "-R", f"{home.user.uid}:{home.user.gid}",
                            f"{home.cache}/rootlet/{kind}"],
                           check=True)
    os.makedirs(f"{home.cache}/rootlet/build", exist_ok=True)
    if AS_ROOT:
        os.chown(f"{home.cache}/rootlet/build", home.user.uid, home.user.gid)
    made = home.run("create", "--release", mirrors.SUITE, "--profile", "test", "--mirror", server.url,
                    "--keyring", AT.keyring, "--path", f"{directory}/build/jammy-x",
                    *([] if AS_ROOT else ["--tree-mode", "0755"]))  # otherwise only root could look into it
    sums.write_digest(home.user, f"{directory}/build", "jammy-x")
    return made


def size_of(home):
    return sum(kind["bytes"] for kind in json.loads(home.run("cache", "--json").out))


def prune_one(home):
    """Prunes the size of the least recently used object; returns what was removed."""
    before = objects(home)
    outcome = home.run("cache", "prune", "--max-size", str(size_of(home) - 1))
    return before - objects(home) if outcome.status == 0 else outcome


def pruned_by_age(home, server):
    made, directory = furnish(home, server), f"{home.cache}/rootlet"
    verify = home.run("cache", "verify")
    tap.report(made.status == 0 and verify.status == 0 and f"\n{len(objects(home))} objects, 0 damaged" in
               verify.out,
               "cache verify reads objects of every kind", made, verify, objects(home))
    package, base = sorted(objects(home, "packages"))[3], f"bases/{bases(home)[0]}"
    order = [(package, package), ("kernels/6.1_1", "kernels/6.1_1"),
             ("images/0123-4567.erofs", "images/.0123-4567.erofs.sums"),
             (base, f"bases/.{base[6:]}.lock"), ("fstests/x-y",) * 2]
    for number, (_, clock) in enumerate(order):
        os.utime(f"{directory}/{clock}", (10**9 + number, 10**9 + number))
    for name, _ in order:
        gone = prune_one(home)
        tap.report(gone == {name}, f"cache prune: removes the least recently used object first: "
                   f"{name.partition('/')[0]}", gone)


# How an object that has checksums can be damaged, and what is reported.
KEPT = {
    "a bit of an image":
        ("images/0123-4567.erofs", lambda at: flip(at), "0123-4567.erofs has changed"),
    "a bit of an image's sums": ("images/0123-4567.erofs", lambda at: flip(sums_of(at)), ""),
    "a bit of a kernel":
        ("kernels/6.1_1", lambda at: flip(f"{at}/boot/vmlinuz"), "boot/vmlinuz has changed"),
    "a bit of a module":
        ("kernels/6.1_1", lambda at: flip(f"{at}/lib/modules/6.1/toy.ko"), "toy.ko has changed"),
    "a link of a kernel": ("kernels/6.1_1", lambda at: relink(f"{at}/usr"), "usr has changed"),
    "a missing module":
        ("kernels/6.1_1", lambda at: os.unlink(f"{at}/lib/modules/6.1/toy.ko"), "is missing"),
    "an extra module":
        ("kernels/6.1_1", lambda at: open(f"{at}/lib/modules/6.1/more.ko", "w").close(), "was added"),
    "a kernel without sums":
        ("kernels/6.1_1", lambda at: os.unlink(f"{at}/.sums"), "its checksums are missing"),
    "a bit of fstests": ("fstests/x-y", lambda at: flip(f"{at}/check"), "check has changed"),
    "a mode of fstests":
        ("fstests/x-y", lambda at: os.chmod(f"{at}/check", 0o755), "check has changed"),
    "a link of fstests": ("fstests/x-y", lambda at: relink(f"{at}/link"), "link has changed"),
    "a bit of a rootfs to build in":
        ("build/jammy-x", lambda at: flip(f"{trees.inside(at)}/etc/debian_version"), "its digest differs"),
    "a link of a rootfs to build in":
        ("build/jammy-x", lambda at: relink(f"{trees.inside(at)}/bin"), "its digest differs"),
    "a rootfs without a digest":
        ("build/jammy-x", lambda at: os.unlink(digest_of(at)), "its saved digest is missing"),
    "fstests without sums":
        ("fstests/x-y", lambda at: os.unlink(f"{at}/.sums"), "its checksums are missing"),
}


def digest_of(rootfs):
    return f"{os.path.dirname(rootfs)}/.{os.path.basename(rootfs)}.digest"


def sums_of(image):
    return f"{os.path.dirname(image)}/.{os.path.basename(image)}.sums"


def relink(path):
    os.unlink(path)
    os.symlink("lob", path)


def verified_sums(home, server):
    """Sizes and times need not change; damaged objects are removed, intact ones kept."""
    if not AS_ROOT:
        tap.skip("cache verify finds damage in objects with checksums",
                 "needs root to damage another user's files")
        return
    directory = f"{home.cache}/rootlet"
    for what, (name, damage, says) in {"nothing": ("", lambda at: None, ""), **KEPT}.items():
        furnish(home, server)
        before = objects(home)
        damage(f"{directory}/{name}")
        outcome = home.run("cache", "verify")
        gone = {name} if name else set()
        tap.report(outcome.status == (3 if name else 0) and before - objects(home) == gone and
                   (not name or re.search(rf"^damaged, removed: {name}: .*{says}", outcome.out, re.M)) and
                   not os.path.exists(sums_of(f"{directory}/{name}")) and
                   os.path.exists(digest_of(f"{directory}/build/jammy-x")) == (name != "build/jammy-x"),
                   f"cache verify finds damage: {what}", gone, outcome)
    furnish(home, server)
    flip(f"{directory}/kernels/6.1_1/boot/vmlinuz")
    used = os.open(f"{directory}/kernels/6.1_1", os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(used, fcntl.LOCK_SH)
    outcome = home.run("cache", "verify")
    os.close(used)
    tap.report(outcome.status == 3 and "damaged, still in use: kernels/6.1_1" in outcome.out and
               not os.path.exists(f"{directory}/kernels/6.1_1/.sums"),
               "cache verify: a damaged object in use is not used again", outcome)


def pruned_in_use(home, server):
    create(home, server, "again", "--force")
    furnish(home, server)
    directory, base = f"{home.cache}/rootlet", bases(home)[0]
    with open(f"{directory}/bases/.{base}.lock", "rb") as one, \
            open(f"{directory}/images/0123-4567.erofs", "rb") as other:
        fcntl.flock(one, fcntl.LOCK_EX)
        fcntl.flock(other, fcntl.LOCK_SH)
        outcome = home.run("cache", "prune", "--max-size", "0")
        left = objects(home)
    tap.report(outcome.status == 0 and left == {f"bases/{base}", "images/0123-4567.erofs"},
               "cache prune: keeps objects in use, and nothing else", outcome, left)


def pruned(home, server):
    pruned_by_age(home, server)
    verified_sums(home, server)
    pruned_in_use(home, server)
    outcome = home.run("cache")
    tap.report(outcome.status == 0 and all(re.search(rf"^{kind} +\d+ ", outcome.out, re.M)
                                           for kind in KINDS), "cache", outcome)
    outcome = home.run("cache", "prune", "--max-size", "1G")
    tap.report(outcome.status == 0 and bases(home), "cache prune: keeps what fits", outcome)
    outcome = home.run("cache", "prune", "--max-size", "0")
    left = objects(home)
    tap.report(outcome.status == 0 and not left, "cache prune: leaves nothing behind", outcome, left)


def fresh(home, server):
    outcome = create(home, server, "fresh", "--fresh")
    tap.report(outcome.status == 0 and not bases(home), "--fresh neither clones nor saves a snapshot",
               outcome, bases(home))


# --- export and import -----------------------------------------------------------------------------

KERNEL = "6.1_6.1-1"


def kernel(home):
    """Puts a kernel into the cache, as kernel_package.c does. Returns the path of its image."""
    at, link = ".cache/rootlet/kernels", f"{mirrors.SUITE}-{mirrors.arch()}"
    files = {"boot/vmlinuz": b"kernel" * 10000, "lib/modules/6.1/one.ko": b"module"}
    for path, data in files.items():
        home.write(f"{at}/{KERNEL}/{path}", data)
    image, module = (f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in files.items())
    home.write(f"{at}/{KERNEL}/.sums", f"# directory boot\n{image}# directory lib\n# directory lib/modules\n"
               f"# directory lib/modules/6.1\n{module}# directory usr\n# link usr/lib -> ../lib\n")
    home.run("-c", f"cd {at} && mkdir {KERNEL}/usr && ln -s ../lib {KERNEL}/usr/lib && ln -s {KERNEL} {link}",
             program="/bin/sh")
    return f"rootlet/kernels/{link}/boot/vmlinuz"


def entry(name, data=b"", **more):
    """Returns an entry for packed(); MORE are attributes of tarfile.TarInfo."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def archive(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def packed(home, name, entries):
    """Writes a file for `cache import`."""
    data = archive([entry("rootlet-cache", b"rootlet cache 1\n"), *entries])
    done = subprocess.run(["zstd", "-q"], input=data, stdout=subprocess.PIPE, check=True)
    return home.write(name, done.stdout)


def moved(home, server):
    """A cache in one file, on another machine with the same ids."""
    other, file = Home(), f"{home.dir}/moved.cache"
    made, image = create(home, server, "moved"), kernel(home)
    exported = home.run("cache", "export", file)
    imported = other.run("cache", "import", file)
    count = len(bases(home))
    tap.report(made.status == 0 and exported.status == 0 and imported.status == 0 and
               f"exported {count} snapshots and 1 kernels" in exported.out and
               f"imported {count} snapshots and 1 kernels" in imported.out and
               bases(other) == bases(home), "cache import adds what cache export wrote", exported, imported)
    again = other.run("cache", "import", file, "--json")
    told = json.loads((again.out.splitlines() or ["{}"])[-1])
    tap.report(again.status == 0 and told.get("present") == count + 1 and not told["snapshots"],
               "cache import leaves what the cache has", again)
    with open(f"{other.cache}/{image}", "rb") as found:
        tap.report(found.read(6) == b"kernel", "an imported kernel is the release's")
    cloned = create(other, server, "moved")
    tap.report(cloned.status == 0 and way_of(cloned), "an imported snapshot is cloned", cloned)
    same(f"{home.store}/moved", f"{other.store}/moved", ", made of an imported snapshot,")
    verify = other.run("cache", "verify")
    tap.report(verify.status == 0 and re.search(", 0 damaged$", verify.out, re.M),
               "cache verify finds no damage in what was imported", verify)
    hostile(home, recipe_of(home))
    shutil.rmtree(f"{home.cache}/rootlet/kernels")
    home.run("delete", "--name", "moved", "--yes")


def recipe_of(home):
    """Returns the text of a snapshot's lock, without the note at its end."""
    with open(f"{home.cache}/rootlet/bases/.{bases(home)[0]}.lock", encoding="utf-8") as file:
        return file.read().partition("keyring ")[0]


ROOT = [entry("./", type=tarfile.DIRTYPE, mode=0o755), entry("./etc", type=tarfile.DIRTYPE, mode=0o755)]
# What the tree of a snapshot cannot have, and why it is rejected.
TREES = {
    "a block device": ([entry("./disk", type=tarfile.BLKTYPE, devmajor=8)], "a device"),
    "a character device": ([entry("./null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)], "a device"),
    "a pipe": ([entry("./pipe", type=tarfile.FIFOTYPE)], "a pipe"),
    "the caller's setuid program": ([entry("./su", b"x", mode=0o4755, uid=65535)], "outside of the range"),
    "a file of a foreign group": ([entry("./x", b"x", gid=4000000000)], "outside of the range"),
    "a file above it": ([entry("../../../escaped", b"x")], "cannot unpack"),
    "an absolute name": ([entry("/escaped", b"x")], "cannot unpack"),
    "a file through a link": ([entry("./up", type=tarfile.SYMTYPE, linkname="../../.."),
                               entry("./up/escaped", b"x")], "cannot unpack"),
    "a hard link to a file outside": ([entry("./passwd", type=tarfile.LNKTYPE, linkname="../../escaped")],
                                      "cannot unpack"),
    "no manifest": ([], "")}
# Files that are no caches.
FILES = {
    "a name that leads out": [entry("../escaped", b"x")], "an absolute name": [entry("/escaped", b"x")],
    "a link": [entry("kernels/x", type=tarfile.SYMTYPE, linkname="/etc")],
    "a hard link": [entry("kernels/x", type=tarfile.LNKTYPE, linkname="/etc/passwd")],
    "a device": [entry("kernels/x", type=tarfile.CHRTYPE)],
    "the same name twice": [entry("kernels/x/y", b"1"), entry("kernels/x/y", b"2")]}


def hostile(home, recipe):
    """What somebody else wrote into the cache of a runner."""
    other = Home()
    entries, keys = [], {}
    for what, (tree, _) in TREES.items():
        text = f"{recipe}# {what}\n".encode()
        key = hashlib.sha256(text).hexdigest()
        keys[key] = what
        entries += [entry(f"bases/{key}.recipe", text), entry(f"bases/{key}.tar", archive(ROOT + tree))]
    strange = re.sub(r"\nids .*", "\nids 7 7", recipe).encode()
    keys[hashlib.sha256(strange).hexdigest()] = "other ids"
    keys["0" * 64] = "another recipe"
    for key, text in ((hashlib.sha256(strange).hexdigest(), strange), ("0" * 64, recipe.encode())):
        entries += [entry(f"bases/{key}.recipe", text), entry(f"bases/{key}.tar", archive(ROOT))]
    entries += [entry("kernels/evil/boot/vmlinuz", b"x", mode=0o4755),
                entry("kernels/evil/.sums", b"nothing\n"),
                entry("kernels/out.link", b"1 ../../../escaped"), entry("kernels/gone.link", b"1 none")]
    wanted = {**{what: why for what, (_, why) in TREES.items()}, "other ids": "other ids than",
              "another recipe": "not the hash of its recipe"}
    with Tidy(other) as tidy:
        outcome = other.run("cache", "import", packed(other, "hostile.cache", entries), "--json")
        wrong = tidy.complaints()
    told = json.loads((outcome.out.splitlines() or ["{}"])[-1]).get("rejected", [])
    why = {keys.get(one["name"], one["name"]): one["message"] for one in told}
    for what, message in wanted.items():
        tap.report(what in why and message in why[what], f"cache import rejects a snapshot with {what}", why)
    tap.report(outcome.status == 3 and not wrong and {"evil", "out.link", "gone.link"} <= set(why) and
               not bases(other) and not os.listdir(f"{other.cache}/rootlet/kernels"),
               "cache import rejects kernels and links that it cannot trust", *wrong, outcome)
    for what, entries in FILES.items():
        outcome = other.run("cache", "import", packed(other, "bad.cache", entries))
        tap.report(outcome.status == 2, f"cache import refuses a file with {what}", outcome)
    for what, data in (("text", b"hello\n" * 1000), ("nothing", b"")):
        outcome = other.run("cache", "import", other.write("bad.cache", data))
        tap.report(outcome.status == 2, f"cache import refuses a file of {what}", outcome)
    found = subprocess.run(["find", other.dir, "-name", "escaped", "-o", "-type", "b", "-o", "-type", "c",
                            "-o", "-type", "p", "-o", "-perm", "/6000"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout
    tap.report(not found and not os.path.exists("/escaped") and
               not os.listdir(f"{other.cache}/rootlet/import"), "cache import leaves nothing of them", found)


def forged():
    """A package file in the place of rootlet's own files does not make a tree share or skip anything."""
    package, directory = "evil-linked", f"{SCRATCH}/{os.getpid()}.linked"
    own = Home()
    deb = debs.make(f"{directory}.debs", package, mirrors.arch(), {},
                    [("./etc/", "dir"), ("./etc/rootlet/", "dir"), ("./etc/rootlet/digest", b"0" * 64)])
    with Server(f"{directory}/mirror") as server:
        at = AT.with_packages(directory, [deb])
        first = own.create("--name", "a", "--include", package, server=server, at=at, fresh=False)
        second = own.create("--name", "b", "--include", package, server=server, at=at, fresh=False)
    tap.report(first.status == 0 and second.status == 0, "a package that ships its own digest does "
               "no harm", first, second)


home = Home()
with Server(AT.root) as served:
    clone(home, served)
    same(f"{home.store}/first", f"{home.store}/second", f" by {way_here(home)}")
    moved(home, served)
    elsewhere(home, served, "xfs", 1 << 30, "reflinks")
    elsewhere(home, served, *disk_apart(), "copies")
    keys(home, served)
    isolated(home)
    damaged(home, served)
    at_once(home, served)
    extended(home, served)
    fetched_once(home, served, "of different packages",
                 [("--include", "odd-capable"), ("--include", "hostname")])
    fetched_once(home, served, "fresh", [("--fresh",), ("--fresh",)])
    held(home, served)
    verified(home)
    if AS_ROOT:  # otherwise nothing was damaged and removed
        again = create(home, served, "again", "--force")
        tap.report(again.status == 0 and not way_of(again), "a removed snapshot is rebuilt", again)
    pruned(home, served)
    fresh(home, served)
forged()
if LONG:
    replaced()
    real()
tap.done()
