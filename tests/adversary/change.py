"""rootlet-helper and the requests that change a rootfs, from a front end that was taken over: a rootfs that
is not sound or not there, requests out of order, unsigned packages, and what happens to the rootfs and its
neighbors if the exchange fails. Each refusal leaves the rootfs as it was, and nothing beside it."""
import hashlib
import os
import shutil

from support import debs, tap
from support import mirror as mirrors
from support.builds import Build
from support.changes import digest
from support.protocol import BUSY, INPUT, MISSING, REFUSED, TRUST, Helper, opened
from support.server import Server
from support.world import AS_ROOT, SCRATCH, Home, Tidy, mirror

EXISTS, SYSTEM, PACKAGE = 4, 9, 10  # lib/error.h
DEBS = f"{SCRATCH}/{os.getpid()}.debs"
AT = mirror().with_packages(f"{SCRATCH}/{os.getpid()}.mirror",
                            [debs.make(DEBS, name, mirrors.arch(), entries=[
    (f"./odd-{name}", b"x")]) for name in ("odd-one", "odd-two")])
home = Home()
TREE = f"{home.store}/test-rootfs"
OLD = f"{TREE}.previous"
BUILD = Build(AT, home.store)
CHANGE = ("Change", (home.store, AT.keyring),
          {"name": "test-rootfs", "suite": "jammy", "arch": mirrors.arch()})
READY = (CHANGE, BUILD.release, BUILD.index("main"))
DONE = ("Bootstrap", (), {})
MANIFEST = home.write("manifest", "{}")


def changed(**fields):
    """Returns Change with other FIELDS."""
    return (*CHANGE[:2], {**CHANGE[2], **fields})


def package(name="odd-one"):
    return BUILD.packages("main")[name]


def publish(**fields):
    return ("Publish", (MANIFEST,), {"mode": 0o700, **fields})


def send(helper, requests):
    """Sends all REQUESTS, up to the first that fails; returns its answer, or the last one's."""
    answer = None
    for kind, paths, fields in requests:
        with opened(*paths) as fds:
            answer = helper.ask(kind, fds, **fields)
        if answer.code:
            return kind, answer
    return kind, answer


def state():
    return os.lstat(TREE).st_ino, digest(home), sorted(os.listdir(home.store))


def refuse(what, codes, *requests, says="", meanwhile=None):
    """The last of REQUESTS must be refused with one of CODES. MEANWHILE runs before it."""
    was = state()
    with Tidy(home) as tidy, Helper(home.user, seconds=300) as helper:
        first = send(helper, requests[:-1])[1] if requests[1:] else None
        undo = meanwhile() if meanwhile else None
        kind, answer = send(helper, requests[-1:])
        status = helper.leave()
        if undo:
            undo()
        wrong = tidy.complaints()
    wrong += [f"before it: {first}"] if first and first.code else []
    wrong += [] if answer.code in codes and says in answer.message else [f"expected {codes}, \"{says}\""]
    wrong += [] if status == 0 else [f"the helper ended with {status}"]
    now = state()
    wrong += [] if now == was else [f"now {now}, before {was}"]
    tap.report(not wrong, what, *wrong, kind, answer)


def objects():
    refuse("Change: a rootfs that does not exist", {MISSING}, changed(name="nosuch"))
    home.make_dir(f"{home.store}/plain")
    refuse("Change: a plain directory", {REFUSED}, changed(name="plain"), says="not a rootfs")
    os.symlink(TREE, f"{home.store}/link")
    refuse("Change: a symlink to a rootfs", {REFUSED}, changed(name="link"))
    refuse("Change: no keyring", {TRUST, INPUT}, ("Change", (home.store, MANIFEST), CHANGE[2]), BUILD.release)
    for name in ("plain", "link"):
        (os.rmdir if name == "plain" else os.unlink)(f"{home.store}/{name}")
    if not AS_ROOT:
        tap.skip("Change: a rootfs that others can write to", "needs root to change the mode of its files")
        return
    for place in ("", "/rootfs", "/rootfs/etc/rootlet", "/rootfs/etc/rootlet/manifest.json"):
        mode = os.lstat(f"{TREE}{place}").st_mode & 0o7777
        os.chmod(f"{TREE}{place}", 0o777)
        refuse(f"Change: others can write to {place or 'the rootfs'}", {REFUSED}, CHANGE)
        os.chmod(f"{TREE}{place}", mode)


def order():
    refuse("Change twice", {REFUSED}, CHANGE, CHANGE, says="out of order")
    refuse("Change, then Begin", {REFUSED}, CHANGE, BUILD.begin, says="out of order")
    refuse("Begin, then Change", {REFUSED}, BUILD.begin, CHANGE, says="out of order")
    refuse("Change, then Publish", {REFUSED}, CHANGE, publish(replace=1), says="out of order")
    refuse("Package before Index", {TRUST}, CHANGE, BUILD.release, package())
    refuse("Package twice", {REFUSED}, *READY, package(), package())
    refuse("Change, then Keep", {REFUSED}, *READY, package(), DONE, ("Keep", (home.store, MANIFEST),
                                                                    {"name": "base"}), says="changed rootfs")


def unsigned():
    _, (deb,), fields = package()
    with open(deb, "rb") as file:
        data = file.read()
    altered = home.write("altered", data[:-1] + bytes([data[-1] ^ 1]))
    refuse("Release of another suite", {TRUST}, changed(suite="noble"), BUILD.release)
    refuse("Release signed by another key", {TRUST}, CHANGE, ("Release", (home.write(
        "unsigned", AT.inrelease(key="other")),), {"pocket": ""}))
    refuse("Package: altered", {TRUST}, *READY, ("Package", (altered,), fields))
    refuse("Package: with another package's name", {TRUST}, *READY, ("Package", (deb,), {
        **fields, "name": "odd-two"}))


def local():
    """The caller's own package, which nobody has signed."""
    _, (deb,), fields = package()
    refuse("LocalPackage without a Change", {REFUSED}, BUILD.begin, BUILD.release, BUILD.index("main"),
           ("LocalPackage", (deb,), fields), says="goes with Change")
    refuse("LocalPackage: another hash", {TRUST}, CHANGE, ("LocalPackage", (deb,), {
        **fields, "sha256": b"x" * 32}))
    refuse("LocalPackage: no package", {PACKAGE, INPUT}, CHANGE, ("LocalPackage", (MANIFEST,), {
        "name": "odd-one", "sha256": hashlib.sha256(b"{}").digest()}), DONE)
    refuse("LocalPackage: with another package's name", {PACKAGE, INPUT}, CHANGE, ("LocalPackage", (deb,), {
        **fields, "name": "odd-two"}), DONE)
    refuse("LocalPackage: twice", {REFUSED}, *READY, package(), ("LocalPackage", (deb,), fields))


def removals():
    refuse("removed: an essential package", {PACKAGE}, changed(removed=["dpkg"]), DONE, says="dpkg")
    refuse("removed: an essential package, after a package", {PACKAGE}, changed(removed=["base-files"]),
           *READY[1:], package(), DONE, says="base-files")


def leaves():
    """A front end that leaves at any point."""
    for what, requests in (("Change", READY[:1]), ("Release", READY[:2]), ("Package", (*READY, package())),
                           ("Bootstrap", (*READY, package(), DONE))):
        was = state()
        with Tidy(home) as tidy, Helper(home.user, seconds=300) as helper:
            _, answer = send(helper, requests)
            helper.leave()
            wrong = tidy.complaints()
        now = state()
        tap.report(answer.code == 0 and not wrong and now == was, f"a front end that leaves after {what}",
                   answer,
                   *wrong, now, was)


def at_once():
    """While one session changes the rootfs, no other one can use it."""
    with Helper(home.user, seconds=300) as first:
        begun = send(first, [CHANGE])[1]
        for what, other in (("Change", CHANGE),
                            ("Remove", ("Remove", (home.store,), {"name": "test-rootfs"})),
                            ("Begin", (*BUILD.begin[:2], {**BUILD.begin[2], "name": "test-rootfs"}))):
            with Helper(home.user, seconds=300) as second:
                answer = send(second, [other])[1]
            tap.report(begun.code == 0 and answer.code == BUSY,
                       f"{what} during a change of the same rootfs is refused",
                       begun, answer)
        done = send(first, [*READY[1:], package(), DONE])[1]
        tap.report(done.code == 0, "the change goes on after that", done)
    with Helper(home.user, seconds=300) as helper:
        answer = send(helper, [CHANGE])[1]
    tap.report(answer.code == 0, "the rootfs can be used after the session ends", answer)


# --- publishing ---

def moved(other=None):
    """Renames the rootfs; returns what undoes that. OTHER gets its name."""
    os.rename(TREE, f"{home.store}/moved")
    if other:
        os.rename(other, TREE)

    def undo():
        if other:
            os.rename(TREE, other)
        os.rename(f"{home.store}/moved", TREE)
    return undo


def exchanges():
    ready = (*READY, package(), DONE)
    refuse("Publish without replace", {EXISTS}, *ready, publish())
    refuse("Publish without replace, keeping the old one", {EXISTS}, *ready, publish(keep_old=1))
    refuse("Publish of a rootfs that was renamed", {SYSTEM}, *ready, publish(replace=1), meanwhile=moved)
    plain = home.make_dir(f"{home.store}/plain")
    home.write(f"{os.path.relpath(plain, home.dir)}/file", "precious")
    refuse("Publish of a rootfs whose name another directory has", {BUSY}, *ready, publish(replace=1),
           meanwhile=lambda: moved(plain), says="was replaced")
    os.rename(plain, OLD)
    refuse("Publish: NAME.previous is a plain directory", {REFUSED}, *ready, publish(replace=1, keep_old=1),
           says="test-rootfs.previous is not a rootfs")
    shutil.rmtree(OLD)
    os.symlink(home.dir, OLD)
    refuse("Publish: NAME.previous is a symlink", {REFUSED}, *ready, publish(replace=1, keep_old=1),
           says="test-rootfs.previous")
    os.unlink(OLD)
    length = "n" * 60
    os.rename(TREE, f"{home.store}/{length}")
    with Helper(home.user, seconds=300) as helper:
        answer = send(helper,
                      [changed(name=length), *READY[1:], package(), DONE, publish(replace=1, keep_old=1)])[1]
    os.rename(f"{home.store}/{length}", TREE)
    tap.report(answer.code == INPUT and "too long" in answer.message,
               "Publish: a name that is too long for .previous",
               answer)


def works():
    ready = (*READY, package(), DONE, publish(replace=1, keep_old=1))
    inode = os.lstat(TREE).st_ino
    begin = (*BUILD.begin[:2], {**BUILD.begin[2], "epoch": 1})
    with Tidy(home) as tidy, Helper(home.user, seconds=300) as helper:
        failed = send(helper, (begin, BUILD.release, package()))[1]
        answer = send(helper, ready)[1]
        helper.leave()
        wrong = tidy.complaints()
    tap.report(answer.code == 0 and not wrong and os.lstat(OLD).st_ino == inode,
               "after all refusals, a change succeeds, and the old rootfs is NAME.previous", answer, *wrong)
    shown = home.run("shell", "--", "cat", "/odd-odd-one")
    tap.report(shown.out == "x", "the changed rootfs has the package's file", shown)
    shown = home.run("shell", "--", "stat", "-c", "%Y", "/etc/rootlet/manifest.json")
    tap.report(failed.code == TRUST and int(shown.out or 0) > 1e9,
               "a change does not have the epoch of a build that failed before it", failed, shown)
    with Helper(home.user, seconds=300) as other:
        held = send(other, [changed(name="test-rootfs.previous")])[1]
        was = state()
        with Helper(home.user, seconds=300) as helper:
            answer = send(helper, (*READY, package("odd-two"), DONE, publish(replace=1, keep_old=1)))[1]
        now = state()
    tap.report(held.code == 0 and answer.code == BUSY and now == was,
               "Publish: NAME.previous is in use, so that the old rootfs would be lost", held, answer, now,
               was)


with Server(AT.root) as server:
    made = home.create(server=server, at=AT)
if tap.report(made.status == 0, "the rootfs is created", made):
    objects()
    order()
    unsigned()
    local()
    removals()
    leaves()
    at_once()
    exchanges()
    works()
tap.done()
