"""rootlet policy, create --dry-run, and the helper under a policy, without file capabilities."""
import grp
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import time

from support import debs, installed, sanitizers, tap
from support import mirror as mirrors
from support.protocol import Helper, REFUSED, TRUST, opened
from support.schemas import document, stream
from support.server import Server
from support.world import SOURCE, Case, Home, mirror, own_rootfs, play, small_rootfs

installed.enter("rootlet policy", "the helper under a policy")
AT = mirror()
ROOTFS = small_rootfs()
TREE = f"{ROOTFS.store}/test-rootfs"
home = Home()
USER = home.user
EXAMPLE = f"{SOURCE}/policy/policy.conf.example"


def policy_file(text):
    return home.write("try.conf", text)


def commands():
    rows = [
        Case("policy: without a subcommand", ["policy"], 2, "missing: give one of: check, show, seccomp"),
        Case("policy: an unknown subcommand", ["policy", "write"], 2, "not one of: check, show, seccomp"),
        Case("policy show x", ["policy", "show", "x"], 2, "unexpected argument: \"x\""),
        Case("policy --help", ["policy", "--help"], 0, ["usage: rootlet policy", "Exit status"]),
        Case("policy check: the example", ["policy", "check", EXAMPLE], 0, "is valid: 1 section"),
        Case("policy check: no policy file", ["policy", "check"], 0,
             r"There is no /etc/rootlet/policy\.conf.*(?s:.)everything is allowed"),
        Case("policy check: an invalid line", ["policy", "check", policy_file(
            "[allow a]\nusers = x\nwings = 2\n")], 2, "try.conf:3: unknown key \"wings\""),
        Case("policy show: no policy", ["policy", "show"], 0, "everything for everybody"),
        Case("policy seccomp", ["policy", "seccomp"], 0,
             ["^parser$", "capabilities: none", "recvmsg sendmsg", "any other call: ends", r"^  \d+ in all"]),
    ]
    for case in rows:
        play(case, home)


def shown():
    installed.allow(USER, "releases = jammy", "max-size = 2G", ids=[f"user {USER.name} = 900000000"])
    play(Case("policy show: shows the section that applies", ["policy", "show"], 0,
              [rf"^{USER.name} .* is under \[allow test\], line 1", "releases +jammy", "max-size +2G",
               "900000000 to 900065534", "recorded in: /var/log"]), home)
    play(Case("doctor: names the section that applies", ["doctor"], 0,
              r"policy +you are under \[allow test\]"), home)
    installed.set_policy("[allow x]\nusers = nobody\n")
    play(Case("policy show: no section applies", ["policy", "show"], 1, [], check=None), home)
    for locale, says in (("C.UTF-8", "no [allow …] section"), ("C", "no [allow ...] section")):
        outcome = home.run("policy", "show", environment={"LC_ALL": locale})
        tap.report(says in outcome.out, f"policy show: no section applies, in the locale {locale}", outcome)
    for status in (0, 1):
        installed.set_policy(f"[allow x]\nusers = {USER.name if status == 0 else 'nobody'}\nmax-size = 2G\n")
        value, wrong = document("policy-show", home.run("policy", "show", "--json"))
        tap.report(not wrong and value["allowed"] == (status == 0) and
                   value["section"] == ("x" if status == 0 else None) and
                   value["allows"].get("max-size") == ("2G" if status == 0 else None),
                   f"policy show --json under a policy: exit status {status}", *wrong, value)
    installed.set_policy("[allow x]\nusers = nobody\n", 0o666)
    play(Case("policy show: a policy that other users can write", ["policy", "show"], 5,
              ["must belong to root", "chmod"]), home)


def dry_run():
    with Server(AT.root) as server:
        words = ["create", "--release", "jammy", "--profile", "test", "--mirror", server.url, "--keyring",
                 AT.keyring, "--dry-run"]
        os.path.exists(installed.POLICY) and os.unlink(installed.POLICY)
        play(Case("dry run without a policy", words, 0,
                  [r"^allowed Begin +name=test-rootfs suite=jammy.*\(no policy\)",
                   r"^allowed Package +name=dpkg",
                   r"^allowed AddUser +name=fsqa uid=1000", r"^allowed Publish"], [r"^refused"]), home)
        tap.report(not any(".deb" in path for path in server.requests),
                   "a dry run downloads no packages", *server.requests[-3:])
        tap.report(not os.path.exists(home.store), "a dry run creates nothing")
        installed.allow(USER, "deny-packages = acl", "engines = native")
        words += ["--engine", "debootstrap"]
        play(Case("dry run under a policy", words, 1, []), home)
        outcome = home.run(*words)
        for line in ("refused Package   name=acl", "refused Begin     name=test-rootfs suite=jammy",
                     "engine debootstrap is not allowed", "allowed Package   name=attr"):
            tap.report(line in outcome.out, f"dry run: {line}", outcome.out[-1500:])
        outcome = home.run(*words, "--json")
        _, result, wrong = stream("create", outcome)
        refused = [one for one in (result or {}).get("requests", []) if not one["allowed"]]
        tap.report(outcome.status == 1 and not wrong and result["refused"] == len(refused) == 2 and
                   {one["request"] for one in refused} == {"Begin", "Package"}, "dry run --json", *wrong,
                   *refused)
        del words[-2:]
        installed.allow(USER, "mirrors = https://mirror.example")
        del server.requests[:]
        play(Case("create: a mirror that is not allowed", words[:-1], 1,
                  [f"mirror {server.url}", "is not allowed", "mirrors of"]), home)
        tap.report(not server.requests, "create: a mirror that is not allowed gets no request",
                   *server.requests)


def requests_of(text):
    """Returns [request and arguments, as far as audit records have them] from a dry run's output."""
    found = re.findall(r"^(?:allowed|refused) (\w+) +(.*)\(", text, re.M)
    return [f"{request} {re.sub(' version=.*| keyring=.*', '', about)}".strip() for request, about in found]


def recorded(path):
    """Returns the same from the audit log, for each request that was begun."""
    with open(path, encoding="ascii") as file:
        rows = [json.loads(line) for line in file]
    return [(one["request"], one["arguments"]) for one in rows if one["kind"] == "intent"]


def words_of(text):
    return {word for word in text.split() if "=" in word}


def in_order(requests, text):
    """Returns REQUESTS with those about packages sorted by name."""
    places = [place for place, one in enumerate(requests) if text(one).startswith("Package ")]
    for place, one in zip(places, sorted((requests[place] for place in places), key=text)):
        requests = [*requests[:place], one, *requests[place + 1:]]
    return requests


def dry_run_is_true():
    """A dry run lists exactly the requests that a create then makes."""
    os.path.exists(installed.POLICY) and os.unlink(installed.POLICY)
    other = Home()
    record = f"{other.dir}/state/rootlet/audit.log"
    with Server(AT.root) as server:
        source = ["create", "--release", "jammy", "--profile", "test", "--mirror", server.url, "--keyring",
                  AT.keyring]
        for what, more in (("", []), (", --fresh", ["--fresh", "--name", "two"])):
            told = requests_of(other.run(*source, *more, "--dry-run").out)
            size = len(recorded(record)) if os.path.exists(record) else 0
            made = other.run(*source, *more)
            done = recorded(record)[size:]
            # Each would replace some or all of the others.
            told = [one for one in told if not one.startswith(("Clone ", "Extend "))]
            # Packages are sent in the order in which they arrive.
            told, done = in_order(told, str), in_order(done, " ".join)
            wrong = [(one, about) for one, (kind, about) in zip(told, done)
                     if one.split()[0] != kind or not words_of(one) <= words_of(about)]
            tap.report(made.status == 0 and len(told) == len(done) > 60 and not wrong,
                       f"a dry run{what}: create then makes the same requests and no others", made,
                       len(told), len(done),
                       *wrong[:3], told[:3], done[:3])
            tap.report(("Keep" in {kind for kind, _ in done}) == (not more),
                       f"a dry run{what}: shows whether a snapshot is saved")
        stale = other.make_dir(f"{other.store}/.rootlet-staging.x")
        installed.allow(USER, "max-count = 2")
        outcome = other.run(*source, "--name", "three", "--dry-run")
        tap.report(outcome.status == 1 and re.search(r"^refused Begin .*\n.*max-count", outcome.out, re.M) and
                   re.search(r"^allowed Remove .*stale=1", outcome.out, re.M) and
                   re.search(r"^allowed Clone .*name=three", outcome.out, re.M),
                   "a dry run shows a rootfs over the limit, removal of leftovers, and a clone", outcome)
        os.rmdir(stale)
        outcome = other.run(*source, "--name", "two", "--force", "--dry-run")
        tap.report(outcome.status == 0 and "refused" not in outcome.out and "allowed Inspect" in outcome.out,
                   "a dry run: a replaced rootfs does not count towards the limit", outcome)


def ask(kind, paths=(), first=(), **fields):
    with Helper(USER) as helper:
        for what, its_paths, its_fields in first:
            with opened(*its_paths) as fds:
                answer = helper.ask(what, fds, **its_fields)
                if answer.code:
                    return answer
        with opened(*paths) as fds:
            return helper.ask(kind, fds, **fields)


# What a request needs beyond the defaults.
NEEDED = {"older-releases": ["older-releases = yes", "repository-keyrings = *"],
          "repository-keyrings": ["repository-keyrings = *"]}

BEGIN = {"name": "new", "suite": "jammy", "arch": mirrors.arch(), "engine": "native"}


def enforced():
    """Each policy line, tested on the helper itself: refused with the line, allowed without it."""
    directory = home.make_dir(f"{home.dir}/trees")
    begin = ("Begin", (directory, AT.keyring), BEGIN)
    release = ("Release", (f"{AT.root}/dists/jammy/InRelease",), {"pocket": ""})
    index = ("Index", (f"{AT.root}/dists/jammy/universe/binary-{mirrors.arch()}/Packages",),
             {"pocket": "", "component": "universe"})
    dated = (*release[:2], {"pocket": "", "dated": int(time.time())})
    repository = ("Repository", (*release[1], AT.keyring), {"name": "repository-1", "suite": "jammy"})
    deb = f"{AT.root}/{AT.deb_of('acl')}"
    package = ("Package", (deb,), {"name": "acl", "sha256": hashlib.sha256(open(deb, "rb").read()).digest()})
    local = ("LocalPackage", *package[1:])
    execute = ("Execute", (TREE, *["/dev/null"] * 3), {"argv": ["true"], "user": "root"})
    installed.allow(USER)
    change = ("Change", (own_rootfs().store, AT.keyring),
              {"name": "test-rootfs", "suite": "jammy", "arch": mirrors.arch()})
    extend = ("Extend", (directory, directory, AT.keyring),
              {"name": "new", "base_name": "none", "suite": "jammy", "arch": mirrors.arch()})
    rows = [
        ("operations = check", begin, (), "operations"),
        ("operations = create check delete shell run", change, (), "operations"),
        ("releases = noble", change, (), "releases"),
        ("deny-packages = a?l", package, (change, release, index), "deny-packages"),
        ("operations = create install delete", local, (change,), "operations"),
        ("deny-packages = a?l", local, (change,), "deny-packages"),
        ("operations = create", execute, (), "operations"),
        ("operations = create check delete shell", ("OpenNamespace", (), {}), (), "operations"),
        ("releases = noble", begin, (), "releases"),
        ("deny-packages = a?l", package, (begin, release, index), "deny-packages"),
        ("engines = debootstrap", begin, (), "engines"),
        ("", repository, (begin,), "repository-keyrings"),
        ("repository-keyrings = /usr/share/keyrings/x.gpg", repository, (change,), "repository-keyrings"),
        ("repository-keyrings = *", (*repository[:2], {**repository[2], "older": 1}),
         (begin,), "older-releases"),
        ("older-releases = no", dated, (begin,), "older-releases"),
        ("older-releases = no", dated, (change,), "older-releases"),
        ("older-releases = no", (*dated[:2], {**dated[2], "dated": 2**32 - 1}), (begin,), "older-releases"),
        ("operations = create delete shell run", ("Verify", (TREE,), {}), (), "operations"),
        ("operations = create check delete shell", ("BuildImage", (TREE, empty_file), {"format": "erofs"}),
         (),
         "operations"),
        ("operations = check", ("Clone", (directory, directory), {"name": "new", "base_name": "none"}), (),
         "operations"),
        ("operations = check install", extend, (), "operations"),
        ("releases = noble", extend, (), "releases"),
        ("engines = debootstrap", extend, (), "engines"),
        ("operations = check", ("Keep", (directory, AT.keyring), {"name": "none"}), (), "order"),
    ]
    for line, (kind, paths, fields), first, key in rows:
        installed.allow(USER, line)
        answer = ask(kind, paths, first, **fields)
        after = " after Change" if change in first else ""
        tap.report(answer.code == REFUSED and key in answer.message, f"{line}: {kind}{after} is refused",
                   answer)
        if kind not in ("Clone", "Extend", "Keep", "Verify"):
            installed.allow(USER, *NEEDED.get(key, []))
            answer = ask(kind, paths, first, **fields)
            tap.report(answer.code == 0, f"without {line}: {kind}{after} is allowed", answer)
    for name, more in {"folders": {"folders": f"{home.dir}/other"}, "keyrings": {
            "keyrings": "/usr/share/keyrings/x.gpg"}}.items():
        installed.allow(USER, **more)
        answer = ask(*begin[:2], **begin[2])
        tap.report(answer.code == REFUSED and name in answer.message, f"{name}: Begin is refused", answer)
        answer = ask(*change[:2], **change[2])
        tap.report(answer.code == REFUSED and name in answer.message, f"{name}: Change is refused", answer)
        answer = ask(*extend[:2], **extend[2])
        tap.report(answer.code == REFUSED and name in answer.message, f"{name}: Extend is refused", answer)
        installed.allow(USER, f"repository-keyrings = {AT.keyring}", **more)
        answer = ask(*begin[:2], **begin[2])
        tap.report(answer.code == REFUSED and name in answer.message,
                   f"{name}: Begin is refused, even if repository-keyrings has its keyring", answer)
    owned_keyring(begin)
    installed.allow(USER, folders=directory)
    tap.report(ask(*begin[:2], **begin[2]).code == 0, "policy `folders`: the named directory is allowed")
    link = f"{home.dir}/other"
    os.symlink(directory, link)
    installed.allow(USER, folders=link)
    answer = ask(*begin[:2], **begin[2])
    tap.report(answer.code == REFUSED, "policy `folders`: the target of a named link is not allowed", answer)
    installed.allow(USER, "max-count = 1")
    answer = ask("Begin", (ROOTFS.store, AT.keyring), **begin[2])
    tap.report(answer.code == REFUSED and "max-count" in answer.message,
               "max-count: one rootfs too many is refused", answer)
    answer = ask("Begin", (ROOTFS.store, AT.keyring), **{**begin[2], "name": "test-rootfs"})
    tap.report(answer.code == 0, "max-count: replacing a rootfs is allowed", answer)


def owned_keyring(begin):
    """A keyring that the policy names, but that the user could replace with one that has their own key."""
    copy = shutil.copy(AT.keyring, f"{home.dir}/keyring.gpg")
    kind, (directory, _), fields = begin
    for what, owner, good in (("root's", 0, True), ("the user's", USER.uid, False)):
        os.chown(copy, owner, -1)
        installed.allow(USER, keyrings=copy)
        answer = ask(kind, (directory, copy), **fields)
        tap.report(answer.code == (0 if good else REFUSED) and (good or "keyrings" in answer.message),
                   f"keyrings: a named one that is {what}: Begin is {'done' if good else 'refused'}", answer)


def named_groups():
    """A section for a group, given by name."""
    ids = f"[ids]\nfirst = {installed.FIRST}\nuids = 1-9999\n[audit]\njournal = no\n"
    own = installed.group_of(USER)
    other = next(one.gr_name for one in grp.getgrall() if one.gr_gid not in (USER.gid, 0))
    for group, good in ((own, True), (f"{other} {own}", True), (other, False), ("no-such-group", False)):
        installed.set_policy(f"[allow x]\ngroups = {group}\noperations = shell\n{ids}")
        with Helper(USER) as helper:
            tap.report(helper.greeting.code == (0 if good else REFUSED),
                       f"groups = {group}: {'matches' if good else 'does not match'} a member of {own}",
                       helper.greeting)


def empty_file():
    """Returns a descriptor for BuildImage: an empty file that anyone may write to."""
    path = home.write("image", "")
    os.chmod(path, 0o666)
    return os.open(path, os.O_RDWR)


def not_deleted(trees, directory, base):
    """A user who may create rootfs but not delete them can neither replace one nor remove one as a killed
    run's leftovers."""
    with opened(trees, directory) as fds, opened(home.write("manifest",
                                                         "{}")) as manifest, Helper(USER) as helper:
        made = helper.ask("Clone", fds, name="old", base_name=base)
        refused = helper.ask("Publish", manifest, replace=1, mode=0o700)
        opened_up = helper.ask("Publish", manifest, mode=0o755)
        kept = helper.ask("Publish", manifest, replace=0, mode=0o700)
    tap.report(made.code == kept.code == 0 and refused.code == REFUSED and
               "operation delete" in refused.message,
               "Publish that replaces a rootfs is refused without the right to delete", made, refused, kept)
    tap.report(opened_up.code == REFUSED and "tree-modes" in opened_up.message,
               "Publish of an open rootfs is refused without tree-modes", opened_up)
    os.rename(f"{trees}/old", f"{trees}/.rootlet-staging.zz")
    with opened(trees, AT.keyring) as fds, Helper(USER) as helper:
        answer = helper.ask("Begin", fds, **{**BEGIN, "name": "zz"})
    tap.report(answer.code == REFUSED and "is a rootfs" in answer.message and
               os.path.exists(f"{trees}/.rootlet-staging.zz/rootfs/etc"),
               "a rootfs named like a killed run's leftovers is not removed as one", answer)
    shutil.rmtree(f"{trees}/.rootlet-staging.zz")


def bases():
    """A clone has the contents of its snapshot, and the policy must allow those."""
    def create(name, *words):
        return home.create("--name", name, *words, server=server, at=AT, fresh=False)

    def there():
        return sorted(name for name in os.listdir(directory) if re.fullmatch(r"[0-9a-f]{64}", name))

    directory, trees = f"{home.cache}/rootlet/bases", home.make_dir(f"{home.dir}/clones")
    with Server(AT.root) as server:
        installed.allow(USER, "deny-packages = nothing*")
        made, cloned = create("one"), create("two")
        tap.report(made.status == cloned.status == 0 and "Cloned" in cloned.out and len(there()) == 1,
                   "a snapshot is saved and cloned under a policy", made, cloned)
        clone = ("Clone", (trees, directory), {"name": "new", "base_name": there()[0]})
        for line, code, says in (("deny-packages = nothing*", 0, ""),
                                 ("deny-packages = nothing*\nmax-seconds = 1000", 0, ""),
                                 ("deny-packages = nothing*\nreleases = jammy", TRUST, "policy has changed"),
                                 ("deny-packages = acl", TRUST, "policy has changed")):
            installed.allow(USER, line)
            answer = ask(*clone[:2], **clone[2])
            tap.report(answer.code == code and says in answer.message,
                       f"{line.replace(chr(10), ', ')}: cloning that snapshot is "
                       f"{'refused' if code else 'allowed'}", answer)
        for what, only in (("the snapshot directory", trees), ("the rootfs directory", directory)):
            installed.allow(USER, "deny-packages = nothing*", folders=only)
            answer = ask(*clone[:2], **clone[2])
            tap.report(answer.code == REFUSED and "folders" in answer.message,
                       f"policy `folders` without {what}: Clone is refused",
                       answer)
        installed.allow(USER, "deny-packages = nothing*", "max-count = 1")
        answer = ask("Clone", (home.store, directory), **clone[2])
        tap.report(answer.code == REFUSED and "max-count" in answer.message, "max-count: a clone counts",
                   answer)
        outcome = create("three")
        tap.report(outcome.status == 1 and "max-count" in outcome.err and len(there()) == 1,
                   "max-count: create reports it and leaves the snapshot alone", outcome)
        installed.allow(USER, "deny-packages = other*", "operations = create check")
        outcome = create("three")
        tap.report(outcome.status == 0 and "Cloned" not in outcome.out and len(there()) == 2,
                   "a different policy: create saves another snapshot, and need not remove the first",
                   outcome)
        outcome = home.create("--name", "three", "--force", server=server, at=AT, fresh=False)
        tap.report(outcome.status == 1 and "operation delete is not allowed" in outcome.err,
                   "without the right to delete, create --force fails at once", outcome)
        not_deleted(trees, directory, (set(there()) - {clone[2]["base_name"]}).pop())
        installed.allow(USER, "deny-packages = nothing*", "operations = create check delete", "max-count = 1",
                        folders=f"{home.store} {home.dir}/clones")
        home.run("delete", "--yes", "--name", "one")
        outcome = home.create("--path", f"{trees}/four", server=server, at=AT, fresh=False)
        tap.report(outcome.status == 0 and "no snapshot is saved" in outcome.out + outcome.err and
                   len(there()) == 2,
                   "the policy does not allow the cache directory: create continues without a snapshot",
                   outcome)
        installed.allow(USER)
        verified = home.run("cache", "verify")
        tap.report(verified.status == 0 and ", 0 damaged" in verified.out,
                   "no snapshot counts as damaged because of a policy", verified)


def other_mounts():
    """A directory that has the path of an allowed one, but in the caller's own mount namespace."""
    directory, allowed = home.make_dir(f"{home.dir}/mine"), home.make_dir(f"{home.dir}/allowed")
    installed.allow(USER, folders=allowed)
    mine, theirs = socket.socketpair()
    script = (f"mount --bind {directory} {allowed} && exec python3 -c 'import os, socket; s = socket.socket("
              f"fileno={theirs.fileno()}); socket.send_fds(s, [b\"x\"], [os.open(\"{allowed}\", 0)]); "
              "s.recv(1)'")
    process = subprocess.Popen(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
                               cwd="/",
                               pass_fds=[theirs.fileno()], **USER.switch())
    theirs.close()
    _, fds, _, _ = socket.recv_fds(mine, 10, 1)
    with Helper(USER) as helper, opened(AT.keyring) as keyring:
        answer = helper.ask("Begin", [*fds, *keyring], **{**BEGIN, "name": "x"})
    mine.close()
    process.wait()
    tap.report(len(fds) == 1 and answer.code == REFUSED and "another namespace" in answer.message,
               "a caller's own mount does not make another directory an allowed one", answer)
    tap.report(os.listdir(directory) == [] and os.listdir(allowed) == [],
               "nothing was created in either directory")


def limits():
    """Limits for programs in a jail: seconds, memory, processes, file size."""
    for line, script, says in (
            ("max-seconds = 3", "sleep 60", r"took longer than 3 s"),
            ("max-size = 1M", "head -c 4M /dev/zero >/root/big", None),
            ("max-memory = 256M", "perl -e '$x = q(x) x 800000000'", None),
            ("max-processes = 20", "i=0; while [ $i -lt 60 ]; do sleep 2 & i=$((i + 1)); done; exit 0",
             None)):
        if sanitizers.watched() and line.startswith("max-memory"):
            continue  # sanitizer runtimes reserve terabytes of address space
        installed.allow(USER, line)
        limited = ROOTFS.run("shell", "--", "sh", "-c", script)
        good = limited.status != 0 and limited.seconds < 50
        if says:
            good = good and re.search(says, limited.err)
        tap.report(good, f"{line}: a program over the limit is stopped", limited)
        if not says:
            installed.allow(USER)
            outcome = ROOTFS.run("shell", "--", "sh", "-c", script)
            tap.report(outcome.status == 0, f"without {line}: the program is not stopped", outcome)
    ROOTFS.run("shell", "--", "rm", "-f", "/root/big")


def size_of_tree():
    """Many small files, each within the limit: the tree exceeds it when it is published or saved as a
    snapshot."""
    package, directory = "evil-large", f"{home.dir}/large"
    entries = [(f"./large/{number}", bytes(1 << 20)) for number in range(120)]
    deb = debs.make(f"{directory}.debs", package, mirrors.arch(), {}, [("./large", "dir"), *entries])
    at = AT.with_packages(directory, [deb])
    with Server(f"{directory}/mirror") as server:
        for limit, fresh, good in (("100M", False, False), ("2G", True, True)):
            installed.allow(USER, f"max-size = {limit}")
            outcome = home.create("--name", "large", "--include", package, server=server, at=at, fresh=fresh)
            there = os.path.lexists(f"{home.store}/large")
            tap.report((outcome.status == 0) == there == good and
                       (good or "Publish refused" in outcome.err and
                                                                   "max-size" in outcome.err) and
                       (good or fresh or "Keep refused" in outcome.out + outcome.err),
                       f"max-size = {limit}{'' if fresh else ', with a snapshot to save'}: a tree of many "
                       "small files is "
                       f"{'published' if good else 'refused'}", outcome)
    home.run("delete", "--yes", "--name", "large")


commands()
shown()
dry_run()
dry_run_is_true()
enforced()
named_groups()
bases()
size_of_tree()
other_mounts()
limits()
tap.done()
