"""create --snapshot: dated archives, whose release files are checked as of their date. The public services do
not take part: tests/unit/test_source.c has their URLs."""
import datetime
import json
import os
import shutil

from support import installed, tap, trees
from support import mirror as mirrors
from support.schemas import errors
from support.server import Fault, Server
from support.world import AS_ROOT, SCRATCH, Case, Home, Tidy, mirror, play

AT = mirror()
USAGE, TRUST, NETWORK = 2, 3, 4
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
THEN = (NOW - 400 * DAY).replace(hour=3, minute=4, second=5, microsecond=0)
STAMP = THEN.strftime("%Y%m%dT%H%M%SZ")
DIRECTORY = f"{SCRATCH}/{os.getpid()}.dated"
home = Home()
LOCK = f"{home.dir}/dated.lock"


def make(stamp, made, until):
    """An archive at ubuntu/STAMP whose release files are of MADE and were valid until UNTIL."""
    root = f"{DIRECTORY}/ubuntu/{stamp}"
    shutil.copytree(AT.root, root, copy_function=os.link)
    for pocket in mirrors.POCKETS:
        path = f"{root}/dists/{mirrors.pocket_suite(pocket)}/InRelease"
        os.unlink(path)  # hard-linked with the original
        with open(path, "wb") as file:
            file.write(AT.inrelease(pocket, Date=mirrors.date(made), Valid_Until=mirrors.date(until)))


def words(*more):
    return ["create", "--release", mirrors.SUITE, "--profile", "test", "--keyring", AT.keyring, *more]


def create(server, *more, stamp=STAMP, **options):
    return home.create("--snapshot", f"{server.url}/ubuntu/{stamp}/", "--keyring", AT.keyring, *more,
                       **options)


def nothing_made(one):
    return ["it exists"] if os.path.exists(f"{one.store}/new") else []


def refused(server):
    dated = f"{server.url}/ubuntu/{STAMP}"
    home.write("some.lock", "{}")
    ahead = (NOW + 2 * DAY).strftime("%Y-%m-%d")
    for what, more, status, says in (
            ("no date", ["--snapshot", "yesterday"], USAGE, 'archive "yesterday": it is neither a date'),
            ("a date that does not exist", ["--snapshot", "2023-02-29"], USAGE, "neither a date"),
            ("a month without its zero", ["--snapshot", "2023-2-9"], USAGE, "neither a date"),
            ("a date in the future", ["--snapshot", ahead], USAGE, f"{ahead}.*in the future"),
            ("a URL with a date in the future", ["--snapshot", f"{server.url}/ubuntu/20990101"], USAGE,
             "in the future"),
            ("a URL without a date", ["--snapshot", f"{server.url}/ubuntu"], USAGE, "ends with one"),
            ("another scheme", ["--snapshot", f"ftp://127.0.0.1/ubuntu/{STAMP}"], USAGE, "http, https or"),
            ("--mirror", ["--snapshot", dated, "--mirror", server.url], USAGE, "--snapshot.*--mirror"),
            ("--lock", ["--snapshot", dated, "--lock", "some.lock"], USAGE,
             "--lock and --snapshot contradict each other"),
            ("an archive from before the release", ["--snapshot", f"{server.url}/ubuntu/20010101T000000Z"],
             NETWORK, "InRelease.*404"),
            ("what had expired at that time", ["--snapshot", f"{server.url}/ubuntu/{LATE}"], TRUST,
             "checked as of .*has expired"),
            ("what is newer than its date", ["--snapshot", f"{server.url}/ubuntu/{EARLY}"], TRUST,
             "checked as of .*date in the future"),
            ("an old archive as a mirror", ["--mirror", dated], TRUST,
             "has expired.*for a dated archive, use create --snapshot URL"),
            ("a dated archive with another key", ["--snapshot", dated, "--keyring", OTHER], TRUST, "key")):
        line = words(*more) if "--lock" not in more else ["create", *more]
        play(Case(f"create refuses {what}, and leaves nothing", [*line, "--name", "new"], status, [says],
                  check=nothing_made), home)


def made(server):
    memory = home.state("releases")
    outcome = create(server)
    told = home.run("lock", "--output", LOCK)
    with open(LOCK, encoding="utf-8") as file:
        lock = json.load(file)
    tap.report(outcome.status == told.status == 0, "a rootfs of a dated archive is made and locked", outcome,
               told)
    tap.report(not errors("lock", lock) and lock["dated"] == THEN.strftime("%Y-%m-%dT%H:%M:%SZ") and
               lock["mirror"] == f"{server.url}/ubuntu/{STAMP}", "its lock has its date, and fits the schema",
               *errors("lock", lock), lock.get("dated"), lock["mirror"])
    tap.report(not os.path.exists(memory) or STAMP.encode() not in open(memory, "rb").read(),
               "the dates of a dated archive are not remembered")
    manifest = f"{trees.inside(f'{home.store}/test-rootfs')}/etc/rootlet/manifest.json" if AS_ROOT else None
    if manifest:
        with open(manifest, encoding="utf-8") as file:
            tap.report(json.load(file)["dated"] == lock["dated"], "its manifest has its date")
    return lock


def made_again(server, lock):
    """From the lock, from a snapshot in the cache, and from a local copy of the archive."""
    for what, more in (("a lock", ["--lock", LOCK, "--fresh"]),
                       ("a lock, and a copy of its archive", ["--lock", LOCK, "--fresh", "--mirror",
                                                              f"{DIRECTORY}/ubuntu/{STAMP}"])):
        outcome = home.run("create", "--name", "again", "--force", "--keyring", AT.keyring, *more)
        text = home.run("lock", "--name", "again").out
        tap.report(outcome.status == 0 and json.loads(text) == lock,
                   f"the same rootfs is made from {what} after its release files have expired", outcome,
                   text[:300])
    first, second = (create(server, "--name", name, fresh=False) for name in ("one", "two"))
    text = home.run("lock", "--name", "two").out
    tap.report(first.status == second.status == 0 and "Cloned" not in first.out and "Cloned" in second.out and
               json.loads(text) == lock, "a clone has the date as well", first, second)
    undated = {name: value for name, value in lock.items() if name != "dated"}
    home.write("undated.lock", json.dumps(undated))
    outcome = home.run("create", "--name", "new", "--keyring", AT.keyring, "--lock", "undated.lock")
    tap.report(outcome.status == TRUST and "expired" in outcome.err,
               "without its date, the lock is of no use", outcome)


def changed(server):
    """install and upgrade go on with the dated archive; --mirror leaves it."""
    for what, line, status, says in (
            ("upgrade finds nothing newer", ["upgrade", "--check"], 0, ""),
            ("uninstall works", ["uninstall", "acl"], 0, ""),
            ("install works", ["install", "acl"], 0, "")):
        outcome = home.run(*line, "--keyring", AT.keyring)
        tap.report(outcome.status == status and says in outcome.err,
                   f"a rootfs of a dated archive: {what}", outcome)
    tap.report(json.loads(home.run("lock").out).get("dated"), "its date stays")
    home.run("uninstall", "acl", "--keyring", AT.keyring)
    server.faults = [Fault("^ubuntu/", "status", 404)]
    with Server(AT.root) as current:
        outcome = home.run("install", "acl", "--mirror", current.url, "--keyring", AT.keyring)
        lock = json.loads(home.run("lock").out)
        tap.report(outcome.status == 0 and "dated" not in lock and lock["mirror"] == current.url,
                   "packages of another mirror end its stay in the past", outcome, lock["mirror"])
    server.faults = []


def forbidden(server):
    """The front end says so before any request; tests/integration/policy_rules.py asks the helper."""
    if not AS_ROOT:
        tap.skip("a policy without older-releases", "needs root to write a policy")
        return
    installed.enter()
    installed.allow(home.user)
    del server.requests[:]
    outcome = create(server, "--name", "new")
    tap.report(outcome.status == 1 and not server.requests and
               "option --snapshot is not allowed: see older-releases" in outcome.err,
               "a policy without older-releases: --snapshot is refused", outcome)
    installed.allow(home.user, "older-releases = yes")
    outcome = create(server, "--name", "new", "--dry-run")
    tap.report(outcome.status == 0 and f"dated={int(THEN.timestamp())}" in outcome.out,
               "a policy with older-releases: --snapshot is allowed, and a dry run shows the date", outcome)


LATE = (THEN + 9 * DAY).strftime("%Y%m%d")
EARLY = (THEN - 9 * DAY).strftime("%Y-%m-%d")
for one in (STAMP, LATE, EARLY):
    make(one, THEN - DAY, THEN + 6 * DAY)
OTHER = "/usr/share/keyrings/debian-archive-keyring.gpg"
with Server(DIRECTORY) as one_server, Tidy(home) as tidy:
    locked = made(one_server)
    made_again(one_server, locked)
    refused(one_server)
    changed(one_server)
    forbidden(one_server)
tap.report(not tidy.complaints(), "nothing is left behind", *tidy.complaints())
tap.done()
