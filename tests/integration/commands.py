"""The life cycle of a rootfs from the test mirror: create, check, list, shell, replace, delete."""
import glob
import hashlib
import json
import os
import re

from support import mirror as mirrors
from support import tap, vng
from support.server import Fault, Server
from support.terminal import Terminal
from support.trees import inside
from support.world import AS_ROOT, Case, Home, Tidy, judge, mirror, play, processes_left, wait_until

AT = mirror()
home = Home()
TREE = f"{home.store}/test-rootfs"


def inode(path):
    return os.lstat(path).st_ino


def manifest(path=TREE):
    with open(f"{inside(path)}/etc/rootlet/manifest.json", encoding="utf-8") as file:
        return json.load(file)


def first_create():
    """Also: an interrupted download is resumed, not restarted."""
    breaks = Fault(r"/dpkg_[^/]*\.deb$", "truncate", 300000, times=1)
    with Server(AT.root, [breaks]) as server, Tidy(home) as tidy:
        outcome = home.create(server=server, at=AT)
        case = Case("create", ["create"], 0,
                    [r"packages", r"^Made .*/test-rootfs: Ubuntu jammy, \d+ packages"], ["\r", "\033"])
        wrong = judge(case, outcome, home, tidy)
        tap.note(f"create took {outcome.seconds:.1f} s")
        if not tap.report(not wrong, "create: makes a rootfs from a mirror", *wrong, outcome):
            tap.done()
        tap.report(any("dpkg_" in path for path in server.resumed),
                   "create: resumes an interrupted download", server.resumed)
    owner = os.lstat(TREE)
    tap.report(owner.st_uid == owner.st_gid and owner.st_uid >= 65536,
               "create: the first id of the range owns the tree", owner)
    tap.report(os.lstat(home.store).st_mode & 0o7777 == 0o700,
               "create: other users cannot enter the store, which has setuid programs of the range")
    tap.report(not glob.glob(f"{inside(TREE)}/var/cache/apt/archives/*.deb"),
               "create: leaves no package archives in the tree")


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def check_manifest():
    m = manifest()
    text = json.dumps(m)
    packages = {name: package["version"] for name, package in m.get("packages", {}).items()}
    attr, releases = m["packages"]["attr"], m["releases"]
    for what, good in {
            "suite": m.get("suite") == "jammy",
            "architecture": m.get("arch") == mirrors.arch(),
            "distribution": m.get("distribution") == "Ubuntu",
            "profile and its hash": "test" in text and re.search(r'"[0-9a-f]{64}"', text),
            "id range": str(os.lstat(TREE).st_uid) in text and "65535" in text,
            "mirror": "127.0.0.1" in text,
            "format version": any("format" in key or "version" in key for key in m),
            "packages with versions": packages.get("attr") == AT.version_of("attr"),
            "their architecture, hash and source": attr["arch"] == mirrors.arch() and
                                                   attr["sha256"] ==
                                                   digest_of(f"{AT.root}/{AT.deb_of('attr')}") and
                                                   attr["source"] == "attr",
            "engine": m["engine"] == "native",
            "components": m["components"] == ["main", "universe"],
            "what the profile asks for": m["requested"] == ["attr", "acl"] and m["filters"] == [],
            "signed release files": [one["pocket"] for one in releases] == list(mirrors.POCKETS) and
                                    all(re.fullmatch("[0-9a-f]{64}", one["sha256"]) and
                                        "127.0.0.1" in one["mirror"] and one["date"] for one in releases),
    }.items():
        tap.report(bool(good), f"manifest: {what}", text[:2000])
    for pocket, name in mirrors.NEWER.items():
        tap.report(packages.get(name) == AT.version_of(name, pocket),
                   f"create: takes {name} from pocket {pocket}", packages.get(name))


def second_create(server):
    """Everything is in the cache, so only InRelease is requested, to see if it has changed. This saves the
    snapshot that later creates here clone: they are not about how a tree is built."""
    with Tidy(home) as tidy:
        source = ["--mirror", server.url, "--keyring", AT.keyring, "--profile", "test"]
        outcome = home.run("create", "--suite", mirrors.SUITE, "--arch", mirrors.arch(), "--name", "second",
                           "--quiet", *source)
        wrong = judge(Case("", ["create"], 0), outcome, home, tidy)
        others = [path for path in server.requests if not path.endswith("/InRelease")]
        tap.report(not wrong, "create: makes a second rootfs with --name", *wrong, outcome)
        tap.report(not others and server.requests,
                   "create: a second one downloads only InRelease", server.requests)
    tap.report(not outcome.out and not outcome.err, "create --quiet prints nothing", outcome)


def refused_create():
    before = inode(TREE)
    with Server(AT.root) as server:
        source = ["--mirror", server.url, "--keyring", AT.keyring]
        play(Case("create over an existing rootfs", [], 6, ["--force"]), home,
             ["create", "--profile", "test", *source])
        tap.report(not server.requests, "create over an existing rootfs fails before any download")
    tap.report(inode(TREE) == before, "create over an existing rootfs leaves it alone")


def taken_meanwhile():
    """A directory that appears under the rootfs name during create is kept: a plain rename(2) would replace
    an empty one."""
    path = f"{home.store}/taken"

    def take(body):
        if not os.path.exists(path):
            home.make_dir(path)
        return body
    before = None
    with Server(AT.root, [Fault(r"\.deb$", "body", take)]) as server, Tidy(home) as tidy:
        # Its packages must not be in the cache, or create would not download anything.
        outcome = home.create("--name", "taken", "--quiet", server=server, at=AT,
                              environment={"XDG_CACHE_HOME": f"{home.dir}/other-cache"})
        before = os.path.isdir(path) and os.stat(path).st_uid
        wrong = judge(Case("", ["create"], 6, "taken"), outcome, home, tidy)
    tap.report(not wrong and before == home.user.ids()[0] and not os.listdir(path),
               "create: fails if a directory takes the name meanwhile, and keeps it", *wrong, outcome)
    os.rmdir(path)


def forced_create(server):
    before = inode(TREE)
    home.run("shell", "--", "touch", "/root/of-the-old-one")
    with Tidy(home) as tidy:
        outcome = home.create("--force", server=server, at=AT, fresh=False)
        wrong = judge(Case("", ["create"], 0), outcome, home, tidy)
    tap.report(not wrong, "create --force", *wrong, outcome)
    tap.report(inode(TREE) != before, "create --force: replaces the rootfs")
    outcome = home.run("shell", "--", "ls", "/root/of-the-old-one")
    tap.report(outcome.status != 0, "create --force: keeps no files of the old one", outcome)
    play(Case("create --force: the new one is ready", ["check"], 0, "✓"), home)


def check_and_list():
    rows = [
        Case("check", ["check"], 0,
             [rf"\A✓ Rootfs is configured and ready at {re.escape(TREE)}\n\nSize: [\d.]+M\n"
              r"Ubuntu: jammy\nTest users: fsqa, fsgqa2\n"]),
        Case("check --name", ["check", "--name", "second"], 0, "ready at .*/second$"),
        Case("check --path", ["check", "--path", TREE], 0, "ready at"),
        Case("check --path, relative and with a slash", ["check", "--path",
                                                         ".kerneldev-mcp/second/"], 0, "ready at"),
        Case("check --deep", ["check", "--deep"], 0, "✓"),
        Case("check of another name", ["check", "--name", "third"], 1, ["no rootfs", "--name third"]),
        Case("list", ["list"], 0, [r"^second +Ubuntu +jammy +[\d.]+M +\d+ (second|minute)s? +fsqa, fsgqa2$",
                                   r"^test-rootfs +Ubuntu +jammy +[\d.]+M +\d+ (second|minute)s? +fsqa"]),
        Case("list --json", ["list", "--json"], 0, '"name": ?"second"'),
        Case("delete without a terminal and without --yes", ["delete"], 2, "--yes",
             check=lambda home: [] if os.path.isdir(TREE) else ["the rootfs is gone"]),
    ]
    for row in rows:
        play(row, home)
    rows = json.loads(home.run("list", "--json").out)
    tap.report(not re.search(r" $|Ubuntu  ", home.run("list").out, re.M), "list: has no trailing blanks")
    first = next((row for row in rows if row["name"] == "test-rootfs"), {})
    tap.report(len(rows) == 2 and first.get("release") == "jammy" and first.get("path") == TREE and
               (first.get("bytes") or 0) > 50e6 and first.get("users") == ["fsqa", "fsgqa2"],
               "list --json: has the right fields", rows)
    home.run("shell", "--name", "second", "--", "sed", "-i", 's/"created": *"[0-9]*/"created": "2001/',
             "/etc/rootlet/manifest.json")
    play(Case("list: takes the age from the manifest", ["list"], 0, [r"^second .*M +\d{4,} days +fsqa",
                                                                     r"^test-rootfs .* (second|minute)s? "]),
         home)


def owners():
    """The range is ids 0 to 65534; the last is nobody's. Unmapped ids also appear as 65534."""
    tree = inside(f"{home.store}/second")
    home.run("shell", "--name", "second", "--", "sh", "-ec",
             "cd /root; mkdir d; echo >f; ln -s f l; mkfifo p; "
             "chmod 0 f; chown -h 65534:65534 d f l p")
    play(Case("check: files of nobody are valid", ["check", "--name", "second"], 0, "✓"), home)
    first = os.lstat(tree).st_uid
    rows = [("the caller", home.user.uid), ("the range's spare id", first + 65535), ("the host's root", 0)]
    for whose, uid in rows if AS_ROOT else ():
        for path, kind in ((f"{tree}/root/f", "file"), (f"{tree}/root/d", "directory")):
            os.chown(path, uid, -1)
            play(Case(f"check finds a {kind} of {whose}", ["check", "--name", "second"], 1,
                      "1 files belong to ids outside"), home)
            os.chown(path, first + 65534, -1)
    home.run("shell", "--name", "second", "--", "sh", "-c", "rm -r /root/[dflp]")


def ask_to_delete():
    for answer, status, stays in (("n\n", 1, True), ("\n", 1, True), ("y\n", 0, False)):
        with Terminal(home, "delete", "--name", "second") as terminal:
            asked = terminal.expect(r"\[y/N\]")
            terminal.type(answer)
            ended = terminal.wait()
        there = os.path.isdir(f"{home.store}/second")
        tap.report(asked and ended == status and there == stays,
                   f"delete on a terminal asks; answer: {answer.strip() or 'nothing'}", ended, terminal.text)
    tap.report(os.path.isdir(TREE), "delete: keeps the other rootfs")


SHELL = [
    Case("shell: returns the command's exit status", ["shell", "--", "sh", "-c", "exit 37"], 37),
    Case("shell: a signal", ["shell", "--", "sh", "-c", "kill -9 $$"], 137),
    Case("shell: no such program", ["shell", "--", "/no/such"], 127),
    Case("shell: no such command", ["shell", "--", "nosuchcmd"], 127,
         "there is no command nosuchcmd in the rootfs at .*--include PACKAGE$"),
    Case("shell: a command that itself exits with 127", ["shell", "--", "sh", "-c", "exit 127"], 127, (),
         ["no command"]),
    Case("shell: root by default", ["shell", "--", "id"], 0, r"uid=0\(root\) gid=0\(root\)"),
    Case("shell: as fsqa", ["shell", "--user", "fsqa", "--", "id"], 0,
         r"uid=1000\(fsqa\) gid=1000\(fsqa\) groups=.*1002\(fsgqa\)"),
    Case("shell: fsqa's home and shell", ["shell", "--user", "fsqa", "--", "sh", "-c",
                                          "cd; pwd; echo $HOME $USER"], 0,
         ["^/home/fsqa$", "^/home/fsqa fsqa$"]),
    Case("shell: as uid 1000", ["shell", "--user", "1000", "--", "id", "-un"], 0, "^fsqa$"),
    Case("shell: an unknown uid", ["shell", "--user", "4711", "--", "true"], 1,
         "has no user 4711"),
    Case("shell: an unknown user", ["shell", "--user", "nobody2", "--", "true"], 1,
         "nobody2"),
    Case("shell: passes arguments on unchanged", ["shell", "--", "printf", "<%s>", "a b", "", "*", "'"],
         0, re.escape("<a b><><*><'>")),
    Case("chroot is an alias of shell", ["chroot", "--", "id", "-u"], 0, r"^0$"),
    Case("shell: passwords are locked", ["shell", "--", "sh", "-c",
                                         "grep -E '^(root|fsqa|fsgqa2):' /etc/shadow"], 0,
         [r"^fsqa:[!*]", r"^fsgqa2:[!*]"], ["^[a-z0-9]+::"]),
    Case("shell: dpkg --audit finds nothing", ["shell", "--", "dpkg", "--audit"], 0, (), ["."]),
    Case("shell: /etc/hosts names localhost", ["shell", "--", "cat", "/etc/hosts"], 0, "localhost"),
    Case("shell: hostname and hostname --fqdn work", ["shell", "--", "sh", "-c",
                                                                     "hostname; hostname --fqdn"], 0,
         ["^rootlet$", r"^rootlet\.localdomain$"]),
    Case("shell: /dev/null", ["shell", "--", "sh", "-c", "echo x >/dev/null"], 0),
]


def try_shell():
    for row in SHELL:
        play(row, home)
    outcome = home.run("shell", "--", "sh", "-c", "cat; echo error >&2", text=b"some input\n")
    tap.report(outcome.out == "some input\n" and outcome.err == "error\n",
               "shell: connects standard input, output and error", outcome)
    data = os.urandom(1 << 20)
    outcome = home.run("shell", "--", "md5sum", text=data)
    tap.report(hashlib.md5(data).hexdigest() in outcome.out, "shell: passes on a megabyte of input", outcome)
    outcome = home.run("shell", "--", "sh", "-c", "sleep 1000 & echo started")
    left = processes_left(5)
    tap.report(outcome.status == 0 and not left, "shell: ends background processes of the command", left)
    with Terminal(home, "shell") as terminal:
        terminal.expect(r"[#$] $")
        # The command itself reports that it runs: before its exec, a Ctrl-C would go to bash.
        terminal.type("test -t 0 && echo terminal $((3 - 2)); "
                      "sh -c 'echo sum $((40 + 2)); exec sleep 1000'\n")
        seen = terminal.expect(r"sum 42")
        terminal.type("\x03")
        # Ctrl-C discards input that was typed before the shell is back.
        terminal.expect(r"\^C[^#$]*[#$] $", 20)
        terminal.type("exit 5\n")
        ended = terminal.wait(20)
    tap.report(seen and ended == 5 and "terminal 1" in terminal.text,
               "shell: on a terminal, Ctrl-C reaches the command", ended, terminal.text)


def damage():
    """Each row: damage done as root in the rootfs, what `check` reports, and how to undo it."""
    rows = [
        ("a user missing from passwd", "sed -i.bak /^fsgqa2:/d /etc/passwd", "user fsgqa2 .*missing",
         "mv /etc/passwd.bak /etc/passwd"),
        ("a user with another id", "sed -i.bak s/fsqa:x:1000/fsqa:x:1234/ /etc/passwd",
         "fsqa has uid 1234", "mv /etc/passwd.bak /etc/passwd"),
        ("a group with another id", "sed -i.bak s/fsgqa:x:1002/fsgqa:x:77/ /etc/group",
         "group fsgqa has gid 77", "mv /etc/group.bak /etc/group"),
        ("another release", "cp -L /etc/os-release /root/o; sed -i s/jammy/noble/ /etc/os-release",
         'says release "noble"', "cat /root/o >/etc/os-release"),
        ("a missing home", "mv /home/fsqa /home/x", "home of user fsqa, is missing",
         "mv /home/x /home/fsqa"),
        ("a missing program", "mv /usr/bin/env /root/env", "/usr/bin/env is missing",
         "mv /root/env /usr/bin/env"),
        ("a removed package", "cp /var/lib/dpkg/status /root/s; dpkg --remove acl",
         "package acl .*not installed", None),
    ]
    for what, break_it, says, mend in rows:
        outcome = home.run("shell", "--", "sh", "-c", break_it)
        if outcome.status:
            tap.report(False, f"check finds {what}", outcome)
            continue
        play(Case(f"check finds {what}", ["check"], 1, [r"\A✗", says, "rootlet create --force"]),
             home)
        if mend:
            home.run("shell", "--", "sh", "-c", mend)
    outcome = home.run("shell", "--", "sh", "-c", "echo x >>/usr/share/doc/attr/copyright")
    play(Case("check --deep finds an altered file", ["check", "--deep"], 1, "attr/copyright"), home)
    home.run("shell", "--", "sed", "-i",
             "/^Package: attr$/,/^$/s/^Status: .*/Status: install ok half-configured/",
             "/var/lib/dpkg/status")
    play(Case("check --deep shows what dpkg --audit reports", ["check", "--deep"], 1,
              [r"dpkg: .*only half configured", r"dpkg: +attr "]), home)


def hostile_tree():
    """Root in the rootfs may put anything there; the front end must not follow links out of it."""
    secret = home.write("secret", "VERSION_CODENAME=secret-of-the-host\n")
    home.run("shell", "--", "sh", "-c",
             f"mv /etc/os-release /root/kept; ln -s {secret} /etc/os-release")
    outcome = home.run("check")
    tap.report(outcome.status == 1 and "secret-of" not in outcome.out + outcome.err,
               "check follows no symlink out of the rootfs", outcome)
    home.run("shell", "--", "sh", "-c", "rm /etc/os-release; mkfifo /etc/os-release")
    outcome = home.run("check", seconds=60)
    tap.report(outcome.status == 1, "check does not wait for a FIFO in the rootfs", outcome)
    home.run("shell", "--", "sh", "-c", "rm /etc/os-release; mv /root/kept /etc/os-release")
    home.run("shell", "--", "sh", "-c", "mkdir -p /root/$(printf 'a\\nb\\033[2J')/deep; cd /root; "
             "for i in $(seq 300); do mkdir d && cd d || break; done")
    with Tidy(home) as tidy:
        outcome = home.run("delete", "--yes")
        wrong = judge(Case("", ["delete"], 0), outcome, home, tidy)
    tap.report(not wrong and not os.path.lexists(TREE),
               "delete removes deep directories and odd names", *wrong, outcome)


def no_fstests():
    """The error comes before a root image is built."""
    kernel = home.write("bzImage", vng.kernel())
    for what, directory in (("that is something else", f"{home.dir}/config"),
                         ("that does not exist", f"{home.dir}/nosuch")):
        play(Case(f"fstests: a tree {what}", ["fstests", "--kernel", kernel, "--fstests", directory], 2,
                  rf"{directory} is not an fstests tree.*git clone", ["Building"]), home)


def no_boot():
    """Hints for a guest that does not boot."""
    kernel, environment = vng.stand_in(home)
    with Tidy(home) as tidy:
        outcome = home.run("run", "--kernel", kernel, "--memory", "100M", "--timeout", "100", "--", "true",
                           environment=environment)
        wrong = tidy.complaints()
    tap.report(outcome.status == 125 and not wrong and re.search(
        "100M of memory may be too little to boot; see --memory; no modules were found for this kernel",
                                                                 outcome.err),
               "run: names little memory and missing modules if a guest does not boot", *wrong, outcome)
    # The guest's command gets its standard input after it reports on the status channel that it has started.
    os.chmod(home.write("bin/vng",
                        "#!/bin/sh\nfor word; do case $word in *path=*/status*) at=${word%%/status*};; esac; "
                        "done\n"
                        'echo started >"${at##*path=}/status"\nwc -c\nsleep 2\nexit 3\n'), 0o755)
    for what, how, status, out, err in (
            ("without standard input", "<&-", 125, r"\A0\n\Z", "."),
            ("with a full disk", ">/dev/full", 7, "", "cannot write to standard output: No space left"),
            ("without standard output", ">&-", 1, "", "cannot write to standard output: Bad file")):
        outcome = home.run("run", "--kernel", kernel, "--timeout", "100", "--", "true",
                           environment=environment,
                           before=["sh", "-c", f'exec "$@" {how}', "sh"], seconds=90)
        tap.report(outcome.status == status and re.search(out, outcome.out) and re.search(err, outcome.err),
                   f"run {what}", outcome)


def busy():
    """A rootfs in use is neither removed nor replaced."""
    shell = home.start("shell", "--", "sh", "-c", "echo in; sleep 60")
    shell.stdout.readline()
    outcome = home.run("delete", "--yes")
    tap.report(outcome.status == 6 and os.path.isdir(TREE) and f"the rootfs at {TREE} is in use; wait" in
               outcome.err and
               "Removing" not in outcome.out, "delete: refuses a rootfs in use", outcome)
    with Server(AT.root) as server:
        outcome = home.create("--force", server=server, at=AT)
    tap.report(outcome.status == 6, "create --force: refuses to replace a rootfs in use", outcome)
    outcome = home.run("shell", "--", "true")
    tap.report(outcome.status == 0, "shell: a second shell in a rootfs in use works", outcome)
    shell.terminate()
    shell.communicate(timeout=300)
    tap.report(bool(wait_until(lambda: not processes_left(0), 20)), "shell: SIGTERM ends it")
    play(Case("check: the rootfs is unchanged", ["check"], 0, "✓"), home)


def on_terminal():
    """One line is redrawn with package count, bytes, rate and time left."""
    slow = Fault(r"/(dpkg|perl-base|coreutils)_[^/]*\.deb$", "slow", 400000)
    with Server(AT.root, [slow]) as server, Tidy(home) as tidy:
        source = ["--mirror", server.url, "--keyring", AT.keyring, "--profile", "test"]
        with Terminal(home, "create", "--name", "shown", *source,
                      environment={"XDG_CACHE_HOME": f"{home.dir}/cold"}) as terminal:
            ended = terminal.wait(600)
        wrong = tidy.complaints()
    tap.report(ended == 0 and not wrong, "create on a terminal succeeds", ended, *wrong,
               terminal.text[-1500:])
    for what, pattern in {
            "the stage": r"\rDownloading and unpacking packages", "the packages": r"packages +\d+/\d+",
            "the bytes": r"[\d.]+[KM] of [\d.]+M", "the rate": r"[\d.]+[KM]/s",
            "the time left": r"\d+ ?\w+ left", "every stage":
            r"(?s)Verifying.*Unpacking and configuring.*Adding groups and users.*Writing to disk"}.items():
        tap.report(bool(re.search(pattern, terminal.text)), f"create on a terminal shows {what}",
                   terminal.text[-1500:])
    home.run("delete", "--yes", "--name", "shown")


def elsewhere(server):
    path = f"{home.dir}/else.where"
    with Tidy(home, home.dir) as tidy:
        outcome = home.create("--path", "else.where", server=server, at=AT, fresh=False,
                              before=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"])
        wrong = judge(Case("", ["create"], 0), outcome, home, tidy)
    tap.report(not wrong and os.path.isdir(path),
               "create --path works without standard input, output and error",
               *wrong, outcome)
    play(Case("check --path", ["check", "--path", path], 0, "ready at .*else.where"), home)
    play(Case("list shows only rootfs in the store", ["list"], 0, (), ["else.where"]), home)
    play(Case("delete --path", ["delete", "--yes", "--path", path], 0, "Removed",
              check=lambda home: ["it still exists"] if os.path.lexists(path) else []), home)


first_create()
check_manifest()
with Server(AT.root) as same:  # a snapshot belongs to one mirror
    second_create(same)
    refused_create()
    taken_meanwhile()
    check_and_list()
    owners()
    ask_to_delete()
    try_shell()
    no_fstests()
    no_boot()
    busy()
    forced_create(same)
    damage()
    hostile_tree()
    on_terminal()
    elsewhere(same)
tap.done()
