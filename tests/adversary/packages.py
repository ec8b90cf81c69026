"""Packages signed by a trusted key that try to exhaust the host or leave something on it, under a policy with
limits. See integration/scripts.py for packages that try to see or reach the host."""
import os
import re
import shutil
import subprocess

from support import debs, installed, sanitizers, tap
from support import mirror as mirrors
from support.server import Server
from support.world import SCRATCH, Home, Tidy, mirror, plain_user, processes_left

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
installed.enter("packages under limits")
AT = mirror()
home = Home(user=plain_user())
PRECIOUS = home.make_dir(f"{home.dir}/precious")
home.write("precious/file", "of-the-host")
# Sanitizer runtimes reserve terabytes of address space.
LIMITS = ["max-processes = 300", "max-size = 300M", *([] if sanitizers.watched() else ["max-memory = 2G"])]
ENTRIES = 1000000 if LONG else 20000
# more than max-size, of zeros that compress to almost nothing
BOMB = bytes((1 << 30) if LONG else (320 << 20))


def hello(*lines):
    return {"postinst": "#!/bin/sh\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n" + "\n".join(lines) + "\nexit 0\n"}


def deep(levels):
    """Returns nested directories with a file in the innermost."""
    names = [f"./{'/'.join(['d' * 250] * level)}" for level in range(1, levels + 1)]
    return [*((name, "dir") for name in names), (f"{names[-1]}/{'n' * 100}", b"x")]


# As many processes as possible, until they all end: the script itself starts nothing after that. The limit
# is reached within a second; each second costs one of every processor.
SECONDS = 15 if LONG else 5
BOMBS = f"exec perl -e '$e = time + {SECONDS}; if (!fork) {{ fork while time < $e; exit }} " \
    f"sleep {SECONDS + 5}'"
# name: (what it tries, scripts, archive entries, exit status, message). Packages that stay within limits and
# leave nothing behind may succeed: 0.
PACKAGES = {
    "forks": ("forks without end", hello(BOMBS), (), 0, ""),
    "sleeps": ("sleeps forever", hello("sleep 100000"), (), 130, "took longer than"),
    "fills": ("fills the disk", hello("cat /dev/zero >/root/big"), (), 1, "Publish refused: .*max-size"),
    "eats": ("eats all memory", hello("perl -e '@a = map { q(x) x 500_000_000 } 1 .. 20' && exit 1"), (), 0,
             ""),
    "stays": ("leaves daemons behind",
              hello("for i in 1 2 3; do (setsid sh -c 'trap \"\" TERM HUP INT; sleep 5002' &) ; done"),
              (), 0, ""),
    "names": ("has names that are too long", {}, [("./" + "n" * 256, b"x")], 1, "File name too long"),
    "deep": ("has names of the maximum length", {}, deep(15), 0, ""),
    "deeper": ("has paths too long to open", {}, deep(17), 1, "package evil-deeper"),
    "many": (f"has {ENTRIES} files", {},
             [("./many", "dir")] + [(f"./many/{i}", b"") for i in range(ENTRIES)], 0, ""),
    "bomb": ("unpacks to more than the limit", {}, [("./bomb", BOMB)], 1,
             'cannot unpack "bomb": File too large'),
    "climbs": ("links out of the tree, and writes through the links", {}, [
        ("./a", f"-> {PRECIOUS}"), ("./a/escaped", b"x"), ("./b", "-> ../../../../../.."),
                                                                           (f"./b{PRECIOUS}/escaped", b"x"),
        ("./c", f"=> {PRECIOUS}/file"), ("./d", f"-> {PRECIOUS}/file"), ("./d", b"changed")], 1,
               "leads through a symlink"),
    "marked": ("sets file capabilities and setuid bits", hello(
        "cp /usr/bin/id /usr/bin/sleep /root/; chmod 4755 /root/id; chmod 755 /root",
        "setfattr -n security.capability -v 0x0100000202000000000000000000000000000000 /root/sleep",
        "chown 65534 /root/sleep; chmod 6755 /root/sleep"), (), 0, ""),
}


def create(name, scripts, entries):
    package, directory = f"evil-{name}", f"{SCRATCH}/{os.getpid()}.{name}"
    with Server(f"{directory}/mirror") as server, Tidy(home) as tidy:
        deb = debs.make(f"{directory}.debs", package, mirrors.arch(), scripts, entries)
        at = AT.with_packages(directory, [deb])
        # The effect of the bits can only be tested in an open rootfs.
        mode = ["--tree-mode", "0755"] if name == "marked" else []
        outcome = home.create(*mode, "--name", name, "--include", package, "--quiet", server=server, at=at,
                              seconds=1500)
        wrong = tidy.complaints(60)
    shutil.rmtree(directory, ignore_errors=True)
    return outcome, wrong


def host_is_as_before():
    if sorted(os.listdir(PRECIOUS)) != ["file"] or open(f"{PRECIOUS}/file").read() != "of-the-host":
        return [f"the host's directory has changed: {os.listdir(PRECIOUS)}"]
    return []


def marked(tree):
    """Checks the effect of the bits on the host, for any user."""
    done = subprocess.run([f"{tree}/root/id", "-u"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True,
                          check=False, cwd="/", **home.user.switch())
    owner = os.lstat(tree).st_uid
    tap.report(done.stdout.strip() in ("", str(home.user.uid), str(owner)) and done.stdout.strip() != "0",
               "a setuid program in the tree does not give host root", done)
    process = subprocess.Popen([f"{tree}/root/sleep", "5"], cwd="/", **home.user.switch())
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    process.kill()
    process.wait()
    tap.report(int(status["CapPrm"], 16) == 0 and int(status["CapEff"], 16) == 0,
               "a file capability in the tree gives no privileges on the host", status["CapPrm"])


tried = stopped = 0
for key, (what, scripts, entries, status, says) in PACKAGES.items():
    if key == "eats" and sanitizers.watched():
        continue
    # Long enough for a whole create on a slow machine, except to test the limit itself.
    installed.allow(home.user, *LIMITS, "tree-modes = 0700 0755",
                    f"max-seconds = {90 if key in ('forks', 'sleeps') else 3000}")
    outcome, wrong = create(key, scripts, entries)
    wrong += host_is_as_before()
    if outcome.status != status or not re.search(says, outcome.err):
        wrong.append(f"exit status {outcome.status}, expected {status}, and {says}")
    if outcome.status and os.path.lexists(f"{home.store}/{key}"):
        wrong.append("it failed but a rootfs exists")
    if len([line for line in outcome.err.splitlines() if line.strip()]) > 1:
        wrong.append("more than one message")
    tried += 1
    stopped += tap.report(not wrong, f"a package that {what} does no harm", *wrong, outcome)
    tap.note(f"{key}: exit status {outcome.status} after {outcome.seconds:.0f} s: "
             f"{outcome.err.strip()[-200:]}")
    if key == "marked" and outcome.status == 0:
        marked(f"{home.store}/{key}")
    home.run("delete", "--yes", "--name", key)
tap.report(not processes_left(30), "no process of a package remains")
tap.note(f"packages tried {tried}, stopped or harmless {stopped}")
tap.done()
