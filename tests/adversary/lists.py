"""Tests every seccomp list by making every system call, and every capability by removing it."""
import json
import os
import re
import shutil
import subprocess

from support import debs, installed, tap
from support.lists import expected
from support.mirror import arch
from support.protocol import Helper, opened
from support.publisher import Publisher
from support.server import Server
from support.world import (BUILD, HELPER, ROOTLET, SCRATCH, Home, mirror, plain_user, processes_left)

NUMBERS = 1024  # as in tools/lists.c
USER = plain_user()
SYNC = {"fsync", "fdatasync", "sync", "msync", "sync_file_range", "syncfs"}
# In a contained set, setting RLIMIT_CORE does nothing (the kernel ignores the upper half of the number);
# setting and getting it in one call is refused.
LIMITS = {"setrlimit": {"0": ["0x4", "0x100000004"]}, "prlimit64": {"0": ["0x4"], "EPERM": ["0x4"]}}
EXPECTED = expected()
SETS = list(EXPECTED)  # in the order of enum privilege_set
CAPABILITIES = ("chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable "
                "net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio "
                "sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time "
                "sys_tty_config mknod lease audit_write audit_control setfcap").split()


# uretprobe and uprobe: since 6.14, they cannot be filtered, and they only work in the kernel's own
# trampolines.
UNFILTERED = {"335": "ILL", "336": "ENXIO"}


def answer_of(one, number, name, without, result):
    """Whether RESULT matches the list. Allowed calls give ENOSYS here, because they are not really made."""
    kind, listed = one.kind, name in one.calls
    if UNFILTERED.get(number) == result:
        return True
    # Newer than the list, or not a call at all: libraries fall back, and our own processes use none of these.
    if name == "?":
        return result == ("SYS" if "kill" in kind else "ENOSYS")
    if "contained" in kind and name in SYNC:
        return result == "0"
    if name == "clone3":
        # The kernel has this call.
        return result == ("SYS" if "kill" in kind else "ENOSYS") and without != "ENOSYS" and not listed
    if not listed:
        return result == ("SYS" if "kill" in kind else "EPERM")
    # The result with meaningless arguments; valid ones have their own rows.
    return result in ["ENOSYS", *(refused for key, (refused, _) in one.arguments.items()
                                  if key.startswith(f"{name}:"))]


def arguments(name, one, rows):
    """ROWS: results for calls whose arguments are varied."""
    wrong, tried = [], {}
    limits = [(call, answer, values) for call, answers in LIMITS.items() for answer, values in answers.items()
              if one.kind == "contained" and call in one.calls]
    seen = [(row[0], row[2], row[4:]) for row in rows]
    wrong += [f"core limit: not {limit}" for limit in limits if limit not in seen]
    for call, argument, answer, _, *values in rows:
        key = f"{call}:{argument}"
        refused, good = one.arguments.get(key, (None, None))
        tried.setdefault(key, set())
        if answer == "ENOSYS" and good is not None:
            tried[key] |= {int(value, 16) for value in values}
        elif answer not in ("ENOSYS", refused) and (call, answer, values) not in limits:
            wrong.append(f"{key}: {answer} for {' '.join(values[:20])}")
    wrong += [f"{key}: takes {sorted(map(hex, values ^ one.arguments[key][1]))[:20]}, or should"
              for key, values in tried.items() if key in one.arguments and values != one.arguments[key][1]]
    tap.report(not wrong and set(one.arguments) <= set(tried),
               f"list {name}: exactly the expected arguments pass", *wrong[:20],
               set(one.arguments) - set(tried))
    tap.note(f"list {name}: {len(tried)} arguments tried, {len(one.arguments)} of them narrowed")


def told():
    """Returns the output of policy seccomp --json, by process."""
    done = subprocess.run([ROOTLET, "policy", "seccomp", "--json"], stdout=subprocess.PIPE, check=True)
    rows = {row["process"]: row for row in json.loads(done.stdout)}
    tap.report(list(rows) == SETS, "policy seccomp --json: lists every process", *rows)
    return rows


def printed(name, one, row):
    """Checks that ROW, from policy seccomp --json, matches the expected set."""
    listed = set(row["calls"])
    told_arguments = {f"{rule['call']}:{rule['argument']}": set(rule["values"].values())
                      for rule in row["arguments"]}
    # More values are tried than have names: every signal, modes, upper halves.
    wrong = [key for key in set(told_arguments) | set(one.arguments) if key not in told_arguments or
             key not in one.arguments or not one.arguments[key][1] & told_arguments[key]]
    tap.report(listed == one.calls and not wrong and (row["otherwise"] == "kill") == ("kill" in one.kind) and
               row["without_sync"] == ("contained" in one.kind),
               f"list {name}: policy seccomp --json prints it correctly",
               *sorted(listed ^ one.calls), *wrong, row["otherwise"], row["without_sync"])


def calls():
    rows_told = told()
    sweeps = subprocess.run([f"{BUILD}/tests/lists"], stdout=subprocess.PIPE, text=True, check=True).stdout
    sweeps = sorted(set(sweeps.split()))
    for name, one in EXPECTED.items():
        mine = [sweep for sweep in sweeps if sweep.partition(":")[0] in one.calls]
        done = subprocess.run(["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child",
                               f"{BUILD}/tests/lists", name, *mine], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE,
                              text=True, check=False, cwd="/", **USER.switch())
        rows = [line.split() for line in done.stdout.splitlines()]
        arguments(name, one, [row[1:] for row in rows if row[:1] == ["@"]])
        rows = [row for row in rows if len(row) == 4]
        wrong = [row for row in rows if not answer_of(one, *row)]
        passed = sum(row[1] in one.calls for row in rows)
        known = sum(row[1] != "?" for row in rows)
        tap.report(len(rows) == NUMBERS and known > 330 and not wrong and 0 < passed < known,
                   f"list {name}: of all calls up to {NUMBERS - 1}, exactly the expected ones pass",
                   len(rows), *wrong[:20],
                   done.stderr[-300:])
        tap.note(f"list {name}: {passed} of {known} calls allowed")
        printed(name, one, rows_told[name])


def symbol(path, name):
    """Returns (file offset, size) of a variable."""
    text = subprocess.run(["readelf", "-W", "-s", "-S", path], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    found = re.search(rf"^\s*\d+: ([0-9a-f]+)\s+(\d+) OBJECT .* (\d+) {name}$", text, re.M)
    section = re.search(rf"^\s*\[\s*{found.group(3)}\] \S+\s+\S+\s+([0-9a-f]+) ([0-9a-f]+) ", text, re.M)
    return int(found.group(1), 16) - int(section.group(1), 16) + int(section.group(2),
                                                                     16), int(found.group(2))


def built_without(number, bit):
    """Returns (a copy of the helper that lacks one capability in the set's row, the original row)."""
    helper = shutil.copy(HELPER, f"{SCRATCH}/{os.getpid()}.helper")
    start, size = symbol(helper, "privilege_sets")
    at = start + number * (size // len(SETS)) + 8
    with open(helper, "r+b") as file:
        file.seek(at)
        mask = int.from_bytes(file.read(8), "little")
        if bit is not None:
            file.seek(at)
            file.write((mask & ~(1 << bit)).to_bytes(8, "little"))
    return helper, mask


# A package with files of another user: daemon has the same id everywhere.
OWNED = {"entries":
         [("./var/lib/odd-owned/", "dir", (1, 1), 0o700), ("./var/lib/odd-owned/tool", b"x", (1, 1), 0o4755)]}
# debootstrap unpacks required packages itself; dpkg then leaves directories unchanged.
REQUIRED = {"fields": "Priority: required\n", "entries": [("./var/odd-required/", "dir", (0, 50), 0o2775)]}
ODD = "odd-owned,odd-required,odd-capable"
# What dpkg and package scripts do as root with files and processes of other users.
SCRIPT = """set -e; touch /var/lib/odd-owned/f; cd /root; touch f; chown 1000:1002 f; chmod 640 f
chmod 2755 f; test -g f
setfattr -n security.capability -v 0x0000000201000000000000000000000000000000 f
touch last; chown 65534:65534 last; mkdir -p sticky; touch sticky/f; chown 1000 sticky
chown 1002 sticky/f; chmod 1777 sticky
perl -MPOSIX -e '$p = fork; if (!$p) { setuid(1000); sleep 30; exit } sleep 1; exit(kill(9, $p) == 1 ? 0 : 1)'
"""
# Package files to which dpkg or tar must give the right owner and mode.
KEPT = ("test -g /usr/bin/chage && test $(stat -c %G /usr/bin/chage) = shadow && test -u /usr/bin/passwd && "
        "test $(stat -c %a:%G /var/mail) = 2775:mail && test $(stat -c %a:%u /var/lib/odd-owned/tool) = "
        "4755:1 && "
        "test $(stat -c %a:%g /var/odd-required) = 2775:50")


# The second clones the first one's snapshot, which belongs to the same mirror.
LIVES = [("native", "native", ""), ("clone", "native", "Cloned"), ("debootstrap", "debootstrap", "")]


# Attributes that a published rootfs keeps.
PUBLISHED = "test -n \"$(getfattr --name security.capability /usr/bin/odd-capable)\""


class Published:
    """The rootfs of HOME, published: what only the assembler does."""

    def __init__(self, home):
        publisher = Publisher(home, "publisher")
        self.dir, self.keyring = f"{home.dir}/www", publisher.keyrings["publisher"]
        self.outcome = publisher.publish(self.dir)

    def life(self, home):
        """Makes a rootfs of it; returns the first step that fails, or None."""
        outcome = home.run("create", "--from", self.dir, "--keyring", self.keyring)
        if outcome.status:
            return f"published: create: {outcome.err[-200:]}"
        for step in (["check", "--deep"], ["shell", "--", "sh", "-c", KEPT],
                     ["shell", "--", "sh", "-c", PUBLISHED]):
            if home.run(*step).status:
                return f"published: {' '.join(step)[:20]}"
        return None


def whole_life(home, server, at, lives):
    """Runs a rootfs through its life with each engine; returns the first step that fails, or None."""
    for what, engine, says in lives:
        failed = life_by(home, server, at, engine, says)
        if failed:
            return f"{what}: {failed}"
    return None


def life_by(home, server, at, engine, says):
    outcome = home.create("--engine", engine, "--include", ODD, server=server, at=at,
                          fresh=engine != "native")
    if outcome.status or says not in outcome.out:
        return "create"
    return use(home) or ("delete" if home.run("delete", "--yes").status else None)


def use(home):
    """Uses an existing rootfs; returns the first step that fails, or None."""
    for step in (["shell", "--user", "fsqa", "--", "id"], ["shell", "--", "sh", "-c", SCRIPT], None,
                 ["check", "--deep"], ["shell", "--", "sh", "-c", KEPT]):
        if not step and not has_image(home):
            return "a root image"
        if step and home.run(*step).status:
            return " ".join(step)[:20]
    return None


def has_image(home):
    """Checks that the tree has files that only their owner may read."""
    path = home.write("image", "")
    os.chmod(path, 0o666)
    with Helper(home.user, seconds=300) as helper, opened(f"{home.store}/test-rootfs",
                                                          lambda: os.open(path, os.O_RDWR)) as fds:
        answer = helper.ask("BuildImage", fds, format="erofs")
    return answer.code == 0 and os.path.getsize(path) > 1 << 20


# Sets whose processes do most of their work on a tree that exists: with these, a clone of a saved snapshot
# is tried before a create from packages, which takes longer. It is a clone of a copy, because a copier that
# lacks a capability changes the files that the clone shares.
ON_TREES = ("reader", "copier", "remover")


def first_failure(name, made, cache, published, server, at):
    """Returns the first step that fails with the current helper: with an existing rootfs, which is quickest,
    with a clone of the snapshot in CACHE, or in the whole life of a new one."""
    if name == "assembler":
        home = Home(user=USER)
        failed = published.life(home)
        home.remove()
        return failed
    failed = use(made)
    if not failed and name in ON_TREES:
        home = Home(user=USER)
        home.make_dir(home.cache)
        subprocess.run(["cp", "-a", f"{cache}/rootlet", home.cache], check=True)
        failed = whole_life(home, server, at, LIVES[1:2])
        home.remove()
    if not failed:
        home = Home(user=USER)
        # Most work in the tool jail is for debootstrap.
        failed = whole_life(home, server, at, LIVES[2:] if name == "tool" else LIVES)
        home.remove()
    return failed


def capabilities(server, at):
    """A helper that lacks a capability must fail at something."""
    whole, made = Home(user=USER), Home(user=USER)
    failed = whole_life(whole, server, at, LIVES)
    tap.report(failed is None, "with all capabilities, nothing fails", failed)
    outcome = made.create("--include", ODD, server=server, at=at)
    tap.report(outcome.status == 0, "the first create works", outcome)
    published = Published(made)
    failed = published.life(Home(user=USER))
    tap.report(failed is None, "with all capabilities, a published rootfs is made", failed, published.outcome)
    for number, name in enumerate(SETS):
        _, mask = built_without(number, None)
        bits = [bit for bit in range(64) if mask >> bit & 1]
        tap.note(f"set {name}: {len(bits)} capabilities")
        for bit in bits:
            helper, _ = built_without(number, bit)
            failed = with_helper(helper, lambda name=name: first_failure(name, made, whole.cache, published,
                                                                           server, at))
            tap.report(failed is not None, f"set {name}: {CAPABILITIES[bit]} is needed", failed)
            tap.note(f"set {name} without {CAPABILITIES[bit]}: {failed} fails")
    # Otherwise damage from one helper could make the next ones fail.
    failed = use(made) or whole_life(Home(user=USER, cache=whole.cache), server, at, LIVES[1:2])
    tap.report(failed is None, "with all capabilities, the same rootfs and snapshot still work", failed)


def with_helper(helper, act):
    """Mounts HELPER over the helper's fixed path, for this program only."""
    subprocess.run(["mount", "--bind", helper, HELPER], check=True)
    try:
        return act()
    finally:
        subprocess.run(["umount", HELPER], check=True)


calls()
installed.enter("capabilities, one by one")
DIRECTORY = f"{SCRATCH}/{os.getpid()}.owned"
owned = mirror().with_packages(DIRECTORY, [debs.make(f"{DIRECTORY}.debs", name, arch(), **how)
                                        for name, how in (("odd-owned", OWNED), ("odd-required", REQUIRED))] +
                                       [debs.capable(f"{DIRECTORY}.debs", arch())])
with Server(owned.root) as served:
    capabilities(served, owned)
tap.report(not processes_left(10), "no processes remain")
tap.done()
