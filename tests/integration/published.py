"""rootlet publish and create --from: another user gets the same tree from a web server or a directory,
fetches only what a new generation changes, and refuses whatever the publisher did not sign, or should not
have."""
import datetime
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time

import jsonschema

from support import debs, mcp, tap, trees
from support import mirror as mirrors
from support.publisher import Publisher
from support.server import Fault, Server
from support.world import (AS_ROOT, SCRATCH, Case, Home, Tidy, children, kill, mirror, other_user, play)

DIRECTORY = f"{SCRATCH}/{os.getpid()}.published"
AT = mirror().with_packages(DIRECTORY, [debs.capable(f"{DIRECTORY}.debs", mirrors.arch()),
                                     debs.make(f"{DIRECTORY}.debs", "odd-later", mirrors.arch())])
USAGE, TRUST, NETWORK, BUSY, EXISTS, FAILED, REFUSED = 2, 3, 4, 6, 6, 1, 1
ARCH = mirrors.arch()
MODE = [] if AS_ROOT else ["--tree-mode", "0755"]
# More than a few pieces per package would cost requests; fewer would share less.
PIECES = range(60, 400)
LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"

home = Home()
WWW = f"{home.dir}/www"
publisher = Publisher(home, "publisher", "other")
KEYRING, OTHER_KEYRING = publisher.keyrings["publisher"], publisher.keyrings["other"]
NOBODY = "0123456789ABCDEF0123456789ABCDEF01234567"


def publish(*words, to=WWW, **more):
    return publisher.publish(to, *words, **more)


def create(name, url, *words, keyring=KEYRING, who=None, **more):
    return (who or home).run("create", "--from", url, "--published", "test-rootfs", "--name", name,
                             "--keyring", keyring, *MODE, *words, **more)


def release_text(www, suite="test-rootfs"):
    with open(f"{www}/dists/{suite}/InRelease", encoding="utf-8") as file:
        return file.read()


def field(text, name):
    return re.search(rf"^{name}: (.*)$", text, re.M).group(1)


def first_generation(server):
    outcome = home.create("--include", "odd-capable", server=server, at=AT)
    if not tap.report(outcome.status == 0, "a rootfs to publish is created", outcome):
        tap.done()
    outcome = publish("--json", **({"umask": 0o077} if home.user.uid is not None else {}))
    result = json.loads(outcome.out.splitlines()[-1]) if outcome.out else {}
    tap.report(outcome.status == 0 and result.get("generation") == 1 and result.get("pieces") in PIECES,
               "publish: generation 1", outcome)
    text = release_text(WWW)
    date, until = (datetime.datetime.strptime(field(text, name), "%a, %d %b %Y %H:%M:%S UTC")
                   for name in ("Date", "Valid-Until"))
    for what, good in {
            "the name": (field(text, "Suite"), field(text, "Rootfs-Name")) == ("test-rootfs",) * 2,
            "the generation": field(text, "Rootfs-Generation") == "1",
            "release and profile": (field(text, "Rootfs-Release"), field(text, "Rootfs-Profile")) ==
                                   (mirrors.SUITE, "test"),
            "an expiry date after 30 days": (until - date).days == 30}.items():
        tap.report(good, f"the index has {what}", text)
    status = subprocess.run(["gpgv", "--keyring", KEYRING, f"{WWW}/dists/test-rootfs/InRelease"],
                            stderr=subprocess.PIPE, text=True, check=False)
    tap.report(status.returncode == 0, "gpgv accepts the index", status.stderr)
    wrong = [f"{path}: {size} bytes, {digest}"
             for digest, size, path in re.findall(r"^ (\w{64}) (\d+) (\S+)$", text, re.M)
             if not listed(f"{WWW}/dists/test-rootfs/{path}", digest, int(size))]
    names = set(re.findall(r"\S+$", text, re.M))
    tap.report(not wrong and {"lock.json", "sbom.spdx.json", "provenance.json"} <= names,
               "the index lists lock, SBOM, provenance and pieces with their hashes", *wrong, text)
    with open(f"{WWW}/dists/test-rootfs/lock.json", encoding="utf-8") as file:
        tap.report(file.read() == home.run("lock").out, "the published lock is what rootlet lock writes")
    wrong = [name for name in os.listdir(f"{WWW}/pool") if not listed(f"{WWW}/pool/{name}", name[:-4])]
    tap.report(not wrong, "each piece has its hash as its name, and nothing else is in the pool", *wrong)
    modes = [path for path in mirrors.files_below(WWW) if os.stat(f"{WWW}/{path}").st_mode & 0o044 != 0o044
             and not os.path.basename(path).startswith(".")]
    tap.report(not modes, "a web server may read all of it", *modes)


def listed(path, digest, size=None):
    with open(path, "rb") as file:
        data = file.read()
    return hashlib.sha256(data).hexdigest() == digest and size in (None, len(data))


def same_tree(name, path, who=home):
    """Compares with the published rootfs."""
    ours, theirs = trees.census(f"{home.store}/test-rootfs", exact=True), trees.census(path, exact=True)
    for tree in (ours, theirs):
        for own in [entry for entry in tree if entry.startswith("/etc/rootlet")]:
            del tree[own]
        for entry, what in tree.items():  # archives have whole seconds
            tree[entry] = (*what[:-1], what[-1] // 10**9)
    wrong = trees.differences(ours, theirs, [])
    tap.report(not wrong and len(theirs) > 1000, f"{name}: the tree is the published one, entry by entry",
               *wrong[:20])
    tap.report(set(trees.attributed(theirs)) >= debs.CAPABLE, f"{name}: with capabilities and attributes")


def elsewhere(www):
    """Another user, and a host without a network."""
    user = other_user()
    other = Home(user=user, directory=f"{SCRATCH}/{os.getpid()}.elsewhere") if user else home
    with Server(www) as server:
        outcome = create("fetched", server.url, "--json", who=other)
        bad = [path for path in server.requests if not path.startswith(("dists/test-rootfs/", "pool/"))]
        whole = server.sent
    result = json.loads(outcome.out.splitlines()[-1]) if outcome.out else {}
    tap.report(outcome.status == 0 and not bad and
               (result.get("release"), result.get("profile")) == (mirrors.SUITE, "test"),
               "create --from: a rootfs from a web server", outcome, *bad)
    same_tree("create --from", f"{other.store}/fetched")
    outcome = other.run("check", "--name", "fetched", "--deep")
    tap.report(outcome.status == 0 and "Generation: 1" in outcome.out, "it is sound, says check --deep",
               outcome)
    outcome = other.run("shell", "--name", "fetched", "--", "id", "-un", "1000")
    tap.report(outcome.out.strip() == "fsqa", "its users are there", outcome)
    statement = f"{www}/dists/test-rootfs/provenance.json"
    verify = ["verify", statement, "--keyring", KEYRING, "--name", "fetched"]
    outcome = other.run(*verify)
    tap.report(outcome.status == 0, "the published provenance is that of the rootfs", outcome)
    outcome = other.run("install", "odd-later", "--name", "fetched", "--keyring", AT.keyring)
    tap.report(outcome.status == 0 and "odd-later" in outcome.out,
               "packages of the archive can be installed in it", outcome)
    outcome = other.run(*verify)
    tap.report(outcome.status == TRUST and "odd-later" in outcome.out + outcome.err,
               "after that, the provenance is not", outcome)
    outcome = create("copied", www, who=other)
    tap.report(outcome.status == 0, "create --from: a rootfs from a directory", outcome)
    same_tree("from a directory", f"{other.store}/copied")
    again = create("again", www, who=other)
    wrong = trees.differences(*(trees.census(f"{other.store}/{name}", exact=True) for name in
                                ("again", "copied")), [str(again)] if again.status else [])
    tap.report(not wrong, "both are the same, with the manifest and all times", *wrong[:20])
    outcome = create("copied", www, "--force", "--dry-run", who=other)
    tap.report(outcome.status == 0 and "engine=pieces" in outcome.out and "AddUser" not in outcome.out,
               "create --from --dry-run shows the requests", outcome)
    with open(other.state("audit.log"), encoding="utf-8") as file:
        log = file.read()
    tap.report("engine=pieces" in log and "suite=test-rootfs" in log, "the audit log has both", log[-2000:])
    return whole


def second_generation(www, whole):
    """Only one file changes, which belongs to one package."""
    outcome = home.run("shell", "--", "sh", "-c",
                       "echo changed >>/usr/share/doc/attr/copyright; touch /srv/new")
    before = set(os.listdir(f"{www}/pool"))
    again = publish()
    tap.report(outcome.status == again.status == 0 and "as generation 2 of test-rootfs" in again.out,
               "publish: generation 2", outcome, again)
    new = set(os.listdir(f"{www}/pool")) - before
    tap.report(0 < len(new) <= 4, "it adds only the pieces that changed", *new)
    with Server(www) as server:
        outcome = create("fetched", server.url, "--force")
        first = create("first", server.url, "--generation", "1", "--json")
    tap.report(outcome.status == 0 and os.path.exists(f"{trees.inside(f'{home.store}/fetched')}/srv/new"),
               "create --from makes the newest generation", outcome)
    tap.report(first.status == 0 and not os.path.exists(f"{trees.inside(f'{home.store}/first')}/srv/new"),
               "--generation 1 makes the first one", first)
    same_tree("generation 2", f"{home.store}/fetched")
    with Server(www) as server:
        forget_pieces()
        first = create("first", server.url, "--generation", "1", "--force")
        before = server.sent
        second = create("fetched", server.url, "--force")
        share = (server.sent - before) / whole
    tap.report(first.status == second.status == 0 and share < 0.15,
               "a host that has generation 1 fetches less than 15 % for the next one", first, second, share)
    tap.note(f"generation 2 after generation 1: {share:.3f} of all bytes")


# --- upgrades ---

def checked(name):
    outcome = home.run("check", "--name", name, "--json")
    return json.loads(outcome.out or "{}").get("published")


def upgrade(*words, name="follower", **more):
    """Returns the outcome, and the result in JSON."""
    outcome = home.run("upgrade", "--name", name, "--json", *words, **more)
    return outcome, json.loads(outcome.out.splitlines()[-1]) if outcome.out else {}


def follows(www):
    """A rootfs that create --from made gets its publisher's newest generation, in one piece."""
    tree = f"{home.store}/follower"
    with Server(www) as server:
        made = create("follower", server.url)
        tap.report(made.status == 0 and
                   checked("follower") == {"name": "test-rootfs", "generation": 2, "url": server.url},
                   "check names what a rootfs was made from", made, checked("follower"))
        first = os.stat(tree).st_ino
        outcome, result = upgrade()
        tap.report(outcome.status == 0 and result["published"] == {"name": "test-rootfs", "from": 2,
                                                                   "generation": 2}
                   and not result["changed"] and os.stat(tree).st_ino == first,
                   "upgrade: it is up to date with its publisher", outcome)
        added = home.run("install", "odd-later", "--keyring", AT.keyring)
        again = publish()
        outcome, result = upgrade("--check", "--security")
        tap.report(added.status == again.status == 0 and outcome.status == 1 and
                   (result["published"]["from"], result["published"]["generation"]) == (2, 3) and
                   result["installed"] == [{"name": "odd-later", "version": "1"}] and
                   not result["upgraded"] and not result["removed"] and os.stat(tree).st_ino == first,
                   "upgrade --check: what the next generation brings, and nothing has changed", added, again,
                   outcome)
        not_followed(server)
        tap.report(os.stat(tree).st_ino == first, "none of these changed it")
        with Tidy(home) as tidy:
            outcome, result = upgrade()
            wrong = tidy.complaints()
        tap.report(outcome.status == 0 and not wrong and result["changed"] and
                   checked("follower")["generation"] == 3 and
                   os.stat(f"{home.store}/follower.previous").st_ino == first,
                   "upgrade: the next generation takes its place, and the old one stays", outcome, *wrong)
        same_tree("upgrade", tree)
        verified = home.run("verify", f"{www}/dists/test-rootfs/provenance.json", "--keyring", KEYRING,
                            "--name", "follower")
        tap.report(verified.status == 0, "its provenance is the publisher's", verified)
        back = home.run("upgrade", "--name", "follower", "--rollback")
        outcome, result = upgrade("--check")
        tap.report(back.status == 0 and outcome.status == 1 and result["published"]["from"] == 2,
                   "upgrade --rollback goes back to the old generation", back, outcome)
        home.run("upgrade", "--name", "follower", "--rollback")
        leaves(server)


def not_followed(server):
    """Upgrades that cannot be, of a rootfs that follows generation 2 while there is a third."""
    record = home.state("publishers")
    for what, words, status, says, where in (
            ("with a mirror", ["--mirror", server.url], USAGE, "follows its publisher", None),
            ("signed by another key", ["--keyring", OTHER_KEYRING], TRUST, "signature is not valid", None),
            ("when it is not recorded where it was published", [], FAILED,
             "create --force --from URL", f"{record}.away")):
        if where:
            os.rename(record, where)
        outcome = home.run("upgrade", "--name", "follower", *words)
        if where:
            os.rename(where, record)
        tap.report(outcome.status == status and says in outcome.err, f"upgrade {what} is refused", outcome)


def leaves(server):
    """After packages have changed, the next generation would undo that."""
    gone = home.run("uninstall", "--name", "follower", "odd-later", "--keyring", AT.keyring)
    outcome = home.run("upgrade", "--name", "follower")
    tap.report(gone.status == 0 and outcome.status == USAGE and "--unfollow" in outcome.err,
               "upgrade does not undo an uninstall without a word", gone, outcome)
    del server.requests[:]
    source = ["--unfollow", "--keyring", AT.keyring]
    planned, plan = upgrade("--check", *source)
    outcome, result = upgrade(*source)
    again, then = upgrade("--keyring", AT.keyring)
    tap.report(planned.status == 1 and outcome.status == again.status == 0 and
               plan["published"] is result["published"] is None and result["changed"] and
               not then["changed"] and checked("follower") is None and not server.requests,
               "upgrade --unfollow: it follows the archive from then on", planned, outcome, again)


def kept(www):
    """publish --keep removes what only older generations have."""
    alike = publish("--as", "test-rootfs.02", to=www)
    alike = alike if alike.status else publish("--as", "second.7", to=www)
    other = publish("--as", "second", to=www)
    taken = publish("--as", "second.1", to=www)
    if not tap.report(other.status == 0 and taken.status == EXISTS and "is of another rootfs" in taken.err,
                      "a name that is a generation of another rootfs is refused", other, taken):
        return
    listed_before = index_of(www, "second")
    outcome = publish("--json", "--keep", "2", to=www)
    result = json.loads(outcome.out.splitlines()[-1]) if outcome.out else {}
    left = sorted(os.listdir(f"{www}/dists"))
    tap.report(alike.status == other.status == outcome.status == 0 and
               result["removed_generations"] == 2 and result["removed_pieces"] >= 1 and
               left == ["second", "second.1", "second.7", "second.7.1", "test-rootfs", "test-rootfs.02",
                        "test-rootfs.02.1", "test-rootfs.3", "test-rootfs.4"],
               "publish --keep 2 leaves two generations, and other names", alike, other, outcome, left)
    needed = set().union(*(index_of(www, name) for name in left))
    tap.report(set(os.listdir(f"{www}/pool")) == needed and listed_before < needed | {""},
               "and the pieces that they list, but no others",
               needed.symmetric_difference(os.listdir(f"{www}/pool")))
    sums = [name for _, _, names in os.walk(f"{www}/dists/test-rootfs") for name in names if len(name) == 64]
    tap.report(len(sums) <= 8, "and the lists of two generations", *sums)
    forget_pieces()
    made = create("kept", www, "--generation", "3")
    tap.report(made.status == 0, "the older one of them can still be made", made)


def tools(www):
    """The same through rootlet mcp. Both users' programs find their keys there."""
    with mcp.Server(home, environment=publisher.environment) as server:
        server.initialize()
        schemas = {tool["name"]: tool["outputSchema"]
                   for tool in server.request("tools/list")["result"]["tools"]}
        path = {"rootfs_path": f"{home.store}/kept"}
        for tool, arguments, says in (
                ("publish_test_rootfs", {"directory": www, "key": publisher.keys["publisher"], "keep": 2,
                                         **path, "published_name": "test-rootfs"},
                 "as generation 5 of test-rootfs"),
                ("fetch_test_rootfs", {"url": www, "keyring": KEYRING, "published_name": "test-rootfs",
                                       "force": True, **path}, "Successfully created rootfs"),
                ("verify_test_rootfs", {"provenance_path": f"{www}/dists/test-rootfs/provenance.json",
                                        "keyring": KEYRING, **path}, "is what was signed by"),
                ("upgrade_test_rootfs", path, "Published as test-rootfs: generation 5")):
            result = server.call(tool, arguments)["result"]
            wrong = [error.message for error in jsonschema.Draft202012Validator(schemas[tool]).iter_errors(
                result.get("structuredContent", {}))]
            tap.report(not wrong and not result["isError"] and says in result["content"][0]["text"],
                       f"MCP: {tool}", *wrong, result)
    publisher.end_agent()


def index_of(www, name):
    with open(f"{www}/dists/{name}/{INDEX}", encoding="utf-8") as file:
        return set(re.findall(r"^Filename: pool/(.*)$", file.read(), re.M))


def interrupted(www):
    """Servers whose downloads break off, and that answer a request for the rest in one way or another."""
    largest = r"/" + os.path.basename(a_piece(www)) + "$"
    for ranges, what in (("ignored", "sends the whole file with status 200"),
                         *([("wrong", "sends the wrong part")] if LONG else [])):
        forget_pieces()
        with Server(www, [Fault(largest, "truncate", 1000, times=1)]) as server:
            server.ranges = ranges
            outcome = create("resumed", server.url, "--force")
        tap.report(outcome.status == 0 and server.resumed,
                   f"a piece that breaks off, from a server that then {what}", outcome, server.resumed)
    for what, times, status in (("once", 1, 0), ("each time", None, NETWORK)) if LONG else ():
        forget_pieces()
        with Server(www, [Fault(largest, "stall", 1000, times=times)]) as server, Tidy(home) as tidy:
            outcome = create("resumed", server.url, "--force")
            wrong = tidy.complaints()
        tap.report(outcome.status == status and not wrong, f"a piece that stalls {what}", outcome, *wrong)


# --- what is refused ---

def copy_of(www, name):
    path = f"{home.dir}/{name}"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(www, path, copy_function=shutil.copy2)
    if home.user.uid is not None:
        subprocess.run(["chown", "-R", f"{home.user.uid}:{home.user.gid}", path], check=True)
    return path


def forget_pieces():
    for name in ("packages", "indexes"):
        shutil.rmtree(f"{home.cache}/rootlet/{name}", ignore_errors=True)


def resign(www, edit, key="publisher", suite="test-rootfs"):
    """Signs an index again whose text EDIT changed."""
    text = release_text(www, suite).split("\n\n", 1)[1].split("-----BEGIN PGP SIGNATURE")[0]
    with open(f"{www}/dists/{suite}/InRelease", "wb") as file:
        file.write(publisher.sign(edit(text), key))


def in_days(days):
    return (datetime.datetime.now(datetime.timezone.utc) +
            datetime.timedelta(days=days)).strftime("%a, %d %b %Y %H:%M:%S UTC")


def dated(made, until):
    return lambda text: re.sub(r"^Valid-Until: .*$", f"Valid-Until: {in_days(until)}",
                               re.sub(r"^Date: .*$", f"Date: {in_days(made)}", text, flags=re.M), flags=re.M)


def resigned(pattern, replacement):
    return lambda www: resign(www, lambda text: re.sub(pattern, replacement, text))


def flip(data):
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


def unsigned(www):
    text = release_text(www).split("\n\n", 1)[1].split("-----BEGIN PGP SIGNATURE")[0]
    with open(f"{www}/dists/test-rootfs/InRelease", "w", encoding="utf-8") as file:
        file.write(text)


def altered(www):
    path = f"{www}/dists/test-rootfs/InRelease"
    with open(path, "r+", encoding="utf-8") as file:
        text = file.read().replace("Rootfs-Profile: test", "Rootfs-Profile: rest")
        file.seek(0)
        file.write(text)


def change_file(path, how):
    def act(www):
        name = path(www) if callable(path) else f"{www}/dists/test-rootfs/{path}"
        with open(name, "rb") as file:
            data = file.read()
        for place in {name, *(by_hash(www, path, data) if isinstance(path, str) else ())}:
            with open(place, "wb") as file:
                file.write(how(data))
    return act


def by_hash(www, path, data):
    directory = os.path.dirname(f"{www}/dists/test-rootfs/{path}")
    return [f"{directory}/by-hash/SHA256/{hashlib.sha256(data).hexdigest()}"]


def a_piece(www):
    return max((f"{www}/pool/{name}" for name in os.listdir(f"{www}/pool")), key=os.path.getsize)


INDEX = f"rootfs/binary-{ARCH}/Packages"
# What is wrong: (how, exit status, what is said).
FORGED = {
    "an index without a signature": (unsigned, TRUST, "not one complete signed text"),
    "an index that was altered": (altered, TRUST, "signature is not valid"),
    "an index by another key": (lambda www: resign(www, lambda text: text, "other"), TRUST,
                                "signature is not valid"),
    "an index that expired": (lambda www: resign(www, dated(-40, -1)), TRUST, "has expired"),
    "an index from the future": (lambda www: resign(www, dated(2, 40)), TRUST, "date in the future"),
    "an index of another name": (resigned(": test-rootfs\n", ": other\n"), TRUST, "of another release"),
    "an index that lists no lock": (resigned(r" \w+ \d+ lock.json\n", ""), FAILED, "lists no lock.json"),
    "another list of pieces": (change_file(INDEX, lambda data: data + b"\n"), TRUST, "Packages"),
    "another lock": (change_file("lock.json", lambda data: data.replace(b'"lock": 1', b'"lock": 2')), TRUST,
                     "lock.json"),
    "a piece with a flipped bit": (change_file(a_piece, flip), TRUST, "piece-"),
    "a piece that is cut short": (change_file(a_piece, lambda data: data[:-9]), None, "piece-"),
    "a piece that is longer": (change_file(a_piece, lambda data: data + b"x"), None, "piece-"),
    "a piece that is missing": (lambda www: os.unlink(a_piece(www)), NETWORK, "piece-"),
}


def refused(what, www, status, says, *words, faults=()):
    """Nothing is left of the attempt, and the command says what is wrong."""
    forget_pieces()
    with Server(www, faults) as server, Tidy(home) as tidy:
        outcome = create("refused", server.url, *words)
        wrong = tidy.complaints()
    if os.path.lexists(f"{home.store}/refused"):
        wrong.append("the rootfs exists")
        home.run("delete", "--name", "refused", "--yes")
    tap.report(outcome.status in ((status,) if status else (TRUST, NETWORK)) and not wrong and
               re.search(says, outcome.err), f"create --from refuses {what}", *wrong, outcome)


def forged():
    for what, (forge, status, says) in FORGED.items():
        www = copy_of(WWW, "forged")
        forge(www)
        refused(what, www, status, says)
    www = copy_of(WWW, "forged")
    refused("a redirect out of http", www, None, "InRelease|scheme|protocol|redirect",
            faults=[Fault("InRelease", "redirect", lambda path: f"file://{www}/{path}")])
    refused("another publisher's keyring", www, TRUST, "signature is not valid", "--keyring", OTHER_KEYRING)


def rollback():
    """An older index, which is still valid and signed, hides a newer one."""
    www = copy_of(WWW, "rolled")
    with Server(www) as server:
        newest = create("fetched", server.url, "--force")
        resign(www, dated(-1, 20))
        outcome = create("fetched", server.url, "--force")
        tap.report(newest.status == 0 and outcome.status == TRUST and "older" in outcome.err,
                   "create --from refuses an index that is older than one seen before", newest, outcome)
        outcome = create("fetched", server.url, "--force", "--allow-older-release")
        tap.report(outcome.status == 0, "--allow-older-release accepts it", outcome)


def publish_by_hand(name, entries, more=()):
    """Publishes a tree of ENTRIES (as in debs.make) that rootlet would not have published; MORE are those of
    a second piece."""
    www = copy_of(WWW, f"hand-{name}")
    shutil.rmtree(f"{www}/pool")
    os.makedirs(f"{www}/pool")
    stanzas = b""
    for package, files, depends in (("00-directories", entries, "Depends: piece-1\n" if more else ""),
                                    ("piece-1", more, "")):
        if not files:
            continue
        deb = debs.make(f"{home.dir}/debs", package, "all", entries=files)
        with open(deb, "rb") as file:
            data = file.read()
        digest = hashlib.sha256(data).hexdigest()
        shutil.move(deb, f"{www}/pool/{digest}.deb")
        stanzas += (f"Package: {package}\nVersion: 1\nArchitecture: all\n{depends}"
                    f"Filename: pool/{digest}.deb\nSize: {len(data)}\nSHA256: {digest}\n\n").encode()
    os.chmod(f"{www}/pool", 0o755)
    with open(f"{www}/dists/test-rootfs/{INDEX}", "wb") as file:
        file.write(stanzas)
    shutil.rmtree(f"{www}/dists/test-rootfs/rootfs/binary-{ARCH}/by-hash")
    resign(www, lambda text: re.sub(rf" \w+ \d+ {INDEX}\n",
                                    f" {hashlib.sha256(stanzas).hexdigest()} {len(stanzas)} {INDEX}\n", text))
    return www


DIRECTORIES = [("./usr/", "dir"), ("./etc/", "dir"), ("./dev/", "dir")]
OUT = ((0, 0), 0o755)
# What the publisher signed but should not have: (entries, those of the second piece, what is said).
HOSTILE = {
    "a path with ..": ([*DIRECTORIES, ("./usr/../../x", b"x")], (), "is not a path below the tree"),
    "an absolute path": ([*DIRECTORIES, ("/etc/x", b"x")], (), "is not a path below the tree"),
    "a path through a symlink": ([*DIRECTORIES, ("./etc/out", "-> /tmp"), ("./etc/out/x", b"x")], (),
                                 "leads through a symlink"),
    "a path through another piece's symlink": ([*DIRECTORIES, ("./etc/out", "-> /tmp")],
                                               [("./etc/out/x", b"x")], "leads through a symlink"),
    "a hard link out of the tree": ([*DIRECTORIES, ("./etc/x", "=> ../../etc/passwd")], (), "hard link"),
    "a hard link into another piece": ([*DIRECTORIES, ("./etc/y", b"y")], [("./etc/x", "=> ./etc/y")],
                                       "not in its package"),
    "a device": ([*DIRECTORIES, ("./dev/disk", "dev")], (), "is a device"),
    "a file in two pieces": ([*DIRECTORIES, ("./etc/x", b"x")], [("./etc/x", b"y")], "in another piece"),
    "an owner outside of the range": ([*DIRECTORIES, ("./etc/x", b"x", (70000, 0), 0o644)], (),
                                      "owner outside of the range"),
    "a file in a directory that no piece has": ([*DIRECTORIES], [("./opt/x/y", b"y")], "cannot unpack"),
    "a tree without directories": ([("./etc/x", b"x")], (), "cannot unpack"),
}


def hostile():
    for what, (entries, more, says) in HOSTILE.items():
        www = publish_by_hand("hostile", entries, more)
        refused(what, www, FAILED, says)
    www = publish_by_hand("empty", DIRECTORIES, [("./etc/os-release", b"NAME=x\n")])
    outcome = create("minimal", www)
    tap.report(outcome.status == 0 and
               sorted(os.listdir(trees.inside(f"{home.store}/minimal"))) == ["dev", "etc", "usr", "var"],
               "a tree of three directories and a file, signed by hand, is made: the attacks above fail for "
               "what they add", outcome)


# What cannot be published: (how to make it in a rootfs, what is said).
UNFIT = {
    "a pipe": ("mkfifo /srv/odd", "/srv/odd: it is a pipe"),
    "a name with a line break": ("touch '/srv/a\nb'", "has a line break"),
}


def unfit():
    outcome = home.create("--name", "unfit", "--force", server=served, at=AT)
    tap.report(outcome.status == 0, "a rootfs to spoil is created", outcome)
    before = state_of(WWW)
    for what, (script, says) in UNFIT.items():
        made = home.run("shell", "--name", "unfit", "--", "sh", "-c", script)
        with Tidy(home, WWW) as tidy:
            outcome = publish("--name", "unfit", "--as", "test-rootfs")
            wrong = tidy.complaints()
        tap.report(made.status == 0 and outcome.status == USAGE and re.search(says, outcome.err) and not wrong
                   and state_of(WWW) == before, f"publish refuses {what}", made, outcome, *wrong)
        home.run("shell", "--name", "unfit", "--", "sh", "-c", "rm -f /srv/*")


def state_of(www):
    """Returns {path: content} of what clients see."""
    seen = {}
    for path in mirrors.files_below(www):
        if not os.path.basename(path).startswith("."):
            with open(f"{www}/{path}", "rb") as file:
                seen[path] = hashlib.sha256(file.read()).hexdigest()
    return seen


def one_at_a_time():
    with open(f"{WWW}/.rootlet.lock", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        outcome = publish()
    tap.report(outcome.status == BUSY and "another rootlet is publishing" in outcome.err,
               "a second publisher is refused", outcome)


def killed():
    """At any time, clients have the old generation or the new one."""
    www = copy_of(WWW, "killed")
    release, stages = release_text(www), {}
    for stage in ("Archiving", "Packing", "Signing"):
        process = home.start("publish", "--to", www, "--key", publisher.keys["publisher"], "--json",
                             environment=publisher.environment)
        for line in process.stdout:
            if stage.encode() in line:
                time.sleep(0.05)
                break
        stages[stage] = process.poll() is None
        for pid in (*children(process.pid), process.pid):
            kill(pid, signal.SIGKILL)
        process.communicate()
        outcome = create("after", www, "--force")
        tap.report(outcome.status == 0 and (release_text(www) == release or stage == "Signing"),
                   f"killed at \"{stage}\", the directory still has a whole generation", outcome)
    tap.report(stages["Archiving"] and stages["Packing"], "both stages were met", stages)
    outcome = publish(to=www)
    left = [name for name in os.listdir(f"{www}/pool") if not name.endswith(".deb")]
    tap.report(outcome.status == 0 and not left, "publish works after that, and leaves no drafts", outcome,
               *left)


def indexes(www):
    return {path: what for path, what in state_of(www).items() if "InRelease" in path}


def no_key():
    before = indexes(WWW)
    outcome = publish(key=NOBODY)
    says = f"cannot sign with key {NOBODY}"
    tap.report(outcome.status == REFUSED and says in outcome.err and
               before and indexes(WWW) == before, "without the secret key, no index changes", outcome)


COMMAND_LINES = [
    Case("publish needs a directory", ["publish", "--key", "x"], USAGE, "--to"),
    Case("publish needs a key", ["publish", "--to", "x"], USAGE, "--key"),
    Case("publish refuses a name that no archive could have",
         ["publish", "--to", WWW, "--key", "0123456789ABCDEF", "--as", "A b"], USAGE,
         "cannot publish under"),
    Case("publish refuses a key's name, which anyone can give a key",
         ["publish", "--to", WWW, "--key", "publisher@example.org"], USAGE, "long key id"),
    Case("publish refuses to sign for ever",
         ["publish", "--to", WWW, "--key", "0123456789ABCDEF", "--expires", "0"], USAGE,
         "--expires"),
    Case("publish names a missing rootfs", ["publish", "--name", "none", "--to", WWW, "--key", "x"], FAILED,
         "no rootfs"),
    Case("--from needs a keyring", ["create", "--name", "new", "--from", WWW], USAGE,
         "--from needs --keyring"),
    Case("--published goes with --from", ["create", "--name", "new", "--published", "x"], USAGE,
         "goes with --from"),
    Case("--generation goes with --from", ["create", "--name", "new", "--generation", "1"], USAGE,
         "goes with --from"),
    *(Case(f"--from contradicts {word}",
           ["create", "--name", "new", "--from", WWW, "--keyring", KEYRING, word, value], USAGE,
           f"--from and {word} contradict each other")
      for word, value in (("--release", "jammy"), ("--profile", "test"), ("--include", "attr"),
                          ("--engine", "native"), ("--mirror", WWW), ("--lock", "/dev/null"),
                          ("--components", "main"), ("--snapshot", "2026-01-01"),
                          ("--repository", "[signed-by=/x] http://127.0.0.1 jammy main"))),
    Case("--from names a rootfs that is not published",
         ["create", "--name", "new", "--from", WWW, "--keyring", KEYRING, "--published", "none"], NETWORK,
         "InRelease of none"),
    Case("--from names a generation that is missing",
         ["create", "--name", "new", "--from", WWW, "--keyring", KEYRING, "--published", "test-rootfs",
          "--generation", "77"], NETWORK, r"InRelease of test-rootfs\.77"),
]


def main():
    first_generation(served)
    whole = elsewhere(WWW)
    second_generation(WWW, whole)
    follows(WWW)
    interrupted(WWW)
    kept(WWW)
    if LONG:
        tools(WWW)
    for case in COMMAND_LINES:
        play(case, home)
    one_at_a_time()
    no_key()
    unfit()
    forged()
    rollback()
    hostile()
    killed()


with Server(AT.root) as served:
    main()
tap.done()
