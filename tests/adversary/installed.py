"""Installed mode: the privileges that an administrator gives rootlet-helper, that it drops them before it
listens, and that nobody who may start it can gain anything else from it."""
import array
import contextlib
import datetime
import fcntl
import json
import os
import re
import signal
import shutil
import socket
import subprocess
import time

from support import elf, forms, installed, sanitizers, tap, trees, vng
from support import mirror as mirrors
from support.archives import Archive
from support.protocol import REFUSED, REQUESTS, TRUST, VERSION, Helper, opened, request
from support.publisher import Publisher
from support.server import Server
from support.world import (SCRATCH, SOURCE, Home, Tidy, User, children, command_of, kill, mirror,
                           other_user, processes_left, wait_until)

HOST = 12
CASES = ["install-helper", "the policy is enforced", "create without a range in /etc/subuid",
         "no capability is left", "the caller cannot attack its processes", "its environment and limits"]
installed.enter(*CASES)
USER = installed.user_without_range()
GROUP = installed.group_of(USER)


def install():
    done, rootlet = installed.install(GROUP)
    st = os.stat(installed.HELPER)
    capabilities = subprocess.run(["getcap", installed.HELPER], stdout=subprocess.PIPE, text=True,
                                  check=False).stdout
    tap.report(done.returncode == 0 and st.st_uid == 0 and st.st_gid == USER.gid and
               st.st_mode & 0o7777 == 0o750, "install-helper: sets owner root, the group, and mode 0750",
               done.stdout, oct(st.st_mode))
    tap.report(capabilities.split()[1:] == ["cap_setgid,cap_setuid=p"],
               "install-helper: sets the two capabilities, permitted only", capabilities)
    again = install_helper("--group", GROUP)
    tap.report(again.returncode == 0, "install-helper: works a second time", again.stdout)
    directory = os.path.dirname(installed.HELPER)
    for what, owner, mode, good in (("that others can write", 0, 0o777, False),
                                    ("of another user", USER.uid, 0o755, False),
                                    ("of another user, even if sticky", USER.uid, 0o1777, False),
                                    ("of root that is sticky", 0, 0o1777, True)):
        os.chown(directory, owner, -1)
        os.chmod(directory, mode)
        again = install_helper("--group", GROUP)
        tap.report(again.returncode == (0 if good else 1) and (good or directory in again.stdout),
                   f"install-helper: {'accepts' if good else 'refuses'} a directory {what}", again.stdout)
        os.chown(directory, 0, -1)
        os.chmod(directory, 0o755)
    default_group()
    again = install_helper("--remove")
    st = os.stat(installed.HELPER)
    left = subprocess.run(["getcap", installed.HELPER], stdout=subprocess.PIPE, text=True, check=False).stdout
    tap.report(again.returncode == 0 and left == "" and
               (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (0, 0, 0o755),
               "install-helper --remove: removes the capabilities and lets everyone run it", again.stdout,
               left, oct(st.st_mode))
    again = install_helper("--group", GROUP)
    tap.report(again.returncode == 0, "install-helper: works after --remove", again.stdout)
    return rootlet


def install_helper(*words):
    return subprocess.run(["/usr/local/share/rootlet/install-helper", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)


def default_group():
    """Runs in a copy of /etc, because it creates a group."""
    script = ('cp -a /etc "$1" && mount --bind "$1" /etc && { groupdel rootlet 2>/dev/null; true; } && '
              '/usr/local/share/rootlet/install-helper >/dev/null && getent group rootlet && stat -c '
              '%U:%G:%a "$2" && '
              'stat -c %U:%G:%a /etc/rootlet')
    done = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh",
                           f"{SCRATCH}/{os.getpid()}.etc", installed.HELPER], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    lines = done.stdout.splitlines()
    tap.report(done.returncode == 0 and len(lines) == 3 and lines[0].startswith("rootlet:") and
               lines[1:] == ["root:rootlet:750", "root:root:755"],
               "install-helper: without arguments creates the group rootlet, whose members may run it",
               done.stdout)


def greeted(**more):
    """Starts a helper; returns (answer to Hello, exit status)."""
    helper = Helper(USER, program=installed.HELPER, **more)
    return helper.greeting, helper.leave()


def refused_in(path):
    """Returns what a helper without a usable policy sends to a socket at PATH if there is no other log."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", os.path.dirname(path)], check=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(path)
    os.chmod(path, 0o777)
    listener.settimeout(5)
    try:
        answer, _ = greeted()
        return answer, listener.recv(65536).decode()
    except socket.timeout:
        return answer, ""
    finally:
        listener.close()
        subprocess.run(["umount", os.path.dirname(path)], check=True)


def recorded_without_policy(what):
    os.makedirs("/run/systemd/journal", exist_ok=True)
    answer, text = refused_in("/run/systemd/journal/socket")
    fields = dict(line.split("=", 1) for line in text.splitlines())
    tap.report(answer.code and fields.get("ROOTLET_DECISION") == "refused" and
               fields.get("ROOTLET_MODE") == "installed"
               and fields.get("ROOTLET_UID") == str(USER.uid) and
               fields.get("ROOTLET_PID") == str(os.getpid())
               and "policy.conf" in fields.get("MESSAGE", ""), f"{what}: the refusal is in the journal",
               answer, fields)


def policies():
    answer, _ = greeted()
    tap.report(answer.code == REFUSED and "policy.conf" in answer.message,
               "without a policy, nothing is allowed", answer)
    recorded_without_policy("no policy")
    installed.set_policy("[allow x]\nwings = 2\n")
    recorded_without_policy("a policy with an unknown key")
    installed.set_policy("[allow x]\nusers = root\n")
    answer, _ = greeted()
    tap.report(answer.code == REFUSED and USER.name in answer.message,
               "a policy that does not name the caller allows nothing", answer)
    installed.set_policy(f"[allow x]\nusers = {USER.name}\n[ids]\nuids = none\n")
    answer, _ = greeted()
    tap.report(answer.code == REFUSED and f"user {USER.name} = FIRST" in answer.message,
               "a policy without a range allows nothing", answer)
    installed.allow(USER)
    answer, _ = greeted()
    tap.report(answer.code == 0, "a policy that names the caller is accepted", answer)
    for mode in (0o666, 0o664, 0o646):
        os.chmod(installed.POLICY, mode)
        answer, _ = greeted()
        tap.report(answer.code == HOST and "chmod" in answer.message,
                   f"a policy that others can write, of mode {mode:o}, is refused", answer)
    os.chmod(installed.POLICY, 0o644)
    os.chown(installed.POLICY, USER.uid, -1)
    answer, _ = greeted()
    tap.report(answer.code == HOST and "chown" in answer.message,
               "a policy of another owner is refused", answer)
    os.chown(installed.POLICY, 0, -1)
    directory = os.path.dirname(installed.POLICY)
    for what, owner, mode in (("that others can write", 0, 0o757), ("that its group can write", 0, 0o775),
                              ("of another owner", USER.uid, 0o755)):
        os.chown(directory, owner, -1)
        os.chmod(directory, mode)
        answer, _ = greeted()
        tap.report(answer.code == HOST and f"chmod go-w {directory}" in answer.message,
                   f"a policy in a directory {what} is refused", answer)
    os.chown(directory, 0, -1)
    os.chmod(directory, 0o755)
    answer, _ = greeted()
    tap.report(answer.code == 0, "the policy is accepted again after these are fixed", answer)
    for file in ("/etc/subuid", "/etc/subgid"):
        overlap(file)


def overlap(path):
    """A user with ids of the range in PATH could take over files created with them."""
    taken = installed.range_of(USER)
    # The caller could own the files in a user namespace of their own.
    for owner, whose in (("somebody", "another user's"), (USER.name, "the caller's own")):
        with open(f"{SCRATCH}/{os.getpid()}.sub", "w", encoding="ascii") as file:
            file.write(f"{owner}:{taken + 65000}:65536\n")
        subprocess.run(["mount", "--bind", file.name, path], check=True)
        answer, _ = greeted()
        subprocess.run(["umount", path], check=True)
        tap.report(answer.code == HOST and f"that of {owner} in {path}" in answer.message,
                   f"a range that overlaps {whose} in {path} is refused", answer)
    # It opens, but every read fails.
    subprocess.run(["mount", "--bind", "/sys/class/net/lo/speed", path], check=True)
    answer, _ = greeted()
    subprocess.run(["umount", path], check=True)
    tap.report(answer.code == HOST and f"cannot read {path}" in answer.message,
               f"a range is refused if {path} cannot be read", answer)


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def sets_of(pid):
    status = status_of(pid)
    return {key: int(status[key], 16) for key in SETS}


def masks(rootlet):
    """Returns {name: capabilities}, as numbers, from policy/privilege_sets.c."""
    names = subprocess.run(["capsh", "--decode=ffffffffffffffff"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout.strip().partition("=")[2].split(",")
    done = subprocess.run([rootlet, "policy", "seccomp", "--json"], stdout=subprocess.PIPE, text=True,
                          check=True, cwd="/")
    return {row["process"]: sum(1 << names.index(f"cap_{name}") for name in row["capabilities"])
            for row in json.loads(done.stdout)}


def before_the_first_request(rootlet):
    """Before any request, each of the three processes has the capabilities of its row and no more."""
    row = masks(rootlet)
    helper = Helper(USER, program=installed.HELPER, greet=False)
    # The parser's filter is added to the jailer's as the last step.
    pids = wait_until(lambda: ready(helper.process.pid))
    found = dict(zip(("audit", "jailer", "parser"), pids or ()))
    tap.report(len(found) == 3, "audit process, jailer and parser exist before the first request", found)
    status = status_of(helper.process.pid)
    held = {key: status[key] for key in (*SETS, "NoNewPrivs", "Seccomp")}
    tap.report(held == {**dict.fromkeys(SETS, "0" * 16), "NoNewPrivs": "1", "Seccomp": "2"},
               "the process that waits for them has no capabilities, cannot gain any, and is filtered", held)
    for name, pid in found.items():
        held, mask = sets_of(pid), row[name]
        # The parser keeps the jailer's bounding set: it has no system call that could use it.
        bound = row["jailer"] if name == "parser" else mask
        tap.report(held == {"CapInh": 0, "CapPrm": mask, "CapEff": mask, "CapBnd": bound, "CapAmb": 0},
                   f"{name}: before the first request has the capabilities of its row and no more", held,
                   mask)
        if name != "jailer":
            tap.report(not any(held[key] for key in SETS if key != "CapBnd"), f"{name}: has no capabilities",
                       held)
    tap.report(helper.leave() == 0, "the helper exits with its front end")


def ready(first):
    """Returns the audit process, jailer and parser once all are filtered; FIRST only waits for them to
    end."""
    below = children(first)
    if len(below) != 3:
        return None
    filters = [int(status_of(pid).get("Seccomp_filters", 0)) for pid in (first, *below)]
    return tuple(below) if filters[0] and filters[1] and filters[3] > filters[2] > 0 else None


def given(user):
    """Returns the first id of each mapped part: the range, the caller, and the spare id."""
    return {installed.range_of(user), user.uid, installed.range_of(user) + 65535}


def rights(pids, row):
    """None of PIDS has privileges on the host, or ids that the policy does not grant."""
    host, first = os.readlink("/proc/self/ns/user"), pids[0]
    for pid in pids:
        status, name = status_of(pid), command_of(pid)[:40]
        held = int(status["CapPrm"], 16) | int(status["CapEff"], 16) | int(status["CapAmb"], 16)
        tap.report(os.readlink(f"/proc/{pid}/ns/user") != host,
                   f"{name}: runs in a user namespace, so it has no privileges on the host")
        tap.report(str(USER.uid) not in status["Uid"].split()[:3] + status["Gid"].split()[:3],
                   f"{name}: has the caller's ids only for file access", status["Uid"], status["Gid"])
        setid = 1 << 6 | 1 << 7
        with open(f"/proc/{pid}/uid_map", encoding="ascii") as file:
            outside = {int(line.split()[1]) for line in file}
        # The process that the front end started waits for the others, as nobody.
        if pid == first:
            tap.report(held == 0 and not outside and
                       status["Uid"].split() == [str(installed.range_of(USER) + 65535)] * 4,
                       f"{name}: the process that waits for the others has no capabilities and runs as "
                       "nobody", held,
                       status["Uid"], outside)
            continue
        tap.report(0 not in outside and outside <= given(USER),
                   f"{name}: the ids are those of the range and the caller", outside)
        if "rootlet-helper" in name and not held & setid:
            tap.report(held == 0, f"{name}: the audit process and the parser have no capabilities", held)
        if name.startswith("sleep 66"):
            tap.report(sets_of(pid) == {"CapInh": 0, "CapPrm": row, "CapEff": row, "CapBnd": row,
                                        "CapAmb": 0},
                       f"{name}: a command in the jail can have the jail's row and no more", sets_of(pid),
                       row)


def snapshots(home, create):
    """A snapshot that the helper saved is cloned; any other is ignored without harm."""
    cloned = create("cloned")
    tap.report(cloned.status == 0 and "Cloned from a cached snapshot" in cloned.out,
               "the next create clones the snapshot that the first one saved", cloned)
    directory = f"{home.cache}/rootlet/bases"
    for base in (name for name in os.listdir(directory) if name[0] != "."):
        with open(f"{trees.inside(f'{directory}/{base}')}/etc/rootlet/digest", "r+b") as file:
            lines = file.read().splitlines(True)
            file.truncate(sum(map(len, lines[:-1])))
    full = create("full")
    tap.report(full.status == 0 and "Cloned" not in full.out and
               "its MAC differs: rebuilding it" in full.out + full.err,
               "a snapshot without a MAC: create says so and rebuilds it", full)


def tree_modes(home, server, rootlet):
    """A rootfs is open only if the policy says so: its setuid programs have ids of the range, which nobody
    else has in this mode."""
    def create(*words):
        return home.create("--name", "modes", "--quiet", *words, server=server, at=mirror(), program=rootlet,
                           fresh=False)

    def run_it(path):
        done = subprocess.run([path, "-u"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False, cwd="/",
                              **USER.switch())
        return done.stdout.strip()

    def run_any():
        words = "cp /usr/bin/id /root/as-root; chmod 4755 /root/as-root; chmod 755 /root"
        home.run("shell", "--name", "modes", "--", "sh", "-ec", words, program=rootlet)
        places = [f"{home.store}/modes/{middle}root/as-root" for middle in ("", "rootfs/")]
        there = [path for path in places if os.path.exists(path) and os.lstat(path).st_mode & 0o4000]
        got = []
        for path in there:
            with contextlib.suppress(PermissionError):
                got.append(run_it(path))
        return there, got
    shut, refused = create(), create("--force", "--tree-mode", "0755")
    there, got = run_any()
    tap.report(shut.status == 0 and len(there) == 1 and not got and
               os.lstat(f"{home.store}/modes").st_mode & 0o7777 == 0o700,
               "a rootfs's owner cannot reach its setuid programs", shut, there, got)
    tap.report(refused.status == 1 and "tree-modes of [allow test]" in refused.err,
               "--tree-mode 0755 is refused unless the policy allows it", refused)
    dry = create("--force", "--tree-mode", "0755", "--dry-run")
    tap.report(dry.status == 1 and re.search("^refused Publish +replace=1 mode=0755", dry.out, re.M),
               "--dry-run shows that --tree-mode 0755 is refused", dry)
    installed.allow(USER, "tree-modes = 0700 0755")
    done = create("--force", "--tree-mode", "0755")
    there, got = run_any()
    tap.report(done.status == 0 and len(there) == 1 and got == [str(installed.range_of(USER))],
               "if the policy allows it, an open rootfs is created, and its setuid program gives the range's "
               "first id", done, there, got)
    installed.allow(USER)
    gone = home.run("delete", "--yes", "--name", "modes", program=rootlet)
    tap.report(gone.status == 0 and not os.path.lexists(f"{home.store}/modes"),
               "an open rootfs can be deleted after the policy changes", gone)


def run_all(rootlet):
    at, home = mirror(), Home(user=USER)
    with Server(at.root) as server, Tidy(home) as tidy:
        outcome = home.create("--quiet", server=server, at=at, program=rootlet, fresh=False)
        wrong = tidy.complaints()
        snapshots(home, lambda name: home.create("--name", name, server=server, at=at, program=rootlet,
                                                 fresh=False))
        tree_modes(home, server, rootlet)
    tree = f"{home.store}/test-rootfs"
    made = tap.report(outcome.status == 0 and not wrong, "create without a range in /etc/subuid",
                      *wrong, outcome)
    if not made:
        return None
    tap.report(os.lstat(tree).st_uid == installed.range_of(USER), "the rootfs has the ids from the policy",
               os.lstat(tree).st_uid, installed.range_of(USER))
    outcome = home.run("check", "--deep", program=rootlet)
    tap.report(outcome.status == 0, "check --deep", outcome)
    outcome = home.run("shell", "--", "id", "-u", program=rootlet)
    tap.report(outcome.status == 0 and outcome.out == "0\n", "shell", outcome)
    with open(installed.RECORD, encoding="ascii") as file:
        records = [json.loads(line) for line in file]
    kinds = [(one["request"], one["kind"]) for one in records if one["mode"] == "installed"]
    tap.report({("Begin", "intent"), ("Begin", "result"), ("Publish", "result"),
                ("Execute", "result")} <= set(kinds), "the audit log has all requests", *kinds[-5:])
    st = os.stat(installed.RECORD)
    tap.report(st.st_uid == 0 and st.st_mode & 0o7777 == 0o600, "only root can read the audit log",
               oct(st.st_mode))
    return home


def apparmor():
    """The installed profile is valid and covers the installed program; an invalid one would be noticed."""
    parser = shutil.which("apparmor_parser", path="/usr/sbin:/sbin:/usr/bin:/bin")
    profile = f"{installed.PREFIX}/share/rootlet/apparmor/rootlet-helper.apparmor"
    with open(profile, encoding="utf-8") as file:
        text = file.read()
    rules = elf.profiles(profile)
    tap.report(rules == {installed.HELPER: ["userns,"]} and elf.loads(installed.HELPER) == [],
               "the AppArmor profile covers the installed program, which loads no libraries", text)
    userns = f"{os.path.dirname(installed.HELPER)}/rootlet-userns"
    st = os.stat(userns)
    tap.report((st.st_uid, st.st_gid, st.st_mode & 0o7777) == (0, USER.gid, 0o750) and
               elf.loads(userns) == [],
               "rootlet-userns has owner root and the group, and loads no libraries", oct(st.st_mode))
    if not parser:
        tap.skip("the AppArmor profile parses", "apparmor_parser is missing")
        return
    done = subprocess.run([parser, "--version"], stdout=subprocess.PIPE, text=True, check=True)
    if int(re.search(r"version (\d+)", done.stdout).group(1)) < 4:
        tap.note("apparmor_parser predates user namespaces in profiles: testing without that line and its "
                 "abi")
        text = text.replace("abi <abi/4.0>,", "").replace("userns,", "capability,")
    for what, content, good in (("parses", text, True), ("with an unknown rule does not parse",
                                                         text.replace(",\n}", ",\nwings,\n}"), False)):
        path = f"{SCRATCH}/{os.getpid()}.apparmor"
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        done = subprocess.run([parser, "-Q", "-K", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        tap.report((done.returncode == 0) == good, f"the AppArmor profile {what}", done.stdout)


def runs(home, rootlet):
    """rootlet run up to the start of vng, which a test program replaces."""
    kernel = home.write("kernel", vng.kernel())
    os.chmod(home.write("bin/vng", '#!/bin/sh\nprintf "%s\\n" "$@"\n'), 0o755)
    images = f"{home.cache}/rootlet/images"
    for words, status in ((["--root-transport", "dir"], 1), ([], 125), (["--root-transport", "image"], 125)):
        outcome = home.run("run", "--kernel", kernel, *words, "--", "true", program=rootlet,
                           environment={"PATH": f"{home.dir}/bin:/usr/bin:/bin"})
        found = [name for name in os.listdir(images) if name[0] != "."] if os.path.isdir(images) else []
        what = " ".join(["run", *words])
        if status == 1:
            tap.report(outcome.status == 1 and not found and "does not share; use --root-transport image" in
                       outcome.err,
                       f"{what}: no namespace is available to boot the tree in", outcome)
            continue
        magic = [open(f"{images}/{name}", "rb").read(1028)[1024:] for name in found]
        tap.report(outcome.status == status and magic == [b"\xe2\xe1\xf5\xe0"] and
                   "serial=rootlet-root" in outcome.out,
                   f"{what}: vng gets a root image", outcome, *found, *magic)


def probe(home, rootlet):
    """The caller attacks their own helper while a command runs in its jail."""
    shell = home.start("shell", "--", "sh", "-c", "echo in; sleep 66", program=rootlet)
    shell.stdout.readline()
    wait_until(lambda: any(command_of(pid).startswith("sleep 66") for pid in children(shell.pid)))
    pids = children(shell.pid)
    helpers = [pid for pid in pids if "rootlet-helper" in command_of(pid)]
    jailed = [pid for pid in pids if command_of(pid).startswith("sleep 66")]
    tap.report(len(helpers) >= 3 and len(jailed) == 1, "helper and jail exist",
               [command_of(pid) for pid in pids])
    rights(pids, masks(rootlet)["jail"])
    before = {pid: status_of(pid)["State"] for pid in pids}
    done = subprocess.run(["python3", f"{SOURCE}/tests/adversary/probe.py", *map(str, pids)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          cwd="/", **USER.switch())
    rows = [line.split() for line in done.stdout.splitlines()]
    tap.report(len(rows) == 23 * len(pids) and all(len(row) == 3 for row in rows),
               "every attempt was made", done.stdout[-400:])
    for pid, what, error in rows:
        tap.report(error in ("EPERM", "EACCES"),
                   f"the caller attacks {command_of(int(pid))[:30]}: {what} fails", error)
    tap.note(f"{len(rows)} attempts on {len(pids)} processes; before them: {before}")
    shell.kill()
    shell.communicate()
    tap.report(not processes_left(20), "after the front end dies, no helper process remains")


def trick_library():
    """Builds a library that creates a mark file when loaded, and proves that it works."""
    source, library = f"{SCRATCH}/mark.c", f"{SCRATCH}/mark.so"
    with open(source, "w", encoding="ascii") as file:
        file.write('#include <fcntl.h>\n#include <stdlib.h>\n__attribute__((constructor)) static void f(void)'
                   '{ const char *m = getenv("MARK"); if (m) open(m, O_CREAT | O_WRONLY, 0666); }\n')
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def starter(name, text):
    """Creates a program that starts the helper in an unusual way; descriptor 3 is passed on."""
    path = f"{SCRATCH}/marks/{name}"
    with open(path, "w", encoding="ascii") as file:
        file.write(text.replace("HELPER", installed.HELPER))
    os.chmod(path, 0o755)
    return path


PYTHON = """#!/usr/bin/python3
import ctypes, os
libc = ctypes.CDLL(None)
none = (ctypes.c_char_p * 1)(None)
empty = (ctypes.c_char_p * 2)(b"", None)
long = (ctypes.c_char_p * 1002)(*[b"--" + b"x" * 100] * 1001, None)
"""
STARTS = {
    "an argv of zero": PYTHON + "libc.execve(b'HELPER', none, none)\n",
    "an empty argv[0]": PYTHON + "libc.execve(b'HELPER', empty, none)\n",
    "a thousand arguments": PYTHON + "libc.execve(b'HELPER', long, none)\n",
    "started by descriptor": PYTHON +
          "libc.fexecve(os.open('HELPER', os.O_RDONLY | os.O_CLOEXEC), empty, none)\n",
    "started through /proc/self/fd": PYTHON + "fd = os.open('HELPER', os.O_RDONLY)\n"
                             "libc.execve(b'/proc/self/fd/%d' % fd, none, none)\n",
}


def starts():
    """However it is started, the helper has the same privileges and is logged."""
    link = f"{SCRATCH}/marks/symlink"
    os.path.lexists(link) and os.unlink(link)
    os.symlink(installed.HELPER, link)
    programs = {what: starter(f"start-{number}", text) for number, (what, text) in enumerate(STARTS.items())}
    for what, program in {**programs, "through a symlink": link}.items():
        size = os.path.getsize(installed.RECORD)
        helper = Helper(USER, program=program)
        answer, maps = helper.greeting, ids_of(helper)
        status = helper.leave()
        tap.report(answer.code == 0 and status == 0 and maps == given(USER) and
                   os.path.getsize(installed.RECORD) > size, f"{what}: works as usual", answer, status, maps)


def ids_of(helper):
    """Returns the first host id of each part that HELPER's processes are mapped to."""
    maps = set()
    for pid in children(helper.process.pid):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/uid_map", encoding="ascii") as file:
            maps |= {int(line.split()[1]) for line in file}
    return maps


def other_libraries(directory):
    """A library from the caller with the name of one that the helper needs."""
    library = f"{directory}/libc.so.6"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, f"{SCRATCH}/mark.c"], check=True)
    copy = shutil.copy(installed.HELPER, f"{directory}/unprivileged")
    os.chmod(copy, 0o755)
    setup = f"export LD_LIBRARY_PATH={directory};"
    other = subprocess.run(["/bin/true"], env={"LD_LIBRARY_PATH": directory}, stderr=subprocess.DEVNULL,
                           check=False)
    plain, tricked = (Helper(USER, program=copy, setup=text) for text in ("", setup))
    codes = plain.leave(), tricked.leave()
    answer, status = greeted(setup=setup)
    tap.report(other.returncode == 127 and 127 not in codes and answer.code == 0 and status == 0,
               "LD_LIBRARY_PATH loads nothing into the helper, even if the loader uses it for other "
               "programs", other, codes, answer,
               status)


def environment():
    library = trick_library()
    directory = f"{SCRATCH}/marks"
    os.makedirs(directory, exist_ok=True)
    os.chmod(directory, 0o777)
    # Set inside the bash that starts the helper, so that bash itself does not use it.
    for variable in ("LD_PRELOAD", "LD_AUDIT"):
        mark = f"{directory}/{variable}"
        subprocess.run(["true"], env={variable: library, "MARK": mark}, check=False)
        proof = os.path.exists(mark)
        if proof:
            os.unlink(mark)
        answer, _ = greeted(setup=f"export {variable}={library} MARK={mark};")
        tap.report(proof and not os.path.exists(mark) and answer.code == 0,
                   f"{variable} loads nothing into the helper", proof, answer)
    if not sanitizers.watched():  # a helper with sanitizers loads libraries
        other_libraries(directory)
    for what, before in {
            "a GLIBC_TUNABLES": "export GLIBC_TUNABLES=glibc.malloc.check=3;",
            "closed standard descriptors": "exec 0<&- 1>&- 2>&-;",
            "another directory": "cd /tmp;",
            "a umask of 0": "umask 0;",
            "ignored signals": "trap '' TERM INT HUP ALRM CHLD PIPE USR1;",
            "low soft limits on files": "ulimit -S -f 1; ulimit -S -n 20;"}.items():
        answer, status = greeted(setup=before)
        tap.report(answer.code == 0 and status == 0, f"{what}: works as usual", answer, status)
    with Helper(USER, program=starter("clocks",
                                      PYTHON + "import signal\nfor clock in range(3):\n    signal.setitimer("
                                      "clock, 0.5)\nlibc.execve(b'HELPER', none, none)\n")) as helper:
        time.sleep(1)
        answer = helper.ask("OpenNamespace")
    tap.report(answer.code == REFUSED, "running timers at the start: works as usual", answer)
    raced_limits()
    refused_without_a_range()
    size = os.path.getsize(installed.RECORD)
    for what, limit in {"files": "-f 1", "descriptors": "-n 32", "memory": "-v 30000",
                        "stack": "-s 64", "processor time": "-t 1", "processes": "-u 0"}.items():
        if what == "memory" and sanitizers.watched():
            continue  # sanitizer runtimes reserve terabytes of address space
        answer, status = greeted(setup=f"ulimit -H -S {limit};")
        done = answer.code == 0 and status == 0 and os.path.getsize(installed.RECORD) > size
        # Exiting without an answer is valid; dying from a signal is not.
        tap.report(status is not None and status >= 0 and (done or answer.code > 0 or answer.code == -1),
                   f"a hard limit on {what}: refused, or done and logged, without crash or hang", answer,
                   status)
        tap.note(f"a hard limit on {what}: {answer}, exit status {status}")
        size = os.path.getsize(installed.RECORD)
    tap.report(all(json.loads(line) for line in open(installed.RECORD, encoding="ascii")),
               "after all of these, every audit record is complete")


LIMITS = PYTHON + """import resource
helper = os.getpid()
if os.fork() == 0:
    os.closerange(3, 64)
    try:
        while True:
            resource.prlimit(helper, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    except OSError:
        os._exit(0)
libc.execve(b'HELPER', none, none)
"""


def raced_limits():
    """The caller changes its limits while it starts, as long as they may: everything done is logged."""
    lost, seen, program = [], [], starter("limits", LIMITS)
    for _ in range(30):
        size = os.path.getsize(installed.RECORD)
        helper = Helper(USER, program=program)
        answer = helper.greeting
        helper.leave()
        seen.append(answer.code)
        lost += [answer] if answer.code == 0 and os.path.getsize(installed.RECORD) == size else []
    tap.report(not lost and 0 in seen,
               "a file size limit set by the caller during startup: everything done is logged",
               *lost, *seen)


def refused_without_a_range():
    """A group member without a range may start it; they must not be able to stop it while it logs that and
    holds the lock."""
    installed.allow(User("root", 0, 0))
    with open(installed.RECORD, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size, helper = os.path.getsize(installed.RECORD), Helper(USER, program=installed.HELPER, greet=False)
        wait_until(lambda: str(USER.uid) not in status_of(helper.process.pid)["Uid"].split())
        ids = status_of(helper.process.pid)["Uid"].split()
        done = subprocess.run(["kill", "-STOP", str(helper.process.pid)], check=False,
                              stderr=subprocess.DEVNULL, **USER.switch())
        fcntl.flock(file, fcntl.LOCK_UN)
    answer = helper.ask("Hello", version=VERSION, purpose="test")
    helper.leave()
    tap.report(str(USER.uid) not in ids and done.returncode != 0 and answer.code == REFUSED and
               os.path.getsize(installed.RECORD) > size,
               "a user without a range cannot stop it while it logs the refusal",
               ids, done.returncode, answer)
    installed.allow(USER)


def copies():
    """A copy of the program has no privileges at all."""
    copy = f"{SCRATCH}/copy-of-helper"
    shutil.copy(installed.HELPER, copy)
    os.chmod(copy, 0o755)
    size = os.path.getsize(installed.RECORD)
    helper = Helper(USER, program=copy)
    maps = ids_of(helper)
    tap.report(installed.range_of(USER) not in maps and os.path.getsize(installed.RECORD) == size,
               "a copy of the program gets neither the policy's range nor the audit log", maps)
    helper.leave()
    link = f"{SCRATCH}/marks/link-to-helper"
    done = subprocess.run(["ln", installed.HELPER, link], stderr=subprocess.DEVNULL, check=False,
                          **USER.switch())
    tap.report(done.returncode != 0 and not os.path.lexists(link),
               "the caller cannot keep an old version through a hard link")
    done = subprocess.run(["sh", "-c", f"exec {installed.HELPER}"], stderr=subprocess.PIPE,
                          check=False, text=True, user=65534, group=65534, extra_groups=[])
    tap.report(done.returncode in (126, 127), "a user outside the group cannot run it", done)
    answer, _ = greeted(setup="exec 4<>/etc/hostname 2>/dev/null;")
    tap.report(answer.code == 0, "an audit log descriptor from the caller is not used", answer)


def traced():
    """A helper started under ptrace has no privileges: the kernel grants none to a traced process."""
    path = f"{SCRATCH}/marks/trace"
    for what, before in {"untraced": "", "traced": f"strace -f -o {path}"}.items():
        size = os.path.getsize(installed.RECORD)
        helper = Helper(USER, program=starter(what, f"#!/bin/sh\nexec {before} HELPER\n"))
        answer, maps = helper.greeting, ids_of(helper)
        helper.leave()
        privileged = installed.range_of(USER) in maps or os.path.getsize(installed.RECORD) > size
        if what == "untraced":
            tap.report(answer.code == 0 and privileged, "started by a script, it has its privileges", answer,
                       maps)
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        # Its memory is hidden from the tracer too, which cannot see the type.
        seen = re.search(rf'execve\("{installed.HELPER}".* = 0$', text, re.M) and \
            re.search(r"getsockopt\(3, SOL_SOCKET, SO_TYPE, 0x.*\) = 0$", text, re.M)
        tap.report(bool(seen) and answer.code >= 0 and not privileged,
                   "started under strace, with its channel, it gets neither the policy's range nor the audit "
                   "log",
                   answer, maps, text[-300:])


def hostile(home):
    """Sends every field of every request in every form to an installed helper."""
    helper, wrong, tried = Helper(USER, program=installed.HELPER), [], 0
    for kind in REQUESTS:
        for name, what, packet, good in forms.forms(kind):
            answer = helper.send(packet)
            tried += 1
            complaint = forms.complaint(kind, good, answer)
            wrong += [f"{kind}: {name}: {what}: {complaint}"] if complaint else []
            if answer.code < 0:
                helper.leave()
                helper = Helper(USER, program=installed.HELPER)
    status = helper.leave()
    with open(installed.RECORD, encoding="ascii") as file:
        kept = len(list(file))
    tap.report(not wrong and tried > 500 and status == 0 and kept > tried,
               f"{tried} requests with invalid and valid fields: each "
               "gets the right answer and is logged", *wrong[:10], status, kept)
    rows = [("Remove", ["/etc"], {"name": "rootlet"}),
            ("Remove", [os.path.dirname(installed.POLICY)], {"name": "x", "stale": 1}),
            ("Execute", ["/", *["/dev/null"] * 3], {"argv": ["true"], "user": "root"}),
            ("Inspect", ["/root"], {"deep": 1}),
            ("Inspect", ["/etc"], {}),
            ("Clone", ["/etc", home.store], {"name": "new", "base_name": "test-rootfs"}),
            ("Begin", ["/etc", "/etc/hostname"],
             {"name": "new", "suite": "jammy", "arch": "amd64", "engine": "native"}),
            ("Verify", ["/var/log/rootlet"], {})]
    before = sorted(os.listdir("/etc"))
    for kind, paths, fields in rows:
        with Helper(USER, program=installed.HELPER) as helper, opened(*paths) as fds:
            answer = helper.ask(kind, fds, **fields)
        # A directory that cannot be read shows no stale staging: having nothing to do is not a refusal.
        harmless = fields.get("stale") and answer.code == 0
        tap.report(answer.code > 0 or harmless, f"{kind} with a descriptor of {paths[0]} is refused", answer)
    tap.report(sorted(os.listdir("/etc")) == before, "no files of root change")


class Member(User):
    """Creates another user in the group that may run the helper."""
    def switch(self):
        return {**super().switch(), "extra_groups": [USER.gid]}


NAME_SERVICE = """#!/bin/bash
{ id; cat /proc/self/status; env; } >>LOG/log 2>&1
[[ $1 = -- ]] || exit 1
ANSWER
"""


def name_services():
    """A user who is, for example, in LDAP and not in /etc/passwd. The caller must not pass for another user,
    nor make the lookup fail to skip a section."""
    directory, log = f"{SCRATCH}/names", f"{SCRATCH}/names/log"
    os.makedirs(directory)
    os.chmod(directory, 0o777)
    users = "".join(line for line in open("/etc/passwd", encoding="utf-8")
                    if not line.startswith(f"{USER.name}:"))
    for name, text in (("passwd", users), ("getent", "")):
        with open(f"{directory}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    os.chmod(f"{directory}/getent", 0o755)
    remote = f"echo remote:x:{USER.uid}:{USER.gid}::/home/remote:/bin/sh"
    group = f"echo remote:x:{USER.gid}:"
    other = f"echo remote:x:{USER.uid + 1}:{USER.gid}::/home/remote:/bin/sh"
    rows = (
        # what, the policy's first section, its second, getent's answer, expected message
        ("a user by name", "users = remote", "", remote, None),
        ("a user by name, if unknown", "users = remote", "", "exit 2", "nothing is allowed: no .* names"),
        ("a user by name, if the lookup fails", "users = remote\noperations =", "users = *", "exit 1",
         "getent"),
        ("a user by name, if getent is killed", "users = remote\noperations =", "users = *", "kill -9 $$",
         "getent"),
        ("a user by name, if the answer names another user", "users = remote", "users = *", other, "getent"),
        ("a user by number, if unknown", f"users = {USER.uid}", "", "exit 2", None),
        ("a group by name", "groups = remote", "", f"[[ $2 = group ]] && {group} || exit 2", None),
        ("a group by name, if unknown", "groups = remote", "users = *", "exit 2", None),
        ("a group by name, if the lookup fails", "groups = remote\noperations =", "users = *",
         "[[ $2 = group ]] && exit 1; exit 2", "getent"),
    )
    mounts = ((f"{directory}/passwd", "/etc/passwd"), (f"{directory}/getent", "/usr/bin/getent"))
    for source, path in mounts:
        subprocess.run(["mount", "--bind", source, path], check=True)
    for what, first, second, answer_of, says in rows:
        with open(f"{directory}/getent", "w", encoding="utf-8") as file:
            file.write(NAME_SERVICE.replace("LOG", directory).replace("ANSWER", answer_of))
        sections = [f"[allow first]\n{first}\nfolders = *\nkeyrings = *"]
        sections += [f"[allow second]\n{second}\nfolders = *\nkeyrings = *"] if second else []
        installed.set_policy("\n".join([*sections, f"[ids]\nfirst = {installed.FIRST}\nuids = 1-9999",
                                        "[audit]\njournal = no\n"]))
        with Helper(USER, program=installed.HELPER, setup="export CALLERS=x;") as helper:
            answer = helper.greeting
            if answer.code == 0 and says:
                with opened(SCRATCH) as fds:
                    answer = helper.ask("Remove", fds, name="x")
        good = re.search(says, answer.message) if says else answer.code == 0
        tap.report(good, f"name services: {what}: {'refused' if says else 'accepted'}", answer)
    text = open(log, encoding="utf-8").read()
    wrong = [line for line in text.splitlines() if
             re.match(rf"uid=(?!{1878982656 + 65535}\b)|"
                     r"Cap(?:Inh|Prm|Eff|Amb):\s.*[1-9a-f]|Groups:\t\S|CALLERS", line)]
    tap.report(text.count("uid=") >= len(rows) and not wrong,
               "name services: looked up as nobody, without groups, capabilities or the caller's environment",
               *wrong[:5])
    os.chmod(f"{directory}/getent", 0o644)
    answer, _ = greeted()
    tap.report(answer.code == HOST and "getent" in answer.message, "name services: refused without getent",
               answer)
    for _, path in mounts:
        subprocess.run(["umount", path], check=True)
    shutil.rmtree(directory)


def two_users(home, rootlet):
    """Both are under one policy and in one group: neither can see, use, stop or name anything of the
    other."""
    found = other_user()
    if not found:
        tap.skip("two users of one installed helper", "needs a second user, which ./tests/run creates")
        return
    other = Member(found.name, found.uid, found.gid)
    installed.allow(User(f"{USER.name} {other.name}"))
    tree, with_other = f"{home.store}/test-rootfs", Home(user=other)
    helper = Helper(other, program=installed.HELPER)
    maps = ids_of(helper)
    tap.report(helper.greeting.code == 0 and maps == given(other) and
               abs(installed.range_of(other) - installed.range_of(USER)) >= 65536,
               "another user has a different range", helper.greeting, maps)
    helper.leave()
    for kind, paths, fields in (("Inspect", [tree], {"deep": 1}), ("Verify", [tree], {}),
                                ("Remove", [home.store], {"name": "test-rootfs"}),
                                ("Execute", [tree, *["/dev/null"] * 3], {"argv": ["true"], "user": "root"}),
                                ("Clone", [home.store, home.store],
                                 {"name": "new", "base_name": "test-rootfs"}),
                                ("Begin", [home.store, "/etc/hostname"],
                                 {"name": "new", "suite": "jammy", "arch": "amd64", "engine": "native"})):
        with Helper(other, program=installed.HELPER) as helper, opened(*paths) as fds:
            answer = helper.ask(kind, fds, **fields)
        tap.report(answer.code > 0,
                   f"another user's {kind} with a descriptor of the first user's rootfs is refused", answer)
    for words in (["check", "--path", tree], ["shell", "--path", tree, "--", "true"],
                  ["delete", "--yes", "--path", tree]):
        outcome = with_other.run(*words, program=rootlet)
        tap.report(outcome.status != 0, f"another user's rootlet {words[0]} on the rootfs fails", outcome)
    done = subprocess.run(["cat", installed.RECORD], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **other.switch())
    tap.report(done.returncode != 0, "another user cannot read the audit log", done.stdout[-100:])
    shell = home.start("shell", "--", "sh", "-c", "echo in; sleep 67", program=rootlet,
                       start_new_session=True)
    shell.stdout.readline()
    pids = [shell.pid, *children(shell.pid)]
    done = subprocess.run(["python3", f"{SOURCE}/tests/adversary/probe.py", *map(str, pids)],
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, cwd="/", **other.switch())
    rows = [line.split() for line in done.stdout.splitlines()]
    through = [row for row in rows if len(row) != 3 or row[2] not in ("EPERM", "EACCES")]
    tap.report(len(rows) == 23 * len(pids) and len(pids) >= 5 and not through and shell.poll() is None,
               "another user's attacks on the helper's processes all fail", *through, done.stdout[-300:])
    shell.kill()
    shell.communicate()
    tap.report(sorted(os.listdir(home.store)) == ["cloned", "full", "test-rootfs"] and
               not processes_left(20), "the rootfs is unchanged after another user's attempts",
               *os.listdir(home.store))
    installed.allow(USER)


def not_compared(home, at, new, old, kept):
    """CheckRelease without a build updates the memory only for releases that a rootfs may be made from."""
    own = home.write("own-keyring.gpg", open(at.keyring, "rb").read())

    def ask(path, keyring, code, status, what, **fields):
        before = open(kept, "rb").read()
        with Helper(USER, program=installed.HELPER) as helper, opened(path, keyring) as fds:
            answer = helper.ask("CheckRelease", fds, suite="jammy", mirror="http://three", **fields)
        tap.report((answer.code, answer.status) == (code, status) and open(kept, "rb").read() == before,
                   f"rollback, installed, without a build: {what}", answer)

    ask(new, at.keyring, 0, 0, "the newest")
    ask(old, at.keyring, TRUST, 0, "an older one is refused")
    ask(old, at.keyring, 0, 2, "one of a dated archive is not compared", dated=int(time.time()))
    ask(old, at.keyring, 0, 1, "an older one may be accepted, because nothing is built from it", older=1)
    installed.allow(USER, keyrings="/usr/share/keyrings/debian-archive-keyring.gpg")
    ask(old, own, 0, 2, "one signed by a keyring that the policy does not allow is not compared")
    installed.allow(USER, "releases = noble")
    ask(old, at.keyring, 0, 2, "one of a release that the policy does not allow is not compared")
    installed.allow(USER)


def further(home, at, old):
    """A repository may say that it is the archive: it moves no date but its own, and needs a keyring that the
    policy names for repositories."""
    other = Archive(f"{SCRATCH}/{os.getpid()}.further")
    soon = mirrors.date(NOW + datetime.timedelta(minutes=30))
    newer = other.sign(f"Origin: Ubuntu\nSuite: jammy\nCodename: jammy\nDate: {soon}\nSHA256:\n")
    newer, trees = home.write("further", newer), home.make_dir(f"{home.dir}/further-trees")

    def ask(code, what, keyring, path=newer, kind="Repository", **fields):
        with Helper(USER, program=installed.HELPER) as helper, opened(trees, at.keyring) as begin, \
                opened(path, keyring) as fds:
            if kind == "Repository":
                helper.ask("Begin", begin, name="new", suite="jammy", arch=mirrors.arch(), engine="native")
                fields["name"] = "repository-1"
            answer = helper.ask(kind, fds, suite="jammy", **fields)
        tap.report((answer.code, answer.status) == code, f"repositories, installed: {what}", answer)

    def checked(status, what, keyring, path=newer, **fields):
        ask(status, f"without a build, {what}", keyring, path, "CheckRelease", repository=1, **fields)

    ask((REFUSED, 0), "none is allowed by default", other.keyring)
    checked((0, 2), "nothing is remembered", other.keyring)
    for line, good, what in ((f"repository-keyrings = {other.keyring}", True, "its keyring"),
                             (f"repository-keyrings = {at.keyring}", False, "another keyring")):
        installed.allow(USER, "older-releases = yes", line, keyrings=at.keyring)
        ask((0, 0) if good else (REFUSED, 0), f"with {what} in the policy", other.keyring)
        checked((0, 0 if good else 2), f"with {what} in the policy", other.keyring)
    installed.allow(USER, "older-releases = yes", f"repository-keyrings = {other.keyring}",
                    keyrings=at.keyring)
    ask((REFUSED, 0), "the archive's keyring is none for repositories", at.keyring, old)
    ask((0, 0), "the archive's own newest date is as before", at.keyring, f"{at.root}/dists/jammy/InRelease",
        "CheckRelease")
    ask((TRUST, 0), "and its older files are refused", at.keyring, old, "CheckRelease")
    installed.allow(USER, "older-releases = yes")


NOW = datetime.datetime.now(datetime.timezone.utc)


def rolled_back(home):
    """Root keeps the memory of the newest release file: nothing that the caller sends can bypass it."""
    at, now = mirror(), datetime.datetime.now(datetime.timezone.utc)
    then = mirrors.date(now - datetime.timedelta(days=3))
    old = home.write("old", at.inrelease(Date=then, Valid_Until=None))
    new = f"{at.root}/dists/jammy/InRelease"
    trees = home.make_dir(f"{home.dir}/rolled")
    kept = f"/var/lib/rootlet/releases.{USER.uid}"

    def ask(path, code, what, **fields):
        with Helper(USER, program=installed.HELPER, memory=f"{home.dir}/own") as helper, \
                opened(trees, at.keyring) as begin, opened(path) as fds:
            helper.ask("Begin", begin, name="new", suite="jammy", arch=mirrors.arch(), engine="native")
            answer = helper.ask("Release", fds, pocket="", **fields)
        tap.report(answer.code == code, f"rollback, installed: {what}", answer)
        return answer

    ask(new, 0, "the newest is accepted", mirror="http://one")
    st = os.stat(kept)
    tap.report((st.st_uid, st.st_gid, st.st_mode & 0o7777) == (0, 0, 0o600) and
               os.stat("/var/lib/rootlet").st_mode & 0o7777 == 0o700,
               "rollback, installed: only root can access the release memory", oct(st.st_mode))
    os.path.exists(f"{home.dir}/own") and os.unlink(f"{home.dir}/own")
    for word in ("http://one", "http://two", ""):
        ask(old, TRUST, f"an older one is refused, as from \"{word}\"", mirror=word)
    answer = ask(old, REFUSED, "accepting an older one needs the policy's permission", mirror="http://one",
                 older=1)
    tap.report("older-releases" in answer.message, "rollback, installed: the refusal names the key", answer)
    ended = mirrors.date(now - datetime.timedelta(days=2))
    past = home.write("past", at.inrelease(Date=then, Valid_Until=ended))
    day = int((now - datetime.timedelta(days=2.5)).timestamp())
    for what, path, more in (("an expired one", past, {"dated": day}), ("an older one", old, {"dated": day}),
                             ("the newest", new, {"dated": 2**32 - 1}),
                             ("an older one, by both options,", old, {"dated": day, "older": 1})):
        answer = ask(path, REFUSED, f"{what} of a dated archive needs the policy's permission", **more)
        tap.report("older-releases" in answer.message, f"rollback, installed: {what}: the key is named",
                   answer)
    not_compared(home, at, new, old, kept)
    installed.allow(USER, "older-releases = yes")
    ask(old, 0, "with permission, an older one is accepted on request", mirror="http://one", older=1)
    ask(old, TRUST, "with permission, an older one is accepted only on request", mirror="http://one")
    further(home, at, old)
    ask(past, 0, "with permission, an expired one of a dated archive is accepted", dated=day)
    ask(past, TRUST, "with permission, an expired one is accepted for a dated archive only")
    ask(past, TRUST, "with permission, one that had expired at that time is refused", dated=day + 86400)
    installed.allow(USER)
    with open(kept, "r+b") as file:
        data = file.read()
        file.seek(0)
        file.write(b"x" * len(data))
    answer = ask(new, HOST, "a damaged memory is not silently restarted")
    tap.report(f"rm {kept}" in answer.message, "rollback, installed: the message says what root must do",
               answer)
    os.unlink(kept)
    with open(kept, "wb"):
        os.chown(kept, USER.uid, -1)
    ask(new, HOST, "a file of the caller in its place is not used")
    os.unlink(kept)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", "/var/lib/rootlet"], check=True)
    answer = ask(new, HOST, "a release file that cannot be remembered is refused")
    tap.report("install-helper" in answer.message, "rollback, installed: the message names the command",
               answer)
    subprocess.run(["umount", "/var/lib/rootlet"], check=True)


def published(home, rootlet):
    """publish, create --from, upgrade and verify, with the range of the policy."""
    www, publisher = f"{home.dir}/www", Publisher(home, "publisher")
    keyring, owner = publisher.keyrings["publisher"], installed.range_of(USER)
    source = ["--from", www, "--published", "test-rootfs", "--keyring", keyring]

    def create(*words):
        return home.run("create", "--name", "copy", *source, *words, program=rootlet)
    first, made = publisher.publish(www, program=rootlet), create()
    tap.report(first.status == made.status == 0 and os.lstat(f"{home.store}/copy").st_uid == owner,
               "publish, and create --from: the rootfs has the ids from the policy", first, made)
    wrong = trees.differences(*(trees.census(f"{home.store}/{name}", exact=True)
                                for name in ("test-rootfs", "copy")),
                              [("/etc/rootlet(/.*)?", None, "of this host"),
                               (".*", ["time"], "archives have whole seconds")])
    tap.report(not wrong, "it is the same tree", *wrong[:20])
    words = ["verify", f"{www}/dists/test-rootfs/provenance.json", "--keyring", keyring, "--name", "copy"]
    verified = home.run(*words, program=rootlet)
    changed = home.run("shell", "--name", "copy", "--", "touch", "/srv/new", program=rootlet)
    differs = home.run(*words, program=rootlet)
    tap.report(verified.status == changed.status == 0 and differs.status == 3,
               "verify accepts it, until a file is added", verified, changed, differs)
    second = publisher.publish(www, program=rootlet)
    for what, line, says in (("without create", "operations = check delete shell run", "create"),
                             ("without the engine", "engines = native", "pieces"),
                             ("without its name", f"releases = {mirrors.SUITE}", "test-rootfs")):
        installed.allow(USER, line)
        outcomes = [create("--force"), home.run("upgrade", "--name", "copy", program=rootlet)]
        tap.report(all(one.status == 1 and says in one.err for one in outcomes),
                   f"a policy {what} allows neither create --from nor the next generation", *outcomes)
    installed.allow(USER)
    upgraded = home.run("upgrade", "--name", "copy", program=rootlet)
    again = home.run(*words, program=rootlet)
    tap.report(second.status == upgraded.status == again.status == 0 and "generation 2" in upgraded.out and
               os.lstat(f"{home.store}/copy").st_uid == owner, "upgrade gets the next generation", second,
               upgraded, again)
    for name in ("copy", "copy.previous"):
        home.run("delete", "--yes", "--name", name, program=rootlet)


def fronts(home, rootlet):
    """A front end that is stopped, then killed: the helper neither continues nor stays."""
    shell = home.start("shell", "--", "sh", "-c", "echo in; exec cat", program=rootlet,
                       stdin=subprocess.PIPE)
    shell.stdout.readline()
    kill(shell.pid, signal.SIGSTOP)
    time.sleep(1)
    alive = len(children(shell.pid))
    kill(shell.pid, signal.SIGKILL)
    shell.communicate()
    tap.report(alive >= 3 and not processes_left(20),
               "after a stopped front end is killed, no helper process remains")
    # The caller can cause such deaths: with a timer, or with a memory limit in their own cgroup.
    for what, place in (("the waiter", 0), ("the audit process", 1), ("the jailer", 2), ("the parser", 3)):
        with opened(f"{home.store}/test-rootfs", *["/dev/null"] * 3) as fds:
            helper = Helper(USER, program=installed.HELPER)
            all_of_it = (helper.process.pid, *wait_until(lambda: ready(helper.process.pid), 20))
            helper.channel.sendmsg([request("Execute", argv=["sleep", "69"], user="root")], [
                (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
            wait_until(lambda: any(command_of(pid).startswith("sleep 69")
                                   for pid in children(helper.process.pid)), 20)
            kill(all_of_it[place], signal.SIGKILL)
            ended = wait_until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in all_of_it), 20)
        tap.report(ended and not processes_left(20), f"if {what} of the helper dies, the whole helper exits")
        helper.channel.close()
    with opened(f"{home.store}/test-rootfs") as fds, Helper(USER, program=installed.HELPER) as helper:
        answer = helper.ask("OpenNamespace")
        tap.report(answer.code == REFUSED and not answer.fds,
                   "OpenNamespace is refused, as it would bypass the policy", answer)
        answer = helper.ask("Inspect", fds)
        tap.report(answer.code == 0, "the helper continues after refusing OpenNamespace", answer)


installed.set_policy("")
os.unlink(installed.POLICY)
ROOTLET = install()
policies()
HOME = run_all(ROOTLET)
if HOME:
    if not sanitizers.watched():  # the profile only fits a helper that loads no libraries
        apparmor()
    runs(HOME, ROOTLET)
    before_the_first_request(ROOTLET)
    probe(HOME, ROOTLET)
    environment()
    starts()
    copies()
    traced()
    hostile(HOME)
    name_services()
    installed.allow(USER)
    two_users(HOME, ROOTLET)
    rolled_back(HOME)
    published(HOME, ROOTLET)
    fronts(HOME, ROOTLET)
    outcome = HOME.run("delete", "--yes", program=ROOTLET)
    tap.report(outcome.status == 0, "delete", outcome)
tap.report(not processes_left(10), "no processes remain")
tap.done()
