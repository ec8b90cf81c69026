"""run and fstests --auto-upgrade: when a rootfs is upgraded before a run, to what, and what the run records.
The rootfs and its packages are real; a test program stands for vng and its guest."""
import fcntl
import json
import os
import shutil
import signal
import threading
import time

from support import changes, tap, vng
from support.changes import manifest
from support.publisher import Publisher
from support.schemas import document, stream
from support.server import Fault, Server
from support.world import BUILD, PROFILE, SOURCE, Home, Tidy, mirror, wait_until

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
USAGE, BUSY, VM = 2, 6, 125
DAY = 86400
AT = changes.Mirrors(mirror())
KEYRING = ("--keyring", AT.first.keyring)
home = Home()
KERNEL = home.write("kernel", vng.kernel_with(vng.MAGIC + vng.EROFS + vng.EXT4))
MINI = f"{home.dir}/fstests-mini"
shutil.copytree(f"{SOURCE}/tests/fstests-mini", MINI)
GUEST = vng.PRELUDE + r"""
begin
running generic/001
echo ' 1s'
finish 0
"""
RUN_GUEST = "#!/bin/sh\nexit 3\n"
SECURE, ALL = ("--auto-upgrade", "security"), ("--auto-upgrade", "always")


def environment(days=0):
    """For a command DAYS from now."""
    return {"PATH": f"{home.dir}/bin:/usr/bin:/bin", "LD_PRELOAD": f"{BUILD}/tests/clock.so",
            "CLOCK_AHEAD": str(days * DAY)}


def guest(text):
    os.chmod(home.write("bin/vng", text), 0o755)


def versions(name="test-rootfs"):
    packages = manifest(home, name)["packages"]
    return {package: packages[package]["version"] for package in ("odd-app", "odd-safe")
            if package in packages}


class Run:
    """A run, days from now, after which the server knows whether it was asked."""

    def __init__(self, server, *words, days=0, name="test-rootfs", keyring=KEYRING, tidy=True):
        del server.requests[:]
        with Tidy(home) as left:
            self.outcome = home.run("run", "--json", "--kernel", KERNEL, "--name", name, *keyring, *words,
                                    "--", "true", environment=environment(days))
            self.wrong = left.complaints() if tidy else []
        self.events, self.last, wrong = stream("run", self.outcome)
        self.wrong += wrong
        self.notes = "\n".join(event["line"] for event in self.events if event["event"] == "log")
        self.asked = bool(server.requests)

    def says(self, what, versions_then, generation, asked, notes=""):
        now = manifest(home)
        good = self.outcome.status == VM and versions() == versions_then and self.asked is asked and \
            self.last.get("generation") == now["generation"] == generation and notes in self.notes
        tap.report(good and not self.wrong, what, versions(), now["generation"], f"asked: {self.asked}",
                   *self.wrong, self.outcome)


def when(server):
    """When a rootfs is upgraded, and to what."""
    old, safe, new = ({"odd-app": a, "odd-safe": b} for a, b in (("1", "1"), ("1", "2"), ("2", "2")))
    first = manifest(home)["generation"]
    Run(server, "--auto-upgrade", "never", "--max-age", "0", days=400, keyring=()).says(
        "never, however old it is", old, first, False)
    Run(server, *SECURE).says("security: not a rootfs that is new", old, first, False)
    Run(server, *ALL, days=6).says("always: not after 6 days", old, first, False)
    Run(server, *ALL, "--max-age", "30", days=29).says("--max-age 30: not after 29 days", old, first, False)
    Run(server, *SECURE, days=8).says("security, after 8 days: only security updates", safe, first + 1, True,
                                      f"changed 1 packages of the rootfs; this is generation {first + 1}")
    Run(server, *SECURE, days=14).says("security: not again 6 days later", safe, first + 1, False)
    Run(server, *ALL, days=8).says("always: a security upgrade does not count", new, first + 2, True,
                                   "last up to date 8 days ago")
    Run(server, *ALL, days=14).says("always: not again 6 days later", new, first + 2, False)
    Run(server, *ALL, "--max-age", "0", days=14).says(
        "--max-age 0: asks before each run; there is nothing newer", new, first + 2, True)
    Run(server, *ALL, days=20).says("finding nothing newer counts as an upgrade", new, first + 2, False)
    before = os.stat(f"{home.store}/test-rootfs.previous")
    tap.report(before.st_ino and manifest(home, "test-rootfs.previous")["generation"] == first + 1,
               "the rootfs before the upgrade is NAME.previous")
    return new, first + 2


def fails(server, new, generation):
    """What an upgrade that cannot be does to the run."""
    server.faults = [Fault(r"InRelease", "status", 503)]
    Run(server, *ALL, days=50).says("without a mirror the run goes on", new, generation, True,
                                    "going on with it as it is")
    server.faults = []
    Run(server, *ALL, days=50, keyring=()).says("with a wrong keyring the run goes on", new, generation, True,
                                                "cannot upgrade the rootfs: ")
    with changes.used(home) as there:
        run = Run(server, *ALL, days=50, tidy=False)
    run.says("while it is in use the run goes on", new, generation, run.asked, "in use")
    tap.report(there, "a shell was running in it")
    missing = Run(server, *ALL, name="nosuch")
    tap.report(missing.outcome.status == 1 and not missing.notes and "no rootfs at" in missing.outcome.err,
               "a rootfs that does not exist is one error", missing.outcome)
    server.faults = [Fault(r"InRelease", "stall", 0)]
    with Tidy(home) as tidy:
        process = home.start("run", "--kernel", KERNEL, *KEYRING, *ALL, "--", "true",
                             environment=environment(50))
        stalled = wait_until(lambda: any("InRelease" in path for path in server.requests[-3:]))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        wrong = tidy.complaints()
    server.faults = []
    tap.report(stalled and process.returncode == 130 and not wrong and
               manifest(home)["generation"] == generation,
               "an interrupt during the upgrade ends the run", process.returncode, *wrong)


def waits(server, generation):
    """The run waits while something changes the rootfs, and then boots what has its name."""
    tree = os.open(f"{home.store}/test-rootfs", os.O_RDONLY)
    fcntl.flock(tree, fcntl.LOCK_EX)
    busy = Run(server, keyring=())
    tap.report(busy.outcome.status == BUSY and "being replaced" in busy.outcome.err,
               "without --auto-upgrade a locked rootfs is an error", busy.outcome)
    def unlock():
        exchange()
        fcntl.flock(tree, fcntl.LOCK_UN)

    def exchange():
        for old, new in ((".previous", ".x"), ("", ".previous"), (".x", "")):
            os.rename(f"{home.store}/test-rootfs{old}", f"{home.store}/test-rootfs{new}")
    timer = threading.Timer(3, unlock)
    timer.start()
    began = time.monotonic()
    run = Run(server, *ALL, days=21)
    took = time.monotonic() - began
    timer.join()
    os.close(tree)
    tap.report(run.outcome.status == VM and took > 2.5 and "is being changed: waiting" in run.notes,
               "with it the run waits for the lock", took, run.outcome)
    tap.report(run.last.get("generation") == manifest(home)["generation"] < generation,
               "and boots what has the name of the rootfs then", run.outcome)
    exchange()
    server.dir = AT.third.root
    runs = [home.start("run", "--json", "--kernel", KERNEL, *KEYRING, *ALL, "--", "true",
                       environment=environment(90)) for _ in range(3)]
    lasts = [json.loads(run.communicate(timeout=600)[0].splitlines()[-1]) for run in runs]
    now = manifest(home)["generation"]
    tap.report([last.get("generation") for last in lasts] == [now] * 3 and now == generation + 1,
               "of three runs at once, one upgrades, and all boot the new rootfs", now, *lasts)
    return now


def in_fstests(server, generation):
    guest(GUEST)

    def play(*words, days=0):
        with Tidy(home) as tidy:
            outcome = home.run("fstests", "--json", "--kernel", KERNEL, "--fstests", MINI, "--devices", "2",
                               "--device-size", "1M", *words, "--", "generic/001",
                               environment=environment(days))
            wrong = tidy.complaints()
        if outcome.status == 0:
            wrong += stream("fstests", outcome)[2]
        record, more = document("runs-show", home.run("runs", "show", "last", "--json"))
        return outcome, record, wrong + (more if outcome.status == 0 else [])
    home.run("uninstall", "odd-safe", *KEYRING)
    generation += 1
    outcome, record, wrong = play()
    tap.report(outcome.status == 0 and record["generation"] == generation and not wrong,
               "fstests records the generation", *wrong, outcome, record.get("generation"))
    home.run("upgrade", "--rollback")
    outcome, record, wrong = play()
    tap.report(outcome.status == 0 and record["generation"] == manifest(home)["generation"] < generation,
               "and that of the rootfs after a rollback", *wrong, outcome, record.get("generation"))
    home.run("upgrade", "--rollback")
    home.write("config/rootlet/config", "[fstests]\nauto-upgrade = always\nmax-age = 3\nkeyring = "
               f"{AT.first.keyring}\n")
    home.write("config/rootlet/profiles/test.conf", PROFILE.replace("acl", "acl odd-late"))
    outcome, record, wrong = play(days=200)
    tap.report(outcome.status == 0 and not wrong and "odd-late" in manifest(home)["packages"] and
               record["generation"] == manifest(home)["generation"] == generation + 1,
               "fstests: set in the configuration file; what ran is recorded", *wrong, outcome,
               record.get("generation"))
    shared = ["--cluster-tasks", "2", "--cluster-directory", home.dir]
    for what, words, says in (
            ("--shard", ["--shard", "1/2"], "--auto-upgrade does not go with --shard: every part needs"),
            ("--cluster slurm", ["--cluster", "slurm", *shared],
             "--auto-upgrade does not go with --cluster: all"),
            ("--cluster kubernetes", ["--cluster", "kubernetes", *shared],
             "--auto-upgrade does not go with --cluster: all"),
            ("--host-root", ["--host-root"], "--auto-upgrade does not go with --host-root")):
        refused = home.run("fstests", "--kernel", KERNEL, "--fstests", MINI, *ALL, *words)
        tap.report(refused.status == USAGE and says in refused.err, f"fstests {what} --auto-upgrade", refused)
    del server.requests[:]
    outcome, record, wrong = play("--shard", "1/1", days=400)
    tap.report(outcome.status == 0 and not wrong and not server.requests,
               "fstests --shard: the configuration file's default is ignored", *wrong, outcome)
    for value in ("-1", "x", "99999", ""):
        refused = home.run("run", "--kernel", KERNEL, "--max-age", value, "--", "true")
        tap.report(refused.status == USAGE and
                   f"--max-age {value}: not a number of days from 0" in refused.err,
                   f"--max-age \"{value}\"", refused)
    os.unlink(f"{home.dir}/config/rootlet/config")
    guest(RUN_GUEST)


def from_lock(server):
    """A rootfs made from a lock stays what the lock says."""
    path = f"{home.dir}/lock"
    home.run("lock", "--output", path)
    made = home.run("create", "--name", "locked", "--lock", path, *KEYRING)
    before = manifest(home, "locked")
    run = Run(server, *ALL, "--max-age", "0", days=400, name="locked")
    tap.report(made.status == 0 and run.outcome.status == VM and manifest(home, "locked") == before and
               not run.asked and "made from a lock" in run.notes, "a rootfs from a lock is left alone", made,
               run.outcome)
    home.run("delete", "--name", "locked", "--yes")


def from_publisher(server):
    """A rootfs that follows a publisher gets its newest generation, unless it was made from a chosen one."""
    www, publisher = f"{home.dir}/www", Publisher(home, "publisher")
    source = ["--from", www, "--published", "test-rootfs", "--keyring", publisher.keyrings["publisher"]]
    first = publisher.publish(www, "--expires", "3650")
    made = [home.run("create", "--name", name, *source, *words)
            for name, words in (("follower", ()), ("pinned", ("--generation", "1")))]
    second = publisher.publish(www, "--expires", "3650")
    tap.report(all(one.status == 0 for one in (first, *made, second)), "two generations are published", first,
               *made, second)
    for what, name, words, days, generation, says in (
            ("not before it is old enough", "follower", ALL, 5, 1, ""),
            ("the newest generation, with security too", "follower", SECURE, 8, 2, "is generation 2 of"),
            ("a chosen generation stays", "pinned", ALL, 8, 1, "made with --generation")):
        run = Run(server, *words, days=days, name=name)
        now = manifest(home, name)["published"]["generation"]
        tap.report(run.outcome.status == VM and now == generation and says in run.notes and not run.wrong,
                   f"a published rootfs: {what}", now, *run.wrong, run.outcome)
    for name in ("follower", "follower.previous", "pinned"):
        home.run("delete", "--name", name, "--yes")


def checked():
    """What rootlet check says about the age."""
    def look(days):
        value, wrong = document("check", home.run("check", "--json", environment=environment(days)))
        return value, home.run("check", environment=environment(days)).out, wrong
    at = f"{home.dir}/state/rootlet/upgrades"
    kept = {name: open(f"{at}/{name}", encoding="utf-8").read() for name in os.listdir(at)}
    for name in kept:
        os.unlink(f"{at}/{name}")
    now = manifest(home)
    value, text, wrong = look(12)
    tap.report(not wrong and value["upgraded"] is None and value["age_days"] == 12 and
               f"Generation: {now['generation']}, created 12 days ago\n" in text,
               "check: the age since the create", *wrong, value, text)
    for what, damage in (("damaged", "garbage"), ("of another rootfs", None), ("empty", "")):
        for name, content in kept.items():
            words = content.split()
            home.write(f"state/rootlet/upgrades/{name}", damage if damage is not None else
                       " ".join([*words[:2], "1000", *words[3:]]) + "\n")
        value, _, wrong = look(12)
        tap.report(not wrong and value["age_days"] == 12,
                   f"check: a record that is {what} does not count", value)
    upgraded = home.run("upgrade", *KEYRING, environment=environment(20))
    value, text, wrong = look(25)
    tap.report(upgraded.status == 0 and not wrong and value["upgraded"] and value["age_days"] == 5 and
               f"Generation: {manifest(home)['generation']}, upgraded 5 days ago\n" in text,
               "check: the age since rootlet upgrade, which also counts if there was nothing newer", *wrong,
               upgraded, value, text)
    gone = [home.run("delete", "--yes", "--name", name) for name in ("test-rootfs", "test-rootfs.previous")]
    tap.report(all(one.status == 0 for one in gone) and not os.listdir(at), "delete removes the record",
               *gone)


guest(RUN_GUEST)
with Server(AT.first.root) as served:
    made_first = home.create(server=served, at=AT.first)
    made_first = made_first if made_first.status else home.run("install", "odd-app", "odd-safe", *KEYRING)
    if tap.report(made_first.status == 0, "the rootfs is created", made_first):
        served.dir = AT.second.root
        packages_now, number = when(served)
        fails(served, packages_now, number)
        number = waits(served, number)
        in_fstests(served, number)
        from_lock(served)
        if LONG:
            from_publisher(served)
        checked()
tap.done()
