"""Everything that can go wrong in rootlet install, uninstall and upgrade: packages that fail, mirrors that
lie or hang, a rootfs in use, interruptions, full disks, and hostile files in a rootfs. Each time the rootfs
stays the same directory with the same contents, and nothing is left behind."""
import os
import signal
import subprocess

from support import changes, debs, tap, vng
from support import mirror as mirrors
from support.changes import digest, manifest
from support.disks import disk
from support.server import Fault, Server
from support.world import (AS_ROOT, SCRATCH, Case, Home, Tidy, children, command_of, judge, kill, mirror,
                           processes_left)

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"
FAILED, INPUT, TRUST, NETWORK, BUSY, SPACE, INTERRUPTED = 1, 2, 3, 4, 6, 7, 130
AT = changes.Mirrors(mirror())
home = Home()
TREE = f"{home.store}/test-rootfs"
KEYRING = ("--keyring", AT.first.keyring)


def state(name="test-rootfs"):
    return os.lstat(f"{home.store}/{name}").st_ino, digest(home, name)


def fails(what, *words, status, says=(), more=lambda: [], cold=False, name="test-rootfs",
          keyring=KEYRING):
    """A command that must fail and leave the rootfs NAME as it was. COLD: with an empty cache."""
    was = state(name)
    words = [*words, "--name", name]
    cache = {"XDG_CACHE_HOME": f"{home.dir}/cold-{what.replace(' ', '-')}"} if cold else {}
    with Tidy(home) as tidy:
        outcome = home.run(*words, *keyring, environment=cache)
        wrong = judge(Case("", words, status, says), outcome, home, tidy)
    now = state(name)
    wrong += [] if now == was and now[1] else [f"now {now}, before {was}"]
    wrong += more()
    tap.report(not wrong, what, *wrong, outcome)


# --- packages and mirrors ---

def scripts():
    log = home.state("logs/create-test-rootfs.log")
    for what, name in (("preinst", "odd-before"), ("postinst", "odd-after")):
        fails(f"a {what} that fails", "install", name, status=FAILED,
              says=[f"package {name}: ", "exit status 3", "odd word 3; no such thing", log],
              more=lambda: [] if "odd word 1" in open(log, encoding="utf-8").read() else ["no log"])


def lies(server):
    deb = r"/odd-safe_[^/]*\.deb$"
    unsigned = AT.second.inrelease("updates", key="other")
    for what, fault, status, says in (
            ("a package with a wrong hash", Fault(deb, "body", lambda body: body[:-1] + b"x"), TRUST,
             "odd-safe"),
            ("a package that is missing", Fault(deb, "status", 404), NETWORK, ["odd-safe", "404"]),
            ("a mirror that hangs", Fault(deb, "stall", 100), NETWORK, "odd-safe"),
            ("a newer release file with a wrong signature",
             Fault("jammy-updates/InRelease$", "body", unsigned),
             TRUST, "jammy-updates"),
            ("a mirror without release files", Fault("InRelease$", "status", 404), NETWORK, "404"),
            ("a package list that is not the signed one",
             Fault(r"/Packages(\.xz|\.gz)?$", "body", lambda body: body[:-1] + b"x"), TRUST, "Packages")):
        server.faults = [fault]
        fails(f"install: {what}", "install", "odd-safe", status=status, says=says, cold=True)
    server.faults = []
    fails("install: no such mirror", "install", "odd-safe", "--mirror", "http://127.0.0.1:1", status=NETWORK)
    fails("install: an empty keyring", "install", "odd-safe", status=TRUST, says="jammy",
          keyring=("--keyring", home.write("empty.gpg", "")))
    fails("install: an invalid component", "install", "odd-safe", "--components", "a/b", status=INPUT)


def absurd():
    """A signed package list that claims nonsense."""
    for version in ("1/2", "1'2", "1\t2"):
        directory = f"{SCRATCH}/{os.getpid()}.absurd"
        deb = debs.make(f"{directory}.debs", "odd-absurd", mirrors.arch(), entries=[("./odd", b"x")])
        at = AT.first.with_packages(directory, [deb])
        base = f"{at.root}/dists/jammy/main/binary-{mirrors.arch()}"
        with open(f"{base}/Packages", "rb") as file:
            data = file.read()
        head, _, tail = data.rpartition(b"Package: odd-absurd\nVersion: 1\n")
        at.write_index(base, head + f"Package: odd-absurd\nVersion: {version}\n".encode() + tail)
        os.unlink(f"{at.root}/dists/jammy/InRelease")
        at.refresh("")
        with Server(at.root) as server:
            fails(f"install: a package list with the version {version!r}", "install", "odd-absurd",
                  "--mirror",
                  server.url, status=TRUST, says="odd-absurd")
        subprocess.run(["rm", "-r", directory, f"{directory}.debs"], check=True)


# --- others ---

def busy(server):
    before = state()
    with changes.used(home) as there:
        for words in (["install", "odd-safe"], ["uninstall", "acl"], ["upgrade"]):
            outcome = home.run(*words, *KEYRING)
            tap.report(there and outcome.status == BUSY and "in use" in outcome.err,
                       f"{words[0]} while a shell runs in the rootfs", there, outcome)
    tap.report(state() == before, "the rootfs is unchanged after that")
    server.faults = [Fault(r"/odd-held_[^/]*\.deb$", "slow", 100)]
    del server.requests[:]
    with Tidy(home) as tidy:
        first = home.start("install", "odd-held", *KEYRING)
        there = server.wait_for("odd-held_")
        second = home.run("install", "odd-lib", *KEYRING)
        shell = home.run("shell", "--", "true")
        _, err = first.communicate(timeout=300)
        wrong = tidy.complaints()
    server.faults = []
    tap.report(there and shell.status == BUSY, "shell while an install runs", there, shell)
    packages = manifest(home)["packages"]
    tap.report(there and first.returncode == 0 and second.status == BUSY and not wrong and
               "odd-held" in packages and
               "odd-lib" not in packages, "install while another install runs: only the first succeeds",
               there, *wrong,
               err, second)


def during_a_run():
    """A run that waits for its guest; a test program stands for vng."""
    os.chmod(home.write("bin/vng", "#!/bin/sh\necho inside\nexec sleep 600\n"), 0o755)
    before = state()
    run = home.start("run", "--kernel", home.write("kernel", vng.kernel()), "--root-transport", "dir", "--",
                     "true", environment={"PATH": f"{home.dir}/bin:/usr/bin:/bin"})
    there = any(b"inside" in line for line in iter(run.stdout.readline, b""))
    outcome = home.run("upgrade", *KEYRING)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    tap.report(there and outcome.status == BUSY and "in use" in outcome.err and state() == before,
               "upgrade while a run boots the rootfs", there, outcome)


def two_upgrades(server):
    """Only one of them changes the rootfs."""
    server.faults = [Fault(r"/odd-safe_2_[^/]*\.deb$", "slow", 100)]
    del server.requests[:]
    old = state()[0]
    with Tidy(home) as tidy:
        first = home.start("upgrade", "--security", *KEYRING)
        there = server.wait_for("odd-safe_2")
        second = home.run("upgrade", *KEYRING)
        back = home.run("upgrade", "--rollback")
        first.communicate(timeout=300)
        wrong = tidy.complaints()
    server.faults = []
    tap.report(there and first.returncode == 0 and second.status == BUSY and back.status != 0 and
               not wrong and manifest(home)["packages"]["odd-safe"]["version"] == "2" and
               os.lstat(f"{TREE}.previous").st_ino == old,
               "upgrade while another upgrade runs: only the first succeeds", there, *wrong, second, back)
    home.run("upgrade", "--rollback")
    home.run("delete", "--yes", "--name", "test-rootfs.previous")


# --- interruptions ---

# By stage: the package to install, the fault that makes the stage last, and the line that create prints.
STAGES = {"Copying the rootfs": ("odd-safe", Fault(r"/odd-safe_[^/]*\.deb$", "stall", 100)),
          "Downloading and unpacking packages": ("odd-safe", Fault(r"/odd-safe_[^/]*\.deb$", "stall", 100)),
          # Its postinst never ends.
          "Configuring": ("odd-slow", None)}


def helper_of(pid):
    return next((child for child in children(pid) if "rootlet-helper" in command_of(child)), pid)


METHODS = {"Ctrl-C": (lambda front: kill(front.pid, signal.SIGINT), INTERRUPTED),
           "SIGTERM": (lambda front: kill(front.pid, signal.SIGTERM), INTERRUPTED),
           "kill -9 of the front end": (lambda front: kill(front.pid), -signal.SIGKILL),
           "kill -9 of the helper": (lambda front: kill(helper_of(front.pid)), FAILED)}


def reaches(front, stage):
    """Waits until FRONT prints that STAGE has begun."""
    return any(line.decode(errors="replace").startswith(stage) for line in iter(front.stdout.readline, b""))


# The same for an upgrade, which keeps the old rootfs. In the last stage, either may have the name.
UPGRADE = {"Copying the rootfs": Fault(r"/odd-held_2_[^/]*\.deb$", "stall", 100),
           "Downloading and unpacking packages": Fault(r"/odd-held_2_[^/]*\.deb$", "stall", 100),
           "Configuring": None, "Writing to disk": None}


def strike_upgrade(server, stage, method):
    server.faults = [UPGRADE[stage]] if UPGRADE[stage] else []
    was, last = state(), stage == "Writing to disk"
    with Tidy(home) as tidy:
        front = home.start("upgrade", *(["--security"] if last else []), *KEYRING,
                           environment={"XDG_CACHE_HOME": f"{home.dir}/cold-strike"})
        there = reaches(front, stage)
        METHODS[method][0](front)
        _, err = front.communicate(timeout=300)
        wrong = [f"still runs: {line}" for line in processes_left(60)]
        home.run("list")
        wrong += tidy.complaints()
    server.faults = []
    now, previous = state(), f"{TREE}.previous"
    changed = last and now != was
    wrong += [] if now == was or changed else [f"now {now}, before {was}"]
    if changed and os.path.lexists(previous):
        wrong += [] if state("test-rootfs.previous") == was else ["NAME.previous is not the old rootfs"]
    elif os.path.lexists(previous):
        wrong.append("there is a NAME.previous")
    deep = home.run("check", "--deep")
    tap.report(there and not wrong and deep.status == 0, f"{method} in an upgrade, {stage.lower()}", there,
               *wrong, err.decode(errors="replace"), deep)
    if changed:
        home.run("upgrade", "--rollback")
        home.run("delete", "--yes", "--name", "test-rootfs.previous")


def upgrades(server):
    """odd-held makes it wait for a download, odd-stuck has a postinst that never ends, odd-safe neither."""
    made = home.run("install", "odd-held", "odd-safe", "odd-stuck", *KEYRING)
    tap.report(made.status == 0, "packages to upgrade are installed", made)
    server.dir = AT.second.root
    two_upgrades(server)
    for stage in UPGRADE if LONG else ["Writing to disk"]:
        for method in ("kill -9 of the front end", "kill -9 of the helper"):
            strike_upgrade(server, stage, method)


def strike(server, stage, method):
    package, fault = STAGES[stage]
    server.faults = [fault] if fault else []
    action, status = METHODS[method]
    was = state()
    with Tidy(home) as tidy:
        front = home.start("install", package, *KEYRING,
                           environment={"XDG_CACHE_HOME": f"{home.dir}/cold-strike"})
        there = reaches(front, stage)
        action(front)
        _, err = front.communicate(timeout=300)
        wrong = [f"still runs: {line}" for line in processes_left(60)] if "kill -9" in method else []
        if "kill -9" in method:
            home.run("list")  # it removes what a killed helper leaves
        wrong += tidy.complaints()
    server.faults = []
    now, text = state(), err.decode(errors="replace")
    wrong += [] if there else ["the stage was never reached"]
    wrong += [] if front.returncode == status else [f"exit status {front.returncode}, not {status}"]
    wrong += [] if now == was else [f"now {now}, before {was}"]
    if front.returncode > 0 and len(text.strip().splitlines()) != 1:
        wrong.append("not exactly one message")
    tap.report(not wrong, f"{method} while {stage.lower()}", *wrong, text)


def interruptions(server):
    for stage in STAGES:
        for method in METHODS:
            strike(server, stage, method)
    with Tidy(home) as tidy:
        outcome = home.run("install", "odd-safe", *KEYRING)
        wrong = tidy.complaints()
    tap.report(outcome.status == 0 and not wrong, "after the interruptions, the same install succeeds",
               *wrong, outcome)


# --- disks ---

def full_disks(server):
    for what, size, package in (("while the rootfs is copied", "200m", "odd-safe"),
                                ("while a package is unpacked", "300m", "odd-large")):
        if not AS_ROOT:
            tap.skip(f"install: the disk is full {what}", "needs root to mount a small disk")
            continue
        with disk(home, "tmpfs", f"size={size},mode=755") as point:
            path = f"{point}/tree"
            made = home.create("--path", path, server=server, at=AT.first)
            before = os.lstat(path).st_ino if made.status == 0 else 0
            with Tidy(home, point) as tidy:
                outcome = home.run("install", "--path", path, package, *KEYRING)
                wrong = judge(Case("", ["install"], SPACE, "space|full"), outcome, home, tidy)
            check = home.run("check", "--deep", "--path", path)
            wrong += [] if check.status == 0 and os.lstat(path).st_ino == before else [f"the rootfs: {check}"]
            wrong += [] if os.listdir(point) == ["tree"] else [f"left behind: {os.listdir(point)}"]
            tap.report(not wrong, f"install: the disk is full {what}", *wrong, made, outcome)
            home.run("delete", "--yes", "--path", path)


# --- hostile contents ---

STATUS = "/var/lib/dpkg/status"


def of_acl(state):
    """Returns a command that gives the package acl another state."""
    return f"sed -i '/^Package: acl$/,/^$/s/^Status: .*/Status: install ok {state}/' {STATUS}"


# What a shell in the rootfs does: (how, exit status, what the message says).
HOSTILE = {
    "a dpkg database of garbage": (f"head -c 100000 /dev/urandom >{STATUS}", INPUT, "status file"),
    "an empty dpkg database": (f": >{STATUS}", INPUT, "no installed packages"),
    "no dpkg database": (f"rm {STATUS}", FAILED, "installed packages"),
    "a dpkg database that is a symlink to a secret": (f"ln -sf /etc/shadow {STATUS}", INPUT, "regular file"),
    "a dpkg database that is a fifo": (f"rm {STATUS}; mkfifo {STATUS}", INPUT, "regular file"),
    "a dpkg database of 40 MB": (f"cp {STATUS} /root/s; i=0; while [ $i -lt 40000000 ]; do cat /root/s; "
                                 f"i=$((i + $(stat -c %s /root/s))); done >{STATUS}", INPUT, "at most"),
    "a half-installed package": (of_acl("half-installed"), INPUT, "acl is only half installed"),
    "an unpacked package": (of_acl("unpacked"), INPUT, "acl"),
    "a symlink in place of the work directory": ("ln -s /root /var/lib/dpkg/rootlet", FAILED,
                                                 "/var/lib/dpkg/rootlet"),
    "a file in place of the work directory": ("echo >/var/lib/dpkg/rootlet", FAILED, "/var/lib/dpkg/rootlet"),
    "a plan in the work directory": ("mkdir /var/lib/dpkg/rootlet; echo >/var/lib/dpkg/rootlet/_plan", FAILED,
                                     "/var/lib/dpkg/rootlet"),
    "dpkg that fails": ("printf '#!/bin/sh\\necho no such thing; exit 7\\n' >/usr/bin/dpkg", FAILED,
                        "no such thing"),
    "a manifest of garbage": ("echo x >/etc/rootlet/manifest.json", INPUT, "manifest"),
}


def hostile(server):
    made = home.create("--name", "kept", server=server, at=AT.first, fresh=False)
    for number, (what, (how, status, says)) in enumerate(HOSTILE.items()):
        name = f"hostile{number}"
        cloned = home.create("--name", name, server=server, at=AT.first, fresh=False)
        changed = home.run("shell", "--name", name, "--", "sh", "-ec", how)
        if made.status or cloned.status or changed.status:
            tap.report(False, f"install into a rootfs with {what}", made, cloned, changed)
            continue
        fails(f"install into a rootfs with {what}", "install", "odd-safe", status=status, says=says,
              name=name)


with Server(AT.first.root) as served:
    created = home.create(server=served, at=AT.first)
    if tap.report(created.status == 0, "the rootfs is created", created):
        scripts()
        lies(served)
        absurd()
        busy(served)
        during_a_run()
        interruptions(served)
        full_disks(served)
        hostile(served)
        upgrades(served)
tap.done()
