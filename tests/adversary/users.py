"""Two users of one host, each with a rootfs: neither can see, use, stop or guess anything of the other."""
import os
import subprocess

from support import tap
from support.protocol import Helper, opened
from support.mirror import arch
from support.server import Server
from support.world import (AS_ROOT, SOURCE, Home, children, command_of, ids_of, mirror, other_user,
                           plain_user, processes_left, wait_until)

CASES = ["another user's rootfs", "another user's processes", "another user's cache and audit log"]


def users():
    if not AS_ROOT:
        return None
    mine, other = plain_user(), other_user()
    return (mine, other) if other else None


FOUND = users()
if not FOUND:
    for what in CASES:
        tap.skip(what, "needs root and the users that ./tests/run creates")
    tap.done()
VICTIM, ATTACKER = (Home(user=user) for user in FOUND)
TREE = f"{VICTIM.store}/test-rootfs"


def as_attacker(*words):
    # Through a shell, so that a program that cannot be run is an answer too.
    done = subprocess.run(["sh", "-c", 'exec "$@"', "sh", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, cwd="/",
                          **ATTACKER.user.switch())
    return done.returncode, done.stdout


def paths():
    """The other user knows the path, and the home directory may be open."""
    for what, words in {
            "list its store": ["ls", VICTIM.store],
                        "read its manifest": ["cat", f"{TREE}/etc/rootlet/manifest.json"],
            "run a program in it": [f"{TREE}/usr/bin/true"],
                        "write in its store": ["touch", f"{VICTIM.store}/x"],
            "list its cache": ["ls", f"{VICTIM.cache}/rootlet"],
                        "list its state": ["ls", f"{VICTIM.dir}/state/rootlet"],
            "read its audit log": ["cat", f"{VICTIM.dir}/state/rootlet/audit.log"]}.items():
        status, text = as_attacker(*words)
        tap.report(status != 0, f"another user cannot {what}", text)
    make = ["create", "--release", "jammy", "--profile", "test", "--mirror", SERVER.url, "--keyring",
            AT.keyring, "--path"]
    for words in (["check", "--path", TREE], ["shell", "--path", TREE, "--", "true"],
                  ["delete", "--yes", "--path", TREE],
                  [*make, TREE, "--force"], [*make, f"{VICTIM.store}/new"],
                  ["run", "--path", TREE, "--kernel", "distro", "--", "true"]):
        outcome = ATTACKER.run(*words, seconds=120)
        tap.report(outcome.status != 0 and "Permission denied" in outcome.err,
                   f"another user's rootlet {words[0]} on it fails with a permission error", outcome)


def descriptors():
    """With a descriptor of the directory, which root passes here to imitate a mistake by the owner."""
    rows = [("Remove", [VICTIM.store], {"name": "test-rootfs"}), ("Inspect", [TREE], {"deep": 1}),
            ("Remove", [VICTIM.store], {"name": "test-rootfs", "stale": 1}),
            ("Execute", [TREE, *["/dev/null"] * 3], {"argv": ["touch", "/root/x"], "user": "root"}),
            ("Begin", [VICTIM.store, AT.keyring],
             {"name": "new", "suite": "jammy", "arch": arch(), "engine": "native"})]
    for kind, names, fields in rows:
        with Helper(ATTACKER.user) as helper, opened(*names) as fds:
            answer = helper.ask(kind, fds, **fields)
        harmless = kind == "Remove" and fields.get("stale") and answer.code == 0  # there is nothing to remove
        # Each is well-formed, so it is not refused for its form.
        tap.report((answer.code > 0 or harmless) and "request refused" not in answer.message,
                   f"another user's helper with the directory's descriptor refuses {kind}", answer)
        tap.note(f"{kind}: {answer.message}")
    tap.report(os.listdir(VICTIM.store) == ["test-rootfs"], "another user changes nothing in the store",
               os.listdir(VICTIM.store))


def processes():
    # A separate session: within one session, anyone may send SIGCONT.
    shell = VICTIM.start("shell", "--", "sh", "-c", "echo in; sleep 68", start_new_session=True)
    shell.stdout.readline()
    sleeps = wait_until(lambda: any(command_of(pid).startswith("sleep 68") for pid in children(shell.pid)))
    pids = [shell.pid, *children(shell.pid)]
    _, text = as_attacker("python3", f"{SOURCE}/tests/adversary/probe.py", *map(str, pids))
    rows = [line.split() for line in text.splitlines()]
    through = [row for row in rows if len(row) == 3 and row[2] not in ("EPERM", "EACCES")]
    # The front end, the helper's three processes, the command.
    tap.report(sleeps and len(pids) >= 5 and len(rows) == 23 * len(pids) and not through,
               "attacks on another user's processes all fail",
               *through, text[-300:])
    tap.note(f"{len(rows)} attempts on {len(pids)} processes of another user")
    tap.report(shell.poll() is None, "attacked processes still run")
    shell.terminate()
    shell.communicate(timeout=300)


def ranges():
    """The attacker's own range gives no access to the victim's tree, even if its directories were open."""
    with Helper(ATTACKER.user) as helper:
        maps = set()
        for pid in (helper.process.pid, *children(helper.process.pid)):
            maps |= {(int(row[1]), int(row[2])) for row in ids_of(pid)}
    owner = os.lstat(TREE).st_uid
    tap.report(maps and not any(first <= owner < first + count for first, count in maps),
               "the ranges of two users do not overlap", maps, owner)


AT = mirror()
with Server(AT.root) as SERVER:
    made = VICTIM.create("--quiet", server=SERVER, at=AT)
    if made.status == 0:
        paths()
if tap.report(made.status == 0, "a rootfs of another user is created", made):
    descriptors()
    processes()
    ranges()
    check = VICTIM.run("check", "--deep")
    tap.report(check.status == 0, "the owner's rootfs is unchanged", check)
tap.report(not processes_left(10), "no processes remain")
tap.done()
