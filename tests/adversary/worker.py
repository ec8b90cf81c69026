"""rootlet-worker, after an attacker has taken it over, in each of its jobs: tests/tools/worker_attack.c runs
in its place, with its privileges, in its jail. It cannot reach or change anything beyond the tree that it
works on."""
import array
import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from support import installed, tap
from support.builds import Build
from support.mirror import arch
from support.protocol import BUSY, Helper, opened, request
from support.server import Server
from support.world import (AS_ROOT, BUILD, HELPER, SCRATCH, Home, children, command_of, field_of, mirror,
                           processes_left,
                           wait_until)

ORDERS = b"the worker's orders: "
SECRET = "of-the-host"
HOST = 12  # lib/error.h
# CHOWN DAC_OVERRIDE FOWNER SETGID SETUID SETFCAP; of these DAC_OVERRIDE SETGID SETUID SETFCAP
# (proto/requests.h)
JAILER, VIEWER = "00000000800000cb", "00000000800000c2"
ENDED = "rootlet-worker exited unexpectedly"
AT = mirror()
home = Home()


def armed(job, attack, secret):
    """Installs a helper next to the attacker program with these orders."""
    directory = tempfile.mkdtemp(dir=SCRATCH)
    os.chmod(directory, 0o755)
    shutil.copy(HELPER, directory)
    with open(f"{BUILD}/tests/worker_attack", "rb") as file:
        program = bytearray(file.read())
    at = program.index(ORDERS) + len(ORDERS)
    orders = b"\0".join(one.encode() for one in (job, attack, secret)) + b"\0"
    program[at:at + len(orders)] = orders
    with open(f"{directory}/rootlet-worker", "wb") as file:
        file.write(program)
    os.chmod(f"{directory}/rootlet-worker", 0o755)
    return directory


def make(server, name, *words):
    """Creates a rootfs in the home with the real program."""
    outcome = home.create("--name", name, *words, "--quiet", server=server, at=AT, fresh=False)
    if not tap.report(outcome.status == 0, f"a rootfs: {name}", outcome):
        tap.done()
    return f"{home.store}/{name}"


def snapshot():
    """Returns (the snapshot directory, the name of its only snapshot)."""
    directory = f"{home.cache}/rootlet/bases"
    return directory, next(name for name in os.listdir(directory) if name[0] != ".")


# The request for each job: (request, its directories and files, its fields).
def requests(rootfs):
    bases, base = snapshot()
    begin = ("Begin", [home.store, AT.keyring],
             {"name": "new", "suite": "jammy", "arch": arch(), "engine": "native"})
    return {
        "verify": begin, "unpack": begin,
        "count": ("Inspect", [rootfs], {}), "digest": ("Inspect", [rootfs], {"digest": 1}),
        "check-mounts": ("Remove", [home.store], {"name": os.path.basename(rootfs)}),
        "empty": ("Remove", [home.store], {"name": os.path.basename(rootfs)}),
        "verify-digest": ("Verify", [f"{bases}/{base}"], {}),
        "clone-to-link": ("Clone", [home.store, bases], {"name": "clone", "base_name": base}),
        "clone-linked": ("Execute", [rootfs, *["/dev/null"] * 3], {"argv": ["true"], "user": "root"}),
    }


def state():
    """Returns the state that no worker may change: the home directory and the files of the snapshot."""
    bases, base = snapshot()
    files = {}
    for where, directories, names in os.walk(f"{bases}/{base}"):
        for name in directories + names:
            st = os.lstat(f"{where}/{name}")
            files[f"{where}/{name}"] = (st.st_mode, st.st_uid, st.st_gid, st.st_size, st.st_mtime_ns,
                                        st.st_ino)
    return sorted(os.listdir(home.dir)), files


READERS, CLONERS = ("count", "digest", "check-mounts"), ("clone-to-link", "clone-linked")
WORKERS = (*READERS, "unpack", "empty", *CLONERS)
NOTHING = r"(\S*=(ENOENT|ENOTDIR|EACCES|ELOOP) )+"
# (attack, jobs, what the attacker may report)
ROWS = [
    ("up", (*READERS, "unpack", "empty"), r"(\S+:tree, )+"),
    ("up", CLONERS, r"(\S+:(tree,source,|source,tree,) )+"),
    ("up", ("verify",), r"/staging:(tree,)? "),  # Landlock: no other directory can be read
    ("open-files", WORKERS, r"fd0=\w+ fd1=\w+ fd2=\w+ fd3=socket "),
    ("open-files", ("verify",), r"fd0=\w+ fd1=\w+ fd2=\w+ fd3=socket fd4=file "),  # the keyring
    ("paths", (*WORKERS, "verify"), NOTHING),
    ("link-out", ("unpack", *CLONERS), r"symlink=done read=ENOENT "),
    ("link-out", (*READERS, "empty"), ENDED),
    ("change", CLONERS, r"in root=EROFS in source=EROFS in tree=done "),
    ("change", ("unpack",), r"in root=EROFS in source=ENOENT in tree=done "),
    ("change", (*READERS, "empty"), ENDED),
    ("modes", ("clone-to-link",), r"open=done chmod=EROFS chown=EROFS "),
    ("modes", (*READERS, "empty"), ENDED),
    ("remove-source", CLONERS, r"remove=EROFS "),
    ("remove-source", READERS, ENDED),
    ("rename-out", ("empty",), r"out=E(ROFS|XDEV) up=E(ROFS|XDEV) "),
    ("rename-out", (*READERS, *CLONERS, "unpack"), ENDED),
    ("write-file", READERS, r"open=EROFS "),
    ("write-file", ("empty",), ENDED),
    ("write-source", CLONERS, r"open=EROFS "),
    ("cut-file", READERS, r"open=EROFS "),
    ("cut-file", ("empty",), ENDED),
    ("send-files", (*READERS, *CLONERS), r"sent"),
    ("start-tree", (*READERS, "empty"), r"open=done exec=EACCES "),
    ("start-source", CLONERS, r"open=done exec=EACCES "),
    # Names that it reports for linking or replacing files.
    *((f"names-{what}", CLONERS, r"cannot (open|link|replace) /.*") for what in (
        "above", "absolute", "path", "dots", "link", "file", "none", "etc", "cut")),
]


def attempt(job, attack, says, rootfs, server):
    secret = home.write("secret", SECRET)
    before = state()
    kind, paths, fields = requests(rootfs)[job]
    directory = armed(job, attack, secret)
    with Helper(home.user, program=f"{directory}/rootlet-helper") as helper, opened(*paths) as fds:
        answer = helper.ask(kind, fds, **fields)
    wrong = processes_left(30)
    if not re.fullmatch(f"(rootfs linked: )?({says})", answer.message):
        wrong.append(f"{answer}")
    if answer.code == 0 or SECRET in answer.message:
        wrong.append(f"the attack succeeded: {answer}")
    wrong += [] if before == state() else ["a snapshot or the home directory changed"]
    tap.report(not wrong, f"{job}: {attack}", *wrong)
    shutil.rmtree(directory)
    # The attacker does not remove what a refused request leaves behind.
    with Helper(home.user) as helper, opened(home.store) as fds:
        left = [helper.ask("Remove", fds, name=name, stale=1) for name in ("new", "clone", "linked")]
        tap.report(not any(answer.code for answer in left), f"{job}: {attack}: nothing is left behind", *left)
    if not os.path.exists(rootfs):
        make(server, os.path.basename(rootfs))


def effective(job, kind, wanted, rootfs):
    """While a worker runs, the jailer's effective capabilities are those of the request's row and no more."""
    _, paths, fields = requests(rootfs)[job]
    directory = armed(job.removeprefix("verify-"), "wait", "")
    with Helper(home.user, program=f"{directory}/rootlet-helper") as helper, opened(*paths) as fds:
        helper.channel.sendmsg([request(kind, **fields)],
                               [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
        wait_until(lambda: any("rootlet-worker" in command_of(pid) for pid in children(helper.process.pid)))
        found = {field_of(pid, "CapEff") for pid in children(helper.process.pid)
                 if field_of(pid, "CapPrm") == JAILER}
    tap.report(found == {wanted}, f"{kind}: the jailer has the right effective capabilities", found,
               processes_left(30))
    shutil.rmtree(directory)


def unending(rootfs):
    """A worker that never ends cannot keep a removal going past its time limit."""
    directory = armed("empty", "wait", "")
    kind, paths, fields = requests(rootfs)["empty"]
    installed.enter()
    installed.allow(home.user, "max-seconds = 3")
    began = time.monotonic()
    with Helper(home.user, program=f"{directory}/rootlet-helper", seconds=60) as helper, \
            opened(*paths) as fds:
        answer = helper.ask(kind, fds, **fields)
    seconds = time.monotonic() - began
    wrong = processes_left(30)
    tap.report("took longer than 3 s" in answer.message and 2 < seconds < 30 and not wrong,
               "Remove ends after its time limit, whatever the worker does", answer, f"{seconds:.1f} s",
               *wrong)
    installed.allow(home.user)
    with Helper(home.user) as helper, opened(home.store) as fds:
        answer = helper.ask(kind, fds, **{**fields, "stale": 1})
    tap.report(answer.code == 0 and not home.leftovers(), "the next command removes what is left", answer,
               home.leftovers())
    shutil.rmtree(directory)


def ask_release(program, memory, setup=""):
    """Returns the helper with a build begun, and its answer to the build's release file."""
    build = Build(AT, home.store)
    helper = Helper(home.user, program=program, memory=memory, setup=setup)
    for kind, paths, fields in (build.begin, build.release):
        with opened(*paths) as fds:
            answer = helper.ask(kind, fds, **fields)
    return helper, answer


def memory_taken():
    """A verifier that locks and damages its caller's release memory delays this caller until its jail ends,
    and makes them start over. It cannot harm any other caller's."""
    memory, other = f"{home.dir}/memory", f"{home.dir}/other"
    directory = armed("verify", "take-memory", "")

    def build(path, code, what, says=""):
        helper, answer = ask_release(HELPER, path)
        helper.leave()
        tap.report(answer.code == code and says in answer.message, f"release memory: {what}", answer)

    build(memory, 0, "a release file is remembered")
    kind, paths, fields = Build(AT, home.store).begin
    with Helper(home.user, program=f"{directory}/rootlet-helper", memory=memory) as helper, \
            opened(*paths) as fds:
        helper.channel.sendmsg([request(kind, **{**fields, "name": "held"})],
                               [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
        with open(memory, "rb", buffering=0) as file:
            tap.report(wait_until(lambda: os.pread(file.fileno(), 4, 0) == b"xxxx"),
                       "release memory: its caller's verifier overwrites it")
        build(memory, BUSY, "while the verifier holds it, the caller's next build is refused")
        build(other, 0, "a build with another one succeeds")
    build(memory, HOST, "afterwards, the damage is noticed, and the remedy named", f"rm {memory}")
    shutil.rmtree(directory)


def programs_of_verifier():
    """gpgv reads what nobody has verified yet. Taken over, it can neither use the release memory nor get it
    from the verifier."""
    log, memory, program = (f"{home.dir}/{name}" for name in ("log", "memory", "gpgv"))
    with open(program, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\n"
                   'for fd in /proc/self/fd/*; do readlink "$fd" | sed "s/^/own: /"; done >&2\n'
                   "for fd in /proc/$PPID/fd/*; do\n"
                   '\techo "verifier has: ${fd##*/}"; (: <"$fd") && echo "taken: $fd"; done >&2\n')
    os.chmod(program, 0o755)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(memory)
    installed.enter()
    subprocess.run(["mount", "--bind", program, "/usr/bin/gpgv"], check=True)
    helper, answer = ask_release(HELPER, memory, setup=f"exec 2>{log};")
    helper.leave()
    with open(log, encoding="utf-8") as file:
        seen = file.read()
    numbers = re.findall(r"^verifier has: (\d+)$", seen, re.M)
    tap.report("own: " in seen and memory not in seen, "gpgv does not get the release memory", seen)
    tap.report(len(numbers) > 4 and "taken" not in seen, "gpgv cannot take the verifier's open files", seen,
               answer)


if not AS_ROOT:
    tap.skip("rootlet-worker taken over", "needs root to look into rootfs and snapshots")
    tap.done()
if not os.path.exists(f"{BUILD}/helper/rootlet-worker"):
    tap.skip("rootlet-worker taken over", "in this build, rootlet-helper has its code")
    tap.done()
with Server(AT.root) as its_server:
    make(its_server, "first")
    linked = make(its_server, "linked")
    tap.note(f"{len(ROWS)} rows")
    for its_attack, jobs, its_says in ROWS:
        for its_job in jobs:
            attempt(its_job, its_attack, its_says, linked, its_server)
    effective("count", "Inspect", JAILER, linked)
    effective("verify-digest", "Verify", VIEWER, linked)
unending(f"{home.store}/linked")
memory_taken()
programs_of_verifier()
tap.done()
