"""create --repository: packages of further archives, each verified with its own keys, and all that can be
wrong with such an archive."""
import datetime
import json
import os
import re
import shutil
import subprocess

from support import installed, tap
from support import mirror as mirrors
from support.archives import COMPONENT, SUITE, Archive, package
from support.changes import manifest
from support.schemas import errors
from support.server import Fault, Server
from support.world import AS_ROOT, SCRATCH, Case, Home, Tidy, mirror, play

USAGE, TRUST, NETWORK = 2, 3, 4
DIRECTORY = f"{SCRATCH}/{os.getpid()}.repositories"
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
AT = mirror().with_packages(f"{DIRECTORY}/at", [
    package(DIRECTORY, "odd-newer", "1", "archive"), package(DIRECTORY, "odd-older", "2", "archive"),
    package(DIRECTORY, "odd-same", "1", "archive")])
ONE, TWO, THREE = (Archive(f"{DIRECTORY}/{name}") for name in ("one", "two", "three"))
OF_ONE = [package(DIRECTORY, "odd-newer", "2", "one"), package(DIRECTORY, "odd-older", "1", "one"),
          package(DIRECTORY, "odd-same", "1", "one"),
          package(DIRECTORY, "odd-only", "1", "one", fields="Depends: odd-two, acl\n")]
OF_TWO = [package(DIRECTORY, "odd-two", "1", "two"), package(DIRECTORY, "odd-only", "0.9", "two")]
WANTED = ["odd-newer", "odd-older", "odd-same", "odd-only"]
FROM = {"odd-newer": "one", "odd-older": "archive", "odd-same": "archive", "odd-only": "one",
        "odd-two": "two"}
home = Home()
LOCK = f"{home.dir}/made.lock"


def publish():
    ONE.publish(OF_ONE)
    TWO.publish(OF_TWO)


def entry(server, archive, keyring=None, suite=SUITE, component=COMPONENT):
    name = os.path.basename(archive.dir)
    return f"[signed-by={keyring or archive.keyring}] {server.url}/{name}/mirror {suite} {component}"


def both(server):
    return ["--repository", entry(server, ONE), "--repository", f"deb {entry(server, TWO)}"]


def main(server):
    return ["--mirror", f"{server.url}/at/mirror", "--keyring", AT.keyring]


def create(server, *words, **more):
    return home.create(*main(server), "--include", ",".join(WANTED), *words, **more)


def contents(name="test-rootfs"):
    """Returns {package: where it came from}, as a file of the package says."""
    text = home.run("shell", "--name", name, "--", "sh", "-c",
                    "for file in /usr/share/odd-*/from; do echo $file $(cat $file); done").out
    return dict(re.findall(r"^/usr/share/([^/]+)/from (\w+)$", text, re.M))


def made(server):
    outcome = create(server, *both(server))
    found = contents()
    tap.report(outcome.status == 0, "a rootfs with packages of two repositories is made", outcome)
    for name, where in FROM.items():
        tap.report(found.get(name) == where, f"{name} comes from {where}", found)
    written = manifest(home)
    tap.report([(one["mirror"], one["suite"], one["components"], one["keyring"])
                for one in written["repositories"]] ==
               [(f"{server.url}/{name}/mirror", SUITE, [COMPONENT], at.keyring)
                for name, at in (("one", ONE), ("two", TWO))], "the manifest has the repositories",
               written.get("repositories"))
    numbers = {"archive": None, "one": 1, "two": 2}
    tap.report(all(written["packages"][name].get("repository") == numbers[where]
                   for name, where in FROM.items()), "and which of them each package comes from")
    tap.report({one["pocket"] for one in written["releases"]} ==
               {*mirrors.POCKETS, "repository-1", "repository-2"}, "and their release files",
               written["releases"])
    tap.report(written["components"] == ["main", "universe"], "but only the archive's components",
               written["components"])
    with open(f"{home.dir}/state/rootlet/audit.log", encoding="ascii") as file:
        rows = [json.loads(line) for line in file]
    tap.report([one["arguments"] for one in rows if (one["request"], one["kind"]) == ("Repository", "intent")]
               == [f"name=repository-{number} suite={SUITE} mirror={server.url}/{name}/mirror older=0"
                   for number, name in ((1, "one"), (2, "two"))], "the audit log has both")


def recorded(server):
    """The lock, what is made of it, clones, and the SBOM."""
    told = home.run("lock", "--output", LOCK)
    with open(LOCK, encoding="utf-8") as file:
        lock = json.load(file)
    tap.report(told.status == 0 and not errors("lock", lock), "its lock fits the schema", told,
               *errors("lock", lock))
    again = home.run("create", "--name", "again", "--lock", LOCK, *main(server), "--fresh")
    tap.report(again.status == 0 and json.loads(home.run("lock", "--name", "again").out) == lock and
               contents("again") == FROM, "the same rootfs is made from the lock", again)
    moved = shutil.copy(ONE.keyring, f"{home.dir}/moved.gpg")
    os.chmod(moved, 0o644)
    away = json.loads(json.dumps(lock).replace(ONE.keyring, "/no/such.gpg"))
    home.write("away.lock", json.dumps(away))
    words = ["create", "--name", "again", "--force", "--lock", "away.lock", *main(server), "--fresh"]
    play(Case("create --lock: a keyring that this host lacks", words, USAGE,
              [r"repository's keyring /no/such\.gpg: No such file.*signed-by=FILE"]), home)
    given = home.run(*words, "--repository", entry(server, ONE, keyring=moved),
                     "--repository", entry(server, TWO))
    tap.report(given.status == 0, "create --lock: --repository says where the keyrings are instead", given)
    first, second = (create(server, *both(server), "--name", name, fresh=False) for name in ("c1", "c2"))
    tap.report(first.status == second.status == 0 and "Cloned" not in first.out and "Cloned" in second.out and
               json.loads(home.run("lock", "--name", "c2").out) == lock, "a clone is the same", first, second)
    other = create(server, *both(server)[:2], "--include", "acl", "--name", "c3", "--dry-run", fresh=False)
    tap.report("odd-two" in other.err and other.status == USAGE,
               "without the second one, a dependency is missing",
               other)
    for form in ("spdx", "cyclonedx"):
        text = home.run("export", "--sbom", "-", "--format", form).out
        urls = re.findall(r"pkg:deb/ubuntu/(odd-[a-z]+)@[^\"]*?repository_url=([^\"&]*)\"", text)
        tap.report(set(urls) == {(name, f"{server.url}/{where}/mirror") for name, where in FROM.items()
                                 if where != "archive"}, f"{form} says which repository a package is from",
                   urls)
    url = server.url.replace("//", "//me:secret@")
    secret = create(server, "--repository", entry(server, ONE).replace(server.url, url), "--repository",
                    entry(server, TWO), "--name", "secret")
    shown = home.run("lock", "--name", "secret")
    tap.report(secret.status == shown.status == 0 and "secret@" not in shown.out,
               "a lock has no password of a repository", secret, shown)


def changed(server):
    """install and upgrade use the repositories of the manifest."""
    keys = ["--keyring", AT.keyring]
    TWO.publish([*OF_TWO, package(DIRECTORY, "odd-two", "3", "later"),
                 package(DIRECTORY, "odd-new", "1", "two")])
    check = home.run("upgrade", "--check", *keys)
    tap.report(check.status == 1 and "odd-two" in check.out,
               "upgrade --check finds what a repository has newer",
               check)
    security = home.run("upgrade", "--check", "--security", *keys)
    tap.report(security.status == 0, "which is no security update", security)
    upgraded, new = home.run("upgrade", *keys), home.run("install", "odd-new", *keys)
    tap.report(upgraded.status == new.status == 0 and contents()["odd-two"] == "later" and
               contents()["odd-new"] == "two", "upgrade and install take packages from repositories",
               upgraded, new)
    tap.report(manifest(home)["packages"]["odd-new"]["repository"] == 2, "and the manifest says so")
    added(server, keys)
    server.faults = [Fault("^two/", "status", 404)]
    gone = home.run("install", "acl", *keys)
    tap.report(gone.status == NETWORK and "/two/mirror" in gone.err, "a repository that is gone is named",
               gone)
    server.faults = []


def added(server, keys):
    """install --repository adds one to a rootfs."""
    def third(version):
        THREE.publish([package(DIRECTORY, "odd-third", version, "three")])
    third("1")
    line = ["install", "odd-third", *keys, "--repository"]
    wrong = home.run(*line, entry(server, THREE, keyring=TWO.keyring))
    tap.report(wrong.status == TRUST and "/three/mirror: " in wrong.err and
               len(manifest(home)["repositories"]) == 2, "install --repository verifies it with its own keys",
               wrong)
    outcome = home.run(*line, entry(server, THREE))
    written = manifest(home)
    tap.report(outcome.status == 0 and contents().get("odd-third") == "three" and
               written["packages"]["odd-third"]["repository"] == 3 and
               [one["keyring"] for one in written["repositories"]] ==
               [at.keyring for at in (ONE, TWO, THREE)],
               "install --repository: the rootfs has it from then on", outcome, written["repositories"])
    third("2")
    check = home.run("upgrade", "--check", *keys)
    moved = shutil.copy(THREE.keyring, f"{home.dir}/third.gpg")
    os.chmod(moved, 0o644)
    again = home.run("upgrade", *keys, "--repository", entry(server, THREE, keyring=moved))
    written = manifest(home)
    tap.report(check.status == 1 and "odd-third 1 -> 2" in check.out and again.status == 0 and
               written["packages"]["odd-third"]["repository"] == 3 and
               [one["keyring"] for one in written["repositories"]][2:] == [moved],
               "upgrade uses it; --repository replaces its keyring", check, again, written["repositories"])


def rolled_back(server):
    """Each repository has its own newest date."""
    def dry_run():
        return create(server, "--dry-run", *both(server), "--name", "new")
    publish()
    now = dry_run()
    ONE.publish(OF_ONE, Date=mirrors.date(NOW - 3 * DAY))
    older = dry_run()
    accepted = create(server, "--dry-run", *both(server), "--name", "new", "--allow-older-release")
    ONE.publish(OF_ONE)
    TWO.publish(OF_TWO)
    again = dry_run()
    tap.report(now.status == accepted.status == again.status == 0 and older.status == TRUST and
               re.search(r"repository \S+/one/mirror: .*older than one that was accepted before", older.err),
               "an older release file of a repository is refused", now, older, accepted, again)


def refused(server):
    def row(what, status, says, *words, prepare=lambda: None, faults=()):
        publish()
        prepare()
        server.faults = list(faults)
        play(Case(f"create refuses {what}",
                  ["create", "--release", mirrors.SUITE, "--profile", "test", "--name",
                                             "new", *main(server), "--include", "odd-only", *words],
                  status, [says], check=nothing_made), home)
        server.faults = []

    row("a repository without a signature", TRUST,
        "repository .*/one/mirror: InRelease of stable: .*signed text",
        *both(server), faults=[Fault("^one/.*/InRelease", "body", b"Origin: x\nSuite: stable\n")])
    row("one signed by the archive's key", TRUST,
        "/one/mirror: .*no key of the keyring.*signed-by with --repository",
        *both(server), prepare=lambda: ONE.publish(OF_ONE, sign=AT))
    row("one signed by another repository's key", TRUST, "/one/mirror: .*no key of the keyring",
        *both(server),
        prepare=lambda: ONE.publish(OF_ONE, sign=TWO))
    row("one with a keyring of another", TRUST, "/one/mirror: .*no key of the keyring", "--repository",
        entry(server, ONE, keyring=TWO.keyring))
    row("an archive signed by a repository's key", TRUST,
        "^rootlet create: InRelease of jammy: .*no key of the",
        *both(server), faults=[Fault("^at/.*/jammy/InRelease", "body", as_archive(ONE))])
    row("one that has expired", TRUST, "/one/mirror: .*has expired", *both(server),
        prepare=lambda: ONE.publish(OF_ONE, **{"Valid-Until": mirrors.date(NOW - DAY)}))
    row("one from the future", TRUST, "/one/mirror: .*in the future", *both(server),
        prepare=lambda: ONE.publish(OF_ONE, Date=mirrors.date(NOW + DAY)))
    row("one of another suite", TRUST, "/one/mirror: .*another release or pocket: suite testing",
        *both(server),
        prepare=lambda: ONE.publish(OF_ONE, suite="testing"))
    row("one that the server lacks", NETWORK, "InRelease of stable from .*/one/mirror/.*404", *both(server),
        faults=[Fault("^one/", "status", 404)])
    row("one for another architecture only", USAGE, "/one/mirror: stable has no component extra for",
        *both(server),
        prepare=lambda: ONE.publish(OF_ONE, arch="m68k"))
    row("a component that it lacks", USAGE, "/one/mirror: stable has no component more for", "--repository",
        entry(server, ONE, component="extra more"))
    row("an altered index", TRUST, "Packages of extra in stable.*(hash|differ|sha256)", *both(server),
        prepare=lambda: ONE.publish(uncached(1)),
        faults=[Fault("^one/.*/Packages", "body", lambda data: data[:-1] + b"x")])
    row("an altered package", TRUST, "odd-only.*(hash|differ|sha256)", *both(server),
        prepare=lambda: ONE.publish(uncached(2)),
        faults=[Fault("^one/.*/odd-only_.*deb", "body", lambda data: data[:-1] + bytes([data[-1] ^ 1]))])
    row("eleven repositories", USAGE, "too many repositories: the limit is 10",
        *["--repository", entry(server, ONE)] * 11)
    for what, line, says in (
            ("without a keyring", f"{server.url} stable extra", "names no keyring with signed-by"),
            ("without a suite", f"[signed-by={ONE.keyring}] {server.url}", "it is incomplete"),
            ("without a component", f"[signed-by={ONE.keyring}] {server.url} stable",
             "it names no component"),
            ("without a dists directory", f"[signed-by={ONE.keyring}] {server.url} ./", "without dists"),
            ("with another scheme", f"[signed-by={ONE.keyring}] ftp://127.0.0.1/ stable extra",
             "no http, https"),
            ("with a component that is a path", f"[signed-by={ONE.keyring}] {server.url} stable ../x",
             "a component is malformed"),
            ("of two lines", f"{entry(server, ONE)}\ndeb {entry(server, TWO)}", "control character"),
            ("of source packages", f"deb-src {entry(server, ONE)}", "cannot use the repository"),
            ("that is empty", "", "it is incomplete"),
            ("whose keyring does not exist", entry(server, ONE, keyring="/no/such.gpg"), "No such file"),
            ("whose keyring is a directory", entry(server, ONE, keyring="/etc"), "not a regular file"),
            ("whose keyring is a device", entry(server, ONE, keyring="/dev/null"), "not a regular file"),
            ("whose keyring has a newline in its path", entry(server, ONE, keyring=linked()),
             "path is too long or has control"),
            ("whose keyring is text", entry(server, ONE, keyring=armored()),
             "convert it with: gpg --dearmor")):
        row(f"an entry {what}", USAGE, says, "--repository", line)


def uncached(number):
    """Returns packages that no earlier test has downloaded."""
    return [*OF_ONE,
            package(DIRECTORY, "odd-only", f"2.{number}", f"uncached{number}", fields="Depends: odd-two\n")]


def as_archive(archive):
    """Returns the InRelease of AT, signed with the keys of ARCHIVE."""
    text = AT.released().split("-----BEGIN PGP SIGNATURE")[0].partition("\n\n")[2]
    return archive.sign(text)


def armored():
    path = f"{DIRECTORY}/armored.asc"
    with ONE.agent():
        text = subprocess.run(["gpg", "--homedir", ONE.home, "--batch", "--armor", "--export",
                               "test@example.org"],
                              stdout=subprocess.PIPE, check=True).stdout
    with open(path, "wb") as file:
        file.write(text)
    return path


def linked():
    """Returns a link to a keyring with a newline in its name."""
    shutil.copy(ONE.keyring, f"{DIRECTORY}/new\nline.gpg")
    os.symlink("new\nline.gpg", f"{DIRECTORY}/link.gpg")
    return f"{DIRECTORY}/link.gpg"


def nothing_made(one):
    return ["it exists"] if os.path.exists(f"{one.store}/new") else []


def engines(server):
    outcome = create(server, *both(server), "--engine", "debootstrap", "--name", "slow")
    tap.report(outcome.status == 0 and contents("slow") == FROM, "debootstrap unpacks the same packages",
               outcome,
               contents("slow"))


def local(server):
    """From directories, as many as there may be."""
    lines = [word for number in range(10) for word in ("--repository",
                                                       entry(server, (ONE, TWO)[number % 2]).replace(
        server.url, f"file://{DIRECTORY}"))]
    outcome = create(server, *lines, "--name", "ten")
    tap.report(outcome.status == 0 and contents("ten") == FROM, "ten repositories in local directories",
               outcome)


def forbidden(server):
    if not AS_ROOT:
        tap.skip("repositories under a policy", "needs root to write a policy")
        return
    installed.enter()

    def dry_run():
        del server.requests[:]
        return create(server, *both(server), "--name", "new", "--dry-run")
    installed.allow(home.user)
    outcome = dry_run()
    tap.report(outcome.status == 1 and "a repository with this keyring" in outcome.err and
               "repository-keyrings of [allow test]" in outcome.err and not server.requests,
               "a policy without repository-keyrings allows no repository", outcome)
    installed.allow(home.user, f"repository-keyrings = {ONE.keyring}")
    tap.report(dry_run().status == 1, "a policy may allow one keyring and not another", dry_run())
    installed.allow(home.user, f"repository-keyrings = {ONE.keyring} {TWO.keyring}")
    outcome = dry_run()
    tap.report(outcome.status == 0 and
               re.search(r"^allowed Repository +name=repository-2 suite=stable", outcome.out,
                                                 re.M),
               "a policy that names the keyrings allows them", outcome)
    installed.allow(home.user, f"repository-keyrings = {ONE.keyring} {TWO.keyring}",
                    f"mirrors = {server.url}/at")
    outcome = dry_run()
    tap.report(outcome.status == 1 and "mirrors of" in outcome.err,
               "mirrors of the policy applies to repositories",
               outcome)


publish()
with Server(DIRECTORY) as one_server, Tidy(home) as tidy:
    made(one_server)
    recorded(one_server)
    changed(one_server)
    rolled_back(one_server)
    engines(one_server)
    local(one_server)
    refused(one_server)
    publish()
    forbidden(one_server)
tap.report(not tidy.complaints(), "nothing is left behind", *tidy.complaints())
tap.done()
