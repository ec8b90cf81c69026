"""Installed mode with a caller who may create, check and delete in their home: directories elsewhere that
pose as being in it, and snapshots that the caller made. All are refused: their contents do not change, and
the audit log shows no path in the home for them. Genuine ones are accepted."""
import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess

from support import forged, fuse, installed, tap
from support.protocol import REFUSED, TRUST, Helper, opened
from support.world import SCRATCH, processes_left

installed.enter("directories that pose as others", "links in paths", "forged snapshots")
USER = installed.user_without_range()
FIRST = installed.range_of(USER)
PLACE = f"{SCRATCH}/{os.getpid()}.paths"
HOME = f"{PLACE}/home/user"
MEDIA = f"{PLACE}/media"  # owned by the caller, outside the home, like a disk in /media; has a rootfs in it
MANIFEST = f"{PLACE}/manifest.json"
ALLOWED = "operations = create check delete"


def fresh(path, owner=None):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path, mode=0o755)
    os.chown(path, *[USER.uid if owner is None else owner] * 2)
    return path


def link(target, path, owner=None):
    if os.path.lexists(path):
        os.unlink(path)
    os.symlink(target, path)
    os.lchown(path, *[USER.uid if owner is None else owner] * 2)
    return path


def live_in(path):
    """Sets the caller's home to PATH, in a private passwd file."""
    subprocess.run(["umount", "/etc/passwd"], stderr=subprocess.DEVNULL, check=False)
    entries = pwd.getpwall()
    with open(f"{PLACE}/passwd", "w", encoding="utf-8") as file:
        for entry in entries:
            home = path if entry.pw_name == USER.name else entry.pw_dir
            file.write(":".join(map(str, [*entry[:5], home, entry.pw_shell])) + "\n")
    subprocess.run(["mount", "--bind", file.name, "/etc/passwd"], check=True)


def ask(kind, fds, **fields):
    with Helper(USER, program=installed.HELPER) as helper:
        return helper.ask(kind, fds, **fields)


def ask_by_path(kind, paths, **fields):
    with opened(*paths) as fds:
        return ask(kind, fds, **fields)


def clone(into, bases, base="base"):
    return ask_by_path("Clone", (into, bases), name="new", base_name=base)


def key():
    """Returns the host's key, or any key if it has none."""
    with contextlib.suppress(FileNotFoundError), open(forged.KEY, "rb") as file:
        return file.read()
    return bytes(32)


def records():
    """Returns the audit records since the last call."""
    if not os.path.exists(installed.RECORD):
        return []
    with open(installed.RECORD, encoding="utf-8") as file:
        found = [json.loads(line) for line in file]
    found, records.seen = found[records.seen:], len(found)
    return [one for one in found if one["request"] != "Hello"]


records.seen = 0
OPEN = ("import os, socket, sys; s = socket.socket(fileno=int(sys.argv[1])); socket.send_fds(s, [b'x'], "
        "[os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in sys.argv[2:]]); s.recv(1)")


@contextlib.contextmanager
def from_own_mounts(script, *paths):
    """Returns descriptors of PATHS in a mount namespace of the caller after running SCRIPT in it."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", f'{script}\nexec python3 -c "$@"',
         "sh", OPEN, str(theirs.fileno()), *paths], cwd="/", pass_fds=[theirs.fileno()], **USER.switch())
    theirs.close()
    _, fds, _, _ = socket.recv_fds(ours, 10, len(paths))
    try:
        yield fds
    finally:
        ours.close()
        process.wait()
        for fd in fds:
            os.close(fd)


def content(path):
    return {where: (sorted(directories), sorted(names)) for where, directories, names in os.walk(path)}


# --- directories elsewhere ---

def covered(*commands):
    """Returns a script that makes PLACE/home/user/link/media a different directory than the real links do."""
    return "\n".join([f"mount -t tmpfs none {HOME}", f"mkdir -p {HOME}/link/media", *commands])


BIND = f"mount --bind {MEDIA} {HOME}/link/media"
TMPFS = f"mount -t tmpfs none {HOME}/link/media"
OVERLAY = f"mount -t overlay -o lowerdir={PLACE}/fuse:{PLACE}/empty none {HOME}/link/media"
CLAIMED = f"{HOME}/link/media"
ATTACKS = [
    # what, the caller's mounts, target of the link in the home, has a rootfs
    ("a directory elsewhere, through the caller's link", BIND, PLACE, True),
    ("a directory elsewhere, through a magic link", BIND, None, True),
    ("the caller's tmpfs, through a magic link", TMPFS, None, False),
    ("an overlay on the caller's FUSE, through a magic link", OVERLAY, None, True),
]


def requests_on(directory, tree, bases):
    """Returns what the caller may do with a directory, and with a rootfs if it has one."""
    found = [("Remove", [directory], {"name": "tree"}, 0),
             ("Clone", [directory, *bases], {"name": "new", "base_name": "base"}, 0)]
    return found + ([("Inspect", [tree], {}, 1), ("Verify", [tree], {}, 1)] if tree else [])


def claims(what, script, target, has_tree, bases):
    paths = [CLAIMED, f"{CLAIMED}/tree"][:1 + has_tree]
    forged.make(f"{fresh(MEDIA)}/tree", FIRST, key=key())
    before = content(MEDIA)
    records()
    answers = []
    with from_own_mounts(covered(script), *paths) as fds:
        for kind, given, fields, depth in requests_on(fds[0], fds[1] if has_tree else None, bases):
            # An attacker can find the helper's descriptor number by trying.
            for number in range(3, 20) if target is None else (0,):
                link(target or f"/proc/self/fd/{number}" + "/.." * (1 + depth), f"{HOME}/link")
                answers.append((kind, ask(kind, given, **fields)))
    told = records()
    tap.report(all(answer.code == REFUSED for _, answer in answers) and len(answers) >= len(paths) and
               content(MEDIA) == before, f"{what}: is refused, and nothing changes",
               *[one for one in answers if one[1].code != REFUSED])
    honest = [one for one in told if one["kind"] == "refusal" and "folder=?" in one["arguments"] and
              f"folder={HOME}" not in one["arguments"]]
    tap.report(len(told) == len(answers) == len(honest),
               f"{what}: the audit log has refusals that name no directory in the home", told[:2])


def elsewhere():
    bases = f"{PLACE}/bases"
    nodes = {1: (0o40755, {"tree": 2}), 2: (0o40755, {"etc": 3}), 3: (0o40755, {"rootlet": 4}),
             4: (0o40755, {"manifest.json": 5}), 5: (0o100644, {})}
    fresh(f"{PLACE}/fuse")
    fresh(f"{PLACE}/empty")
    with fuse.mounted(f"{PLACE}/fuse", nodes, FIRST), opened(bases) as fds:
        for attack in ATTACKS:
            claims(*attack, fds)
    os.unlink(f"{HOME}/link")
    with from_own_mounts("true", f"{HOME}/bases") as fds:
        answer = ask("Remove", fds, name="none")
    tap.report(answer.code == REFUSED,
               "a directory of the home on the caller's copy of its mount is refused", answer)


# --- real directories ---

def taken(what, path, good=True, name=None):
    """Clones into PATH, which the log calls NAME."""
    records()
    answer = clone(path, f"{HOME}/bases")
    directories = {word for one in records() for word in one["arguments"].split()}
    tap.report(answer.code == (0 if good else REFUSED) and f"folder={name or path}" in directories,
               f"{what} is {'accepted' if good else 'refused'}, and the audit log has its real path", answer,
               directories)


def links():
    """In policy paths and in the home's path, only root's links are followed."""
    trees, real = fresh(f"{HOME}/trees"), fresh(f"{PLACE}/real/trees")
    link(f"{PLACE}/home", f"{PLACE}/by-root", 0)
    link("by-root/../home", f"{PLACE}/by-root-again", 0)
    link(f"{PLACE}/home", f"{PLACE}/by-caller")
    fresh(f"{PLACE}/theirs")
    link(f"{PLACE}/home", f"{PLACE}/theirs/by-root", 0)
    for what, home, good in (("a home without a link", HOME, True),
                             ("a home behind root's link", f"{PLACE}/by-root/user", True),
                             ("a home behind two of root's links", f"{PLACE}/by-root-again/user", True),
                             ("a home behind the caller's link", f"{PLACE}/by-caller/user", False),
                             ("a home behind root's link in the caller's directory",
                              f"{PLACE}/theirs/by-root/user", False)):
        live_in(home)
        installed.allow(USER, ALLOWED, folders="~")
        taken(what, trees, good)
        taken(f"{what}, opened through that path", f"{home}/trees", good, name=trees)
    live_in(HOME)
    link(f"{PLACE}/real", f"{PLACE}/srv", 0)
    for owner, good in ((0, True), (USER.uid, False)):
        link(f"{PLACE}/real", f"{PLACE}/srv", owner)
        installed.allow(USER, ALLOWED, folders=f"{HOME} {PLACE}/srv")
        taken(f"folders = a link of {'root' if owner == 0 else 'the caller'}", real, good)
    installed.allow(USER, ALLOWED, folders="~")
    taken("a directory outside the home", real, good=False)
    by_link = link(real, f"{HOME}/away")
    taken("a directory outside the home, through a link in it", by_link, good=False, name=real)
    taken("a directory of the home, through a link in it", link(trees, f"{HOME}/near"), name=trees)
    overlay = fresh(f"{HOME}/overlay")
    lower, upper, work = (fresh(f"{PLACE}/{name}") for name in ("lower", "upper", "work"))
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "none", overlay], check=True)
    taken("an overlay mounted by root", overlay)
    subprocess.run(["umount", overlay], check=True)


# --- snapshots ---

def changed(path):
    with open(f"{path}/etc/rootlet/digest", "rb") as file:
        mac = file.read().splitlines()[-1]
    forged.put(f"{path}/usr/bin/tool", b"evil\n", 0o755)
    forged.give(f"{path}/usr", FIRST)
    forged.sign(path, FIRST)
    with open(f"{path}/etc/rootlet/digest", "ab") as file:
        file.write(mac + b"\n")


def put_tool(path, data=b"evil\n"):
    forged.put(f"{path}/usr/bin/tool", data)
    forged.give(f"{path}/usr", FIRST)


SNAPSHOTS = [
    ("as the helper made it", lambda path: None, 0),
    ("without a MAC", lambda path: forged.sign(path, FIRST), TRUST),
    ("with a MAC made with another key", lambda path: forged.sign(path, FIRST, b"x" * 32), TRUST),
    ("with another range's MAC", lambda path: forged.sign(path, FIRST, key(), ids=FIRST + 65536), TRUST),
    ("with another program in it", put_tool, TRUST),
    ("with another program and its actual digest", changed, TRUST),
    ("with a changed mode", lambda path: os.chmod(f"{path}/usr/bin/tool", 0o4755), TRUST),
    ("with an extra attribute", lambda path: os.setxattr(f"{path}/usr/bin/tool", "user.x", b"y"), TRUST),
    ("with an extra attribute on its top directory", lambda path: os.setxattr(path, "user.x", b"y"), TRUST),
]


def snapshots():
    bases, into = fresh(f"{HOME}/bases"), f"{HOME}/trees"
    for what, spoil, code in SNAPSHOTS:
        path = forged.make(f"{fresh(bases)}/base", FIRST, key=key())
        spoil(path)
        fresh(into)
        verified, cloned = ask_by_path("Verify", (path,)), clone(into, bases)
        tap.report(verified.code == cloned.code == code and os.listdir(into) == [],
                   f"a snapshot {what} is {'refused' if code else 'cloned'}", verified, cloned,
                   os.listdir(into))


def saved():
    """The helper clones its own snapshots as long as it has the key and only root can read that."""
    bases, into, kept = f"{HOME}/bases", fresh(f"{HOME}/trees"), fresh(f"{HOME}/kept")
    forged.make(f"{fresh(bases)}/base", FIRST, key=key())
    st = os.stat(forged.KEY)
    tap.report((st.st_uid, st.st_mode & 0o7777, st.st_size) == (0, 0o400, 32),
               "the key belongs to root, and only root can read it", st)
    for what, mode, data, good in (("", 0o400, key(), True),
                                   (", if others can read the key", 0o440, key(), False),
                                   (", if the key is truncated", 0o400, key()[:31], False),
                                   (", with the key restored", 0o400, key(), True)):
        os.chmod(forged.KEY, mode)
        with open(forged.KEY, "wb") as file:
            file.write(data)
        fresh(kept)
        with Helper(USER, program=installed.HELPER) as helper:
            with opened(into, bases) as fds:
                cloned = helper.ask("Clone", fds, name="new", base_name="base")
            with opened(kept, MANIFEST) as fds:
                answer = helper.ask("Keep", fds, name="base") if cloned.code == 0 else cloned
        again = clone(into, kept if good else bases)
        tap.report([one.code for one in (cloned, answer, again)] == [0 if good else TRUST] * 3 and
                   (good or "install-helper" in answer.message) and os.listdir(into) == [],
                   f"a snapshot that the helper saves is {'cloned' if good else 'not used'}{what}",
                   cloned, answer, again)


fresh(PLACE, 0)
fresh(f"{PLACE}/home", 0)
fresh(HOME)
live_in(HOME)
with open(MANIFEST, "w", encoding="ascii") as file:
    file.write("{}")
done, _ = installed.install(installed.group_of(USER))
tap.report(done.returncode == 0, "the helper can be installed", done.stdout)
installed.allow(USER, ALLOWED, folders="~")
for directory in (f"{PLACE}/bases", f"{HOME}/bases"):
    forged.make(f"{fresh(directory)}/base", FIRST, key=key())
elsewhere()
links()
snapshots()
saved()
tap.report(not processes_left(10), "no helper process remains")
tap.done()
