"""Power cuts: nothing gets its name before it is on disk, and nothing old is removed before the new name is
on disk. Each publishing command runs under strace, and the order of its calls is checked: data → fsync or
syncfs → rename or link → fsync of the directory. Add every new place where files get names to PLACES.

This cannot see whether a sync has an effect. In jails it has none (policy/seccomp); adversary/lists.py checks
that the publishing process is not in one. power.py simulates real power cuts in a guest."""
import os
import re
import shutil

from support import tap, vng, world
from support.server import Server
from support.world import AS_ROOT, BUILD, SCRATCH, Home, mirror

WRITES = ("write", "pwrite64", "writev", "pwritev2", "ftruncate", "fallocate", "copy_file_range")
SYNCS = ("fsync", "fdatasync", "syncfs")
NAMES = ("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat")
REMOVALS = ("unlink", "unlinkat", "rmdir")
TRACED = ",".join((*WRITES, *SYNCS, *NAMES, *REMOVALS, "execve", "exit_group"))

# Places (below the home) where files get names, and what must be on disk: "data" of a file or a whole "tree"
# before the name is, "name" before the command continues. Files whose checksum every reader verifies need
# nothing: they are downloaded again.
CHECKED = ()
PLACES = [
    (r"\.kerneldev-mcp/\w[^/]*", ("tree", "name")),
    (r"\.kerneldev-mcp/\.rootlet-trash\.\w+", ("name",)),
    (r"\.cache/rootlet/bases/[0-9a-f]{64}", ("tree", "name")),
    (r"\.cache/rootlet/images/\.?[0-9a-f]{16}-[0-9a-f]{32}\.\w+(\.sums)?", ("data",)),
    (r"\.cache/rootlet/kernels/\.new-\w+/\.sums", ("data",)),
    (r"\.cache/rootlet/kernels/\d[^/]*", ("tree", "name")),
    (r"\.cache/rootlet/kernels/\w+-\w+(-\w+)?", CHECKED),   # a link to one of them, or dangling
    (r"\.cache/rootlet/(packages|indexes|solv)/[0-9a-f]{64}", CHECKED),
    (r"\.cache/rootlet/host/kvm", CHECKED),                 # for this boot only, which a power cut ends
    (r"rootlet/runs/[\w-]+", ("name",)),                   # a link to the --results directory
    (r"run/(run\.json|tests\.jsonl)", ("data", "name")),
]
# Names of unpublished files: staging, parts of a clone, temporary links. Also a jail's root, a tmpfs that
# covers its mount point.
DRAFTS = re.compile(r"(^|/)(\.rootlet-(staging|part)|\.link-\d)|\.part$|/\.new-\w+/(?!\.sums$)|"
                    r"/run/\.run\.json$|"
                    r"\.kerneldev-mcp/\w+/rootfs/(bin|sbin|lib\w*)$")

CALL = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+|\?)")
UNFINISHED = re.compile(r"^(\d+) +(\w+)\((.*?) *<unfinished \.\.\.>$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
PATH_OF = r"(?:AT_FDCWD|(\d+)<([^>]*)>)"


class Call:
    def __init__(self, pid, name, arguments):
        self.pid, self.name, self.arguments = pid, name, arguments
        self.fd, self.path = 0, ""
        found = re.match(PATH_OF, arguments)
        if found and found.group(1):
            self.fd, self.path = int(found.group(1)), found.group(2).removesuffix(" (deleted)")

    def names(self):
        """Returns (source, target) of a naming call; the source of a symlink is empty."""
        words = re.findall(rf'{PATH_OF}, "((?:[^"\\]|\\.)*)"|"((?:[^"\\]|\\.)*)"', self.arguments)
        paths = [os.path.join(directory, name) if name else other for _, directory, name, other in words]
        return ("" if self.name.startswith("symlink") else paths[0]), paths[-1]


def calls(path):
    """Returns the successful calls in the order in which they ended."""
    begun = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            line = line.rstrip("\n")
            if part := UNFINISHED.match(line):
                begun[part.group(1), part.group(2)] = part.group(3)
                continue
            if part := RESUMED.match(line):
                line = f"{part.group(1)} {part.group(2)}(" \
                f"{begun.pop((part.group(1), part.group(2)), '')}{part.group(3)}"
            whole = CALL.match(line)
            if whole and not whole.group(4).startswith("-"):
                yield Call(*whole.group(1, 2, 3))


def data_is_on_disk(before, call, source, tree):
    """Whether everything was synced between the last write and the name; for a TREE only syncfs counts."""
    for one in reversed(before):
        if one.pid == call.pid and one.name == "syncfs" and os.path.dirname(one.path) in (
                source, os.path.dirname(source), os.path.dirname(os.path.dirname(source))):
            return True
        if not tree and one.pid == call.pid and one.name in ("fsync", "fdatasync") and \
                (one.path == source or source == f"/proc/self/fd/{one.fd}"):
            return True
        # The audit log is not published, and id maps are not on disk.
        if one.name in WRITES and one.path.startswith("/") and not re.search(r"/audit\.log$|^/(dev|proc)/",
                                                                             one.path):
            return False
    return False


def name_is_on_disk(after, call, target):
    for one in after:
        if one.pid == call.pid and one.name == "fsync" and one.path == os.path.dirname(target):
            return True
        if one.name in REMOVALS or (one.pid == call.pid and one.name == "exit_group"):
            return False
    return False


def writes_through(call):
    """It is never renamed: each line is synced by the call that writes it."""
    return call.name == "pwritev2" and call.arguments.endswith(" RWF_DSYNC")


def judge(path, home):
    """Returns (places that got a name, complaints)."""
    seen, wrong, all_calls = set(), [], list(calls(path))
    for i, call in enumerate(all_calls):
        if call.path == f"{home}/state/rootlet/releases" and call.name in WRITES:
            seen.add("releases")
            if not writes_through(call):
                wrong.append("the release memory is not on disk when the command continues")
        if call.name not in NAMES:
            continue
        source, target = call.names()
        if not target.startswith(f"{home}/") or DRAFTS.search(target):
            continue
        place = next((one for one in PLACES if re.fullmatch(one[0], target.removeprefix(f"{home}/"))), None)
        if not place:
            wrong.append(f"gets a name that is not in PLACES: {call.name}({call.arguments})")
            continue
        seen.add(place[0])
        if {"data", "tree"} & set(place[1]) and \
                not data_is_on_disk(all_calls[:i], call, source, "tree" in place[1]):
            wrong.append(f"gets its name before it is on disk: {target}")
        if "name" in place[1] and not name_is_on_disk(all_calls[i + 1:], call, target):
            wrong.append(f"its name may not be on disk when the command continues: {target}")
    return seen, wrong


def traced(what, home, expected, run, directory=None):
    """Calls RUN(more arguments of Home.run) under strace. EXPECTED: parts of the PLACES that it must
    reach."""
    path = f"{SCRATCH}/{os.getpid()}.trace"
    outcome = run(**world.traced(home, "-y", "-s", "32", "-o", path, "-e", f"trace={TRACED}"))
    seen, wrong = judge(path, directory or home.dir)
    wrong += [f"no name seen in {part}" for part in expected if not any(part in place for place in seen)]
    tap.report(outcome.status == 0 and not wrong, what, *wrong[:20], outcome)
    os.unlink(path)


def failing_disk(home, create):
    """If the name cannot be synced, the old rootfs keeps it, or no rootfs gets it."""
    more = world.traced(home, "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO")
    tree = f"{home.store}/one"
    inode = os.lstat(tree).st_ino
    outcome = create("--force")(**more)
    tap.report(outcome.status != 0 and "cannot write the name one to disk" in outcome.err and
               os.lstat(tree).st_ino == inode and not home.leftovers(),
               "create --force on a failing disk: the old rootfs keeps its name", home.leftovers(), outcome)
    outcome = create(name="two")(**more)
    tap.report(outcome.status != 0 and not os.path.exists(f"{home.store}/two") and not home.leftovers(),
               "create on a failing disk: no rootfs is left", home.leftovers(), outcome)


def commands():
    home = Home()
    directory = f"{SCRATCH}/{os.getpid()}.kernel"
    at = mirror().with_packages(directory, vng.toy_packages(f"{directory}.debs"))
    os.chmod(home.write("bin/vng", "#!/bin/sh\necho exit 0 >/mnt/status\n"), 0o755)

    def create(*words, name="one"):
        return lambda **more: home.create("--name", name, *words, server=server, at=at, fresh=False, **more)

    def run(**more):
        return home.run("run", "--name", "one", "--kernel", "distro", "--keyring", at.keyring,
                        "--root-transport",
                        "image", "--", "true",
                        environment={"PATH": f"{home.dir}/bin:/usr/bin:/bin"}, **more)

    with Server(at.root) as server:
        traced("create syncs the rootfs and its snapshot", home,
               ("mcp/\\w", "bases", "packages", "releases"), create())
        traced("create --force syncs the rootfs that replaces another", home, ("mcp/\\w",), create("--force"))
        traced("run syncs the kernel and the rootfs image", home, ("kernels/\\d", "images"), run)
        failing_disk(home, create)
    traced("delete syncs the renaming before it removes files", home, ("trash",),
           lambda **more: home.run("delete", "--name", "one", "--yes", **more))


def records():
    """The files of a run, written by the unit test."""
    home = Home()
    at = home.make_dir(f"{home.dir}/runs")
    traced("fstests syncs the files of a run", home, ("run/",),
           lambda **more: home.run(program=f"{BUILD}/tests/test_run_dir",
                                   environment={"ROOTLET_RUN_DIR": at}, **more),
           directory=at)


if not shutil.which("strace"):
    tap.skip("the order of writes, syncs and names", "strace is missing")
elif not AS_ROOT and shutil.which("newuidmap"):
    # The setuid bit is ignored under a plain user's strace.
    tap.skip("the order of writes, syncs and names", "needs root to trace commands that use newuidmap")
    records()
else:
    records()
    commands()
tap.done()
