"""SIGKILL to any process, at random moments of create, create --force, saving a snapshot, a clone, an
upgrade, delete and a root image, and with --long of a create that extends a snapshot: either the old or the
new rootfs passes `rootlet check --deep`; every other rootfs and the cache are intact; after the next command,
no staging, mount or process remains. Only signals that hit a process count."""
import json
import os
import random
import re
import shutil
import subprocess
import time

from support import changes, tap
from support.server import Server
from support.vng import is_image, stand_in
from support.world import (LEFTOVER, SCRATCH, Home, Tidy, children, command_of, mirror, processes_left,
                           wait_until)

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
KILLS = int(os.environ.get("ROOTLET_TEST_KILLS", "200" if LONG else "10"))
KEEP_SECONDS = 1
FIRST, AT = changes.two(mirror(), f"{SCRATCH}/{os.getpid()}.two")
home = Home()
IMAGES, BASES = f"{home.cache}/rootlet/images", f"{home.cache}/rootlet/bases"
OLD = "old"
KERNEL, PATH = stand_in(home)
chance = random.Random(os.getpid())


def victims(front):
    """Returns {kind: pid} of the running processes."""
    below = children(front.pid)
    helpers = [pid for pid in below if "rootlet-helper" in command_of(pid)]
    found = {"front end": front.pid}
    for name, pid in zip(("audit process", "jailer", "parser", "another helper process"), helpers):
        found[name] = pid
    jailed = [pid for pid in below if pid not in helpers]
    if jailed:
        found["a process of the jail"] = chance.choice(jailed)
    return found


def rows(server):
    """Returns {what: (arguments, rootfs, whether it must exist at the end)}."""
    source = ["--release", "jammy", "--profile", "test", "--mirror", server.url, "--keyring", AT.keyring,
              "--quiet"]
    return {"create": (["create", "--fresh", "--name", "new", *source], "new", False),
            "create --force": (["create", "--force", "--fresh", *source], "test-rootfs", True),
            "create, saving a snapshot": (["create", "--name", "kept", *source], "kept", False),
            "clone": (["create", "--name", "clone", *source], "clone", False),
            **({"extend": (["create", "--name", "extended", "--include", "odd-old", *source], "extended",
                           False)} if LONG else {}),
            "upgrade": (["upgrade", "--name", OLD, "--keyring", AT.keyring, "--quiet", "--mirror",
                         server.url], OLD, True),
            "delete": (["delete", "--yes", "--name", "clone"], "clone", False),
            "image":
            (["run", "--root-transport", "image", "--kernel", KERNEL, "--", "true"], "test-rootfs", True)}


def bases():
    return [name for name in os.listdir(BASES)
            if re.fullmatch(r"\w{64}", name)] if os.path.isdir(BASES) else []


def is_extended(base):
    with open(f"{BASES}/.{base}.lock", encoding="utf-8") as file:
        return "\nextends " in file.read()


def remove_bases(names):
    """Makes each the least recently used."""
    for name in names:
        os.utime(f"{BASES}/.{name}.lock", (10**9, 10**9))
        size = sum(kind["bytes"] for kind in json.loads(home.run("cache", "--json").out))
        home.run("cache", "prune", "--max-size", str(size - 1))


def prepare(what, table):
    """Prepares the state that WHAT needs."""
    if what in ("clone",
                "delete") and not bases() or what == "delete" and not os.path.lexists(f"{home.store}/clone"):
        home.run(*table["clone"][0], "--force")
    if what == "extend":
        remove_bases(name for name in bases() if is_extended(name))
        if not bases():
            home.run(*table["clone"][0], "--force")
    if what in ("create", "create, saving a snapshot", "clone", "extend"):
        home.run("delete", "--yes", "--name", table[what][1])
    if what == "upgrade" and os.path.lexists(f"{home.store}/{OLD}.previous"):
        home.run("upgrade", "--rollback", "--name", OLD)
        home.run("delete", "--yes", "--name", f"{OLD}.previous")
    if what == "create, saving a snapshot":
        remove_bases(bases())
    elif what == "image":
        shutil.rmtree(IMAGES, ignore_errors=True)


def spans(table):
    """Returns {what: its duration in seconds}, and the snapshot to clone."""
    took = {}
    for what, (words, _, _) in table.items():
        prepare(what, table)
        before = len(bases())
        outcome = home.run(*(word for word in words if word != "--quiet"), environment=PATH)
        took[what] = outcome.seconds
        good = outcome.status == (125 if what == "image"
                                  else 0) and ("Cloned" in outcome.out) == (what == "clone")
        good = good and len(bases()) - before == (what in ("create, saving a snapshot", "extend"))
        good = good and ("Made from a cached snapshot" in outcome.out) == (what == "extend")
        tap.report(good, f"{what} works without a kill", outcome)
    tap.note(", ".join(f"{what}: {seconds:.1f} s" for what, seconds in took.items()))
    return took


def strike(what, words, seconds):
    """Returns (the killed process, or None if it was gone; when; all output)."""
    front = home.start(*words, environment=PATH)
    if what == "create, saving a snapshot":
        # The other rows cover everything before this.
        wait_until(lambda: any(map(LEFTOVER.match, os.listdir(BASES))) or front.poll() is not None, 300)
        seconds = KEEP_SECONDS
    after = chance.random() * seconds
    time.sleep(after)
    alive = victims(front) if front.poll() is None else {}
    kind = chance.choice(list(alive)) if alive else None
    try:
        if kind:
            os.kill(alive[kind], 9)
    except ProcessLookupError:
        kind = None
    try:
        _, err = front.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        front.kill()
        _, err = front.communicate()
        err += b"\nit did not end"
    return kind, after, err.decode(errors="replace")


def others_are_whole(others):
    """Checks everything else, and the cache that the next command may clone from."""
    wrong = []
    for name in others:
        check = home.run("check", "--name", name)
        wrong += [f"{name}, which was not involved, is not ready: {check}"] if check.status else []
    verify = home.run("cache", "verify")
    if verify.status or not re.search(r", 0 damaged$", verify.out, re.M):
        wrong.append(f"the cache: {verify}")
    return wrong


def judge(tidy, err, name, must_be, others):
    wrong = ["it did not end"] if "it did not end" in err else []
    wrong += [f"still runs: {line}" for line in processes_left(60)]
    home.run("list")
    wrong += tidy.complaints()
    for one in (name, f"{name}.previous"):
        if must_be and one == name or os.path.lexists(f"{home.store}/{one}"):
            check = home.run("check", "--deep", "--name", one)
            wrong += [f"{one} is not ready: {check}"] if check.status else []
    return wrong + others_are_whole(others)


def image_is_whole(words):
    """A partial image is neither used nor left behind."""
    outcome = home.run(*words, environment=PATH)
    found = os.listdir(IMAGES)
    whole = [is_image(f"{IMAGES}/{name}") for name in found if name.endswith(".erofs")]
    good = outcome.status == 125 and whole == [True]
    return [] if good else [f"the next run has no complete image: {found}: {outcome}"]


def base_is_whole(words):
    """A partial snapshot is neither cloned nor left behind."""
    outcome = home.run(*words, "--force")
    good = outcome.status == 0 and len(bases()) == 1
    wrong = [] if good else [f"the next create saves no snapshot: {outcome}"]
    return wrong + home.leftovers(BASES) + others_are_whole([])


def campaign():
    survived, struck, tried, by_kind = 0, 0, 0, {}
    with Server(AT.root) as server:
        table = rows(server)
        took = spans(table)
        while struck < KILLS and tried < 5 * KILLS + 20:
            what = list(table)[struck % len(table)]
            words, name, must_be = table[what]
            tried += 1
            prepare(what, table)
            others = [other for other in os.listdir(home.store) if other not in (name, f"{name}.previous")]
            with Tidy(home) as tidy:
                kind, after, err = strike(what, words, took[what])
                wrong = judge(tidy, err, name, must_be, others)
            wrong += image_is_whole(words) if what == "image" else []
            wrong += base_is_whole(words) if what == "create, saving a snapshot" else []
            if kind is None and not wrong:
                continue
            struck += 1
            survived += not wrong
            by_kind[f"{what}: {kind}"] = by_kind.get(f"{what}: {kind}", 0) + 1
            tap.report(not wrong, f"kill {struck}: {kind} of {what}", *wrong, f"after {after:.2f} s", err)
    tap.report(struck == KILLS, f"{KILLS} kills hit a process", struck, tried)
    tap.note(f"kills survived: {survived} of {struck}, in {tried} attempts; {by_kind}")


with Server(FIRST.root) as first:
    made = home.create("--quiet", server=first, at=AT)
    old = home.create("--quiet", "--name", OLD, "--include", "odd-old", server=first, at=AT)
    made = old if old.status else made
if tap.report(made.status == 0, "the first create works", made):
    campaign()
tap.done()
