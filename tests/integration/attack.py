"""rootlet-helper against a malicious front end: malformed requests, requests out of order or about objects
that rootlet did not create, and the wrong number or kind of file descriptors. The helper refuses each with a
typed error, changes nothing, and exits when the front end disconnects."""
import datetime
import errno
import hashlib
import os
import random
import re
import shutil
import socket
import subprocess

from support import mirror as mirrors
from support import installed, tap
from support.protocol import (INPUT, MISSING, REFUSED, REQUESTS, TRUST, VERSION, Helper, encode_field,
                              opened, request)
from support.world import AS_ROOT, SOURCE, Home, Tidy, children, mirror, processes_left, small_rootfs

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
SYSTEM, HOST = 9, 12
AT = mirror()
ROOTFS = small_rootfs()
TREE = f"{ROOTFS.store}/test-rootfs"
home = Home()
FOLDER = home.make_folder(f"{home.folder}/trees")
PLAIN = home.make_folder(f"{FOLDER}/plain")
FILE = home.write("trees/plain/precious", "precious")
os.symlink(PLAIN, f"{FOLDER}/link")
# The target of links that the helper must not follow.
os.symlink(PLAIN, f"{FOLDER}/.rootlet-staging.trap")
DEVICE = "/dev/zero"


def listing():
    """Returns everything below `folder` with owner, mode and symlink target."""
    seen = []
    for where, folders, names in os.walk(FOLDER):
        for name in sorted(folders + names):
            path = f"{where}/{name}"
            st = os.lstat(path)
            seen.append((path, st.st_mode, st.st_uid, st.st_size,
                         os.readlink(path) if os.path.islink(path) else ""))
    return sorted(seen)


BEFORE = listing()


def verdict(what, answer, codes, helper, more=()):
    """Checks that ANSWER is one of CODES, that the helper exits, and that nothing has changed."""
    wrong = list(more)
    if answer.code not in codes:
        wrong.append(f"code {answer.code}, expected one of {sorted(codes)}")
    if answer.code > 0 and not re.search(r"\w", answer.message):
        wrong.append("no error message")
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", answer.message):
        wrong.append("control characters in the message")
    status = helper.leave()
    if status is None or status < 0:
        wrong.append(f"the helper ended with {status}")
    if listing() != BEFORE:
        wrong.append(f"files have changed: {set(listing()) ^ set(BEFORE)}")
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


BEGIN = ("Begin", (FOLDER, AT.keyring), {"name": "new", "suite": "jammy", "arch": mirrors.arch(),
                                                "engine": "native"})
INRELEASE = f"{AT.root}/dists/jammy/InRelease"
INDEX = f"{AT.root}/dists/jammy/main/binary-{mirrors.arch()}/Packages"
RELEASE = ("Release", (INRELEASE,), {"pocket": ""})
ACCEPTED = (BEGIN, RELEASE, ("Index", (INDEX,), {"pocket": "", "component": "main"}))

# For every request that takes descriptors: valid descriptors and fields.
COMPLETE = {
    "Begin": ((FOLDER, AT.keyring), BEGIN[2], ()),
    "Release": ((INRELEASE,), {"pocket": ""}, (BEGIN,)),
    "CheckRelease": ((INRELEASE, AT.keyring), {"suite": "jammy", "pocket": ""}, ()),
    "Index": ((INDEX,), {"pocket": "", "component": "main"}, (BEGIN, RELEASE)),
    "Package": ((FILE,), {"name": "attr", "sha256": bytes(32)}, ACCEPTED),
    "Inspect": ((TREE,), {}, ()),
    "Verify": ((TREE,), {}, ()),
    "Read": ((TREE,), {"file": "passwd"}, ()),
    "Find": ((TREE,), {"paths": ["/etc"]}, ()),
    "Clone": ((FOLDER, FOLDER), {"name": "new", "base_name": "plain"}, ()),
    "Keep": ((FOLDER, FILE), {"name": "new"}, ()),
    "Remove": ((FOLDER,), {"name": "plain"}, ()),
    "Execute": ((TREE, "/dev/null", "/dev/null", "/dev/null"), {"argv": ["true"], "user": "root"}, ()),
}
# Descriptors to send instead of a valid first one.
STRANGE = {"a file": FILE, "a device": DEVICE, "root's directory": "/etc", "the host's root": "/",
           "/proc": "/proc", "/sys": "/sys"}
BAD_NAMES = {"a slash": "a/b", "..": "..", ".": ".", "nothing": "", "a dash": "-rf", "a newline": "a\nb",
             "300 bytes": "x" * 300, "65 bytes": "x" * 65, "an absolute path": "/etc",
             "a hidden name": ".x", "a format string": "%n%s", "an escape sequence": "\033[2J",
             "invalid UTF-8": b"\xff\xfe", "staging": ".rootlet-staging.x"}
BAD_WORDS = {"a slash": "a/b", "..": "..", "nothing": "", "a dash": "--help", "a newline": "a\nb",
             "a blank": "a b", "300 bytes": "x" * 300, "capitals": "JAMMY", "a glob": "*",
             "a command": "$(id)"}
BAD_ACCOUNTS = {"a dash": "-x", "nothing": "", "a colon": "a:b", "a newline": "a\nroot::0:0::/:/bin/sh",
                "33 bytes": "x" * 33, "digits": "1000", "a slash": "a/b", "a blank": "a b"}
BAD_IDS = {"root": 0, "nobody": 65534, "65535": 65535, "beyond the range": 70000, "-1": 0xffffffff}
BAD_PATHS = {"relative": "home", "with ..": "/home/../../etc", "with a colon": "/a:b",
             "with a newline": "/a\nb", "nothing": "", "of 5000 bytes": "/" + "x" * 5000}

# (request, field, bad values); the other fields are valid. The parser checks the form before the order, so
# each is refused for its form.
FIELDS = [
    ("Begin", "name", BAD_NAMES), ("Begin", "suite", BAD_WORDS), ("Begin", "arch", BAD_WORDS),
    ("Begin", "engine", {"unknown": "magic", "nothing": "", "a path": "/bin/sh"}),
    ("Begin", "filters", {what: [filter] * count for what, filter, count in (
        ("relative", "-usr/*", 1), ("without a sign", "/usr/*", 1), ("another sign", "!/usr/*", 1),
                                                                             ("a sign", "-", 1),
        ("nothing", "", 1), ("with a newline", "-/a\nforce-all", 1), ("with a blank", "-/a b", 1),
        ("of 200 bytes", "-/" + "x" * 198, 1), ("thirty-three", "+/a", 33))}),
    ("Clone", "name", BAD_NAMES), ("Clone", "base_name", BAD_NAMES), ("Keep", "name", BAD_NAMES),
    ("Remove", "name", BAD_NAMES), ("Release", "pocket", dict(list(BAD_WORDS.items())[:2] + [
        ("unknown", "proposed")])),
    ("CheckRelease", "suite", BAD_WORDS),
          ("CheckRelease", "pocket", {"a slash": "a/b", "unknown": "proposed"}),
    ("CheckRelease", "mirror",
     {"a blank": "http://a b", "another scheme": "ftp://a", "301 bytes": "http://" + "x" * 294}),
    ("Index", "pocket", {"a slash": "a/b", "unknown": "proposed"}), ("Index", "component", BAD_WORDS),
    ("Package", "name", BAD_WORDS),
    ("Package", "sha256", {"nothing": b"", "31 bytes": bytes(31), "33 bytes": bytes(33)}),
    ("Read", "file", BAD_WORDS),
    ("Find", "paths", {**BAD_PATHS, "none": [], "thirty-three": ["/etc"] * 33}),
    ("Execute", "user", BAD_ACCOUNTS),
    ("Execute", "argv", {"nothing": [], "an empty program": [""], "257 words": ["x"] * 257,
                         "60 KB": ["x" * 60000]}),
]
ACCOUNT = {"name": "x", "uid": 1500, "gid": 1500, "home": "/home/x", "shell": "/bin/sh", "groups": []}
FIELDS_OF_ACCOUNTS = [
    ("AddGroup", "name", BAD_ACCOUNTS), ("AddGroup", "gid", BAD_IDS), ("AddUser", "name", BAD_ACCOUNTS),
    ("AddUser", "uid", BAD_IDS), ("AddUser", "gid", BAD_IDS), ("AddUser", "home", BAD_PATHS),
    ("AddUser", "shell", BAD_PATHS), ("AddUser", "groups", {"a dash": ["-x"], "a comma": ["a,b"],
                                                            "seventeen": ["x"] * 17}),
]


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
    for kind, (paths, fields, _) in COMPLETE.items():
        helper = Helper(home.user, greet=False)
        with opened(*paths) as fds:
            verdict(f"{kind} without Hello", helper.ask(kind, fds, **fields), {REFUSED, INPUT}, helper)


def order():
    begun = {"after Begin": (BEGIN,), "before Begin": ()}
    for when, first in begun.items():
        for kind, fields in (("Bootstrap", {}),
                             ("AddGroup", {"name": "x", "gid": 1500}), ("AddUser", ACCOUNT)):
            refuse(f"{kind} {when}", kind, (), first=first, **fields)
        refuse(f"Publish {when}", "Publish", [FILE], first=first, mode=0o700)
        refuse(f"Index {when}", "Index", [INDEX], first=first, pocket="", component="main")
        refuse(f"Package {when}", "Package", [FILE], (INPUT, REFUSED, TRUST), first=first,
               name="attr", sha256=bytes(32))
    refuse("Release before Begin", "Release", [INRELEASE], pocket="")
    refuse("Begin twice", *BEGIN[:2], first=(BEGIN,), **BEGIN[2])


def descriptors():
    for kind, (paths, fields, first) in COMPLETE.items():
        refuse(f"{kind}: without a descriptor", kind, (), first=first, **fields)
        refuse(f"{kind}: with one extra descriptor", kind, (*paths, FILE)[:5], first=first, **fields)
        refuse(f"{kind}: with eight extra descriptors", kind, (*paths, *[FILE] * 8), first=first, **fields)
        for what, path in STRANGE.items():
            if kind == "Begin" and what.startswith("a directory"):
                continue  # below: a read-only descriptor
            refuse(f"{kind}: {what}", kind, (path, *paths[1:]), (INPUT, REFUSED, TRUST, MISSING, SYSTEM),
                   first=first, **fields)
    refuse("OpenNamespace: with a descriptor", "OpenNamespace", [FILE])
    refuse("Begin: a directory that the caller does not own", "Begin", ("/etc", AT.keyring),
           (INPUT, REFUSED, SYSTEM), **BEGIN[2])
    pipe, end = os.pipe()
    for kind in ("Release", "Index", "Package"):
        _, fields, first = COMPLETE[kind]
        refuse(f"{kind}: a pipe without a writer", kind, [f"/proc/self/fd/{pipe}"],
               (INPUT, REFUSED, TRUST, SYSTEM), first=first, **fields)
    os.close(pipe)
    os.close(end)


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


def fields_out_of_shape():
    for kind, name, values in FIELDS:
        paths, fields, first = COMPLETE[kind]
        for what, value in values.items():
            refuse(f"{kind}: {name}: {what}", kind, paths, (INPUT,), first=first, **{**fields, name: value})
    for what, mode in {"none": 0, "writable": 0o777, "setuid": 0o4700, "readable": 0o744}.items():
        refuse(f"Publish: mode: {what}", "Publish", [FILE], (INPUT,), mode=mode)
    for kind, name, values in FIELDS_OF_ACCOUNTS:
        fields = {one: ACCOUNT[one] for one in REQUESTS[kind][1] if one in ACCOUNT}
        if kind == "AddGroup":
            fields["gid"] = 1500
        for what, value in values.items():
            refuse(f"{kind}: {name}: {what}", kind, (), (INPUT,), **{**fields, name: value})


def not_rootlets():
    """The helper does not remove, inspect or run commands in a directory that rootlet did not create."""
    for what, name in (("a plain directory", "plain"), ("a symlink", "link"), ("nothing", "nothing")):
        refuse(f"Remove of {what}", "Remove", [FOLDER], (INPUT, REFUSED, MISSING), name=name)
    for what, path in (("a plain directory", PLAIN), ("the host's root", "/"), ("/usr", "/usr"),
                       ("the caller's home", home.folder)):
        refuse(f"Execute in {what}", "Execute", (path, *["/dev/null"] * 3),
               (INPUT, REFUSED, MISSING), argv=["/bin/true"], user="root")
        refuse(f"Inspect --deep of {what}", "Inspect", [path], (INPUT, REFUSED, MISSING), deep=1)
    with Helper(home.user) as helper, opened(FOLDER) as fds:
        helper.ask("Remove", fds, name="trap", stale=1)
    tap.report(os.path.exists(FILE), "Remove of stale staging that is a symlink: its target is kept")
    if not os.path.lexists(f"{FOLDER}/.rootlet-staging.trap"):
        os.symlink(PLAIN, f"{FOLDER}/.rootlet-staging.trap")
    with Helper(home.user) as helper, opened(FOLDER, AT.keyring) as fds:
        helper.ask("Begin", fds, **{**BEGIN[2], "name": "trap"})
    tap.report(os.listdir(PLAIN) == ["precious"], "Begin when the staging name is a symlink: its target "
               "is kept", os.listdir(PLAIN))


def absent():
    """Well-formed requests about things that do not exist."""
    refuse("Read: a file that may not be read", "Read", (TREE,), (INPUT,), file="shadow")
    refuse("Open: a plain directory", "Open", (PLAIN,), (MISSING,))
    refuse("Bootstrap with debootstrap: without packages", "Bootstrap", (), (REFUSED,), (
        (BEGIN[0], BEGIN[1], {**BEGIN[2], "engine": "debootstrap"}), RELEASE))
    with Helper(home.user) as helper, opened(*COMPLETE["Execute"][0]) as fds:
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
    image = home.write("empty", "")
    with Helper(home.user) as helper, opened(TREE, lambda: os.open(image, os.O_RDWR)) as fds:
        answer = helper.ask("BuildImage", fds, format="erofs")
    tap.report(answer.code == HOST and "apt install erofs-utils" in answer.message,
               "BuildImage: without mkfs.erofs",
               answer)


def numbers():
    """Errors from the kernel carry an errno; refusals of our own carry none."""
    for what, kind, paths, fields, expected in (
            ("root's directory", "Begin", ("/etc", AT.keyring), BEGIN[2], errno.EACCES),
            ("a missing rootfs", "Remove", (FOLDER,), {"name": "nothing"}, errno.ENOENT),
            ("a symlink", "Remove", (FOLDER,), {"name": "link"}, errno.ELOOP),
            ("an invalid name", "Remove", (FOLDER,), {"name": "a/b"}, 0),
            ("what succeeds", "Inspect", (TREE,), {}, 0)):
        with Helper(home.user) as helper, opened(*paths) as fds:
            answer = helper.ask(kind, fds, **fields)
        tap.report(answer.number == expected and (answer.code == 0) == (kind == "Inspect"),
                   f"{kind} of {what}: the answer has the right errno", answer)


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
    memory = f"{home.folder}/memory"
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
    ask(INRELEASE, row, {0}, "the newest is accepted again")
    ask(old, {"mirror": "http://two"}, {0}, "another mirror has its own entry")
    ask(home.write("words", AT.inrelease(Origin="two words")), {"mirror": "http://three"}, {0},
        "an origin of two words")
    ask(old, row, {0}, "without a memory the caller's own file is accepted", given=None)
    without_build(old, memory)
    for what, mirror_word in (("a blank", "http://a b"), ("a newline", "http://a\nb"),
                              ("no ASCII", "http://\u00e4"), ("301 bytes", "x" * 301)):
        ask(INRELEASE, {"mirror": mirror_word}, {INPUT}, f"a mirror with {what}")
    with open(memory, "wb") as file:
        file.write(b"x" * 1024)
    ask(INRELEASE, row, {12}, "a damaged memory is not silently restarted")
    os.unlink(memory)


def untrusted():
    folder = home.make_folder(f"{home.folder}/untrusted")
    with open(INDEX, "rb") as file:
        index = file.read()
    attr = f"{AT.root}/{AT.deb_of('attr')}"
    base = f"{AT.root}/{AT.deb_of('dpkg')}"
    with open(base, "rb") as file:
        deb = file.read()
    files = {"other": AT.inrelease(key="other"), "index": index + b"\nPackage: evil\n",
             "short": index[:-100], "more": deb + b"x", "deb": deb[:-1] + bytes([deb[-1] ^ 1])}
    for name, data in files.items():
        home.write(f"untrusted/{name}", data)
    digest = hashlib.sha256(deb).digest()
    refuse("Release: signed by another key", "Release", [f"{folder}/other"], (TRUST,), (BEGIN,), pocket="")
    refuse("Release: a pocket's file instead of the main one", "Release",
           [f"{AT.root}/dists/jammy-updates/InRelease"], (TRUST,), (BEGIN,), pocket="")
    refuse("Release: the main file instead of a pocket's", "Release", [INRELEASE], (TRUST,), (BEGIN,),
           pocket="security")
    refuse("Release: an unsigned pocket", "Release", [FILE], (TRUST,), (BEGIN,), pocket="security")
    refuse("Release: an invalid keyring", "Release", [INRELEASE], (TRUST, INPUT),
           (("Begin", (FOLDER, FILE), BEGIN[2]),), pocket="")
    for name in ("index", "short"):
        refuse(f"Index: {'with extra data' if name == 'index' else 'truncated'}", "Index",
               [f"{folder}/{name}"], (TRUST,), (BEGIN, RELEASE), pocket="", component="main")
    refuse("Index: for another component", "Index", [INDEX], (TRUST,), (BEGIN, RELEASE), pocket="",
           component="universe")
    refuse("Index: a component missing from Release", "Index", [INDEX], (TRUST, REFUSED, INPUT),
           (BEGIN, RELEASE), pocket="", component="restricted")
    refuse("Package: altered", "Package", [f"{folder}/deb"], (TRUST,), ACCEPTED, name="dpkg", sha256=digest)
    refuse("Package: altered, with its actual hash", "Package", [f"{folder}/deb"], (TRUST,), ACCEPTED,
           name="dpkg", sha256=hashlib.sha256(files["deb"]).digest())
    refuse("Package: larger than the index says, with debootstrap", "Package", [f"{folder}/more"], (TRUST,), (
        (BEGIN[0], BEGIN[1], {**BEGIN[2], "engine": "debootstrap"}), *ACCEPTED[1:]), name="dpkg",
           sha256=digest)
    refuse("Package: with another package's name", "Package", [base], (TRUST,), ACCEPTED, name="tar",
           sha256=digest)
    refuse("Package: from an index that was not sent", "Package", [attr], (TRUST,), ACCEPTED,
           name="attr", sha256=hashlib.sha256(open(attr, "rb").read()).digest())
    refuse("Bootstrap: without packages", "Bootstrap", (), (INPUT, REFUSED, MISSING, TRUST), ACCEPTED)
    refuse("Package: sent twice", "Package", [base], (REFUSED,),
           (*ACCEPTED, ("Package", (base,), {"name": "dpkg", "sha256": digest})), name="dpkg", sha256=digest)


def ends_the_build(engine):
    """A failed verification ends the whole operation at once, not when the front end disconnects."""
    deb, staging = f"{AT.root}/{AT.deb_of('dpkg')}", f"{FOLDER}/.rootlet-staging.new"
    with open(deb, "rb") as file:
        data = file.read()
    altered = home.write("untrusted/altered", data[:-1] + bytes([data[-1] ^ 1]))
    begin = ("Begin", BEGIN[1], {**BEGIN[2], "engine": engine})
    package = ("Package", (altered,), {"name": "dpkg", "sha256": hashlib.sha256(data).digest()})
    answers = []
    with Helper(home.user) as helper:
        for kind, paths, fields in (begin, *ACCEPTED[1:], package):
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


def changed_afterwards(engine):
    """Files that change after they were accepted: the verified content is what gets installed."""
    copies = home.make_folder(f"{home.folder}/copies")
    with Tidy(home, FOLDER) as tidy, Helper(home.user, seconds=600) as helper:
        answers = []
        for kind, paths, fields in (BEGIN, RELEASE):
            with opened(*paths) as fds:
                answers.append(helper.ask(kind, fds, **{**fields, **({"engine": engine} if kind == "Begin"
                                                                     else {})}))
        for component in ("main", "universe"):
            index = INDEX.replace("/main/", f"/{component}/")
            with opened(index) as fds:
                answers.append(helper.ask("Index", fds, pocket="", component=component))
            with open(index, encoding="utf-8") as file:
                stanzas = file.read().split("\n\n")
            for stanza in filter(str.strip, stanzas):
                fields = dict(re.findall(r"^(Package|Filename|SHA256): (.*)$", stanza, re.M))
                copy = shutil.copy(f"{AT.root}/{fields['Filename']}", copies)
                with opened(copy) as fds:
                    answers.append(helper.ask("Package", fds, name=fields["Package"],
                                              sha256=bytes.fromhex(fields["SHA256"])))
        good = tap.report(all(one.code == 0 for one in answers) and len(answers) > 50,
                          f"{engine}: a valid sequence of requests is accepted",
                          *[one for one in answers if one.code][:3])
        for name in os.listdir(copies):
            with open(f"{copies}/{name}", "r+b") as file:
                file.write(b"rubbish" * 1000)
        answer = helper.ask("Bootstrap") if good else None
        tap.report(good and answer.code in (0, TRUST),
                   f"{engine}: packages that change after they were verified are not installed", answer)
        helper.leave()
        wrong = [line for line in tidy.complaints() if "staging.trap" not in line]
    tap.report(not wrong, f"{engine}: a helper whose front end leaves midway leaves nothing behind", *wrong)


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
            request("Remove", name="plain"), "100 000 groups": request("AddUser", **{
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
        kind = chance.choice(list(COMPLETE))
        paths, fields, _ = COMPLETE[kind]
        if kind == "Execute":
            fields = {"argv": ["true"], "user": "x"}
        packet = bytearray(request(kind, **fields))
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
    def scratch(size=0):
        path = home.write("image", b"x" * size)
        os.chmod(path, 0o666)
        return path

    rows = [("a read-only descriptor", scratch, os.O_RDONLY, {"format": "erofs"}),
            ("a write-only descriptor", scratch, os.O_WRONLY, {"format": "erofs"}),
            ("a file that is not empty", lambda: scratch(5), os.O_RDWR, {"format": "erofs"}),
            ("a device", lambda: "/dev/null", os.O_RDWR, {"format": "erofs"}),
            ("a directory", lambda: FOLDER, os.O_RDONLY, {"format": "erofs"}),
            ("an O_PATH descriptor", scratch, os.O_PATH, {"format": "erofs"}),
            ("an unknown format", scratch, os.O_RDWR, {"format": "xfs"}),
            ("a format with a slash", scratch, os.O_RDWR, {"format": "../erofs"}),
            ("no format", scratch, os.O_RDWR, {})]
    for what, path, flags, fields in rows:
        helper, tree = Helper(home.user), os.open(TREE, os.O_RDONLY | os.O_DIRECTORY)
        image = os.open(path(), flags)
        verdict(f"BuildImage: {what}", helper.ask("BuildImage", [tree, image], **fields),
                {INPUT, REFUSED}, helper)
        for fd in (tree, image):
            os.close(fd)
    refuse("BuildImage: a directory that is not a rootfs", "BuildImage", [FOLDER, FILE], format="erofs")
    refuse("BuildImage: without a file", "BuildImage", [TREE], format="erofs")
    for name, at, magic in (("erofs", 1024, b"\xe2\xe1\xf5\xe0"), ("ext4", 1024 + 56, b"\x53\xef"),
                            ("squashfs", 0, b"hsqs")):
        helper, tree = Helper(home.user, seconds=300), os.open(TREE, os.O_RDONLY | os.O_DIRECTORY)
        image = os.open(scratch(), os.O_RDWR)
        answer = helper.ask("BuildImage", [tree, image], format=name)
        found = os.pread(image, len(magic), at)
        verdict(f"BuildImage: {name}", answer, {0}, helper, [] if found == magic else [f"holds {found}"])
        for fd in (tree, image):
            os.close(fd)


def namespace():
    with Helper(home.user) as helper:
        answer = helper.ask("OpenNamespace")
        links = [os.readlink(f"/proc/self/fd/{fd}") for fd in answer.fds]
        tap.report(answer.code == 0 and len(links) == 1 and links[0].startswith("user:[") and
                   links[0] != os.readlink("/proc/self/ns/user"),
                   "OpenNamespace: returns one descriptor, of another user namespace", answer, links)
        pids = [helper.process.pid, *children(helper.process.pid)]
        if AS_ROOT:
            maps = []
            for pid in pids:
                with open(f"/proc/{pid}/uid_map", encoding="utf-8") as file:
                    maps.append([line.split() for line in file])
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
descriptors()
surplus_is_closed()
fields_out_of_shape()
not_rootlets()
absent()
numbers()
untrusted()
rolled_back()
packets()
mutations()
images()
namespace()
for engine in ("native", "debootstrap"):
    ends_the_build(engine)
    changed_afterwards(engine)
tap.report(not processes_left(10), "no helper process remains")
programs()
tap.done()
