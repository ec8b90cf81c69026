"""A disk that fills up at every point of create --force, of saving a snapshot, of a clone, of upgrade, of
publish and of a root image, and under a guest: existing data stays intact, nothing of the new data is left,
and the command works once there is space again. Root mounts a small tmpfs for this; its free space ranges
from none to almost enough."""
import os
import re
import shutil
import subprocess

from support import changes, tap
from support.publisher import Publisher
from support.server import Server
from support.vng import stand_in
from support.world import AS_ROOT, MOUNTED_BY_TEST, SCRATCH, Home, Tidy, mirror, processes_left, wait_until

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
SPACE, RUN_FAILED = 7, 125
MOST = 2 << 30

if not AS_ROOT:
    tap.skip("a disk that fills up", "needs root to mount a small disk")
    tap.done()
FIRST, AT = changes.two(mirror(), f"{SCRATCH}/{os.getpid()}.two")
outer = Home()
POINT = outer.make_dir(f"{outer.dir}/{MOUNTED_BY_TEST}")
TREE, OLD, CACHE = f"{POINT}/tree", f"{POINT}/old", f"{POINT}/cache"
BASES, IMAGES = f"{CACHE}/rootlet/bases", f"{CACHE}/rootlet/images"
# The cache is on the small disk, the store is not.
home = Home(cache=CACHE)
KERNEL, PATH = stand_in(home)
WWW = f"{POINT}/www"
publisher = Publisher(home, "publisher")


def used():
    st = os.statvfs(POINT)
    return (st.f_blocks - st.f_bfree) * st.f_frsize


def resize(size):
    subprocess.run(["mount", "-o", f"remount,size={size}", POINT], check=True)


def named(directory, pattern):
    return [name for name in os.listdir(directory)
            if re.fullmatch(pattern, name)] if os.path.isdir(directory) else []


def bases():
    return named(BASES, r"\w{64}")


def recipe(base):
    with open(f"{BASES}/.{base}.lock", encoding="utf-8") as file:
        return f"{base}: {file.read()}"


class Row:
    """words: the command line. status, says: how it ends on a full disk. made(): returns what must be
    unchanged after a failure and must change after success. prepare(): runs before each attempt. done: the
    status with enough space, shows: and what it then prints. replaces: it frees as much space as it
    uses. peak: how many times the space of its result it needs."""

    def __init__(self, words, status, says, made, prepare, done=0, shows="", replaces=False, peak=1):
        self.words, self.status, self.says, self.made, self.prepare = words, status, says, made, prepare
        self.done, self.replaces = done, replaces
        self.shows, self.peak = shows, peak
        self.points = 3 if not LONG else 20 if replaces else 5

    def run(self):
        outcome = home.run(*self.words, environment={**PATH, **publisher.environment})
        publisher.end_agent()
        return outcome


def rows(server):
    source = ["create", "--release", "jammy", "--profile", "test", "--mirror", server.url, "--keyring",
              AT.keyring]

    def forget(path):
        home.run("delete", "--yes", "--path", path)

    def without_base():
        forget(f"{home.dir}/kept")
        shutil.rmtree(BASES, ignore_errors=True)

    def not_upgraded():
        if os.path.lexists(f"{OLD}.previous"):
            home.run("upgrade", "--rollback", "--path", OLD)
            forget(f"{OLD}.previous")

    def with_base():
        forget(f"{POINT}/clone")
        if not bases():
            home.run(*source, "--path", f"{home.dir}/kept", "--force")
    upgrade = Row(["upgrade", "--path", OLD, "--keyring", AT.keyring, "--mirror", server.url], SPACE, "",
                  lambda: os.lstat(OLD).st_ino, not_upgraded)
    return {
        "create --force": Row([*source, "--path", TREE, "--force", "--fresh"], SPACE, "",
                              lambda: os.lstat(TREE).st_ino, lambda: None, replaces=True),
        # The only cost is time on the next create.
        "a snapshot": Row([*source, "--path", f"{home.dir}/kept"], 0,
                      "cannot save the snapshot: .*No space left",
                      bases,
                      without_base),
        "a clone": Row([*source, "--path", f"{POINT}/clone"], SPACE, "",
                       lambda: os.path.lexists(f"{POINT}/clone"),
                       with_base, shows="Cloned from a cached snapshot"),
        # integration/change_faults fills the disk during an install.
        **({"upgrade": upgrade} if LONG else {}),
        # Two archives of the tree, uncompressed, come before the pieces.
        "publish": Row(["publish", "--path", TREE, "--to", WWW, "--key", publisher.keys["publisher"]], SPACE,
                       "[Nn]o space", lambda: os.path.exists(f"{WWW}/dists/tree/InRelease"),
                       lambda: shutil.rmtree(WWW, ignore_errors=True), peak=7),
        "a root image":
            Row(["run", "--path", TREE, "--root-transport", "image", "--kernel", KERNEL, "--", "true"],
                            SPACE, "no space left", lambda: named(IMAGES, ".*"),
                            lambda: shutil.rmtree(IMAGES, ignore_errors=True), done=RUN_FAILED),
    }


def whole():
    """Returns complaints about existing data."""
    wrong = []
    for words in (*(["check", "--deep", "--path", tree] for tree in ([TREE, OLD] if LONG else [TREE])),
                  ["cache", "verify"]):
        outcome = home.run(*words)
        if outcome.status or words[0] == "cache" and not re.search(r", 0 damaged$", outcome.out, re.M):
            wrong.append(f"{' '.join(words)}: {outcome}")
    return wrong


def makes(what, row):
    """Runs it with enough space; returns the space used before, and the increase."""
    row.prepare()
    before, made = used(), row.made()
    outcome = row.run()
    wrong = [f"still runs: {line}" for line in processes_left()]
    if row.shows not in outcome.out:
        wrong += [f'the output lacks "{row.shows}"', *map(recipe, bases())]
    tap.report(outcome.status == row.done and row.made() != made and not wrong, what, outcome, *wrong)
    return before, used() - before


def size_of(tree):
    done = subprocess.run(["du", "--summarize", "--block-size=1", tree], stdout=subprocess.PIPE, text=True,
                          check=True)
    return int(done.stdout.split()[0])


def fill(what, row):
    floor, took = makes(f"{what} with enough space", row)
    took = size_of(TREE) if row.replaces else took
    for number in range(row.points):
        row.prepare()
        room = int(took * row.peak * (number + 0.5) / row.points)
        before = row.made()
        # Files that the last command had open disappear a moment later.
        free = wait_until(lambda: used() < floor + (1 << 20))
        resize(used() + room)
        with Tidy(home, POINT, BASES) as tidy:
            outcome = row.run()
            wrong = tidy.complaints() + ([] if free
                                         else ["the space of the previous attempt is not free yet"])
        resize(MOST)
        if outcome.status != row.status or not re.search(row.says, outcome.out + outcome.err):
            wrong.append(f"exit status {outcome.status}, not {row.status}, or the output lacks "
                         f"\"{row.says}\"")
        if row.made() != before:
            wrong.append(f"now {row.made()}, before {before}")
        wrong += whole()
        tap.report(not wrong, f"{what}: point {number + 1} of {row.points}: {room >> 10} KiB free", *wrong,
                   outcome)
    makes(f"{what} works once there is space again", row)


def under_guest():
    """qemu pauses a guest whose disk cannot grow; the stand-in just waits."""
    environment = {**PATH, "TMPDIR": POINT}
    words = ["--path", TREE, "--root-transport", "dir", "--kernel", KERNEL, "--disk", "1G", "--", "true"]
    home.write("bin/vng", "#!/bin/sh\nsleep 20; exit 3\n")
    resize(used() + (64 << 10))
    outcome = home.run("run", *words, environment=environment)
    tap.report(outcome.status == SPACE and f"no space left for the guest's disks on the filesystem of {POINT}"
               in outcome.err, "a guest whose disk cannot grow is an error at once", outcome)
    resize(MOST)
    home.write("bin/vng", "#!/bin/sh\nexit 3\n")
    outcome = home.run("run", *words, environment=environment)
    tap.report(outcome.status == RUN_FAILED, "it runs once there is space again", outcome)


def main(server):
    home.make_dir(CACHE)
    made = home.create("--path", TREE, "--quiet", server=server, at=AT)
    if not tap.report(made.status == 0, "the first create works", made):
        return
    if LONG:
        with Server(FIRST.root) as older:
            old = home.create("--path", OLD, "--include", "odd-old", "--quiet", server=older, at=AT)
        tap.report(old.status == 0, "and that of a rootfs to upgrade", old)
    for what, row in rows(server).items():
        fill(what, row)
    under_guest()
    for path in (TREE, OLD, f"{OLD}.previous", f"{POINT}/clone"):
        home.run("delete", "--yes", "--path", path)


subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MOST},mode=755", "none", POINT], check=True)
try:
    os.chown(POINT, outer.user.uid, outer.user.gid)
    with Server(AT.root) as served:
        main(served)
finally:
    subprocess.run(["umount", "--lazy", POINT], check=False)
tap.done()
