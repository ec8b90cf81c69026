"""SIGKILL to any of the processes, at random moments of create, create --force, a clone, delete and a root
image: what was there before still passes `rootlet check --deep`, or what is new does; after the next command no
staging, no mount, no process. Only strikes at a process that was there count."""
import os
import random
import shutil
import subprocess
import time

from support import tap
from support.server import Server
from support.world import Home, Tidy, children, command_of, mirror, processes_left

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
KILLS = int(os.environ.get("ROOTLET_TEST_KILLS", "200" if LONG else "10"))
AT = mirror()
home = Home()
IMAGES = f"{home.cache}/rootlet/images"
chance = random.Random(os.getpid())


def victims(front):
    """{kind: pid} of what runs now."""
    below = children(front.pid)
    helpers = [pid for pid in below if "rootlet-helper" in command_of(pid)]
    found = {"front end": front.pid}
    for name, pid in zip(("outer", "jailer", "parser", "a further process of the helper"), helpers):
        found[name] = pid
    jailed = [pid for pid in below if pid not in helpers]
    if jailed:
        found["a process of the jail"] = chance.choice(jailed)
    return found


# rootlet run ends where vng takes over: all of its own work is the image.
def stand_in():
    header = bytearray(4096)
    header[0x1f1], header[0x1fe:0x200], header[0x202:0x206] = 4, b"\x55\xaa", b"HdrS"
    os.chmod(home.write("bin/vng", "#!/bin/sh\nexit 3\n"), 0o755)
    return home.write("kernel", bytes(header))


def rows(server):
    """{what: (its words, the rootfs, whether that has to be there in the end)}"""
    source = ["--release", "jammy", "--profile", "test", "--mirror", server.url, "--keyring", AT.keyring, "--quiet"]
    return {"create": (["create", "--fresh", "--name", "new", *source], "new", False),
            "create --force": (["create", "--force", "--fresh", *source], "test-rootfs", True),
            "clone": (["create", "--name", "clone", *source], "clone", False),
            "delete": (["delete", "--yes", "--name", "clone"], "clone", False),
            "image": (["run", "--root-transport", "image", "--kernel", stand_in(), "--", "true"], "test-rootfs", True)}


PATH = {"PATH": f"{home.folder}/bin:/usr/local/bin:/usr/bin:/bin"}


def prepare(what, table):
    """What has to be there, or must not, before WHAT."""
    if what in ("create", "clone"):
        home.run("delete", "--yes", "--name", table[what][1])
    elif what == "delete" and not os.path.lexists(f"{home.store}/clone"):
        home.run(*table["clone"][0])
    elif what == "image":
        shutil.rmtree(IMAGES, ignore_errors=True)


def spans(table):
    """{what: seconds that it takes}, and the base that clones are made of."""
    took = {}
    home.run(*table["clone"][0])
    for what, (words, _, _) in table.items():
        prepare(what, table)
        outcome = home.run(*(word for word in words if word != "--quiet"), environment=PATH)
        took[what] = outcome.seconds
        good = outcome.status == (125 if what == "image" else 0) and ("Cloned" in outcome.out) == (what == "clone")
        tap.report(good, f"{what}, and nobody is killed", outcome)
    tap.note(", ".join(f"{what}: {seconds:.1f} s" for what, seconds in took.items()))
    return took


def strike(words, seconds):
    """(which process was killed, or None where there was none any more, when, what it all said)"""
    front = home.start(*words, environment=PATH)
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


def judge(tidy, err, name, must_be):
    wrong = ["it did not end"] if "it did not end" in err else []
    wrong += [f"still runs: {line}" for line in processes_left(60)]
    home.run("list")
    wrong += tidy.complaints()
    if must_be or os.path.lexists(f"{home.store}/{name}"):
        check = home.run("check", "--deep", "--name", name)
        if check.status:
            wrong.append(f"{name} is not ready: {check}")
    return wrong


def image_is_whole(words):
    """Half of an image is neither taken for one nor left behind."""
    outcome = home.run(*words, environment=PATH)
    found = os.listdir(IMAGES)
    magic = [open(f"{IMAGES}/{name}", "rb").read(1028)[1024:] for name in found if name.endswith(".erofs")]
    good = outcome.status == 125 and magic == [b"\xe2\xe1\xf5\xe0"]
    return [] if good else [f"the next run has no whole image: {found}: {outcome}"]


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
            with Tidy(home) as tidy:
                kind, after, err = strike(words, took[what])
                wrong = judge(tidy, err, name, must_be)
            wrong += image_is_whole(words) if what == "image" else []
            if kind is None and not wrong:
                continue
            struck += 1
            survived += not wrong
            by_kind[f"{what}: {kind}"] = by_kind.get(f"{what}: {kind}", 0) + 1
            tap.report(not wrong, f"kill {struck}: {kind} of {what}", *wrong, f"after {after:.2f} s", err)
    tap.report(struck == KILLS, f"{KILLS} processes were killed while they were there", struck, tried)
    tap.note(f"kills survived: {survived} of {struck}, in {tried} attempts; {by_kind}")


with Server(AT.root) as first:
    made = home.create("--quiet", server=first, at=AT)
if tap.report(made.status == 0, "a rootfs to begin with", made):
    campaign()
tap.done()
