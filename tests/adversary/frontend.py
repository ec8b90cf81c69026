"""A front end that was taken over: floods of requests, answers that it does not read, requests before the
answer to the last one, and files and directories that change between check and use. Memory and time are
bounded, nothing else changes, and nothing is left behind. Single wrong requests: integration/attack."""
import array
import contextlib
import fcntl
import os
import random
import shutil
import socket
import struct
import subprocess
import termios
import threading
import time

from support import debs, tap
from support.builds import Build, Session
from support.pace import patient
from support.protocol import INPUT, TRUST, Helper, opened, request
from support.world import (AS_ROOT, Home, Tidy, children, command_of, mirror, processes_left, small_rootfs,
                           wait_until)

BURST = 10000
BURST_SECONDS = 60
LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
RACE_SECONDS = 120 if LONG else 5  # for each of two races on directories and two on packages
MEMORY_MOST = 64 << 10  # allowed growth in KiB
TYPED = set(range(1, 13))
AT = mirror()
ROOTFS = small_rootfs()
TREE = f"{ROOTFS.store}/test-rootfs"
home = Home()
DIRECTORY = home.make_dir(f"{home.dir}/trees")
PRECIOUS = home.make_dir(f"{home.dir}/precious")
home.write("precious/file", "of-the-host")
BUILD = Build(AT, DIRECTORY)


def untouched():
    """Returns complaints about files that no request may touch."""
    wrong = []
    if os.listdir(PRECIOUS) != ["file"] or open(f"{PRECIOUS}/file").read() != "of-the-host":
        wrong.append(f"changed: {os.listdir(PRECIOUS)}")
    return wrong + [f"left: {name}" for name in os.listdir(DIRECTORY)]


# --- builds ---

def left_in_the_middle():
    """A second request before the answer to the first ends the session and everything that runs for it."""
    helper = Helper(home.user, seconds=120)
    with opened(TREE, *["/dev/null"] * 3) as fds:
        helper.channel.sendmsg([request("Execute", argv=["sleep", "5003"], user="root")],
                               [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
    started = wait_until(lambda: any("sleep 5003" in command_of(pid) for pid in children(helper.process.pid)))
    helper.channel.send(request("Remove", name=".."))
    ended = wait_until(lambda: helper.process.poll() is not None, 30)
    tap.report(started and ended and helper.process.returncode >= 0 and not processes_left(10),
               "a request during Execute ends the session and the command", started, helper.process.poll())
    helper.leave()
    session = Session(home.user, BUILD.whole())
    session.helper.channel.send(request("Bootstrap"))
    time.sleep(1)
    runs = session.helper.process.poll() is None
    session.helper.channel.send(request("AddGroup", name="x", gid=1500))
    ended = wait_until(lambda: session.helper.process.poll() is not None, 30)
    session.helper.leave()
    wrong = [*session.wrong, *(f"still runs: {line}" for line in processes_left(10)), *untouched()]
    tap.report(runs and ended and not wrong,
               "a request during Bootstrap ends the session and leaves nothing behind", runs, ended, *wrong)


def changed_afterwards(engine):
    """Files that change after they were accepted: the verified content is what gets installed."""
    copies = home.make_dir(f"{home.dir}/copies")
    build = Build(AT, DIRECTORY, engine)
    with Tidy(home, DIRECTORY) as tidy, Helper(home.user, seconds=600) as helper:
        answers = []
        for kind, paths, fields in build.whole():
            if kind == "Package":
                paths = [shutil.copy(paths[0], copies)]
            with opened(*paths) as fds:
                answers.append(helper.ask(kind, fds, **fields))
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
        wrong = tidy.complaints()
    tap.report(not wrong, f"{engine}: a helper whose front end leaves midway leaves nothing behind", *wrong)


def race_finished():
    """Publish and Clone while the staging directory is swapped."""
    bases = home.make_dir(f"{home.dir}/bases")
    session = Session(home.user, [*BUILD.whole(), ("Bootstrap", (), {})])
    with opened(bases, home.write("manifest", "{}")) as (directory, file):
        answer = session.send(request("Keep", name="base"), [directory, file])
        session.wrong += [f"Keep: {answer}"] if answer.code else []
        link = f"{DIRECTORY}/link"
        os.symlink(PRECIOUS, link)
        with swapping(f"{DIRECTORY}/.rootlet-staging.new", link) as flips:
            answer = session.send(request("Publish", mode=0o700), [file])
    wrong = session.leave() + precious()
    tap.report(flips[0] > 10 and (answer.code in TYPED or answer.code == 0) and not wrong,
               "staging swapped for a symlink during Publish: the link's target is unharmed", flips, answer,
               *wrong)
    clear()
    race_made("Clone", RACE_SECONDS / 2,
              [("Clone", (DIRECTORY, bases), {"name": "new", "base_name": "base"})])
    shutil.rmtree(bases, ignore_errors=True)


def clear():
    """Removes what a race left under the staging name or beside it; only root can."""
    for name in os.listdir(DIRECTORY):
        path = f"{DIRECTORY}/{name}"
        if os.path.islink(path):
            os.unlink(path)
        else:
            shutil.rmtree(path, ignore_errors=True)


def precious():
    return [line for line in untouched() if line.startswith("changed")]


def goes_on(began, seconds, enough):
    """Returns True for SECONDS, and longer if a busy machine has not run the race often ENOUGH by then."""
    passed = time.monotonic() - began
    return passed < seconds or (not enough and passed < patient(seconds + 60))


def race_made(what, seconds, requests):
    """Swaps the staging directory that the first of REQUESTS creates, and the others use, for a symlink to
    protected files."""
    # Beside it: the caller cannot move a directory that they do not own into another one.
    link, swaps, codes, whole, wrong = f"{DIRECTORY}/link", 0, {}, 0, []
    began = time.monotonic()
    while goes_on(began, seconds, swaps > 20 and whole):
        os.symlink(PRECIOUS, link)
        with swapping(f"{DIRECTORY}/.rootlet-staging.new", link) as flips:
            for _ in range(5):
                with Helper(home.user) as helper:
                    for kind, paths, fields in requests:
                        with opened(*paths) as fds:
                            answer = helper.ask(kind, fds, **fields)
                        codes[answer.code] = codes.get(answer.code, 0) + 1
                        if answer.code:
                            break
                    whole += answer.code == 0
        swaps += flips[0]
        wrong += precious()
        clear()
    tap.report(swaps > 20 and whole and set(codes) <= TYPED | {0} and not wrong,
               f"{what}: staging swapped for a "
               "symlink while it is created: the link's target is unharmed",
               f"{swaps} swaps, {whole} succeeded, answers {codes}",
               *wrong[:3])
    tap.note(f"{what}: {swaps} swaps, {whole} succeeded, answers {codes}")


def race_begin():
    race_made("Begin to Package", RACE_SECONDS / 3,
              (*BUILD.accepted("universe"), BUILD.packages("universe")["attr"]))


# --- floods and silence ---

def memory(helper):
    total = 0
    for pid in (helper.process.pid, *children(helper.process.pid)):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    return total


def burst():
    """Sends many requests, each after the previous answer; then many at once."""
    helper = Helper(home.user, seconds=120)
    for _ in range(50):
        helper.ask("Remove", name="..")
    before, began, codes = memory(helper), time.monotonic(), set()
    with opened(f"{PRECIOUS}/file") as fds:
        for number in range(BURST):
            if number % 500 == 0:  # a thousand refusals in a row end the session
                os.close(helper.ask("OpenNamespace").fds[0])
            kind, fields = ("Remove", {}) if number % 2 else ("Package", {"sha256": bytes(32)})
            codes.add(helper.ask(kind, fds, name="..", **fields).code)
    seconds, grown = time.monotonic() - began, memory(helper) - before
    held = held_by(helper).values() if AS_ROOT else [0]
    tap.report(codes <= TYPED and grown < MEMORY_MOST and max(held) < 20 and seconds < BURST_SECONDS,
               f"{BURST} invalid requests: each is refused, memory and descriptors do not grow", codes,
               f"{grown} KiB", held,
               f"{seconds:.1f} s")
    tap.note(f"{BURST} refusals in {seconds:.1f} s, {grown} KiB growth")
    tap.report(helper.leave() == 0, "invalid requests: the helper exits with its front end")
    helper = Helper(home.user, seconds=120)
    before, sent, began = memory(helper), 0, time.monotonic()
    helper.channel.setblocking(False)
    for _ in range(BURST):
        try:
            helper.channel.send(request("Remove", name="..") if sent % 2 else b"\xff" * 1000)
            sent += 1
        except BlockingIOError:
            time.sleep(0.001)
        except OSError:
            break
    grown = memory(helper) - before
    status = helper.leave(60)
    seconds = time.monotonic() - began
    tap.report(sent > 1 and grown < MEMORY_MOST and status is not None and status >= 0 and
               seconds < BURST_SECONDS,
               "invalid requests without waiting for answers: the helper exits or blocks, and does not grow",
               sent, grown, status,
               f"{seconds:.1f} s")


def held_by(helper):
    """Returns the number of descriptors of each process."""
    counts = {}
    for pid in (helper.process.pid, *children(helper.process.pid)):
        with contextlib.suppress(OSError):
            counts[pid] = len(os.listdir(f"/proc/{pid}/fd"))
    return counts


def failed_builds():
    """Builds that fail one after another in one session leave nothing open."""
    helper, codes = Helper(home.user, seconds=120), {}
    unsigned = ("Release", BUILD.index("main")[1], {"pocket": ""})

    def fail(times):
        for _ in range(times):
            for kind, paths, values in (BUILD.begin, unsigned):
                with opened(*paths) as fds:
                    answer = helper.ask(kind, fds, **values)
                codes.setdefault(kind, set()).add(answer.code)
    fail(1)
    # The descriptors of a request may be closed after its answer, but before the next answer.
    helper.ask("Remove", name="..")
    before = held_by(helper)
    fail(50)
    same = wait_until(lambda: held_by(helper) == before, 10)
    tap.report(same and len(before) == 3 and codes == {"Begin": {0}, "Release": {TRUST}} and
               helper.leave() == 0 and
               not untouched(), "fifty failed builds in one session leak no descriptors", before,
               held_by(helper), codes, *untouched())


def refusals():
    """Each refusal goes to the audit log (root's if the helper is installed), so their number is limited."""
    helper, many = Helper(home.user, seconds=120), 0
    while many < 2000 and helper.ask("Remove", name="..").code > 0:
        many += 1
    tap.report(many in (999, 1000) and helper.leave() == 0,
               "a session ends after a thousand refusals in a row", many)


def silence():
    """A front end that never reads: few answers are queued, and the helper exits with the channel."""
    helper = Helper(home.user, seconds=120)
    helper.channel.setblocking(False)
    with opened(TREE) as fds:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        with contextlib.suppress(OSError):
            helper.channel.sendmsg([request("Inspect", deep=1)], ancillary)
    time.sleep(2)
    before = memory(helper)
    began = time.monotonic()
    status = helper.leave(60)
    tap.report(status is not None and status >= 0 and before < 4 * MEMORY_MOST,
               "the helper exits after a front end that never reads",
               status, before, time.monotonic() - began)
    full()
    helper = Helper(home.user, greet=False)
    time.sleep(1)
    tap.report(helper.leave(30) == 0, "the helper exits after a front end that sends nothing")
    helper = Helper(home.user)
    helper.channel.shutdown(socket.SHUT_WR)
    ended = helper.process.wait(30)
    tap.report(ended == 0, "the helper exits after a front end that shuts down its side", ended)
    helper.channel.close()


def waiting(channel):
    """Returns the number of unread bytes of all messages: SIOCINQ in unix(7)."""
    return struct.unpack("i", fcntl.ioctl(channel, termios.FIONREAD, bytes(4)))[0]


def full():
    """Answers that are not read, until there is no space for another: the helper blocks, and stops reading
    too."""
    helper, sent, blocked, answered = Helper(home.user, seconds=120), 0, False, True
    for _ in range(50):
        helper.ask("Remove", name="..")
    before = memory(helper)
    helper.channel.setblocking(False)
    while sent < 20000 and not blocked:
        unread = waiting(helper.channel)
        try:
            helper.channel.send(request("Remove", name=".."))
            sent += 1
        except BlockingIOError:
            blocked = True
        except OSError:
            break
        # While there is space for answers, a request before the previous answer would end the session.
        until = time.monotonic() + 1
        while answered and waiting(helper.channel) == unread and time.monotonic() < until:
            time.sleep(0.0005)
        answered = waiting(helper.channel) > unread
    time.sleep(2)
    grown, alive = memory(helper) - before, helper.process.poll() is None
    began = time.monotonic()
    status = helper.leave(30)
    tap.report(blocked and alive and grown < MEMORY_MOST // 16 and status is not None and status >= 0,
               "unread answers until the socket is full: the helper blocks, does not grow, and exits with "
               "the "
               "front end", sent, f"{grown} KiB", alive, status, f"{time.monotonic() - began:.1f} s")


# --- races ---

# Prints a line after it has started, and at the end the number of successful swaps.
SWAP = """import ctypes, os, sys
exchange = ctypes.CDLL(None).renameat2
a, b = (path.encode() for path in sys.argv[1:3])
count = rounds = 0
while os.path.exists(sys.argv[3]):
    for _ in range(200):
        count += exchange(-100, a, -100, b, 2) == 0
    if rounds == 0:
        print("begun", flush=True)
    rounds += 1
print(count)
"""


@contextlib.contextmanager
def swapping(path, other):
    """Swaps PATH with OTHER as fast as possible, as the caller; the list finally has the number of swaps."""
    stop, flips = home.write("go-on", ""), []
    process = subprocess.Popen(["python3", "-c", SWAP, path, other, stop], stdout=subprocess.PIPE, text=True,
                               cwd="/", **home.user.switch())
    process.stdout.readline()
    try:
        yield flips
    finally:
        os.unlink(stop)
        flips.append(int(process.communicate()[0] or 0))


def fill(path):
    """Creates a directory of the caller that looks like stale staging."""
    home.make_dir(path)
    for number in range(30):
        home.write(f"{os.path.relpath(path, home.dir)}/d{number}/file", "x")


def race(what, place):
    """Removes stale staging while PLACE in it is swapped for a symlink to protected files."""
    stale, link = f"{DIRECTORY}/.rootlet-staging.x", f"{home.dir}/link"
    swaps, codes = 0, {}
    began = time.monotonic()
    while goes_on(began, RACE_SECONDS, swaps > 100):
        fill(stale)
        os.symlink(PRECIOUS, link)
        with swapping(f"{stale}{place}", link) as flips, Helper(home.user) as helper, \
                opened(DIRECTORY) as fds:
            for _ in range(20):
                answer = helper.ask("Remove", fds, name="x", stale=1)
                codes[answer.code] = codes.get(answer.code, 0) + 1
        swaps += flips[0]
        subprocess.run(["rm", "-rf", stale, link], check=False)
    wrong = untouched()
    tap.report(swaps > 100 and set(codes) <= TYPED | {0} and not wrong,
               f"{what} swapped for a symlink during its " 
               "removal: the link's target is unharmed", f"{swaps} swaps, answers {codes}", *wrong)
    tap.note(f"{what}: {swaps} swaps, {sum(codes.values())} removals, answers {codes}")


def race_package(engine):
    """A cached .deb that is rewritten while the helper reads it: only the content that the index signs is
    accepted."""
    build = Build(AT, DIRECTORY, engine)
    _, (good,), signed = build.packages("universe")["attr"]
    with open(good, "rb") as file:
        data = file.read()
    # What the engine creates from it before the hash is verified: a copy, or files in the tree.
    files = {"debootstrap": {f"mirror/pool/{signed['sha256'].hex()}.deb": data},
             "native": {f"tree/{name}": content for name, content in debs.files_of(good).items()}}[engine]
    victim = home.write("victim.deb", data)
    evil = bytes(len(data) // 2) + data[len(data) // 2:]
    stop, verdicts = threading.Event(), {}

    def rewrite():
        chance = random.Random(3)
        with open(victim, "r+b", buffering=0) as file:
            while not stop.is_set():
                for content in (evil, data):
                    file.seek(0)
                    file.write(content)
                    time.sleep(chance.random() / 500)
    thread = threading.Thread(target=rewrite)
    wrong = [] if files else ["the package has no file"]
    began = time.monotonic()
    thread.start()
    while goes_on(began, RACE_SECONDS, verdicts.get(TRUST) and verdicts.get(0)):
        with Helper(home.user) as helper:
            for kind, paths, values in build.accepted("universe"):
                with opened(*paths) as fds:
                    if helper.ask(kind, fds, **values).code:
                        wrong.append(f"{kind} before it failed")
            with opened(victim) as fds:
                answer = helper.ask("Package", fds, **signed)
            verdicts[answer.code] = verdicts.get(answer.code, 0) + 1
            for path, content in files.items() if answer.code == 0 and AS_ROOT else ():
                with open(f"{DIRECTORY}/.rootlet-staging.new/{path}", "rb") as file:
                    if file.read() != content:
                        wrong.append(f"content other than the signed one was accepted: {path}")
    stop.set()
    thread.join()
    wrong += untouched()
    tap.report(set(verdicts) <= {0, INPUT, TRUST} and verdicts.get(TRUST) and verdicts.get(0) and not wrong,
               f"{engine}: a package rewritten during reading is accepted as signed or refused", verdicts,
               *wrong[:3])
    tap.note(f"{engine}: rewritten package: answers {verdicts}")


burst()
if AS_ROOT:
    failed_builds()
refusals()
silence()
race("the directory", "")
race("a directory below it", "/d7")
if AS_ROOT:
    race_begin()
    race_finished()
else:
    tap.skip("staging that is swapped while it is created", "needs root to remove what the swaps leave")
left_in_the_middle()
for engine in ("debootstrap", "native"):
    changed_afterwards(engine)
    race_package(engine)
tap.report(not processes_left(10), "no helper process remains")
tap.done()
