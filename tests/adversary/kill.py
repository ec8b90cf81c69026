"""SIGKILL to any of the processes, at random moments of create, create --force and delete: what was there
before still passes `rootlet check --deep`, or what is new does; after the next command no staging, no mount,
no process."""
import os
import random
import subprocess
import time

from support import tap
from support.server import Server
from support.world import Home, Tidy, children, command_of, kill, mirror, processes_left

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
KILLS = int(os.environ.get("ROOTLET_TEST_KILLS", "200" if LONG else "6"))
AT = mirror()
home = Home()
TREE = f"{home.store}/test-rootfs"
chance = random.Random(os.getpid())


def victims(front):
    """{kind: pid} of what runs now."""
    below = children(front.pid)
    helpers = [pid for pid in below if "rootlet-helper" in command_of(pid)]
    found = {"front end": front.pid}
    for name, pid in zip(("outer", "jailer", "parser", "a further process of the helper"), helpers):
        found[name] = pid
    jailed = [pid for pid in below if pid not in helpers]
    if jailed:
        found["a process of the jail"] = chance.choice(jailed)
    return found


def strike(words, seconds, server):
    """(which process was killed, when, what it all said)"""
    more = ["--release", "jammy", "--profile", "test", "--mirror", server.url, "--keyring", AT.keyring, "--quiet"]
    front = home.start(*words, *(more if words[0] == "create" else []))
    after = chance.random() * seconds
    time.sleep(after)
    alive = victims(front) if front.poll() is None else {}
    kind = chance.choice(list(alive)) if alive else "nothing: it had ended"
    if alive:
        kill(alive[kind])
    try:
        _, err = front.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        front.kill()
        _, err = front.communicate()
        kind += ", and it did not end"
    return kind, after, err.decode(errors="replace")


def judge(kind, tidy, name, must_be):
    wrong = ["it did not end"] if "did not end" in kind else []
    wrong += [f"still runs: {line}" for line in processes_left(60)]
    home.run("list")
    wrong += tidy.complaints()
    if must_be or os.path.lexists(f"{home.store}/{name}"):
        check = home.run("check", "--deep", "--name", name)
        if check.status:
            wrong.append(f"{name} is not ready: {check}")
    return wrong


def campaign(seconds):
    survived, by_kind = 0, {}
    with Server(AT.root) as server:
        for number in range(KILLS):
            words, name, must_be, span = (
                (["create", "--force"], "test-rootfs", True, seconds), (["create", "--name", "fresh"], "fresh", False, seconds),
                (["delete", "--yes", "--name", "fresh"], "fresh", False, 1))[number % 3]
            if words[0] == "delete" and not os.path.lexists(f"{home.store}/fresh"):
                words, must_be = ["shell", "--", "sh", "-c", "sleep 1; find / -xdev >/dev/null"], False
            with Tidy(home) as tidy:
                kind, after, err = strike(words, span, server)
                wrong = judge(kind, tidy, name, must_be)
            if words[0] == "create" and "fresh" in words and number % 2:
                home.run("delete", "--yes", "--name", "fresh")
            survived += not wrong
            by_kind[kind] = by_kind.get(kind, 0) + 1
            tap.report(not wrong, f"kill {number + 1}: {kind} of {' '.join(words)}", *wrong, f"after {after:.2f} s", err)
    tap.note(f"kills survived: {survived} of {KILLS}; {by_kind}")


with Server(AT.root) as first:
    made = home.create("--quiet", server=first, at=AT)
if tap.report(made.status == 0, "a rootfs to begin with", made):
    campaign(made.seconds)
tap.done()
