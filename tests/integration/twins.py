"""Several creates of one rootfs at once: the first works, and the others end at once, before they download
anything."""
import os

from support import mirror as mirrors
from support import tap
from support.server import Fault, Server
from support.world import Home, Tidy, kill, mirror, processes_left, wait_until

AT = mirror()
home = Home()
INRELEASE = "InRelease$"
POCKETS = 3  # the release itself, updates and security
# Long enough for other commands to run and end meanwhile.
SLOW = Fault(f"/{mirrors.SUITE}/{INRELEASE}", "slow", 300, times=1)


def words(server, *more):
    return ["create", "--fresh", "--release", mirrors.SUITE, "--profile", "test", "--mirror", server.url,
            "--keyring", AT.keyring, *more]


def asked(server):
    return sum(path.endswith("InRelease") for path in server.requests)


def begin(server, *more):
    """Starts a create that has asked the mirror for all its release files."""
    before = asked(server)
    front = home.start(*words(server, *more))
    wait_until(lambda: asked(server) >= before + POCKETS or front.poll() is not None, 60)
    return front


def claims():
    directory = home.state("creating")
    return os.listdir(directory) if os.path.isdir(directory) else []


def refused(server, first, what, *more):
    before = asked(server)
    outcome = home.run(*words(server, *more))
    tap.report(outcome.status == 6 and first.poll() is None and asked(server) == before and
               f"another rootlet, process {first.pid}, is creating {home.store}/twin;" in outcome.err,
               f"while a rootfs is being created, {what} ends at once", asked(server) - before, outcome)


def together():
    os.symlink(home.store, f"{home.dir}/link")
    with Server(AT.root, [SLOW]) as server, Tidy(home) as tidy:
        first = begin(server, "--name", "twin")
        refused(server, first, "another create", "--name", "twin")
        refused(server, first, "one with --force", "--name", "twin", "--force")
        outcome = home.run(*words(server, "--path", f"{home.dir}/link/twin"))
        tap.report(outcome.status == 6 and "another rootlet" in outcome.err and first.poll() is None,
                   "one by another path ends at once", outcome)
        other = begin(server, "--name", "other")
        tap.report(other.poll() is None, "a create of another name goes on")
        kill(other.pid)
        other.communicate()
        out, err = first.communicate()
        wrong = tidy.complaints()
    check = home.run("check", "--name", "twin")
    tap.report(first.returncode == 0 and check.status == 0 and not wrong, "the first one works", *wrong, out,
               err, check)
    tap.report(not [name for name in claims() if name.endswith(".twin")], "it leaves no lock file", claims())


def after(server):
    outcome = home.run(*words(server, "--name", "twin"))
    tap.report(outcome.status == 6 and "use --force" in outcome.err, "afterwards, there is a rootfs", outcome)
    first = begin(server, "--name", "twin", "--force")
    kill(first.pid)
    first.communicate()
    second = begin(server, "--name", "twin", "--force")
    tap.report(second.poll() is None, "a killed create does not block the next one",
               second.communicate() if second.poll() is not None else "")
    kill(second.pid)
    second.communicate()


together()
with Server(AT.root) as mirrored, Tidy(home) as tidied:
    after(mirrored)
    left = [f"still runs: {line}" for line in processes_left(60)]
    listed = home.run("list")  # removes what a killed create leaves
    left += tidied.complaints()
tap.report(listed.status == 0 and not left, "nothing is left behind", *left, listed)
tap.done()
