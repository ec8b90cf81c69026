"""Installed mode: what an administrator gives rootlet-helper, that it gives it up before it listens,
and that whoever may call it gets nothing else out of it."""
import array
import contextlib
import datetime
import fcntl
import json
import os
import pwd
import re
import signal
import shutil
import socket
import subprocess
import time

from support import elf, forms, installed, sanitizers, tap, trees, vng
from support import mirror as mirrors
from support.protocol import REFUSED, REQUESTS, TRUST, VERSION, Helper, opened, request
from support.server import Server
from support.world import (SCRATCH, SOURCE, Home, Tidy, User, children, command_of, kill, mirror,
                           processes_left, wait_until)

HOST = 12
CASES = ["install-helper", "the policy is obeyed", "create without a range in /etc/subuid",
         "no capability is left", "the caller gets at no process of it", "its environment and limits"]
installed.enter(*CASES)
USER = installed.user_without_range()
GROUP = installed.group_of(USER)


def install():
    done, rootlet = installed.install(GROUP)
    st = os.stat(installed.HELPER)
    capabilities = subprocess.run(["getcap", installed.HELPER], stdout=subprocess.PIPE, text=True,
                                  check=False).stdout
    tap.report(done.returncode == 0 and st.st_uid == 0 and st.st_gid == USER.gid and
               st.st_mode & 0o7777 == 0o750, "install-helper: root's, of the group, mode 0750",
               done.stdout, oct(st.st_mode))
    tap.report(capabilities.split()[1:] == ["cap_setgid,cap_setuid=p"],
               "install-helper: the two capabilities, permitted only", capabilities)
    again = install_helper("--group", GROUP)
    tap.report(again.returncode == 0, "install-helper: a second time", again.stdout)
    folder = os.path.dirname(installed.HELPER)
    for what, owner, mode, good in (("that others can write", 0, 0o777, False), ("of another's", USER.uid, 0o755, False),
                                    ("of another's, though it is sticky", USER.uid, 0o1777, False),
                                    ("of root's that is sticky", 0, 0o1777, True)):
        os.chown(folder, owner, -1)
        os.chmod(folder, mode)
        again = install_helper("--group", GROUP)
        tap.report(again.returncode == (0 if good else 1) and (good or folder in again.stdout),
                   f"install-helper: {'takes' if good else 'refuses'} a folder {what}", again.stdout)
        os.chown(folder, 0, -1)
        os.chmod(folder, 0o755)
    default_group()
    again = install_helper("--remove")
    st = os.stat(installed.HELPER)
    left = subprocess.run(["getcap", installed.HELPER], stdout=subprocess.PIPE, text=True, check=False).stdout
    tap.report(again.returncode == 0 and left == "" and (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (0, 0, 0o755),
               "install-helper --remove: no capability, and anybody may run it", again.stdout, left, oct(st.st_mode))
    again = install_helper("--group", GROUP)
    tap.report(again.returncode == 0, "install-helper: once more", again.stdout)
    return rootlet


def install_helper(*words):
    return subprocess.run(["/usr/local/share/rootlet/install-helper", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)


def default_group():
    """In a copy of /etc: it makes a group."""
    script = ('cp -a /etc "$1" && mount --bind "$1" /etc && { groupdel rootlet 2>/dev/null; true; } && '
              '/usr/local/share/rootlet/install-helper >/dev/null && getent group rootlet && stat -c %U:%G:%a "$2" && '
              'stat -c %U:%G:%a /etc/rootlet')
    done = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh",
                           f"{SCRATCH}/{os.getpid()}.etc", installed.HELPER], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    lines = done.stdout.splitlines()
    tap.report(done.returncode == 0 and len(lines) == 3 and lines[0].startswith("rootlet:") and
               lines[1:] == ["root:rootlet:750", "root:root:755"],
               "install-helper: without a word it makes the group rootlet, whose members may run it", done.stdout)


def greeted(**more):
    """(answer to Hello, exit status) of a helper."""
    helper = Helper(USER, program=installed.HELPER, **more)
    return helper.greeting, helper.leave()


def refused_in(path):
    """What a helper without a policy that can be used sends to a socket at PATH, where there is no other."""
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
    tap.report(answer.code and fields.get("ROOTLET_DECISION") == "refused" and fields.get("ROOTLET_MODE") == "installed"
               and fields.get("ROOTLET_UID") == str(USER.uid) and fields.get("ROOTLET_PID") == str(os.getpid())
               and "policy.conf" in fields.get("MESSAGE", ""), f"{what}: the refusal is in the journal", answer, fields)


def policies():
    answer, _ = greeted()
    tap.report(answer.code == REFUSED and "policy.conf" in answer.message,
               "without a policy nothing is allowed", answer)
    recorded_without_policy("no policy")
    installed.set_policy("[allow x]\nwings = 2\n")
    recorded_without_policy("a policy with an unknown key")
    installed.set_policy("[allow x]\nusers = root\n")
    answer, _ = greeted()
    tap.report(answer.code == REFUSED and USER.name in answer.message,
               "a policy that does not name the caller: nothing is allowed", answer)
    installed.set_policy(f"[allow x]\nusers = {USER.name}\n[ids]\nuids = none\n")
    answer, _ = greeted()
    tap.report(answer.code == REFUSED and f"user {USER.name} = FIRST" in answer.message,
               "a policy that gives no range: nothing is allowed", answer)
    installed.allow(USER)
    answer, _ = greeted()
    tap.report(answer.code == 0, "a policy that names the caller", answer)
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
    folder = os.path.dirname(installed.POLICY)
    for what, owner, mode in (("that others can write", 0, 0o757), ("that its group can write", 0, 0o775),
                              ("of another owner", USER.uid, 0o755)):
        os.chown(folder, owner, -1)
        os.chmod(folder, mode)
        answer, _ = greeted()
        tap.report(answer.code == HOST and f"chmod go-w {folder}" in answer.message,
                   f"a policy in a folder {what} is refused", answer)
    os.chown(folder, 0, -1)
    os.chmod(folder, 0o755)
    answer, _ = greeted()
    tap.report(answer.code == 0, "and it is taken when all of that is right again", answer)
    for file in ("/etc/subuid", "/etc/subgid"):
        overlap(file)


def overlap(path):
    """Who has ids of the range by PATH could take what is made with them."""
    taken = installed.range_of(USER)
    # The caller's own would be his in a namespace of his own, where he is root of it.
    for owner, whose in (("somebody", "another's"), (USER.name, "one of his own")):
        with open(f"{SCRATCH}/{os.getpid()}.sub", "w", encoding="ascii") as file:
            file.write(f"{owner}:{taken + 65000}:65536\n")
        subprocess.run(["mount", "--bind", file.name, path], check=True)
        answer, _ = greeted()
        subprocess.run(["umount", path], check=True)
        tap.report(answer.code == HOST and f"that of {owner} in {path}" in answer.message,
                   f"a range that overlaps {whose} in {path} is refused", answer)
    # It opens, and every read of it is an error.
    subprocess.run(["mount", "--bind", "/sys/class/net/lo/speed", path], check=True)
    answer, _ = greeted()
    subprocess.run(["umount", path], check=True)
    tap.report(answer.code == HOST and f"cannot read {path}" in answer.message,
               f"a range is refused where {path} cannot be read", answer)


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def sets_of(pid):
    status = status_of(pid)
    return {key: int(status[key], 16) for key in SETS}


def masks(rootlet):
    """{name: capabilities} of each row of policy/privilege_sets.c, as numbers."""
    names = subprocess.run(["capsh", "--decode=ffffffffffffffff"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout.strip().partition("=")[2].split(",")
    done = subprocess.run([rootlet, "policy", "seccomp", "--json"], stdout=subprocess.PIPE, text=True,
                          check=True, cwd="/")
    return {row["process"]: sum(1 << names.index(f"cap_{name}") for name in row["capabilities"])
            for row in json.loads(done.stdout)}


def before_the_first_request(rootlet):
    """The three processes, when nothing has been asked yet: each holds its row, and no more."""
    row = masks(rootlet)
    helper = Helper(USER, program=installed.HELPER, greet=False)
    # The parser's own list comes on top of the jailer's, as its last step.
    pids = wait_until(lambda: ready(helper.process.pid))
    found = dict(zip(("audit", "jailer", "parser"), pids or ()))
    tap.report(len(found) == 3, "audit process, jailer and parser are there before the first request", found)
    status = status_of(helper.process.pid)
    held = {key: status[key] for key in (*SETS, "NoNewPrivs", "Seccomp")}
    tap.report(held == {**dict.fromkeys(SETS, "0" * 16), "NoNewPrivs": "1", "Seccomp": "2"},
               "the process that waits for them holds nothing, cannot gain anything, and is under a list", held)
    for name, pid in found.items():
        held, mask = sets_of(pid), row[name]
        # The parser keeps the jailer's bounding set: it has no call that could gain from it.
        bound = row["jailer"] if name == "parser" else mask
        tap.report(held == {"CapInh": 0, "CapPrm": mask, "CapEff": mask, "CapBnd": bound, "CapAmb": 0},
                   f"{name}: before the first request it holds its row of the table, and no more", held, mask)
        if name != "jailer":
            tap.report(not any(held[key] for key in SETS if key != "CapBnd"), f"{name}: it holds nothing", held)
    tap.report(helper.leave() == 0, "and it leaves when it is left")


def ready(first):
    """The audit process, jailer and parser, once all of them are under their lists; FIRST only waits for their end."""
    below = children(first)
    if len(below) != 3:
        return None
    filters = [int(status_of(pid).get("Seccomp_filters", 0)) for pid in (first, *below)]
    return tuple(below) if filters[0] and filters[1] and filters[3] > filters[2] > 0 else None


def given(user):
    """The first of what is mapped in each part: the range, the caller, and the id that the range has beside."""
    return {installed.range_of(user), user.uid, installed.range_of(user) + 65535}


def rights(pids, row):
    """None of PIDS holds anything on the host, nor the range that the policy does not give."""
    host, first = os.readlink("/proc/self/ns/user"), pids[0]
    for pid in pids:
        status, name = status_of(pid), command_of(pid)[:40]
        held = int(status["CapPrm"], 16) | int(status["CapEff"], 16) | int(status["CapAmb"], 16)
        tap.report(os.readlink(f"/proc/{pid}/ns/user") != host,
                   f"{name}: it is in a user namespace, so none of its rights is the host's")
        tap.report(str(USER.uid) not in status["Uid"].split()[:3] + status["Gid"].split()[:3],
                   f"{name}: it is not the caller, but for files", status["Uid"], status["Gid"])
        setid = 1 << 6 | 1 << 7
        with open(f"/proc/{pid}/uid_map", encoding="ascii") as file:
            outside = {int(line.split()[1]) for line in file}
        # The one that the front end has started waits for the others, as nobody.
        if pid == first:
            tap.report(held == 0 and not outside and
                       status["Uid"].split() == [str(installed.range_of(USER) + 65535)] * 4,
                       f"{name}: the process that waits for the others holds nothing, and is nobody", held,
                       status["Uid"], outside)
            continue
        tap.report(0 not in outside and outside <= given(USER),
                   f"{name}: its ids are the range's and the caller's", outside)
        if "rootlet-helper" in name and not held & setid:
            tap.report(held == 0, f"{name}: the audit process and the parser hold nothing", held)
        if name.startswith("sleep 66"):
            tap.report(sets_of(pid) == {"CapInh": 0, "CapPrm": row, "CapEff": row, "CapBnd": row, "CapAmb": 0},
                       f"{name}: a command in the jail can hold the jail's row, and no more", sets_of(pid), row)


def snapshots(home, create):
    """What the helper has saved is cloned; one that it has not is no help, and no hindrance."""
    cloned = create("cloned")
    tap.report(cloned.status == 0 and "Cloned from a cached snapshot" in cloned.out,
               "the next create clones what the first has saved", cloned)
    folder = f"{home.cache}/rootlet/bases"
    for base in (name for name in os.listdir(folder) if name[0] != "."):
        with open(f"{trees.inside(f'{folder}/{base}')}/etc/rootlet/digest", "r+b") as file:
            lines = file.read().splitlines(True)
            file.truncate(sum(map(len, lines[:-1])))
    full = create("full")
    tap.report(full.status == 0 and "Cloned" not in full.out and
               "its MAC differs: rebuilding it" in full.out + full.err,
               "a snapshot without a MAC: create says so, and makes it anew", full)


def tree_modes(home, server, rootlet):
    """A rootfs that can be entered only where the policy says so: its setuid programs have the ids of the range, which
    nobody has in this mode."""
    def create(*words):
        return home.create("--name", "modes", "--quiet", *words, server=server, at=mirror(), program=rootlet, fresh=False)

    def run_it(path):
        done = subprocess.run([path, "-u"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, cwd="/",
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
    tap.report(shut.status == 0 and len(there) == 1 and not got and os.lstat(f"{home.store}/modes").st_mode & 0o7777 == 0o700,
               "a setuid program of a rootfs is out of its owner's reach", shut, there, got)
    tap.report(refused.status == 1 and "tree-modes of [allow test]" in refused.err,
               "--tree-mode 0755 is refused without the policy's word", refused)
    dry = create("--force", "--tree-mode", "0755", "--dry-run")
    tap.report(dry.status == 1 and re.search("^refused Publish +replace=1 mode=0755", dry.out, re.M), "so says --dry-run", dry)
    installed.allow(USER, "tree-modes = 0700 0755")
    done = create("--force", "--tree-mode", "0755")
    there, got = run_any()
    tap.report(done.status == 0 and len(there) == 1 and got == [str(installed.range_of(USER))],
               "with it one is made, and that program gives the first id of the range", done, there, got)
    installed.allow(USER)
    gone = home.run("delete", "--yes", "--name", "modes", program=rootlet)
    tap.report(gone.status == 0 and not os.path.lexists(f"{home.store}/modes"), "and deleted when the policy has changed", gone)


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
    tap.report(os.lstat(tree).st_uid == installed.range_of(USER), "the rootfs has the policy's ids",
               os.lstat(tree).st_uid, installed.range_of(USER))
    outcome = home.run("check", "--deep", program=rootlet)
    tap.report(outcome.status == 0, "check --deep", outcome)
    outcome = home.run("shell", "--", "id", "-u", program=rootlet)
    tap.report(outcome.status == 0 and outcome.out == "0\n", "shell", outcome)
    with open(installed.RECORD, encoding="ascii") as file:
        records = [json.loads(line) for line in file]
    kinds = [(one["request"], one["kind"]) for one in records if one["mode"] == "installed"]
    tap.report({("Begin", "intent"), ("Begin", "result"), ("Publish", "result"),
                ("Execute", "result")} <= set(kinds), "all of it is on the record", *kinds[-5:])
    st = os.stat(installed.RECORD)
    tap.report(st.st_uid == 0 and st.st_mode & 0o7777 == 0o600, "the record is root's alone",
               oct(st.st_mode))
    return home


def apparmor():
    """The profile that is installed is one, for the program that is installed, and a wrong one would be found."""
    parser = shutil.which("apparmor_parser", path="/usr/sbin:/sbin:/usr/bin:/bin")
    profile = f"{installed.PREFIX}/share/rootlet/apparmor/rootlet-helper.apparmor"
    with open(profile, encoding="utf-8") as file:
        text = file.read()
    rules = elf.profiles(profile)
    tap.report(rules == {installed.HELPER: ["userns,"]} and elf.loads(installed.HELPER) == [],
               "the AppArmor profile is for the program that is installed, which loads no library", text)
    userns = f"{os.path.dirname(installed.HELPER)}/rootlet-userns"
    st = os.stat(userns)
    tap.report((st.st_uid, st.st_gid, st.st_mode & 0o7777) == (0, USER.gid, 0o750) and elf.loads(userns) == [],
               "rootlet-userns is root's, of the group, and loads no library", oct(st.st_mode))
    if not parser:
        tap.skip("the AppArmor profile parses", "there is no apparmor_parser")
        return
    done = subprocess.run([parser, "--version"], stdout=subprocess.PIPE, text=True, check=True)
    if int(re.search(r"version (\d+)", done.stdout).group(1)) < 4:
        tap.note("apparmor_parser is older than user namespaces in profiles: without that line, and its abi")
        text = text.replace("abi <abi/4.0>,", "").replace("userns,", "capability,")
    for what, content, good in (("parses", text, True), ("with a word that is none does not", text.replace(",\n}", ",\nwings,\n}"), False)):
        path = f"{SCRATCH}/{os.getpid()}.apparmor"
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        done = subprocess.run([parser, "-Q", "-K", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        tap.report((done.returncode == 0) == good, f"the AppArmor profile {what}", done.stdout)


def runs(home, rootlet):
    """rootlet run, up to where vng takes over: a program of the test's is in its place."""
    kernel = home.write("kernel", vng.kernel())
    os.chmod(home.write("bin/vng", '#!/bin/sh\nprintf "%s\\n" "$@"\n'), 0o755)
    images = f"{home.cache}/rootlet/images"
    for words, status in ((["--root-transport", "dir"], 1), ([], 125), (["--root-transport", "image"], 125)):
        outcome = home.run("run", "--kernel", kernel, *words, "--", "true", program=rootlet,
                           environment={"PATH": f"{home.folder}/bin:/usr/bin:/bin"})
        found = [name for name in os.listdir(images) if name[0] != "."] if os.path.isdir(images) else []
        what = " ".join(["run", *words])
        if status == 1:
            tap.report(outcome.status == 1 and not found and "does not share; use --root-transport image" in outcome.err,
                       f"{what}: there is no namespace to boot the tree in", outcome)
            continue
        magic = [open(f"{images}/{name}", "rb").read(1028)[1024:] for name in found]
        tap.report(outcome.status == status and magic == [b"\xe2\xe1\xf5\xe0"] and "serial=rootlet-root" in outcome.out,
                   f"{what}: vng gets a root image", outcome, *found, *magic)


def probe(home, rootlet):
    """The caller against his own helper, while a command runs in its jail."""
    shell = home.start("shell", "--", "sh", "-c", "echo in; sleep 66", program=rootlet)
    shell.stdout.readline()
    wait_until(lambda: any(command_of(pid).startswith("sleep 66") for pid in children(shell.pid)))
    pids = children(shell.pid)
    helpers = [pid for pid in pids if "rootlet-helper" in command_of(pid)]
    jailed = [pid for pid in pids if command_of(pid).startswith("sleep 66")]
    tap.report(len(helpers) >= 3 and len(jailed) == 1, "helper and jail are there",
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
        tap.report(error in ("EPERM", "EACCES"), f"the caller against {command_of(int(pid))[:30]}: {what}", error)
    tap.note(f"{len(rows)} attempts on {len(pids)} processes; before them: {before}")
    shell.kill()
    shell.communicate()
    tap.report(not processes_left(20), "a dead front end: nothing of the helper stays")


def trick_library():
    """A library that leaves a mark where it is loaded; and the proof that it does."""
    source, library = f"{SCRATCH}/mark.c", f"{SCRATCH}/mark.so"
    with open(source, "w", encoding="ascii") as file:
        file.write('#include <fcntl.h>\n#include <stdlib.h>\n__attribute__((constructor)) static void f(void)'
                   '{ const char *m = getenv("MARK"); if (m) open(m, O_CREAT | O_WRONLY, 0666); }\n')
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def starter(name, text):
    """A program that starts the helper in another way than by its name; descriptor 3 stays as it is."""
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
    "by its descriptor": PYTHON + "libc.fexecve(os.open('HELPER', os.O_RDONLY | os.O_CLOEXEC), empty, none)\n",
    "through /proc/self/fd": PYTHON + "fd = os.open('HELPER', os.O_RDONLY)\n"
                             "libc.execve(b'/proc/self/fd/%d' % fd, none, none)\n",
}


def starts():
    """However it is started, it is the same program with the same rights, and on the record."""
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
                   os.path.getsize(installed.RECORD) > size, f"{what}: it works the same", answer, status, maps)


def ids_of(helper):
    """The first of each of the host's ids that the processes of HELPER are mapped to."""
    maps = set()
    for pid in children(helper.process.pid):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/uid_map", encoding="ascii") as file:
            maps |= {int(line.split()[1]) for line in file}
    return maps


def other_libraries(folder):
    """A library of the caller's under the name of one that the helper needs."""
    library = f"{folder}/libc.so.6"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, f"{SCRATCH}/mark.c"], check=True)
    copy = shutil.copy(installed.HELPER, f"{folder}/unprivileged")
    os.chmod(copy, 0o755)
    setup = f"export LD_LIBRARY_PATH={folder};"
    other = subprocess.run(["/bin/true"], env={"LD_LIBRARY_PATH": folder}, stderr=subprocess.DEVNULL, check=False)
    plain, tricked = (Helper(USER, program=copy, setup=text) for text in ("", setup))
    codes = plain.leave(), tricked.leave()
    answer, status = greeted(setup=setup)
    tap.report(other.returncode == 127 and 127 not in codes and answer.code == 0 and status == 0,
               "LD_LIBRARY_PATH, where the loader takes it from others, loads nothing into it", other, codes, answer,
               status)


def environment():
    library = trick_library()
    folder = f"{SCRATCH}/marks"
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o777)
    # bash, which starts the helper, must not take it: it is set by bash itself.
    for variable in ("LD_PRELOAD", "LD_AUDIT"):
        mark = f"{folder}/{variable}"
        subprocess.run(["true"], env={variable: library, "MARK": mark}, check=False)
        proof = os.path.exists(mark)
        if proof:
            os.unlink(mark)
        answer, _ = greeted(setup=f"export {variable}={library} MARK={mark};")
        tap.report(proof and not os.path.exists(mark) and answer.code == 0,
                   f"{variable} loads nothing into it", proof, answer)
    if not sanitizers.watched():  # such a helper loads libraries
        other_libraries(folder)
    for what, before in {
            "a GLIBC_TUNABLES": "export GLIBC_TUNABLES=glibc.malloc.check=3;",
            "standard descriptors closed": "exec 0<&- 1>&- 2>&-;",
            "another folder": "cd /tmp;",
            "a umask of 0": "umask 0;",
            "signals ignored": "trap '' TERM INT HUP ALRM CHLD PIPE USR1;",
            "a low soft limit of files": "ulimit -S -f 1; ulimit -S -n 20;"}.items():
        answer, status = greeted(setup=before)
        tap.report(answer.code == 0 and status == 0, f"{what}: it works the same", answer, status)
    with Helper(USER, program=starter("clocks", PYTHON + "import signal\nfor clock in range(3):\n    signal.setitimer("
                                      "clock, 0.5)\nlibc.execve(b'HELPER', none, none)\n")) as helper:
        time.sleep(1)
        answer = helper.ask("OpenNamespace")
    tap.report(answer.code == REFUSED, "clocks that run when it is started: it works the same", answer)
    raced_limits()
    refused_without_a_range()
    size = os.path.getsize(installed.RECORD)
    for what, limit in {"files": "-f 1", "descriptors": "-n 32", "memory": "-v 30000",
                        "stack": "-s 64", "processor time": "-t 1", "processes": "-u 0"}.items():
        if what == "memory" and sanitizers.watched():
            continue  # their runtimes reserve terabytes of addresses
        answer, status = greeted(setup=f"ulimit -H -S {limit};")
        done = answer.code == 0 and status == 0 and os.path.getsize(installed.RECORD) > size
        # To leave without an answer is one as well; to be ended by a signal is none.
        tap.report(status is not None and status >= 0 and (done or answer.code > 0 or answer.code == -1),
                   f"a hard limit on {what}: refused, or done and on the record, no crash and no hang", answer, status)
        tap.note(f"a hard limit on {what}: {answer}, exit status {status}")
        size = os.path.getsize(installed.RECORD)
    tap.report(all(json.loads(line) for line in open(installed.RECORD, encoding="ascii")),
               "after all of that each line of the record is whole")


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
    """The caller sets limits of it while it starts, as long as it is his to do so: what is done is on the record."""
    lost, seen, program = [], [], starter("limits", LIMITS)
    for _ in range(30):
        size = os.path.getsize(installed.RECORD)
        helper = Helper(USER, program=program)
        answer = helper.greeting
        helper.leave()
        seen.append(answer.code)
        lost += [answer] if answer.code == 0 and os.path.getsize(installed.RECORD) == size else []
    tap.report(not lost and 0 in seen, "a limit on files that the caller sets while it starts: what is done is on the record",
               *lost, *seen)


def refused_without_a_range():
    """Who has no range may call it, as one of its group: while it says so he cannot stop it, with the record's lock."""
    installed.allow(User("root", 0, 0))
    with open(installed.RECORD, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size, helper = os.path.getsize(installed.RECORD), Helper(USER, program=installed.HELPER, greet=False)
        wait_until(lambda: str(USER.uid) not in status_of(helper.process.pid)["Uid"].split())
        ids = status_of(helper.process.pid)["Uid"].split()
        done = subprocess.run(["kill", "-STOP", str(helper.process.pid)], check=False, stderr=subprocess.DEVNULL, **USER.switch())
        fcntl.flock(file, fcntl.LOCK_UN)
    answer = helper.ask("Hello", version=VERSION, purpose="test")
    helper.leave()
    tap.report(str(USER.uid) not in ids and done.returncode != 0 and answer.code == REFUSED and
               os.path.getsize(installed.RECORD) > size, "who has no range cannot stop it while it puts that on the record",
               ids, done.returncode, answer)
    installed.allow(USER)


def copies():
    """The program under another name has no rights at all."""
    copy = f"{SCRATCH}/copy-of-helper"
    shutil.copy(installed.HELPER, copy)
    os.chmod(copy, 0o755)
    size = os.path.getsize(installed.RECORD)
    helper = Helper(USER, program=copy)
    maps = ids_of(helper)
    tap.report(installed.range_of(USER) not in maps and os.path.getsize(installed.RECORD) == size,
               "a copy of the program has neither the policy's range nor the record", maps)
    helper.leave()
    link = f"{SCRATCH}/marks/link-to-helper"
    done = subprocess.run(["ln", installed.HELPER, link], stderr=subprocess.DEVNULL, check=False,
                          **USER.switch())
    tap.report(done.returncode != 0 and not os.path.lexists(link),
               "the caller cannot keep an old version of it by a hard link")
    done = subprocess.run(["sh", "-c", f"exec {installed.HELPER}"], stderr=subprocess.PIPE,
                          check=False, text=True, user=65534, group=65534, extra_groups=[])
    tap.report(done.returncode in (126, 127), "who is not of the group cannot run it", done)
    answer, _ = greeted(setup="exec 4<>/etc/hostname 2>/dev/null;")
    tap.report(answer.code == 0, "a record of the caller's is not taken", answer)


def traced():
    """One that is born under ptrace has no rights: the kernel gives none to who is traced."""
    path = f"{SCRATCH}/marks/trace"
    for what, before in {"untraced": "", "traced": f"strace -f -o {path}"}.items():
        size = os.path.getsize(installed.RECORD)
        helper = Helper(USER, program=starter(what, f"#!/bin/sh\nexec {before} HELPER\n"))
        answer, maps = helper.greeting, ids_of(helper)
        helper.leave()
        privileged = installed.range_of(USER) in maps or os.path.getsize(installed.RECORD) > size
        if what == "untraced":
            tap.report(answer.code == 0 and privileged, "started by a script, it has its rights", answer, maps)
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        # Its memory is closed to its tracer, too, so that does not see which type it is.
        seen = re.search(rf'execve\("{installed.HELPER}".* = 0$', text, re.M) and \
            re.search(r"getsockopt\(3, SOL_SOCKET, SO_TYPE, 0x.*\) = 0$", text, re.M)
        tap.report(bool(seen) and answer.code >= 0 and not privileged,
                   "born under strace, with its channel, it has neither the policy's range nor the record",
                   answer, maps, text[-300:])


def hostile(home):
    """Every field of every request in every form, to a helper that has an administrator's rights."""
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
    tap.report(not wrong and tried > 500 and status == 0 and kept > tried, f"{tried} requests with wrong and right fields: each "
               "is answered for what it is, and on the record", *wrong[:10], status, kept)
    rows = [("Remove", ["/etc"], {"name": "rootlet"}), ("Remove", [os.path.dirname(installed.POLICY)], {"name": "x", "stale": 1}),
            ("Execute", ["/", *["/dev/null"] * 3], {"argv": ["true"], "user": "root"}), ("Inspect", ["/root"], {"deep": 1}),
            ("Inspect", ["/etc"], {}), ("Clone", ["/etc", home.store], {"name": "new", "base_name": "test-rootfs"}),
            ("Begin", ["/etc", "/etc/hostname"], {"name": "new", "suite": "jammy", "arch": "amd64", "engine": "native"}),
            ("Verify", ["/var/log/rootlet"], {})]
    before = sorted(os.listdir("/etc"))
    for kind, paths, fields in rows:
        with Helper(USER, program=installed.HELPER) as helper, opened(*paths) as fds:
            answer = helper.ask(kind, fds, **fields)
        # There is no stale staging in a folder that he cannot look into for any: nothing to do is no refusal.
        harmless = fields.get("stale") and answer.code == 0
        tap.report(answer.code > 0 or harmless, f"{kind} with a descriptor of {paths[0]}: refused", answer)
    tap.report(sorted(os.listdir("/etc")) == before, "and nothing of root's has changed")


class Member(User):
    """One more user of the group that may run the helper."""
    def switch(self):
        return {**super().switch(), "extra_groups": [USER.gid]}


NAME_SERVICE = """#!/bin/bash
{ id; cat /proc/self/status; env; } >>LOG/log 2>&1
[[ $1 = -- ]] || exit 1
ANSWER
"""


def name_services():
    """A user whom LDAP, say, has, and /etc/passwd has not. The caller must be neither taken for another, nor
    able to make the question fail and so pass a section over."""
    folder, log = f"{SCRATCH}/names", f"{SCRATCH}/names/log"
    os.makedirs(folder)
    os.chmod(folder, 0o777)
    users = "".join(line for line in open("/etc/passwd", encoding="utf-8") if not line.startswith(f"{USER.name}:"))
    for name, text in (("passwd", users), ("getent", "")):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    os.chmod(f"{folder}/getent", 0o755)
    remote = f"echo remote:x:{USER.uid}:{USER.gid}::/home/remote:/bin/sh"
    group = f"echo remote:x:{USER.gid}:"
    other = f"echo remote:x:{USER.uid + 1}:{USER.gid}::/home/remote:/bin/sh"
    rows = (
        # what, the policy's first section, its second, getent's answer, what is said
        ("a user by name", "users = remote", "", remote, None),
        ("a user by name, if there is none such", "users = remote", "", "exit 2", "nothing is allowed: no .* names"),
        ("a user by name, if nothing can tell", "users = remote\noperations =", "users = *", "exit 1", "getent"),
        ("a user by name, if getent is killed", "users = remote\noperations =", "users = *", "kill -9 $$", "getent"),
        ("a user by name, if another is told", "users = remote", "users = *", other, "getent"),
        ("a user by number, if there is none such", f"users = {USER.uid}", "", "exit 2", None),
        ("a group by name", "groups = remote", "", f"[[ $2 = group ]] && {group} || exit 2", None),
        ("a group by name, if there is none such", "groups = remote", "users = *", "exit 2", None),
        ("a group by name, if nothing can tell", "groups = remote\noperations =", "users = *",
         "[[ $2 = group ]] && exit 1; exit 2", "getent"),
    )
    mounts = ((f"{folder}/passwd", "/etc/passwd"), (f"{folder}/getent", "/usr/bin/getent"))
    for source, path in mounts:
        subprocess.run(["mount", "--bind", source, path], check=True)
    for what, first, second, answer_of, says in rows:
        with open(f"{folder}/getent", "w", encoding="utf-8") as file:
            file.write(NAME_SERVICE.replace("LOG", folder).replace("ANSWER", answer_of))
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
        tap.report(good, f"name services: {what}: {'refused' if says else 'known'}", answer)
    text = open(log, encoding="utf-8").read()
    wrong = [line for line in text.splitlines() if
             re.match(rf"uid=(?!{1878982656 + 65535}\b)|Cap(?:Inh|Prm|Eff|Amb):\s.*[1-9a-f]|Groups:\t\S|CALLERS", line)]
    tap.report(text.count("uid=") >= len(rows) and not wrong,
               "name services: asked by nobody's process, without groups, capabilities or the caller's environment",
               *wrong[:5])
    os.chmod(f"{folder}/getent", 0o644)
    answer, _ = greeted()
    tap.report(answer.code == HOST and "getent" in answer.message, "name services: no getent: refused", answer)
    for _, path in mounts:
        subprocess.run(["umount", path], check=True)
    shutil.rmtree(folder)


def two_users(home, rootlet):
    """Both under one policy and of one group: neither can see, use, stop or name what is the other's."""
    entry = next((one for one in pwd.getpwall() if one.pw_name in (
        "rootlet-other", os.environ.get("ROOTLET_TEST_OTHER", ""))), None)
    if not entry:
        tap.skip("two users of one installed helper", "needs a second user, whom ./tests/run makes")
        return
    other = Member(entry.pw_name, entry.pw_uid, entry.pw_gid)
    installed.allow(User(f"{USER.name} {other.name}"))
    tree, with_other = f"{home.store}/test-rootfs", Home(user=other)
    helper = Helper(other, program=installed.HELPER)
    maps = ids_of(helper)
    tap.report(helper.greeting.code == 0 and maps == given(other) and
               abs(installed.range_of(other) - installed.range_of(USER)) >= 65536,
               "another user of it has a range of his own", helper.greeting, maps)
    helper.leave()
    for kind, paths, fields in (("Inspect", [tree], {"deep": 1}), ("Verify", [tree], {}), ("Remove", [home.store], {"name": "test-rootfs"}),
                                ("Execute", [tree, *["/dev/null"] * 3], {"argv": ["true"], "user": "root"}),
                                ("Clone", [home.store, home.store], {"name": "new", "base_name": "test-rootfs"}),
                                ("Begin", [home.store, "/etc/hostname"],
                                 {"name": "new", "suite": "jammy", "arch": "amd64", "engine": "native"})):
        with Helper(other, program=installed.HELPER) as helper, opened(*paths) as fds:
            answer = helper.ask(kind, fds, **fields)
        tap.report(answer.code > 0, f"another user's {kind}, with a descriptor of the first one's, is refused", answer)
    for words in (["check", "--path", tree], ["shell", "--path", tree, "--", "true"], ["delete", "--yes", "--path", tree]):
        outcome = with_other.run(*words, program=rootlet)
        tap.report(outcome.status != 0, f"another user's rootlet {words[0]} on it fails", outcome)
    done = subprocess.run(["cat", installed.RECORD], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **other.switch())
    tap.report(done.returncode != 0, "another user cannot read the record", done.stdout[-100:])
    shell = home.start("shell", "--", "sh", "-c", "echo in; sleep 67", program=rootlet, start_new_session=True)
    shell.stdout.readline()
    pids = [shell.pid, *children(shell.pid)]
    done = subprocess.run(["python3", f"{SOURCE}/tests/adversary/probe.py", *map(str, pids)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, cwd="/", **other.switch())
    rows = [line.split() for line in done.stdout.splitlines()]
    through = [row for row in rows if len(row) != 3 or row[2] not in ("EPERM", "EACCES")]
    tap.report(len(rows) == 23 * len(pids) and len(pids) >= 5 and not through and shell.poll() is None,
               "another user's attempts on its processes: none comes through", *through, done.stdout[-300:])
    shell.kill()
    shell.communicate()
    tap.report(sorted(os.listdir(home.store)) == ["cloned", "full", "test-rootfs"] and not processes_left(20), "and the rootfs is as it was",
               *os.listdir(home.store))
    installed.allow(USER)


def not_compared(home, at, new, old, kept):
    """A question without a build counts for what a rootfs may be made from, and for nothing else."""
    own = home.write("own-keyring.gpg", open(at.keyring, "rb").read())

    def ask(path, keyring, code, status, what, **fields):
        before = open(kept, "rb").read()
        with Helper(USER, program=installed.HELPER) as helper, opened(path, keyring) as fds:
            answer = helper.ask("CheckRelease", fds, suite="jammy", mirror="http://three", **fields)
        tap.report((answer.code, answer.status) == (code, status) and open(kept, "rb").read() == before,
                   f"rollback, installed, without a build: {what}", answer)

    ask(new, at.keyring, 0, 0, "the newest")
    ask(old, at.keyring, TRUST, 0, "an older one is refused")
    ask(old, at.keyring, 0, 1, "it may be accepted, as nothing is made of it", older=1)
    installed.allow(USER, keyrings="/usr/share/keyrings/debian-archive-keyring.gpg")
    ask(old, own, 0, 2, "one by a keyring that the policy does not allow is not compared")
    installed.allow(USER, "releases = noble")
    ask(old, at.keyring, 0, 2, "nor one of a release that it does not allow")
    installed.allow(USER)


def rolled_back(home):
    """What the newest release file was is root's to keep: no word of the caller's changes it."""
    at, now = mirror(), datetime.datetime.now(datetime.timezone.utc)
    then = mirrors.date(now - datetime.timedelta(days=3))
    old = home.write("old", at.inrelease(Date=then, Valid_Until=None))
    new = f"{at.root}/dists/jammy/InRelease"
    trees = home.make_folder(f"{home.folder}/rolled")
    kept = f"/var/lib/rootlet/releases.{USER.uid}"

    def ask(path, code, what, **fields):
        with Helper(USER, program=installed.HELPER, memory=f"{home.folder}/own") as helper, \
                opened(trees, at.keyring) as begin, opened(path) as fds:
            helper.ask("Begin", begin, name="new", suite="jammy", arch=mirrors.arch(), engine="native")
            answer = helper.ask("Release", fds, pocket="", **fields)
        tap.report(answer.code == code, f"rollback, installed: {what}", answer)
        return answer

    ask(new, 0, "the newest is accepted", mirror="http://one")
    st = os.stat(kept)
    tap.report((st.st_uid, st.st_gid, st.st_mode & 0o7777) == (0, 0, 0o600) and
               os.stat("/var/lib/rootlet").st_mode & 0o7777 == 0o700,
               "rollback, installed: what is remembered is root's alone", oct(st.st_mode))
    os.path.exists(f"{home.folder}/own") and os.unlink(f"{home.folder}/own")
    for word in ("http://one", "http://two", ""):
        ask(old, TRUST, f"an older one is refused, as from \"{word}\"", mirror=word)
    answer = ask(old, REFUSED, "the policy has to allow the option", mirror="http://one", older=1)
    tap.report("older-releases" in answer.message, "rollback, installed: the refusal names the key", answer)
    not_compared(home, at, new, old, kept)
    installed.allow(USER, "older-releases = yes")
    ask(old, 0, "where it does, an older one is accepted on demand", mirror="http://one", older=1)
    ask(old, TRUST, "and on demand only", mirror="http://one")
    installed.allow(USER)
    with open(kept, "r+b") as file:
        data = file.read()
        file.seek(0)
        file.write(b"x" * len(data))
    answer = ask(new, HOST, "what is damaged is not begun again")
    tap.report(f"rm {kept}" in answer.message, "rollback, installed: it says what root has to do", answer)
    os.unlink(kept)
    with open(kept, "wb"):
        os.chown(kept, USER.uid, -1)
    ask(new, HOST, "a file of the caller's in its place is not used")
    os.unlink(kept)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", "/var/lib/rootlet"], check=True)
    answer = ask(new, HOST, "what cannot be remembered is not accepted")
    tap.report("install-helper" in answer.message, "rollback, installed: it names the command", answer)
    subprocess.run(["umount", "/var/lib/rootlet"], check=True)


def fronts(home, rootlet):
    """A front end that is stopped, and one that dies: the helper neither goes on nor stays."""
    shell = home.start("shell", "--", "sh", "-c", "echo in; exec cat", program=rootlet,
                       stdin=subprocess.PIPE)
    shell.stdout.readline()
    kill(shell.pid, signal.SIGSTOP)
    time.sleep(1)
    alive = len(children(shell.pid))
    kill(shell.pid, signal.SIGKILL)
    shell.communicate()
    tap.report(alive >= 3 and not processes_left(20), "a front end stopped, then killed: nothing stays")
    # The caller can have a clock end the one, in a cgroup of his own, and the kernel for want of memory.
    for what, place in (("the waiter", 0), ("the audit process", 1), ("the jailer", 2), ("the parser", 3)):
        with opened(f"{home.store}/test-rootfs", *["/dev/null"] * 3) as fds:
            helper = Helper(USER, program=installed.HELPER)
            all_of_it = (helper.process.pid, *wait_until(lambda: ready(helper.process.pid), 20))
            helper.channel.sendmsg([request("Execute", argv=["sleep", "69"], user="root")], [
                (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
            wait_until(lambda: any(command_of(pid).startswith("sleep 69") for pid in children(helper.process.pid)), 20)
            kill(all_of_it[place], signal.SIGKILL)
            ended = wait_until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in all_of_it), 20)
        tap.report(ended and not processes_left(20), f"{what} of the helper has died: all of it ends")
        helper.channel.close()
    with opened(f"{home.store}/test-rootfs") as fds, Helper(USER, program=installed.HELPER) as helper:
        answer = helper.ask("OpenNamespace")
        tap.report(answer.code == REFUSED and not answer.fds,
                   "the namespace is not handed out: it would be a way past the policy", answer)
        answer = helper.ask("Inspect", fds)
        tap.report(answer.code == 0, "and it goes on", answer)


installed.set_policy("")
os.unlink(installed.POLICY)
ROOTLET = install()
policies()
HOME = run_all(ROOTLET)
if HOME:
    if not sanitizers.watched():  # a profile is only for a helper that loads no library
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
    fronts(HOME, ROOTLET)
    outcome = HOME.run("delete", "--yes", program=ROOTLET)
    tap.report(outcome.status == 0, "delete", outcome)
tap.report(not processes_left(10), "nothing runs in the end")
tap.done()
