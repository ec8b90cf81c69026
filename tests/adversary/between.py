"""What a caller can do between two steps of their own helper: forge snapshots and trees, replace directories
while they are created, change files between check and copy, hold locks, and cause operations that never end.
The trees contain only a few hand-made files, so this is quick."""
import array
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

from support import forged as forged_trees
from support import fuse, installed, tap
from support.forged import put
from support.pace import patient
from support.protocol import BUSY, REFUSED, TRUST, Helper, opened, request
from support.world import AS_ROOT, Home, children, command_of, ids_of, processes_left, wait_until

SWITCH = "import os, sys; os.setpgid(0, 0); os.execv(sys.argv[1], sys.argv[1:])"
home = Home()


def first_id():
    with Helper(home.user) as helper:
        for pid in (helper.process.pid, *children(helper.process.pid)):
            rows = ids_of(pid)
            if len(rows) == 2:
                return int(rows[0][1])
    return None


if not AS_ROOT:
    tap.skip("between the helper's steps", "needs root to create files of the range's ids")
    tap.done()
FIRST = first_id()
MANIFEST = home.write("manifest.json", "{}")


def give(path):
    """Gives PATH and everything below it to the first id of the range."""
    forged_trees.give(path, FIRST)


def make(path, more=None, rule=None):
    return forged_trees.make(path, FIRST, more, rule=rule)


def sign(path):
    forged_trees.sign(path, FIRST)


def fresh(name):
    """Creates an empty directory owned by the caller."""
    path = f"{home.dir}/{name}"
    shutil.rmtree(path, ignore_errors=True)
    return home.make_dir(path)


def traced(*inject):
    """Returns a command prefix that delays some of the helper's calls."""
    return ["strace", "-f", "-qq", "-u", home.user.name, "-o", "/dev/null", "-e",
            "trace=mkdirat,linkat,copy_file_range",
            *(word for one in inject for word in ("-e", f"inject={one}"))]


def ask_aside(helper, kind, paths, **fields):
    """Sends the request in a separate thread; the result has the answer after the thread is joined."""
    answers = []

    def run():
        with opened(*paths) as fds:
            answers.append(helper.ask(kind, fds, **fields))
    thread = threading.Thread(target=run)
    thread.start()
    return thread, answers


def as_caller(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          cwd="/",
                          **home.user.switch())


# --- forged trees and snapshots ---

def spoil(path, what):
    caller = (home.user.uid, home.user.gid)
    own, manifest = f"{path}/etc/rootlet", f"{path}/etc/rootlet/manifest.json"
    {"it is world-writable": lambda: os.chmod(path, 0o1777),
     "it is group-writable": lambda: os.chmod(path, 0o775),
     "the caller owns it": lambda: os.chown(path, *caller),
     "the caller owns its manifest": lambda: os.chown(manifest, *caller),
     "its manifest is world-writable": lambda: os.chmod(manifest, 0o666),
     "the caller owns its etc/rootlet": lambda: os.chown(own, *caller),
     "its etc/rootlet is world-writable": lambda: os.chmod(own, 0o777),
     "its manifest is a link": lambda: (os.rename(manifest, f"{own}/x"), os.symlink("x", manifest)),
     "its manifest is a pipe": lambda:
     (os.unlink(manifest), os.mkfifo(manifest, 0o644), os.chown(manifest, FIRST, FIRST)),
     "nothing is wrong": lambda: None}[what]()


EXTEND = {"name": "new", "base_name": "base", "suite": "jammy", "arch": "amd64"}


def extend(directory, bases, *then, look=None):
    """Extends BASES/base in DIRECTORY, then sends the requests THEN. Returns the last answer; LOOK is called
    before the helper exits."""
    with Helper(home.user, seconds=20) as helper:
        with opened(directory, bases, MANIFEST) as fds:
            answer = helper.ask("Extend", fds, **EXTEND)
        for kind, paths, fields in then:
            with opened(*paths) as fds:
                answer = helper.ask(kind, fds, **fields)
        if look and answer.code == 0:
            look()
    return answer


def extended():
    """A snapshot to be extended is checked like one to be cloned, and shares no file with the new tree."""
    directory, bases = fresh("trees"), fresh("bases")
    base = make(f"{bases}/base", {"usr/one": b"x"})
    links = []
    copy = f"{directory}/.rootlet-staging.new/tree/usr/one"
    answer = extend(directory, bases, look=lambda: links.append((os.lstat(copy).st_nlink,
                                                                 os.lstat(f"{base}/usr/one").st_nlink)))
    tap.report(answer.code == 0 and links == [(1, 1)] and not os.listdir(directory),
               "an extended snapshot shares no file with the new tree, which goes with the helper", answer,
               links)
    for kind, paths, fields in (("Publish", (MANIFEST,), {"mode": 0o700}),
                                ("Keep", (bases, MANIFEST), {"name": "kept"}),
                                ("Begin", (directory, MANIFEST),
                                 {"name": "new", "suite": "jammy", "arch": "amd64", "engine": "native"}),
                                ("LocalPackage", (MANIFEST,), {"name": "odd", "sha256": bytes(32)})):
        answer = extend(directory, bases, (kind, paths, fields))
        tap.report(answer.code == REFUSED and not os.listdir(directory), f"Extend, then {kind}, is refused",
                   answer)
    put(f"{base}/usr/one", b"y")
    give(f"{base}/usr")
    answer = extend(directory, bases)
    tap.report(answer.code == TRUST and "its digest differs" in answer.message and not os.listdir(directory),
               "a damaged snapshot is not extended, and leaves nothing", answer)


def forged():
    """What a caller can create in a tree's /var/tmp, or beside it, counts neither as a rootfs nor as a
    snapshot."""
    for what in ("nothing is wrong", "it is world-writable", "it is group-writable", "the caller owns it",
                 "the caller owns its manifest", "its manifest is world-writable",
                 "the caller owns its etc/rootlet",
                 "its etc/rootlet is world-writable", "its manifest is a link", "its manifest is a pipe"):
        directory, bases = fresh("trees"), fresh("bases")
        base = make(f"{bases}/base")
        spoil(base, what)
        taken = what.startswith("nothing")
        with Helper(home.user, seconds=20) as helper, opened(base) as fds:
            seen = helper.ask("Inspect", fds)
        with Helper(home.user, seconds=20) as helper, opened(directory, bases) as fds:
            cloned = helper.ask("Clone", fds, name="new", base_name="base")
        extended = extend(fresh("more"), bases)
        tap.report((seen.code, cloned.code, extended.code) == ((0, 0, 0) if taken else
                                                               (REFUSED, TRUST, TRUST)),
                   f"a tree of which {what} is {'accepted' if taken else 'refused'}", seen, cloned, extended)
    # /var of a tree belongs to the range's first id, and its programs may have created anything there.
    tree = make(f"{fresh('trees')}/tree")
    make(f"{tree}/var/base")
    with Helper(home.user, seconds=20) as helper, opened(fresh("new"), f"{tree}/var") as fds:
        answer = helper.ask("Clone", fds, name="new", base_name="base")
    tap.report(answer.code == REFUSED and "not yours" in answer.message,
               "a snapshot inside a tree is not accepted", answer)
    bases = fresh("bases")
    make(f"{bases}/tree")
    os.mkdir(f"{bases}/base")
    subprocess.run(["mount", "--bind", f"{bases}/tree", f"{bases}/base"], check=True)
    try:
        with Helper(home.user, seconds=20) as helper, opened(fresh("new"), bases) as fds:
            answer = helper.ask("Clone", fds, name="new", base_name="base")
    finally:
        subprocess.run(["umount", f"{bases}/base"], check=True)
    tap.report(answer.code == REFUSED, "a snapshot mounted inside a tree is not accepted", answer)


# --- directories ---

def kept():
    """The caller never owns a snapshot while it is being filled."""
    many = {f"usr/share/{number}": b"x" for number in range(1500)}
    directory, bases, kept_in = fresh("trees"), fresh("bases"), fresh("kept")
    make(f"{bases}/base", many)
    staging, wrong, looks = f"{kept_in}/.rootlet-staging.kept", set(), 0
    with Helper(home.user, seconds=60) as helper:
        with opened(directory, bases) as fds:
            cloned = helper.ask("Clone", fds, name="new", base_name="base")
        thread, answers = ask_aside(helper, "Keep", (kept_in, MANIFEST), name="kept")
        while thread.is_alive():
            with contextlib.suppress(FileNotFoundError):
                names, st = os.listdir(staging), os.lstat(staging)
                looks += bool(names)
                if names and (st.st_uid != FIRST or st.st_mode & 0o777 != 0o700):
                    wrong.add(f"{st.st_uid} {st.st_mode:o}")
        thread.join()
    st = os.lstat(f"{kept_in}/kept") if os.path.isdir(f"{kept_in}/kept") else None
    tap.report(cloned.code == 0 and answers[0].code == 0 and looks and not wrong and st and
               st.st_uid == FIRST,
               "Keep: the range's first id owns the new snapshot, and only it can enter", cloned, answers,
               looks, *wrong)
    tap.report(os.listdir(kept_in) == ["kept"], "Keep: leaves nothing else behind", os.listdir(kept_in))
    with Helper(home.user, seconds=60) as helper, opened(f"{kept_in}/kept") as fds:
        answer = helper.ask("Verify", fds)
    tap.report(answer.code == 0, "Keep: the snapshot matches its digest", answer)


def exchanged():
    """Attacks the staging directory while the helper is delayed after each mkdirat."""
    if not shutil.which("strace"):
        tap.skip("directories that are replaced while they are created", "strace is missing")
        return
    bases = fresh("bases")
    make(f"{bases}/base")
    for kind in ("tree", "staging", "content"):
        directory, evil = fresh("trees"), fresh("evil")
        staging = f"{directory}/.rootlet-staging.new"
        with Helper(home.user, seconds=60,
                    before=traced(f"mkdirat:delay_exit={patient(0.7) * 1e6:.0f}")) as helper:
            thread, answers = ask_aside(helper, "Clone", (directory, bases), name="new", base_name="base")
            wait_until(lambda: os.path.isdir(staging if kind != "tree" else f"{staging}/tree"), 20)
            if kind == "tree":
                done = as_caller("sh", "-c", f"mv {staging}/tree {directory}/was && mv {evil} {staging}/tree")
            elif kind == "staging":
                done = as_caller("sh", "-c",
                                 f"mv {staging} {directory}/was && mkdir -p {evil}/tree && "
                                 f"mv {evil} {staging}")
            else:
                done = as_caller("mkdir", "-m", "777", f"{staging}/tree")
            thread.join()
            used = [path for path in (evil, f"{directory}/was", f"{staging}/tree")
                    if os.path.lexists(path) and
                    os.lstat(path).st_uid == FIRST and path != f"{staging}/tree"]
        if kind == "tree":
            tap.report(done.returncode != 0 and answers[0].code == 0 and not used,
                       "Clone: the caller cannot move the new tree away", done, answers, used)
        else:
            tap.report(done.returncode == 0 and answers[0].code in (REFUSED, BUSY),
                       f"Clone: a different {kind} in its place is refused", done, answers)
        subprocess.run(["rm", "-rf", directory], check=True)


def acl(*entries):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in entries)


def inherited():
    """A default ACL on the caller's directory, which new files in it would inherit."""
    directory, bases, kept_in = fresh("trees"), fresh("bases"), fresh("kept")
    none = 0xffffffff
    try:
        for one in (directory, kept_in):
            os.setxattr(one, "system.posix_acl_default",
                        acl((1, 7, none), (2, 7, home.user.uid), (4, 5, none),
                                                             (0x10, 7, none), (0x20, 5, none)))
    except OSError:
        tap.skip("ACLs", "this filesystem does not support them")
        return
    make(f"{bases}/base")
    staging, kept_base = f"{directory}/.rootlet-staging.new", f"{kept_in}/kept"
    with Helper(home.user, seconds=60) as helper:
        with opened(directory, bases) as fds:
            answer = helper.ask("Clone", fds, name="new", base_name="base")
        with opened(kept_in, MANIFEST) as fds:
            kept_answer = helper.ask("Keep", fds, name="kept")
        wrong = [(path, os.listxattr(path))
                 for path in (staging, f"{staging}/tree", f"{staging}/tree/usr/bin",
                                                         kept_base, f"{kept_base}/rootfs",
                              f"{kept_base}/rootfs/usr/bin",
                                                         f"{kept_base}/rootfs/etc/rootlet")
                 if any("acl" in name for name in os.listxattr(path))]
    tap.report(answer.code == kept_answer.code == 0 and not wrong,
               "a tree does not inherit the directory's default ACL",
               answer, kept_answer, *wrong)


# --- files ---

def changed():
    """A file of a snapshot that is replaced between its digest and its copy."""
    if not shutil.which("strace"):
        tap.skip("files that change while they are copied", "strace is missing")
        return
    for what, call, name in (("replaced", "linkat", "usr/bin/tool"),
                             ("rewritten", "copy_file_range", "etc/file")):
        directory, bases = fresh("trees"), fresh("bases")
        base = make(f"{bases}/base")
        linked = os.stat(f"{base}/usr/bin/tool").st_dev == os.stat(directory).st_dev
        with Helper(home.user, seconds=60,
                    before=traced(f"{call}:delay_enter={patient(1.5) * 1e6:.0f}")) as helper:
            thread, answers = ask_aside(helper, "Clone", (directory, bases), name="new", base_name="base")
            copy = f"{directory}/.rootlet-staging.new/tree"
            # At this point the other files exist; of this one there is at most an empty copy.
            seen = wait_until(lambda: os.path.isdir(f"{copy}/usr/bin") if call == "linkat" else
                              os.path.exists(f"{copy}/etc/file"), 20)
            time.sleep(patient(0.5))
            put(f"{base}/{name}.new", b"evil\n")
            os.chown(f"{base}/{name}.new", FIRST, FIRST)
            if call == "linkat":
                os.rename(f"{base}/{name}.new", f"{base}/{name}")
            else:
                os.unlink(f"{base}/{name}.new")
                with open(f"{base}/{name}", "r+b") as file:
                    file.write(b"evil\n")
            thread.join()
        tap.report(linked and seen and answers[0].code in (TRUST, BUSY),
                   f"a snapshot file that is {what} between its digest and its copy is not accepted", answers)


# --- operations that never end ---

def leaves(what, path, kind, paths, check=None, **fields):
    """The front end leaves during the request: the helper must exit as well."""
    helper = Helper(home.user, seconds=40)
    thread, answers = ask_aside(helper, kind, paths, **fields)
    time.sleep(1)
    waits = thread.is_alive()
    helper.channel.shutdown(2)
    thread.join()
    began = time.monotonic()
    status = helper.leave(15)
    left = processes_left(5)
    tap.report(waits and status is not None and not left, f"{what}: the helper exits with its front end",
               path, answers,
               status, f"{time.monotonic() - began:.1f} s", *left)


def endless():
    tree = make(f"{fresh('trees')}/tree")
    mark = f"{tree}/etc/rootlet/linked"
    os.mkfifo(mark)
    os.lchown(mark, FIRST, FIRST)
    execute = (tree, *["/dev/null"] * 3)
    with Helper(home.user, seconds=20) as helper, opened(*execute) as fds:
        answer = helper.ask("Execute", fds, argv=["true"], user="root")
    tap.report(answer.code > 0, "a tree whose mark is a pipe is refused without waiting", answer)
    os.unlink(mark)
    put(mark)
    os.chown(mark, FIRST, FIRST)
    with open(mark, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        leaves("a tree whose mark is locked", tree, "Execute", execute, argv=["true"], user="root")
    bases = fresh("bases")
    base = make(f"{bases}/base")
    os.unlink(f"{base}/var/lib/dpkg/status")
    os.mkfifo(f"{base}/var/lib/dpkg/status")
    give(f"{base}/var")
    sign(base)
    with Helper(home.user, seconds=20) as helper, opened(fresh("new"), bases) as fds:
        answer = helper.ask("Clone", fds, name="new", base_name="base")
    tap.report(answer.code >= 0, "a snapshot whose dpkg status is a pipe does not block", answer)
    with open(f"{tree}/usr/sparse", "wb") as file:
        file.truncate(1 << 40)
    give(tree)
    leaves("a sparse file of 1 TiB", tree, "Verify", (tree,))


def outside():
    """A tree whose etc is a link: nothing is created in its target."""
    directory, bases, victim = fresh("trees"), fresh("bases"), fresh("victim")
    os.chmod(victim, 0o777)
    make(f"{bases}/base")
    tree = f"{directory}/.rootlet-staging.new/tree"
    with Helper(home.user, seconds=20) as helper:
        with opened(directory, bases) as fds:
            cloned = helper.ask("Clone", fds, name="new", base_name="base")
        shutil.rmtree(f"{tree}/etc")
        os.symlink(victim, f"{tree}/etc")
        with opened(fresh("kept"), MANIFEST) as fds:
            answer = helper.ask("Keep", fds, name="kept")
    tap.report(cloned.code == 0 and answer.code > 0 and os.listdir(victim) == [],
               "a tree whose /etc links to a host directory: nothing is created there", answer,
               os.listdir(victim))


# --- the audit log ---

def recorded():
    """A process that holds the log's lock cannot stop other helpers, and no terminal can stop the holder."""
    record = home.write("record", "")
    helper = Helper(home.user, seconds=30, record=record)
    with open(record, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        began = time.monotonic()
        answer = helper.ask("Remove", (), name="..")
    tap.report(answer.code > 0 and time.monotonic() - began < 20,
               "a locked audit log does not stop the helper",
               answer, f"{time.monotonic() - began:.1f} s")
    with open(f"/proc/{helper.process.pid}/status", encoding="ascii") as file:
        ignored = int(dict(line.split(":\t", 1) for line in file if ":\t" in line)["SigIgn"], 16)
    stops = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
    tap.report(all(ignored >> number - 1 & 1 for number in stops),
               "the audit process ignores the stop signals of a terminal",
               f"{ignored:x}")
    helper.leave()
    helper = Helper(home.user, seconds=20,
                    before=["setpriv", f"--reuid={home.user.uid}", f"--regid={home.user.gid}",
                                                   "--clear-groups", "python3", "-c", SWITCH])
    tap.report(helper.greeting.code == -1 and helper.leave(10) == 1,
               "a helper that cannot create its own session does nothing", helper.greeting)


# --- time limits ---

def unread():
    """A front end that does not read a jail's output cannot keep it alive past its time limit."""
    tree = make(f"{fresh('trees')}/loud")
    shutil.copy("/bin/busybox", f"{tree}/usr/bin/busybox")
    put(f"{tree}/usr/bin/sh",
        b"#!/usr/bin/busybox sh\nwhile :; do echo 0123456789012345678901234567890123456789; done\n", 0o755)
    give(tree)
    installed.enter()
    installed.allow(home.user, "max-seconds = 3")
    helper = Helper(home.user, seconds=60)

    def loud():
        return [pid for pid in children(helper.process.pid) if "/usr/bin/sh" in command_of(pid)]
    with opened(tree) as fds:
        helper.channel.sendmsg([request("Inspect", deep=1)],
                               [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
    began, runs = time.monotonic(), wait_until(loud, 10)
    ended = wait_until(lambda: not loud(), 20)
    tap.report(runs and ended and time.monotonic() - began < 10,
               "a front end that does not read: its request ends "
               "in time", runs, ended, f"{time.monotonic() - began:.1f} s")
    helper.channel.close()


# --- counts ---

def counted():
    """max-count is checked when the name is given, counts hidden names, and works across simultaneous
    sessions."""
    bases, directory = fresh("bases"), fresh("trees")
    make(f"{bases}/base", rule=forged_trees.INSTALLED)
    installed.enter()
    installed.allow(home.user, "max-count = 1")
    helpers = [Helper(home.user, seconds=60) for _ in range(2)]

    def ask(helper, kind, paths, **fields):
        with opened(*paths) as fds:
            return helper.ask(kind, fds, **fields)
    cloned = [ask(helper, "Clone", (directory, bases), name=f"n{number}", base_name="base")
              for number, helper in enumerate(helpers)]
    with opened(directory) as (fd,):
        fcntl.flock(fd, fcntl.LOCK_EX)
        thread, first = ask_aside(helpers[0], "Publish", (MANIFEST,), mode=0o700)
        time.sleep(1.5)
        waits = thread.is_alive()
        fcntl.flock(fd, fcntl.LOCK_UN)
        thread.join()
    second = ask(helpers[1], "Publish", (MANIFEST,), mode=0o700)
    for helper in helpers:
        helper.leave()
    tap.report(all(one.code == 0 for one in cloned) and waits and first[0].code == 0 and
               second.code == REFUSED and
               "max-count" in second.message and os.listdir(directory) == ["n0"],
               "max-count: the second of two simultaneous sessions is refused", cloned, waits, first, second)
    os.rename(f"{directory}/n0", f"{directory}/.n0")
    with Helper(home.user) as helper:
        answer = ask(helper, "Clone", (directory, bases), name="n1", base_name="base")
    tap.report(answer.code == REFUSED and "max-count" in answer.message, "max-count: a hidden name counts",
               answer)


def timed():
    """max-seconds applies to every operation, not only to a command in a jail."""
    bases, directory = fresh("bases"), fresh("trees")
    tree = make(f"{bases}/base")
    for what, code in (("a small tree", 0), ("a sparse file of 1 TiB", None)):
        for kind, paths, fields in (("Verify", (tree,), {}),
                                    ("Clone", (directory, bases), {"name": "new", "base_name": "base"})):
            installed.allow(home.user, "max-seconds = 3")
            began = time.monotonic()
            with Helper(home.user, seconds=30) as helper, opened(*paths) as fds:
                answer = helper.ask(kind, fds, **fields)
            seconds = time.monotonic() - began
            good = answer.code == 0 if code == 0 else \
                "took longer than 3 s" in answer.message and 2 < seconds < 20
            tap.report(good, f"max-seconds: {kind} of {what} is {'done' if code == 0 else 'stopped'}",
                       answer, f"{seconds:.1f} s")
        with open(f"{tree}/usr/sparse", "wb") as file:
            file.truncate(1 << 40)
        give(f"{tree}/usr")


def word_of_the_caller():
    """Installed mode: a tree, and a directory for one, on the caller's filesystem."""
    done, _ = installed.install(installed.group_of(home.user))
    installed.allow(home.user)
    uid = installed.range_of(home.user)
    directory = 0o40755
    nodes = {1: (directory, {"etc": 2}), 2: (directory, {"rootlet": 3}), 3: (directory, {"manifest.json": 4}),
             4: (0o100644, {})}
    path = fresh("fuse")
    for as_user in (True, False):
        try:
            with fuse.mounted(path, nodes, uid, as_user), Helper(home.user,
                                                                 program=installed.HELPER) as helper:
                with opened(path) as fds:
                    answer = helper.ask("Inspect", fds)
        except OSError as error:
            tap.skip("a filesystem controlled by the caller", str(error))
            return
        tap.report(helper.greeting.code == 0 and answer.code == REFUSED and
                   "does not trust" in answer.message,
                   f"a tree on FUSE that {'a user' if as_user else 'root'} has mounted is refused",
                   done.stdout,
                   helper.greeting, answer)


forged()
extended()
kept()
exchanged()
inherited()
changed()
endless()
outside()
recorded()
unread()
counted()
timed()
word_of_the_caller()
tap.report(not processes_left(10), "no helper process remains")
tap.done()
