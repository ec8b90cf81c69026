"""rootlet-helper and wrong requests, one after another: each request's fields in every form, its descriptors
in every number and of every kind, its place in the order, and the objects and files that it is about. Each
wrong request is refused with a typed error and changes nothing. Floods, races and silence:
adversary/frontend."""
import datetime
import errno
import hashlib
import os
import random
import re
import shutil
import socket
import subprocess
import time

from support import forms, installed, tap
from support import mirror as mirrors
from support.archives import Archive, package
from support.builds import Build, Session
from support.descriptors import in_each_place, strange
from support.protocol import (INPUT, MISSING, REFUSED, REQUESTS, TRUST, VERSION, Helper, encode_field,
                              opened, request)
from support.world import (AS_ROOT, SCRATCH, SOURCE, Home, children, ids_of, mirror, processes_left,
                           small_rootfs)

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
SYSTEM, PACKAGE, HOST = 9, 10, 12  # lib/error.h
MANIFEST_MAX = 2 << 20  # proto/validate.h
PACKET_FDS_MAX = 4  # proto/channel.h
TYPED = {INPUT, REFUSED, TRUST, MISSING, SYSTEM}  # how a request with a wrong descriptor may be refused
AT = mirror()
ROOTFS = small_rootfs()
TREE = f"{ROOTFS.store}/test-rootfs"
home = Home()
DIRECTORY = home.make_dir(f"{home.dir}/trees")
PLAIN = home.make_dir(f"{DIRECTORY}/plain")
FILE = home.write("trees/plain/precious", "precious")
os.symlink(PLAIN, f"{DIRECTORY}/link")
# The target of links that the helper must not follow.
os.symlink(PLAIN, f"{DIRECTORY}/.rootlet-staging.trap")


def listing():
    """Returns everything below `directory` with owner, mode and symlink target."""
    seen = []
    for where, directories, names in os.walk(DIRECTORY):
        for name in sorted(directories + names):
            path = f"{where}/{name}"
            st = os.lstat(path)
            seen.append((path, st.st_mode, st.st_uid, st.st_size,
                         os.readlink(path) if os.path.islink(path) else ""))
    return sorted(seen)


BEFORE = listing()


def complaints(answer, codes):
    """Returns complaints about an ANSWER that is none of CODES or has no proper message."""
    wrong = []
    if answer.code not in codes:
        wrong.append(f"code {answer.code}, expected one of {sorted(codes)}")
    if answer.code > 0 and not re.search(r"\w", answer.message):
        wrong.append("no error message")
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", answer.message):
        wrong.append("control characters in the message")
    return wrong


def changes():
    return [f"changed: {one}" for one in set(listing()) ^ set(BEFORE)]


def verdict(what, answer, codes, helper, more=()):
    """Checks that ANSWER is one of CODES, that the helper exits, and that nothing has changed."""
    wrong = [*more, *complaints(answer, codes)]
    status = helper.leave()
    if status is None or status < 0:
        wrong.append(f"the helper ended with {status}")
    wrong += changes()
    tap.report(not wrong, what, *wrong, answer)


def refuse(what, kind, paths=(), /, codes=(INPUT, REFUSED), first=(), **fields):
    """FIRST: earlier requests (kind, paths, fields), which must succeed."""
    helper, more = Helper(home.user), []
    for before, its_paths, its_fields in first:
        with opened(*its_paths) as fds:
            answer = helper.ask(before, fds, **its_fields)
            if answer.code:
                more.append(f"{before} before it: {answer}")
    with opened(*paths) as fds:
        verdict(what, helper.ask(kind, fds, **fields), set(codes), helper, more)


BUILD = Build(AT, DIRECTORY)
BEGIN, RELEASE = BUILD.begin, BUILD.release
ACCEPTED = BUILD.accepted("main")
OLD_ENGINE = Build(AT, DIRECTORY, "debootstrap")
INRELEASE, INDEX = RELEASE[1][0], ACCEPTED[-1][1][0]
ATTR = BUILD.packages("universe")["attr"]
FURTHER = Archive(f"{SCRATCH}/{os.getpid()}.further")
FURTHER.publish([package(FURTHER.dir, "odd-one", "1", "further")])
DISTS = f"{FURTHER.root}/dists/stable"
REPOSITORY = ("Repository", (f"{DISTS}/InRelease", FURTHER.keyring),
              {"name": "repository-1", "suite": "stable"})
ITS_INDEX = ("Index", (f"{DISTS}/extra/binary-{mirrors.arch()}/Packages",),
             {"pocket": "repository-1", "component": "extra"})
ITS_DEB = f"{FURTHER.root}/pool/extra/o/odd-one/odd-one_1_{mirrors.arch()}.deb"
ITS_PACKAGE = ("Package", (ITS_DEB,), {"name": "odd-one", "sha256": hashlib.sha256(
    open(ITS_DEB, "rb").read()).digest()})
ACCOUNT = {"name": "x", "uid": 1500, "gid": 1500, "home": "/home/x", "shell": "/bin/sh", "groups": []}


def image(data=b""):
    """Returns a descriptor to read and write a file of the caller."""
    path = home.write("image", data)
    os.chmod(path, 0o666)
    return os.open(path, os.O_RDWR)


# Every request that takes descriptors, valid: (request, descriptors, fields, requests before it). Publish and
# Keep, which need a finished tree, are in finished().
COMPLETE = {
    "Begin": (*BEGIN, ()),
    "Release": (*RELEASE, (BEGIN,)),
    "CheckRelease": ("CheckRelease", (INRELEASE, AT.keyring), {"suite": "jammy", "pocket": ""}, ()),
    "Index": (*ACCEPTED[-1], (BEGIN, RELEASE)),
    "Package": (*ATTR, BUILD.accepted("universe")),
    "Repository": (*REPOSITORY, (BEGIN,)),
    "Inspect": ("Inspect", (TREE,), {}, ()),
    "Inspect --deep": ("Inspect", (TREE,), {"deep": 1}, ()),
    "Verify": ("Verify", (TREE,), {}, ()),
    "Open": ("Open", (TREE,), {}, ()),
    "Read": ("Read", (TREE,), {"file": "passwd"}, ()),
    "Find": ("Find", (TREE,), {"paths": ["/etc"]}, ()),
    "Clone": ("Clone", (DIRECTORY, DIRECTORY), {"name": "new", "base_name": "plain"}, ()),
    "Extend": ("Extend", (DIRECTORY, DIRECTORY, AT.keyring),
               {"name": "new", "base_name": "plain", "suite": "jammy", "arch": "amd64"}, ()),
    "Remove": ("Remove", (DIRECTORY,), {"name": "plain"}, ()),
    "Execute": ("Execute", (TREE, *["/dev/null"] * 3), {"argv": ["true"], "user": "root"}, ()),
    "BuildImage": ("BuildImage", (TREE, image), {"format": "erofs"}, ()),
}
KEEP = ("Keep", (DIRECTORY, FILE), {"name": "new"}, ())


def protocol():
    """The tests know every request and field of proto/rootlet.proto, by name and number."""
    with open(f"{SOURCE}/proto/rootlet.proto", encoding="utf-8") as file:
        text = re.sub(r"//.*", "", file.read())
    kinds = re.search(r"^message Request \{\s*oneof \w+ \{(.*?)\}", text, re.M | re.S).group(1)
    wanted = {}
    for kind, number in re.findall(r"^\s*(\w+) \w+ = (\d+);", kinds, re.M):
        body = re.search(rf"^message {kind} \{{(.*?)\}}", text, re.M | re.S).group(1)
        wanted[kind] = (int(number), {name: int(one) for name, one in re.findall(r"(\w+) = (\d+)", body)})
    wrong = {kind for kind in {*wanted, *REQUESTS} if wanted.get(kind) != REQUESTS.get(kind)}
    tap.report(len(wanted) > 10 and not wrong, "the tests use exactly the requests of the protocol",
               *((kind, wanted.get(kind), REQUESTS.get(kind)) for kind in wrong))


def greeting():
    for what, version in (("version 0", 0), ("a later version", VERSION + 1), ("-1", 0xffffffff)):
        helper = Helper(home.user, greet=False)
        verdict(f"Hello: {what}", helper.ask("Hello", version=version, purpose="x"),
                {INPUT, REFUSED}, helper)
    refuse("Hello: a second one", "Hello", version=VERSION, purpose="x")
    refuse("Hello: with a descriptor", "Hello", [FILE], version=VERSION, purpose="x")
    for what, (kind, paths, values, _) in {**COMPLETE, "Keep": KEEP}.items():
        helper = Helper(home.user, greet=False)
        with opened(*paths) as fds:
            verdict(f"{what} without Hello", helper.ask(kind, fds, **values), {REFUSED, INPUT}, helper)


def order():
    begun = {"after Begin": (BEGIN,), "before Begin": ()}
    for when, first in begun.items():
        for kind, fields in (("Bootstrap", {}),
                             ("AddGroup", {"name": "x", "gid": 1500}), ("AddUser", ACCOUNT)):
            refuse(f"{kind} {when}", kind, (), first=first, **fields)
        refuse(f"Publish {when}", "Publish", [FILE], first=first, mode=0o700)
        refuse(f"Keep {when}", *KEEP[:2], first=first, **KEEP[2])
        refuse(f"Index {when}", "Index", [INDEX], first=first, pocket="", component="main")
        refuse(f"Package {when}", "Package", [FILE], (INPUT, REFUSED, TRUST), first=first,
               name="attr", sha256=bytes(32))
    refuse("Release before Begin", "Release", [INRELEASE], pocket="")
    refuse("Repository before Begin", *REPOSITORY[:2], **REPOSITORY[2])
    refuse("Begin twice", *BEGIN[:2], first=(BEGIN,), **BEGIN[2])


def fields():
    """Sends requests without descriptors, so that a well-formed one is refused next, for those or for its
    order."""
    for kind in REQUESTS:
        session, wrong, tried = Session(home.user), [], {True: 0, False: 0}
        for name, what, packet, good in forms.forms(kind):
            complaint = forms.complaint(kind, good, session.send(packet))
            tried[good] += 1
            wrong += [f"{name}: {what}: {complaint}"] if complaint else []
        wrong += session.leave() + changes()
        tap.report(not wrong and (tried[False] > 1 or not REQUESTS[kind][1]),
                   f"{kind}: {tried[False]} malformed fields are refused for that, {tried[True]} valid ones "
                   "are not",
                   *wrong[:10])


def miscounted(session, kind, right, values):
    """Sends a request with the wrong number of descriptors. Returns complaints: each must be refused for that
    and must not affect a build."""
    wrong = []
    with opened(*[FILE] * 8) as more:
        for count in {*range(PACKET_FDS_MAX + 2), len(right) + 8} - {len(right)}:
            answer = session.send(request(kind, **values), [*right, *more][:count])
            named = f"descriptors, not {count}" in answer.message or count > PACKET_FDS_MAX
            if answer.code != INPUT or not named:
                wrong.append(f"{kind} with {count} descriptors: {answer}")
    return wrong


def misplaced(session, kind, right, values, fds):
    """Sends a request with each wrong descriptor in place of each RIGHT one. Returns their number, and
    complaints."""
    wrong, tried = [], 0
    for what, given in in_each_place(kind, right, fds):
        answer = session.send(request(kind, **values), given)
        tried += 1
        wrong += [f"{what}: {one}: {answer}" for one in complaints(answer, TYPED)]
        if "out of order" in answer.message:
            wrong.append(f"{what}: {answer}")
        if session.first and kind not in ("Publish", "Keep") and answer.code != INPUT:
            session.restart()  # it was processed, which may have ended the build
    return tried, wrong


def descriptors():
    with strange(home, DIRECTORY, FILE) as fds:
        for what, (kind, paths, values, first) in COMPLETE.items():
            session = Session(home.user, first)
            with opened(*paths) as right:
                wrong = miscounted(session, kind, right, values)
                tap.report(not wrong, f"{what}: a wrong number of descriptors is refused", *wrong)
                tried, wrong = misplaced(session, kind, right, values, fds)
            wrong += session.leave() + changes()
            tap.report(not wrong and tried >= 20, f"{what}: {tried} wrong descriptors are refused",
                       *wrong[:10])
    refuse("OpenNamespace: with a descriptor", "OpenNamespace", [FILE])


def finished():
    """The requests about a finished tree."""
    bases = home.make_dir(f"{home.dir}/bases")
    manifest = home.write("manifest", "{}")
    session = Session(home.user, BUILD.whole())
    wrong = miscounted(session, "Bootstrap", [], {})
    answer = session.send(request("Bootstrap"))
    wrong += [f"Bootstrap: {answer}"] if answer.code else []
    with strange(home, DIRECTORY, FILE) as fds, opened(bases, manifest) as (directory, file):
        rows = (("AddGroup", [], {"name": "x", "gid": 1500}), ("AddUser", [], ACCOUNT),
                ("Publish", [file], {"mode": 0o700}), ("Keep", [directory, file], {"name": "base"}))
        for row in rows:
            wrong += miscounted(session, *row)
        tap.report(not wrong, "a wrong number of descriptors is refused after Bootstrap", *wrong)
        for kind, right, values in rows[2:]:
            tried, wrong = misplaced(session, kind, right, values, fds)
            tap.report(not wrong and tried >= 20, f"{kind}: {tried} wrong descriptors are refused",
                       *wrong[:10])
        answer = session.send(request("AddGroup", name="root", gid=1500))
        tap.report(answer.code == PACKAGE and "groupadd failed" in answer.message,
                   "AddGroup: an existing group is refused",
                   answer)
        with opened(home.write("long", "x" * (MANIFEST_MAX + 1))) as (long,):
            answer = session.send(request("Keep", name="base"), [directory, long])
        tap.report(answer.code == INPUT and "the manifest is longer than" in answer.message and
                   not os.listdir(bases),
                   "Keep: an oversized manifest is refused", answer, *os.listdir(bases))
        answer = session.send(request("Keep", name="base"), [directory, file])
        tap.report(answer.code == 0 and os.listdir(bases) == ["base"], "Keep: works after the refusals",
                   answer, *os.listdir(bases))
    wrong = session.leave() + changes()
    tap.report(not wrong, "a session with refusals after Bootstrap leaves nothing behind", *wrong)
    shutil.rmtree(bases)


def surplus_is_closed():
    """A socket's peer notices when the helper closes it."""
    helper, (mine, theirs) = Helper(home.user), socket.socketpair()
    helper.ask("OpenNamespace", [theirs.fileno()])
    theirs.close()
    mine.settimeout(10)
    try:
        closed = mine.recv(1) == b""
    except OSError:
        closed = False
    tap.report(closed, "an extra descriptor is closed at once", helper.process.poll())
    mine.close()
    helper.leave()


def not_rootlets():
    """The helper does not remove, inspect or run commands in a directory that rootlet did not create."""
    for what, name in (("a plain directory", "plain"), ("a symlink", "link"), ("nothing", "nothing")):
        refuse(f"Remove of {what}", "Remove", [DIRECTORY], (INPUT, REFUSED, MISSING), name=name)
    for what, path in (("a plain directory", PLAIN), ("/usr", "/usr"),
                       ("the caller's home", home.dir)):
        refuse(f"Execute in {what}", "Execute", (path, *["/dev/null"] * 3),
               (INPUT, REFUSED, MISSING), argv=["/bin/true"], user="root")
        refuse(f"Inspect --deep of {what}", "Inspect", [path], (INPUT, REFUSED, MISSING), deep=1)
    with Helper(home.user) as helper, opened(DIRECTORY) as fds:
        helper.ask("Remove", fds, name="trap", stale=1)
    tap.report(os.path.exists(FILE), "Remove of stale staging that is a symlink: its target is kept")
    if not os.path.lexists(f"{DIRECTORY}/.rootlet-staging.trap"):
        os.symlink(PLAIN, f"{DIRECTORY}/.rootlet-staging.trap")
    with Helper(home.user) as helper, opened(DIRECTORY, AT.keyring) as fds:
        helper.ask("Begin", fds, **{**BEGIN[2], "name": "trap"})
    tap.report(os.listdir(PLAIN) == ["precious"], "Begin when the staging name is a symlink: its target "
               "is kept", os.listdir(PLAIN))


def absent():
    """Well-formed requests about things that do not exist."""
    refuse("Read: a file that may not be read", "Read", (TREE,), (INPUT,), file="shadow")
    refuse("Open: a plain directory", "Open", (PLAIN,), (MISSING,))
    refuse("Bootstrap with debootstrap: without packages", "Bootstrap", (), (REFUSED,),
           (OLD_ENGINE.begin, RELEASE))
    with Helper(home.user) as helper, opened(*COMPLETE["Execute"][1]) as fds:
        answer = helper.ask("Execute", fds, argv=["true"], user="nobody-there")
    tap.report((answer.code, answer.status) == (0, 126), "Execute: a user missing from the rootfs", answer)


def programs():
    """If a host program that runs in a jail is missing, the answer names its package. rootlet checks for
    these programs first, so only another front end gets this far."""
    installed.enter("the host's programs")
    for program in ("gpgv", "mkfs.erofs"):
        subprocess.run(["mount", "--bind", "/dev/null", shutil.which(program)], check=True)
    with Helper(home.user) as helper:
        for kind, paths, fields in (BEGIN, RELEASE):
            with opened(*paths) as fds:
                answer = helper.ask(kind, fds, **fields)
    tap.report(answer.code == HOST and "apt install gpgv" in answer.message, "Release: without gpgv", answer)
    with Helper(home.user) as helper, opened(TREE, image) as fds:
        answer = helper.ask("BuildImage", fds, format="erofs")
    tap.report(answer.code == HOST and "apt install erofs-utils" in answer.message,
               "BuildImage: without mkfs.erofs",
               answer)



def of_repositories():
    """A repository is verified with its own keyring, and nothing else is."""
    answer = taken(BEGIN, REPOSITORY, ITS_INDEX, ITS_PACKAGE)
    tap.report(answer.code == 0, "Repository, Index, Package: accepted", answer)
    answer = taken(BEGIN, REPOSITORY, RELEASE, BUILD.index("main"), ITS_INDEX, ITS_PACKAGE)
    tap.report(answer.code == 0, "Repository before Release: both are accepted, each by its own keys", answer)
    path, keyring = REPOSITORY[1]
    for what, paths, suite in (("with the archive's keyring", (path, AT.keyring), "stable"),
                               ("that is the archive, with another keyring", (INRELEASE, keyring), "jammy"),
                               ("with an invalid keyring", (path, FILE), "stable"),
                               ("of another suite", (path, keyring), "testing"),
                               ("without a signature", (FILE, keyring), "stable")):
        refuse(f"Repository {what}", "Repository", paths, (TRUST, INPUT), (BEGIN,), name="repository-1",
               suite=suite)
    signed = home.write("signed",
                        FURTHER.sign(AT.released().split("-----BEGIN PGP SIG")[0].partition("\n\n")[2]))
    refuse("Release signed by the key of a repository before it", "Release", [signed], (TRUST,),
           (BEGIN, REPOSITORY), pocket="")
    refuse("Index of a repository that was not sent", *ITS_INDEX[:2], (REFUSED,), (BEGIN, RELEASE),
           **ITS_INDEX[2])
    refuse("Index of another repository", *ITS_INDEX[:2], (REFUSED,), (BEGIN, REPOSITORY),
           **{**ITS_INDEX[2], "pocket": "repository-2"})
    refuse("Index of the archive as a repository's", "Index", [INDEX], (TRUST,), (BEGIN, RELEASE, REPOSITORY),
           pocket="repository-1", component="main")
    refuse("Index of a repository as the archive's", *ITS_INDEX[:2], (TRUST,), (BEGIN, RELEASE, REPOSITORY),
           **{**ITS_INDEX[2], "pocket": ""})
    refuse("Package of a repository without its index", *ITS_PACKAGE[:2], (TRUST,),
           (*ACCEPTED, REPOSITORY), **ITS_PACKAGE[2])
    refuse("a release file too many", *REPOSITORY[:2], (REFUSED,), (BEGIN, *[REPOSITORY] * 16),
           **REPOSITORY[2])


def taken(*requests):
    """Sends REQUESTS; returns the first answer that is no success, or the last one."""
    with Helper(home.user) as helper:
        for kind, paths, values in requests:
            with opened(*paths) as fds:
                answer = helper.ask(kind, fds, **values)
            if answer.code:
                break
    return answer


def numbers():
    """Errors from the kernel carry an errno; refusals of our own carry none."""
    for what, kind, paths, fields, expected in (
            ("root's directory", "Begin", ("/etc", AT.keyring), BEGIN[2], errno.EACCES),
            ("a missing rootfs", "Remove", (DIRECTORY,), {"name": "nothing"}, errno.ENOENT),
            ("a symlink", "Remove", (DIRECTORY,), {"name": "link"}, errno.ELOOP),
            ("an invalid name", "Remove", (DIRECTORY,), {"name": "a/b"}, 0),
            ("what succeeds", "Inspect", (TREE,), {}, 0)):
        with Helper(home.user) as helper, opened(*paths) as fds:
            answer = helper.ask(kind, fds, **fields)
        tap.report(answer.number == expected and (answer.code == 0) == (kind == "Inspect"),
                   f"{kind} of {what}: the answer has the right errno", answer)


THEN = int(time.time()) - 3 * 86400


def without_build(old, memory):
    """CheckRelease gives the same verdict without a build; both share one release memory."""
    def ask(path, code, what, status=0, number=0, keyring=AT.keyring, given=memory, **fields):
        with Helper(home.user, memory=given) as helper, opened(path, keyring) as fds:
            answer = helper.ask("CheckRelease", fds, **{"suite": "jammy", "mirror": "http://one", **fields})
            again = helper.ask("CheckRelease", fds, **{"suite": "jammy", "mirror": "http://one", **fields})
        tap.report((answer.code, answer.status, answer.number) == (again.code, again.status, again.number) ==
                   (code, status, number), f"CheckRelease: {what}", answer, again)

    ask(INRELEASE, 0, "the newest")
    ask(old, TRUST, "older than a build's", number=errno.ESTALE)
    ask(old, 0, "older, with the option to accept it", status=1, older=1)
    ask(old, 0, "without a memory", given=None)
    ask(old, 0, "older, of a dated archive", status=2, dated=THEN)
    ask(old, TRUST, "older, again: a dated archive changes no memory", number=errno.ESTALE)
    ask(INRELEASE, TRUST, "of a dated archive, but dated later", dated=THEN)
    ask(INRELEASE, TRUST, "for another release", suite="noble")
    ask(INRELEASE, TRUST, "for another pocket", pocket="updates")
    ask(FILE, TRUST, "unsigned")
    ask(INRELEASE, TRUST, "with an invalid keyring", keyring=FILE)
    refuse("CheckRelease during a build", "CheckRelease", (INRELEASE, AT.keyring), (REFUSED,), (BEGIN,),
           suite="jammy")


def rolled_back():
    """A release file older than one seen before, whatever the front end claims."""
    now = datetime.datetime.now(datetime.timezone.utc)
    then = mirrors.date(now - datetime.timedelta(days=3))
    old = home.write("old", AT.inrelease(Date=then, Valid_Until=None))
    past = home.write("past", AT.inrelease(Date=then, Valid_Until=mirrors.date(
        now - datetime.timedelta(days=2))))
    memory = f"{home.dir}/memory"
    row = {"mirror": "http://one"}

    def ask(path, fields, codes, what, given=memory):
        with Helper(home.user, memory=given) as helper, opened(*BEGIN[1]) as begin, opened(path) as fds:
            helper.ask("Begin", begin, **BEGIN[2])
            answer = helper.ask("Release", fds, pocket="", **fields)
        tap.report(answer.code in codes, f"rollback: {what}", answer)
        return answer

    ask(old, row, {0}, "the first is accepted")
    ask(INRELEASE, row, {0}, "a newer one is accepted")
    answer = ask(old, row, {TRUST}, "an older one is refused")
    newest = re.search(r"^Date: (.*)$", AT.released(), re.M).group(1)
    tap.report(then in answer.message and newest in answer.message and
               "--allow-older-release" in answer.message,
               "rollback: the refusal names both dates and the option", answer)
    ask(old, {**row, "older": 1}, {0}, "an older one with the option to accept it")
    ask(old, row, {TRUST}, "accepting an older one does not change the memory")
    with open(memory, "rb") as file:
        before = file.read()
    ask(old, {**row, "dated": THEN}, {0}, "an older one of a dated archive")
    ask(INRELEASE, {"mirror": "http://dated", "dated": 2**32 - 1}, {0}, "one of an archive of the future")
    ask(past, row, {TRUST}, "one that has expired is refused")
    ask(past, {**row, "dated": THEN}, {0}, "one that was valid at the time of a dated archive")
    ask(past, {**row, "dated": THEN + 2 * 86400}, {TRUST}, "one that had expired by then")
    ask(past, {**row, "dated": 2**32 - 1}, {TRUST}, "an expired one of an archive of the future")
    with open(memory, "rb") as file:
        tap.report(file.read() == before, "rollback: dated archives change no memory")
    newer = home.write("newer", AT.inrelease(Date=mirrors.date(now + datetime.timedelta(minutes=30))))
    keyring = home.write("test-and-other.gpg",
                         open(AT.keyring, "rb").read() + open(FURTHER.keyring, "rb").read())
    with Helper(home.user, memory=memory) as helper, opened(*BEGIN[1]) as begin, opened(newer,
                                                                                        keyring) as fds:
        helper.ask("Begin", begin, **BEGIN[2])
        answer = helper.ask("Repository", fds, name="repository-1", suite="jammy", **row)
        with opened(old) as files:
            again = helper.ask("Repository", [*files, fds[1]], name="repository-1", suite="jammy", **row)
    tap.report((answer.code, again.code) == (0, TRUST), "rollback: a repository has a newest date, too",
               answer, again)
    ask(INRELEASE, row, {0}, "the newest is accepted again, whatever a repository of that name and place has")
    ask(old, {"mirror": "http://two"}, {0}, "another mirror has its own entry")
    ask(home.write("words", AT.inrelease(Origin="two words")), {"mirror": "http://three"}, {0},
        "an origin of two words")
    ask(old, row, {0}, "without a memory the caller's own file is accepted", given=None)
    without_build(old, memory)
    with open(memory, "wb") as file:
        file.write(b"x" * 1024)
    ask(INRELEASE, row, {12}, "a damaged memory is not silently restarted")
    os.unlink(memory)


def untrusted():
    directory = home.make_dir(f"{home.dir}/untrusted")
    with open(INDEX, "rb") as file:
        index = file.read()
    base = f"{AT.root}/{AT.deb_of('dpkg')}"
    with open(base, "rb") as file:
        deb = file.read()
    files = {"other": AT.inrelease(key="other"), "index": index + b"\nPackage: evil\n",
             "short": index[:-100], "more": deb + b"x", "deb": deb[:-1] + bytes([deb[-1] ^ 1])}
    for name, data in files.items():
        home.write(f"untrusted/{name}", data)
    digest = hashlib.sha256(deb).digest()
    refuse("Release: signed by another key", "Release", [f"{directory}/other"], (TRUST,), (BEGIN,), pocket="")
    refuse("Release: a pocket's file instead of the main one", "Release",
           [f"{AT.root}/dists/jammy-updates/InRelease"], (TRUST,), (BEGIN,), pocket="")
    refuse("Release: the main file instead of a pocket's", "Release", [INRELEASE], (TRUST,), (BEGIN,),
           pocket="security")
    refuse("Release: an unsigned pocket", "Release", [FILE], (TRUST,), (BEGIN,), pocket="security")
    refuse("Release: an invalid keyring", "Release", [INRELEASE], (TRUST, INPUT),
           (("Begin", (DIRECTORY, FILE), BEGIN[2]),), pocket="")
    for name in ("index", "short"):
        refuse(f"Index: {'with extra data' if name == 'index' else 'truncated'}", "Index",
               [f"{directory}/{name}"], (TRUST,), (BEGIN, RELEASE), pocket="", component="main")
    refuse("Index: for another component", "Index", [INDEX], (TRUST,), (BEGIN, RELEASE), pocket="",
           component="universe")
    refuse("Index: a component missing from Release", "Index", [INDEX], (TRUST, REFUSED, INPUT),
           (BEGIN, RELEASE), pocket="", component="restricted")
    refuse("Package: altered", "Package", [f"{directory}/deb"], (TRUST,), ACCEPTED, name="dpkg",
           sha256=digest)
    refuse("Package: altered, with its actual hash", "Package", [f"{directory}/deb"], (TRUST,), ACCEPTED,
           name="dpkg", sha256=hashlib.sha256(files["deb"]).digest())
    refuse("Package: larger than the index says, with debootstrap", "Package", [f"{directory}/more"],
           (TRUST,),
           OLD_ENGINE.accepted("main"), name="dpkg", sha256=digest)
    refuse("Package: with another package's name", "Package", [base], (TRUST,), ACCEPTED, name="tar",
           sha256=digest)
    refuse("Package: from an index that was not sent", *ATTR[:2], (TRUST,), ACCEPTED, **ATTR[2])
    refuse("Bootstrap: without packages", "Bootstrap", (), (INPUT, REFUSED, MISSING, TRUST), ACCEPTED)
    refuse("Package: sent twice", "Package", [base], (REFUSED,),
           (*ACCEPTED, ("Package", (base,), {"name": "dpkg", "sha256": digest})), name="dpkg", sha256=digest)


def ends_the_build(engine):
    """A failed verification ends the whole operation at once, not when the front end disconnects."""
    build, answers, staging = Build(AT, DIRECTORY, engine), [], f"{DIRECTORY}/.rootlet-staging.new"
    kind, (deb,), signed = build.packages("main")["dpkg"]
    with open(deb, "rb") as file:
        data = file.read()
    package = (kind, (home.write("untrusted/altered", data[:-1] + bytes([data[-1] ^ 1])),), signed)
    with Helper(home.user) as helper:
        for kind, paths, fields in (*build.accepted("main"), package):
            there = os.path.lexists(staging)
            with opened(*paths) as fds:
                answers.append(helper.ask(kind, fds, **fields))
        left = os.path.lexists(staging)
        after = helper.ask("Bootstrap")
    tap.report([one.code for one in answers] == [0, 0, 0, TRUST] and there and not left,
               f"{engine}: a package with a wrong hash ends the build before the front end disconnects",
               there, left,
               *answers)
    tap.report(after.code == REFUSED and "out of order" in after.message,
               f"{engine}: a build that failed cannot be continued", after)


def packets():
    """Packets that are not messages. Exiting is a valid reaction; crashing or hanging is not."""
    deep = b""
    for _ in range(2000):
        deep = encode_field(1, deep)[:60000]
    rows = {"zeros": bytes(1000), "ones": b"\xff" * 1000, "64 KiB": b"\x08" * 65536,
            "more than 64 KiB": b"\x08" * 65537, "128 KiB": b"\x00" * 131072,
            "an unknown request": encode_field(99, b""), "a truncated request":
            request("Begin", **BEGIN[2])[:-3], "a length beyond the packet": b"\x12\xff\xff\xff\x7f",
            "deep nesting": deep, "two requests in one packet": request("OpenNamespace") * 2 +
            request("Remove", name="plain"), "20 000 groups": request("AddUser", **{
                **ACCOUNT, "groups": ["x"] * 20000}), "text": b"GET / HTTP/1.0\r\n\r\n"}
    for what, packet in rows.items():
        helper = Helper(home.user)
        verdict(f"a packet of {what}", helper.send(packet), {INPUT, REFUSED, -1} | (
            {0} if what.startswith("two") else set()), helper)


def mutations():
    """Valid requests with some bytes changed."""
    chance, ended, silent = random.Random(20), [], 0
    helper = Helper(home.user, seconds=20)
    for _ in range(20000 if LONG else 400):
        kind, paths, values, _ = chance.choice(list(COMPLETE.values()))
        if kind == "Execute":
            values = {**values, "user": "x"}
        packet = bytearray(request(kind, **values))
        for _ in range(chance.randint(1, 4)):
            packet[chance.randrange(len(packet))] = chance.randrange(256)
        with opened(*paths[:chance.randint(0, len(paths))]) as fds:
            answer = helper.send(bytes(packet), fds)
        for fd in answer.fds:
            os.close(fd)
        silent += answer.code == -2
        if answer.code < 0:
            ended.append(helper.leave())
            helper = Helper(home.user, seconds=20)
    ended.append(helper.leave())
    tap.report(not silent and all(status is not None and status >= 0 for status in ended),
               "corrupted requests: the helper neither crashes nor hangs", silent, ended)
    tap.report(listing() == BEFORE, "corrupted requests: no files change",
               set(listing()) ^ set(BEFORE))


def images():
    """BuildImage writes only to the file it was given, which must be empty and open for reading and
    writing."""
    def read_only():
        os.close(image())
        return os.open(f"{home.dir}/image", os.O_RDONLY)

    for what, given, values in (("a read-only descriptor", read_only, {"format": "erofs"}),
                                ("a file that is not empty", lambda: image(b"x" * 5), {"format": "erofs"}),
                                ("an unknown format", image, {"format": "xfs"})):
        refuse(f"BuildImage: {what}", "BuildImage", (TREE, given), **values)
    refuse("BuildImage: a directory that is not a rootfs", "BuildImage", (DIRECTORY, image), format="erofs")
    for name, at, magic in (("erofs", 1024, b"\xe2\xe1\xf5\xe0"), ("ext4", 1024 + 56, b"\x53\xef"),
                            ("squashfs", 0, b"hsqs")):
        helper = Helper(home.user, seconds=300)
        with opened(TREE, image) as fds:
            answer = helper.ask("BuildImage", fds, format=name)
            found = os.pread(fds[1], len(magic), at)
        verdict(f"BuildImage: {name}", answer, {0}, helper, [] if found == magic else [f"holds {found}"])


def namespace():
    with Helper(home.user) as helper:
        answer = helper.ask("OpenNamespace")
        links = [os.readlink(f"/proc/self/fd/{fd}") for fd in answer.fds]
        tap.report(answer.code == 0 and len(links) == 1 and links[0].startswith("user:[") and
                   links[0] != os.readlink("/proc/self/ns/user"),
                   "OpenNamespace: returns one descriptor, of another user namespace", answer, links)
        pids = [helper.process.pid, *children(helper.process.pid)]
        if AS_ROOT:
            maps = [ids_of(pid) for pid in pids]
            wanted = [["0", str(os.lstat(TREE).st_uid), "65535"], ["65535", str(home.user.uid), "1"]]
            tap.report(wanted in maps, "the helper's ids are the subordinate range, then the caller",
                       wanted, *maps)
        else:
            tap.skip("the helper's ids", "needs root to inspect another user's process")
        for fd in answer.fds:
            os.close(fd)


protocol()
greeting()
order()
fields()
descriptors()
if AS_ROOT:
    finished()
else:
    tap.skip("requests about a finished tree", "needs root to remove the snapshot")
surplus_is_closed()
not_rootlets()
absent()
numbers()
untrusted()
of_repositories()
rolled_back()
packets()
mutations()
images()
namespace()
for engine in ("native", "debootstrap"):
    ends_the_build(engine)
tap.report(not processes_left(10), "no helper process remains")
programs()
tap.done()
