"""A rootfs is closed: no user of the host, not even its owner, can reach a setuid program in it, and yet
every command works on it. --tree-mode 0755 opens it. A rootfs from an older version, which is open, works as
before."""
import hashlib
import json
import os
import re
import stat
import subprocess

from support import tap
from support.protocol import INPUT, MISSING, REFUSED, Helper, opened
from support.server import Server
from support.trees import inside
from support.world import (AS_ROOT, KEPT, Case, Home, Tidy, User, children, judge, mirror, other_user,
                           plain_user, play, wait_until)

AT = mirror()
PROGRAM = "root/as-root"  # setuid, owned by the first id of the range


def mark(home, *which):
    """Puts a setuid program into the rootfs; anyone who can run it gets its owner's id."""
    outcome = home.run("shell", *which, "--", "sh", "-ec",
                       f"cp /usr/bin/id /{PROGRAM}; chmod 4755 /{PROGRAM}; chmod 755 /root")
    tap.report(outcome.status == 0, "a setuid program can be put into the rootfs", outcome)


def as_user(user, *words):
    done = subprocess.run(["sh", "-c", 'exec "$@"', "sh", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT,
                          text=True, check=False, cwd="/", **user.switch())
    return done.returncode, done.stdout


def attempts(rootfs):
    """Returns {what: command} for access that must fail, for both layouts: a closed rootfs has its tree one
    level down."""
    places = [f"{rootfs}/rootfs/{PROGRAM}", f"{rootfs}/{PROGRAM}"]
    by_any = " || ".join
    return {"run it": ["sh", "-c", by_any(f"{one} -u" for one in places)],
            "stat it": ["sh", "-c", by_any(f"stat {one}" for one in places)],
            "list the directory": ["ls", rootfs],
            "enter the directory": ["env", "-C", rootfs, "true"],
            "run it from a namespace": ["unshare", "--user", "--map-root-user", "sh", "-c",
                                        by_any(f"{one} -u" for one in places)]}


def unreachable(rootfs, who, user):
    for what, words in attempts(rootfs).items():
        status, text = as_user(user, *words)
        tap.report(status != 0 and "Permission denied" in text, f"{who} cannot {what}", status, text)


def reachable(rootfs, who, user):
    owner = os.lstat(rootfs).st_uid
    status, text = as_user(user, f"{rootfs}/{PROGRAM}", "-u")
    tap.report(status == 0 and text.strip() == str(owner),
               f"--tree-mode 0755: {who} can run it, and gets the range's id",
               status, text, owner)
    for what in ("list the directory", "enter the directory"):
        status, text = as_user(user, *attempts(rootfs)[what])
        tap.report(status == 0, f"--tree-mode 0755: {who} can {what}", status, text)


def let_in(home):
    """Lets everyone reach the rootfs directory, so that only its own mode protects it."""
    for path in (home.dir, home.store, home.cache, f"{home.cache}/rootlet", f"{home.cache}/rootlet/bases"):
        if os.path.isdir(path):
            os.chmod(path, 0o755)


def modes(home, server):
    """Creates a rootfs of each mode, and checks the snapshot that the first one saved."""
    for name, words, mode in (("shut", [], 0o700), ("open", ["--tree-mode", "0755"], 0o755),
                              ("shut-again", ["--tree-mode", "700"], 0o700)):
        outcome = home.run("create", "--release", "jammy", "--profile", "test", "--mirror", server.url,
                           "--keyring",
                           AT.keyring, "--name", name, "--json", *words)
        result = json.loads(outcome.out.splitlines()[-1]) if outcome.out else {}
        path = f"{home.store}/{name}"
        st = os.lstat(path) if os.path.lexists(path) else None
        tap.report(outcome.status == 0 and stat.S_IMODE(st.st_mode) == mode and
                   result.get("mode") == f"{mode:04o}" and
                   st.st_uid >= 65536 and os.path.lexists(f"{path}/rootfs") == (mode == 0o700),
                   f"create {' '.join(words)}: mode {mode:04o}", st, outcome)
    with open(home.state("audit.log"), encoding="utf-8") as file:
        said = re.findall(r"replace=0 keep_old=0 mode=(\d+)", file.read())
    tap.report(set(said) == {"0700", "0755"}, "the audit log records the modes", said)
    outcome = home.run("create", "--tree-mode", "0777")
    tap.report(outcome.status == 2 and "must be 0700 or 0755" in outcome.err,
               "create --tree-mode 0777 is refused", outcome)


def snapshot(home):
    directory = f"{home.cache}/rootlet/bases"

    def recipe(name):
        """Without the notes that follow it."""
        with open(f"{directory}/.{name}.lock", encoding="utf-8") as file:
            return re.sub(r"^(keyring|extends) \w{64}\n", "", file.read(), flags=re.M)

    names = [name for name in os.listdir(directory) if re.fullmatch(r"\w{64}", name)]
    tap.report(len(names) == 1 and stat.S_IMODE(os.lstat(f"{directory}/{names[0]}").st_mode) == 0o700,
               "the snapshot in the cache is closed as well", *map(recipe, names))
    tap.report(all(hashlib.sha256(recipe(name).encode()).hexdigest() == name for name in names),
               "a snapshot's name is the hash of its recipe, which its lock file has")
    tap.report(home.run("cache", "verify").status == 0, "cache verify finds the snapshot undamaged")
    return f"{directory}/{names[0]}"


def who_are(home):
    others = other_user()
    yield "its owner", home.user
    if others:
        yield "another user", others
    else:
        tap.skip("another user and a closed rootfs", "needs a second user, which ./tests/run creates")


def commands(home, name, rootfs):
    """Runs every command that inspects or uses a rootfs."""
    which = ["--name", name]
    play(Case(f"check of {name}", ["check", *which, "--deep"], 0, r"\A✓"), home)
    play(Case(f"list with {name}", ["list"], 0, rf"^{name} +Ubuntu jammy +[\d.]+M .*fsqa"), home)
    play(Case(f"shell in {name}, as root", ["shell", *which, "--", "stat", "-c", "%a %u", "/"], 0,
              r"^755 0$"), home)
    play(Case(f"shell in {name}, as a user, who can enter /",
              ["shell", *which, "--user", "1000", "--", "sh", "-ec",
                                                             "id -u; cat /etc/os-release"], 0,
              [r"^1000$", "^VERSION_CODENAME=jammy"]), home)
    play(Case(f"shell in {name}: no such user", ["shell", *which, "--user", "nosuch", "--", "true"], 1,
              "no user nosuch"), home)
    play(Case(f"shell in {name}: no such command", ["shell", *which, "--", "nosuchcmd"], 127,
              "no command nosuchcmd"), home)
    play(Case(f"create over {name}", ["create", *which], 6, "use --force"), home)
    busy = home.start("shell", *which, "--", "sh", "-c", "echo in; read end", stdin=subprocess.PIPE)
    busy.stdout.readline()
    KEPT.update([busy.pid, *children(busy.pid)])
    play(Case(f"delete of {name} while it is in use", ["delete", *which, "--yes"], 6, "is in use"), home)
    KEPT.clear()
    busy.terminate()
    busy.communicate(timeout=300)
    tap.report(os.path.isdir(rootfs), f"delete of {name} while it is in use: keeps it")


def wrong_modes(home):
    """check reports an open rootfs, and the command that it suggests closes it."""
    found = home.run("check", "--name", "open")
    tap.report(found.status == 0 and
               re.search(r"^Mode: 0755: .*rootlet create --force --name open ", found.out, re.M),
               "check shows the mode of an open rootfs and how to close it", found)
    tap.report("Mode:" not in home.run("check", "--name", "shut").out,
               "check shows no mode for a closed rootfs")
    found = json.loads(home.run("check", "--name", "open", "--json").out)
    tap.report(found.get("mode") == "0755", "check --json: has the mode", found)


def replaced(home, server):
    """Replaces an open rootfs with a closed one and the reverse; the old one is gone each time."""
    for words, mode in (([], 0o700), (["--tree-mode", "0755"], 0o755), (["--tree-mode", "0755"], 0o755),
                        ([], 0o700),
                        ([], 0o700)):
        before = os.lstat(f"{home.store}/open").st_ino
        with Tidy(home) as tidy:
            outcome = home.create("--name", "open", "--force", "--quiet", *words, server=server, at=AT,
                                  fresh=False)
            wrong = judge(Case("", ["create"], 0), outcome, home, tidy)
        st = os.lstat(f"{home.store}/open")
        tap.report(not wrong and st.st_ino != before and stat.S_IMODE(st.st_mode) == mode,
                   f"create --force {' '.join(words)} replaces the old rootfs", *wrong, st, outcome)
    play(Case("check of the new rootfs", ["check", "--name", "open"], 0, r"\A✓"), home)


def staging(home, server):
    """From the first moment of a build, the owner cannot enter any of its hidden directories."""
    process = home.start("create", "--release", "jammy", "--profile", "test", "--mirror", server.url,
                         "--keyring",
                         AT.keyring, "--fresh", "--name", "made", "--tree-mode", "0755", "--quiet")
    hidden, seen, wrong = f"{home.store}/.rootlet-staging.made", 0, []
    while process.poll() is None:
        try:
            st = os.lstat(hidden)
        except FileNotFoundError:
            continue
        seen += 1
        # Owned by the caller until the helper takes it over; empty until then.
        if stat.S_IMODE(st.st_mode) != 0o700:
            wrong.append(oct(st.st_mode))
        if seen == 50:
            status, text = as_user(home.user, "ls", f"{hidden}/tree")
            if status == 0:
                wrong.append(text)
    process.communicate()
    tap.report(seen > 50 and not wrong and process.returncode == 0,
               "a tree is never reachable while it is being built", seen,
               *wrong[:5], process.returncode)


def older(home):
    """The layout of older versions: the tree itself has the name of the rootfs."""
    home.run("delete", "--yes", "--name", "made")
    subprocess.run(["cp", "-a", inside(f"{home.store}/shut"), f"{home.store}/older"], check=True)
    st = os.lstat(f"{home.store}/older")
    tap.report(stat.S_IMODE(st.st_mode) == 0o755 and
               os.path.exists(f"{home.store}/older/etc/rootlet/manifest.json"),
               "a rootfs from an older version works")
    commands(home, "older", f"{home.store}/older")
    play(Case("check of a rootfs from an older version", ["check", "--name", "older"], 0, r"^Mode: 0755"),
         home)
    play(Case("delete of a rootfs from an older version", ["delete", "--yes", "--name", "older"], 0,
              "^Removed"), home)


# The text of the requested file, or None if the helper must refuse.
READS = {"manifest": b'"suite"', "os-release": b"VERSION_CODENAME=jammy", "passwd": b"root:x:0:0",
         "group": b"root:x:0",
         "dpkg-status": b"Package: ", "shadow": None, "etc": None, "passwd-": None}
# How root in the rootfs may tamper with a file.
SPOILS = {"a link to a file that only root may read": "ln -sf shadow /etc/group",
          "a link out of the tree": "ln -sf /../../../../../../etc/shadow /etc/group",
          "a pipe": "rm -f /etc/group; mkfifo /etc/group",
          "a directory": "rm -f /etc/group; mkdir /etc/group",
          "too large": "rm -f /etc/group; truncate -s 2M /etc/group"}


def protocol(home):
    """What the helper gives to a client that asks for more than rootlet does."""
    path = f"{home.store}/shut"
    with Helper(home.user) as helper:
        with opened(lambda: os.open(path, os.O_PATH)) as fds:
            answer = helper.ask("Open", fds)
        good = answer.code == 0 and answer.status == 1 and len(answer.fds) == 1
        if not tap.report(good, "Open: returns an O_PATH descriptor", answer):
            return
        rootfs = answer.fds[0]
        inside_it = os.stat(rootfs)
        tap.report(stat.S_IMODE(inside_it.st_mode) == 0o700,
                   "Open: the descriptor is of the closed directory")
        probe = (f"import os\nfor path in ('rootfs', 'rootfs/{PROGRAM}', '..', '.'):\n"
                 f"    try: os.stat(path, dir_fd={rootfs}); print('came to', path)\n"
                 f"    except PermissionError: pass\n"
                 f"try: os.fchdir({rootfs}); print('entered')\nexcept PermissionError: pass\n"
                 f"try: os.stat('/proc/self/fd/{rootfs}/rootfs'); print('by proc')\nexcept PermissionError: "
                 "pass\n")
        done = subprocess.run(["python3", "-c", probe], pass_fds=[rootfs], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, **home.user.switch())
        tap.report(done.returncode == 0 and not done.stdout,
                   "Open: the descriptor does not let the owner in", done)
        for name, text in READS.items():
            answer = helper.ask("Read", [rootfs], file=name)
            got = os.pread(answer.fds[0], 1 << 25, 0) if answer.fds else b""
            place = os.readlink(f"/proc/self/fd/{answer.fds[0]}") if answer.fds else ""
            tap.report((answer.code == INPUT and not answer.fds) if text is None else
                       answer.code == 0 and text in got and place.startswith("/memfd:"),
                       f"Read of {name}: {'is refused' if text is None else 'returns a copy'}", answer,
                       got[:80], place)
        paths = ["/", "/usr", "/bin/sh", "/etc/passwd", "/nosuch", "/etc/nosuch/x", "/dev/null", "/home/fsqa"]
        answer = helper.ask("Find", [rootfs], paths=paths)
        tap.report(answer.kinds == "ddff--fd", "Find: returns a letter per path", answer)
        with opened(home.dir) as fds:
            answers = [helper.ask("Open", fds), helper.ask("Read", fds, file="passwd"),
                       helper.ask("Find", fds, paths=["/"])]
        tap.report([one.code for one in answers] == [MISSING, REFUSED, REFUSED],
                   "Open, Read and Find refuse a directory that is not a rootfs", *answers)
        os.close(rootfs)


def spoiled(home):
    home.run("shell", "--name", "shut", "--", "cp", "-p", "/etc/group", "/root/group")
    for what, script in SPOILS.items():
        broke = home.run("shell", "--name", "shut", "--", "sh", "-ec", script)
        with Helper(home.user) as helper, opened(f"{home.store}/shut") as fds:
            answer = helper.ask("Read", fds, file="group")
        for fd in answer.fds:
            os.close(fd)
        tap.report(broke.status == 0 and answer.code > 0 and not answer.fds,
                   f"Read refuses a file that is {what}", broke,
                   answer)
        check = home.run("check", "--name", "shut")
        tap.report(check.status == 1 and "root:" not in check.out, f"check copes with a file that is {what}",
                   check)
        home.run("shell", "--name", "shut", "--", "sh", "-c",
                 "rm -rf /etc/group; cp -p /root/group /etc/group")
    play(Case("check of the restored rootfs", ["check", "--name", "shut"], 0, r"\A✓"), home)


def as_host_root():
    """If root is the caller, the tree's ids still come from a range, and the directory is closed."""
    home = Home(user=User("root", 0, 0))
    with Server(AT.root) as server:
        outcome = home.create("--quiet", "--name", "roots", server=server, at=AT, fresh=False)
    path = f"{home.store}/roots"
    st = os.lstat(path) if outcome.status == 0 else None
    if not tap.report(outcome.status == 0 and stat.S_IMODE(st.st_mode) == 0o700 and st.st_uid >= 65536,
                      "root mode: create", outcome, st):
        return
    mark(home, "--name", "roots")
    let_in(home)
    unreachable(path, "root mode: a user", plain_user())
    commands(home, "roots", path)
    with Server(AT.root) as server:
        again = home.create("--quiet", "--name", "roots", "--force", server=server, at=AT, fresh=False)
    tap.report(again.status == 0, "root mode: create --force", again)
    play(Case("root mode: delete", ["delete", "--yes", "--name", "roots"], 0, "^Removed"), home)


def main():
    if not AS_ROOT:
        tap.skip("a closed rootfs", "needs root to act as several users")
        tap.done()
    home = Home()
    with Server(AT.root) as server:
        modes(home, server)
        mark(home, "--name", "shut")
        mark(home, "--name", "open")
        let_in(home)
        kept = snapshot(home)
        for who, user in who_are(home):
            unreachable(f"{home.store}/shut", who, user)
            reachable(f"{home.store}/open", who, user)
            status, text = as_user(user, "sh", "-c", f"ls {kept} || stat {kept}/rootfs/usr/bin/attr")
            tap.report(status != 0 and "Permission denied" in text, f"{who} cannot look into the snapshot",
                       text)
        commands(home, "shut", f"{home.store}/shut")
        commands(home, "open", f"{home.store}/open")
        wrong_modes(home)
        protocol(home)
        spoiled(home)
        replaced(home, server)
        staging(home, server)
    older(home)
    for name in ("shut", "shut-again", "open"):
        play(Case(f"delete of {name}", ["delete", "--yes", "--name", name], 0, "^Removed"), home)
    tap.report(wait_until(lambda: not os.listdir(home.store), 5), "nothing remains in the store",
               os.listdir(home.store))
    as_host_root()
    tap.done()


main()
