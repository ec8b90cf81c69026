"""rootlet install, uninstall and upgrade: what they change, what stays as it was, and what they report.
Everything that can go wrong: integration/change_faults."""
import hashlib
import json
import os
import shutil
import stat

import jsonschema

from support import changes, debs, mcp, tap
from support import mirror as mirrors
from support.changes import digest, manifest
from support.schemas import stream
from support.server import Server
from support.world import PROFILE, SOURCE, Case, Home, Tidy, mirror, play

INPUT, MISSING, BUSY = 2, 1, 6
OLD = "test-rootfs.previous"
AT = changes.Mirrors(mirror())
home = Home()
TREE = f"{home.store}/test-rootfs"
KEYRING = ("--keyring", AT.first.keyring)


def run(*words):
    return home.run(*words, *KEYRING)


def inside(*words, name="test-rootfs"):
    return home.run("shell", "--name", name, "--", *words)


def versions(name="test-rootfs"):
    """Returns {package: version} of what dpkg says is installed, without the packages of every rootfs."""
    text = inside("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n", name=name).out
    return {package: version for status, package, version in map(str.split, text.splitlines())
            if status == "installed" and package.startswith("odd-")}


def recorded(package):
    """Returns the version that the manifest has of a package, or None."""
    return manifest(home)["packages"].get(package, {}).get("version")


def result_of(outcome):
    """Returns the last line of --json's output."""
    lines = outcome.out.splitlines()
    return json.loads(lines[-1]) if lines else {}


def names(result, key):
    return [one["name"] for one in result.get(key, [])]


def unless(good, *notes):
    return [] if good else [str(note) for note in notes]


def works(what, *words, check=lambda: []):
    """A command that must succeed and leave nothing behind; afterwards the rootfs passes all checks."""
    with Tidy(home) as tidy:
        outcome = run(*words)
        wrong = tidy.complaints()
    deep = home.run("check", "--deep")
    wrong += [f"check --deep: {deep}"] if deep.status else []
    wrong += check() or []
    tap.report(outcome.status == 0 and not wrong, what, *wrong, outcome)
    return outcome


def state():
    return os.lstat(TREE).st_ino, digest(home)


def same_tree(what, *words, status=0, says=(), check=None):
    """A command that must not change anything: the rootfs is the same directory with the same contents."""
    before = state()

    def unchanged(_):
        after = state()
        wrong = unless(after == before and before[1], f"now {after}, before {before}")
        return wrong + (check() if check else [])
    return play(Case(what, [*words, *KEYRING], status, says, check=unchanged), home)


# --- install ---

def installs():
    planned = run("install", "odd-app", "--dry-run", "--json")
    plan = result_of(planned)
    tap.report(planned.status == 0 and names(plan, "installed") == ["odd-app", "odd-lib"] and
               plan["changed"] is False and not plan["upgraded"] and not plan["removed"],
               "install --dry-run --json lists the package and its dependency", planned)
    same_tree("install --dry-run changes nothing", "install", "odd-app", "--dry-run",
              says=["^Install:$", "^  odd-app 1$", "^  odd-lib 1$", "^Packages to download: "])
    inside("sh", "-c", "echo mine >/home/fsqa/file; chown fsqa: /home/fsqa/file; chmod 640 /home/fsqa/file")
    accounts = ["sh", "-c", "cat /etc/passwd /etc/group; stat -c '%U %G %a' /home/fsqa /home/fsqa/file; "
                "cat /home/fsqa/file"]
    before, old = inside(*accounts).out, os.lstat(TREE)

    def check():
        new, now = os.lstat(TREE), manifest(home)
        return [*unless((new.st_mode, new.st_uid, new.st_gid) == (old.st_mode, old.st_uid, old.st_gid),
                        "mode or owner of the rootfs differ"),
                *unless(new.st_ino != old.st_ino, "it is still the same directory"),
                *unless(inside(*accounts).out == before and "mine" in before, "accounts or homes differ"),
                *unless(inside("cat", "/usr/share/odd-app/version", "/usr/share/odd-lib/version").out == "11",
                        "the packages' files are missing"),
                *unless(now["generation"] == 2 and now["requested"] == ["attr", "acl", "odd-app"] and
                        now["changed"] >= now["created"], "the manifest", now),
                *unless(recorded("odd-app") == recorded("odd-lib") == "1" and recorded("acl"),
                        "its packages", now)]
    done = result_of(works("install --json: a package with a dependency", "install", "odd-app", "--json",
                           check=check))
    tap.report({**done, "seconds": 0} == {**plan, "changed": True, "generation": 2, "seconds": 0},
               "install --json reports what the dry run planned", done, plan)
    same_tree("install of a package that is there does nothing", "install", "odd-app", says="already")
    same_tree("install of an unknown package", "install", "odd-nosuch", status=INPUT, says="odd-nosuch")
    same_tree("install of something that is no name", "install", "Odd_", status=INPUT,
              says="not a package name")
    works("install \"a|b\": the second if the archive lacks the first", "install", "odd-none|odd-shared",
          check=lambda: unless(versions().get("odd-shared") == "1", versions()))
    works("install of several packages", "install", "odd-user", "odd-attr", "odd-held", "odd-safe",
          check=lambda: unless({"odd-user", "odd-attr", "odd-held", "odd-safe"} <= set(versions()),
                               versions()))
    play(Case("install into a rootfs that does not exist",
              ["install", "--name", "nosuch", "odd-app", *KEYRING],
              MISSING, "nosuch"), home)
    play(Case("install without packages", ["install"], INPUT, "PACKAGE"), home)


def enterable(server):
    """A rootfs that users of the host may enter stays one."""
    made = home.create("--name", "open", "--tree-mode", "0755", server=server, at=AT.first)
    outcome = run("install", "--name", "open", "odd-lib")
    mode = stat.S_IMODE(os.lstat(f"{home.store}/open").st_mode)
    tap.report(made.status == outcome.status == 0 and mode == 0o755 and
               os.path.exists(f"{home.store}/open/usr/share/odd-lib/version"),
               "install into a rootfs of mode 0755 keeps its mode", oct(mode), made, outcome)
    home.run("delete", "--yes", "--name", "open")


def shared_files(server):
    """A clone that shares files with its snapshot and with other clones: those do not change with it."""
    made = [home.create("--name", name, server=server, at=AT.first, fresh=False) for name in ("one", "two")]
    before = digest(home, "two")
    outcome = run("install", "--name", "two", "odd-app")
    verified = home.run("cache", "verify")
    other = home.run("check", "--deep", "--name", "one")
    tap.report(all(one.status == 0 for one in (*made, outcome, verified, other)) and
               "Cloned" in made[1].out and
               ", 0 damaged" in verified.out and digest(home, "two") != before,
               "install into a clone leaves its snapshot and the other clones alone", *made, outcome,
               verified,
               other)
    for name in ("one", "two"):
        home.run("delete", "--yes", "--name", name)


# --- uninstall ---

def uninstalls():
    same_tree("uninstall of a package that another one needs", "uninstall", "odd-shared", status=INPUT,
              says=["odd-shared", "odd-user"])
    same_tree("uninstall of a package that every rootfs needs", "uninstall", "dpkg", status=INPUT,
              says="dpkg")
    same_tree("uninstall of a package that is not installed", "uninstall", "odd-nosuch", status=INPUT,
              says="odd-nosuch is not installed")
    same_tree("uninstall --dry-run", "uninstall", "odd-app", "--dry-run",
              says=["^Remove:$", "^  odd-app 1$", "^  odd-lib 1$"])

    def gone():
        now = manifest(home)
        return [*unless(not {"odd-app", "odd-lib"} & set(versions()), versions()),
                *unless(inside("ls", "/etc/odd-app", "/usr/share/odd-app").out == "", "files are left"),
                *unless("odd-app" not in now["requested"] and
                        not {"odd-app", "odd-lib"} & set(now["packages"]),
                        "the manifest", now)]
    works("uninstall: also removes the dependency that only this package needed, and configuration files",
          "uninstall", "odd-app", check=gone)
    works("uninstall: keeps a dependency that install asked for", "uninstall", "odd-user",
          check=lambda: unless("odd-shared" in versions() and "odd-user" not in versions(), versions()))
    works("uninstall: keeps a dependency that the profile wants", "uninstall", "odd-attr",
          check=lambda: unless(inside("attr", "-h").status != 127 and "odd-attr" not in versions() and
                               "attr" in manifest(home)["packages"], "attr is gone"))
    outcome = works("uninstall --json", "uninstall", "odd-shared", "--json",
                    check=lambda: unless("odd-shared" not in versions(), versions()))
    tap.report(result_of(outcome).get("removed") == [{"name": "odd-shared", "version": "1"}],
               "uninstall --json reports what it removed", outcome)


# --- upgrade ---

def upgrades(server):
    same_tree("upgrade of an up-to-date rootfs", "upgrade", says="is up to date")
    same_tree("upgrade --check of an up-to-date rootfs", "upgrade", "--check")
    play(Case("upgrade --rollback without an older rootfs", ["upgrade", "--rollback"], MISSING,
              [OLD, "rootlet upgrade"]), home)
    works("install before the upgrade", "install", "odd-app", "odd-safe")
    inside("sh", "-c", "echo odd-held hold | dpkg --set-selections; echo mine >>/etc/odd-app/edited")
    server.dir = AT.second.root
    same_tree("install of a package that has a newer version keeps the one that is there", "install",
              "odd-app",
              says="already")
    same_tree("upgrade --check exits with 1 if there are updates", "upgrade", "--check", status=1)
    checked = run("upgrade", "--check", "--json")
    plan = result_of(checked)
    tap.report(checked.status == 1 and plan["upgraded"] == [
        {"name": "odd-app", "from": "1", "version": "2", "security": False},
        {"name": "odd-safe", "from": "1", "version": "2", "security": True}] and
               names(plan, "installed") == ["odd-more"] and not plan["removed"] and plan["changed"] is False,
               "upgrade --check --json: versions, security updates, a new dependency, and no package on hold",
               checked)
    outcome = run("upgrade", "--check")
    tap.report("odd-app 1 -> 2\n" in outcome.out and "odd-safe 1 -> 2 (security)\n" in outcome.out,
               "upgrade --check prints both versions, and which are security updates", outcome)
    works("upgrade --security", "upgrade", "--security",
          check=lambda: unless(versions() == {"odd-app": "1", "odd-lib": "1", "odd-held": "1",
                                              "odd-safe": "2"},
                               versions()))
    same_tree("upgrade --security --check: then only others are left", "upgrade", "--security", "--check")
    before = digest(home)
    works("upgrade", "upgrade", check=lambda: upgraded("2"))
    tap.report(digest(home, OLD) == before, "upgrade keeps the old rootfs, unchanged, as NAME.previous")
    same_tree("upgrade --check afterwards", "upgrade", "--check")
    previous = home.run("check", "--deep", "--name", OLD)
    tap.report(previous.status == 0, "the old rootfs passes check --deep", previous)
    checked = home.run("check", "--json")
    tap.report(result_of(checked).get("generation") == manifest(home)["generation"] > 1,
               "check --json has the generation", checked)
    shown = home.run("check")
    tap.report(f"Generation: {manifest(home)['generation']}, " in shown.out, "check shows the generation",
               shown)
    locked()


def locked():
    """A lock of an upgraded rootfs has its release files, and makes a rootfs with its packages."""
    path = f"{home.dir}/upgraded.lock"
    outcome = home.run("lock", "--output", path)
    with open(path, encoding="utf-8") as file:
        releases = {one["pocket"]: one["sha256"] for one in json.load(file)["releases"]}
    expected = {}
    for pocket in ("", "updates", "security"):
        with open(f"{AT.second.root}/dists/{mirrors.pocket_suite(pocket)}/InRelease", "rb") as file:
            expected[pocket] = hashlib.sha256(file.read()).hexdigest()
    tap.report(outcome.status == 0 and releases == expected,
               "a lock of an upgraded rootfs has its release files", releases, expected, outcome)
    made = run("create", "--name", "locked", "--lock", path)
    tap.report(made.status == 0 and versions("locked") == versions(),
               "that lock makes a rootfs with its packages", made)
    home.run("delete", "--name", "locked", "--yes")


def upgraded(version):
    now = manifest(home)
    seen = inside("sh", "-c", "cd /etc/odd-app; cat edited; echo; cat untouched").out
    return [*unless(versions() == {"odd-app": version, "odd-lib": "1", "odd-more": "2", "odd-held": "1",
                                   "odd-safe": "2"}, versions()),
            *unless("of version 1\nmine\n" in seen, "the edited configuration file was replaced", seen),
            *unless(seen.endswith(f"of version {version}\n"), "the other one was not", seen),
            *unless(recorded("odd-app") == version and recorded("odd-more") == "2" and
                    "odd-more" not in now["requested"], "the manifest", now),
            *unless(os.lstat(f"{home.store}/{OLD}").st_mode == os.lstat(TREE).st_mode, "the mode")]


def goes_back(server):
    new, old = digest(home), digest(home, OLD)
    for what, expected in (("upgrade --rollback exchanges the two", (old, new)),
                           ("upgrade --rollback again exchanges them again", (new, old))):
        outcome = home.run("upgrade", "--rollback")
        now = (digest(home), digest(home, OLD))
        tap.report(outcome.status == 0 and now == expected and new != old, what, outcome, now, expected)
    outcome = home.run("upgrade", "--rollback", "--json")
    tap.report(outcome.status == 0 and result_of(outcome).get("changed") is True,
               "upgrade --rollback --json", outcome)
    home.run("upgrade", "--rollback")
    for what, name in (("the rootfs", "test-rootfs"), ("the old one", OLD)):
        was = state()
        with changes.used(home, name) as there:
            outcome = home.run("upgrade", "--rollback")
        tap.report(there and outcome.status == BUSY and "in use" in outcome.err and state() == was,
                   f"upgrade --rollback while a shell runs in {what}", there, outcome)
    play(Case("upgrade --rollback --check", ["upgrade", "--rollback", "--check"], INPUT, "--check"), home)
    server.dir = AT.third.root
    works("a second upgrade", "upgrade", check=lambda: upgraded("3"))
    tap.report(digest(home, OLD) == new, "a second upgrade replaces NAME.previous")
    listed = home.run("list", "--json")
    tap.report(listed.status == 0 and OLD in listed.out, "list shows NAME.previous", listed)


# --- every rootfs ---

def more_rootfs(server):
    """Two that the tests of --all upgrade later."""
    for name, packages in (("all-a", ["odd-app"]), ("all-b", ["odd-app", "odd-safe"])):
        made = home.create("--name", name, server=server, at=AT.first)
        added = run("install", "--name", name, *packages)
        tap.report(made.status == added.status == 0, f"rootfs {name} is created", made, added)


def every_rootfs():
    """upgrade --all, of two rootfs with updates, one without, the one before an upgrade, and a broken one."""

    def rows(outcome):
        events, result, wrong = stream("upgrade-all", outcome)
        rows = {row["name"]: row for row in (result or {}).get("rootfs", ())}
        wrong += [] if events and list(rows) == sorted(rows) else ["no events, or not in order"]
        return rows, wrong
    before = {name: digest(home, name) for name in ("all-a", "all-b")}
    checked = run("upgrade", "--all", "--check", "--json")
    seen, wrong = rows(checked)
    tap.report(not wrong and checked.status == 1 and set(seen) == {"all-a", "all-b", "test-rootfs"} and
               [seen[name]["exit_status"] for name in sorted(seen)] == [1, 1, 0] and
               names(seen["all-b"], "upgraded") == ["odd-app", "odd-safe"] and
               before == {name: digest(home, name) for name in before},
               "upgrade --all --check --json: one stream, one object per rootfs, nothing has changed",
               *wrong, checked)
    secure = run("upgrade", "--all", "--security")
    tap.report(secure.status == 0 and versions("all-a")["odd-app"] == "1" and
               versions("all-b")["odd-safe"] == "2" and versions("all-b")["odd-app"] == "1" and
               "all-a is up to date." in secure.out and "Changed " in secure.out and
               "--rollback --name all-b" in secure.out,
               "upgrade --all --security: a line per rootfs, only security updates", secure)
    inside("sh", "-c", "echo broken >/etc/rootlet/manifest.json", name="all-a")
    failed = run("upgrade", "--all", "--json")
    seen, wrong = rows(failed)
    tap.report(not wrong and failed.status == seen["all-a"]["exit_status"] == 2 and
               "error" in seen["all-a"] and seen["all-b"]["changed"] is True and
               versions("all-b")["odd-app"] == "3" and failed.err.startswith("rootlet upgrade: all-a: "),
               "upgrade --all goes on after a failure, names the rootfs, and has the highest status",
               *wrong, failed)
    for option in (["--name", "x"], ["--path", "/x"], ["--rollback"]):
        play(Case(f"upgrade --all {option[0]}", ["upgrade", "--all", *option], INPUT,
                  f"{option[0]} does not go with --all"), home)
    quiet = run("upgrade", "--all", "--quiet", "--security")
    tap.report(not quiet.out and quiet.status == 2, "upgrade --all --quiet prints only the failure", quiet)
    for name in ("all-a", "all-a.previous", "all-b", "all-b.previous"):
        home.run("delete", "--name", name, "--yes")
    empty = Home()
    none = [empty.run("upgrade", "--all"), empty.run("upgrade", "--all", "--json")]
    tap.report(none[0].status == none[1].status == 0 and "rootlet create" in none[0].out and
               result_of(none[1]) == {"event": "result", "rootfs": [], "exit_status": 0},
               "upgrade --all without any rootfs", *none)


# --- tools ---

def tools():
    """The same through rootlet mcp: what the tools change, and how much they say."""
    fstests = f"{home.dir}/fstests-mini"
    shutil.copytree(f"{SOURCE}/tests/fstests-mini", fstests)
    lock, trusted = f"{home.dir}/mcp.lock", {"keyring": AT.first.keyring}
    with mcp.Server(home) as server:
        server.initialize()
        schemas = {tool["name"]: tool["outputSchema"]
                   for tool in server.request("tools/list")["result"]["tools"]}
        for tool, arguments, says, expected in (
                ("install_packages", {"packages": ["odd-user"], "dry_run": True, **trusted},
                 "This would change", {"changed": False}),
                ("install_packages", {"packages": ["odd-user"], **trusted},
                 "Install (2): odd-shared 1, odd-user 1\n", {"changed": True}),
                ("install_packages", {"packages": ["odd-user"], **trusted}, "There is nothing to do",
                 {"changed": False}),
                ("uninstall_packages", {"packages": ["odd-user"], **trusted},
                 "Remove (2): odd-shared 1, odd-user 1\n", {"changed": True}),
                ("upgrade_test_rootfs", {"check": True, **trusted}, "There is nothing to do",
                 {"changed": False}),
                ("upgrade_test_rootfs", {"rollback": True}, "Changed the rootfs", {"changed": True}),
                ("upgrade_test_rootfs", {"rollback": True}, "Changed the rootfs", {"changed": True}),
                ("lock_test_rootfs", {"lock_path": lock}, f"Wrote {lock} with ", {"output": lock}),
                ("fstests_dependencies", {"fstests_path": fstests, "offline": True}, "", {"path": TREE})):
            result = server.call(tool, arguments)["result"]
            text, content = result["content"][0]["text"], result.get("structuredContent", {})
            wrong = [error.message for error in
                     jsonschema.Draft202012Validator(schemas[tool]).iter_errors(content)]
            size = len(json.dumps(result))
            tap.report(not wrong and not result["isError"] and says in text and size <= 2048 and
                       expected.items() <= content.items(),
                       f"MCP: {tool} {' '.join(map(str, arguments))}: {size} bytes", *wrong, result)
        result = server.call("install_packages", {"packages": ["odd-nosuch"], **trusted})["result"]
        tap.report(result["isError"] and "odd-nosuch" in result["content"][0]["text"],
                   "MCP: install_packages of an unknown package", result)
    with open(lock, encoding="utf-8") as file:
        tap.report(json.load(file)["lock"] == 1, "MCP: the lock is there")


# --- profile ---

def profile():
    """A profile that has changed since, and one that is gone."""
    path = home.write("config/rootlet/profiles/test.conf", PROFILE.replace("attr acl", "attr acl odd-late"))
    works("upgrade installs what the profile wants now", "upgrade",
          check=lambda: unless("odd-late" in versions() and "odd-late" in manifest(home)["requested"],
                               versions()))
    works("uninstall of a package of the profile", "uninstall", "odd-late",
          check=lambda: unless("odd-late" not in versions(), versions()))
    os.unlink(path)
    same_tree("upgrade after the profile is gone says so", "upgrade",
              says=["Ignoring the profile test", "is up to date"])
    outcome = run("upgrade", "--json")
    tap.report(outcome.status == 0 and "test" in (result_of(outcome).get("profile_lost") or ""),
               "upgrade --json says that the profile is gone", outcome)
    works("uninstall without the profile keeps what it installed", "uninstall", "odd-safe",
          check=lambda: unless("acl" in manifest(home)["packages"] and "odd-safe" not in versions(),
                               versions()))


# --- packages of the user's own ---

def own_files():
    def make(name, version="1", **how):
        files = [(f"./usr/share/{name}/", "dir"),
                 (f"./usr/share/{name}/version", version.encode(), (0, 0), 0o644)]
        path = debs.make(f"{home.dir}/own", name, mirrors.arch(), version=version, entries=files, **how)
        os.chmod(f"{home.dir}/own", 0o755)
        return path
    own, late = make("odd-own", fields="Depends: odd-lib\n"), make("odd-late", "0.5")
    inside("sh", "-c", "echo mine >/usr/sbin/policy-rc.d")
    expected = {"odd-own": "1", "odd-lib": "1", "odd-late": "0.5"}
    works("install of a .deb file with a dependency from the archive, and of one older than the archive's",
          "install", own, late,
          check=lambda: unless(expected.items() <= versions().items() and
                               "odd-own" in manifest(home)["requested"] and recorded("odd-late") == "0.5",
                               versions(), manifest(home)))
    tap.report(inside("cat", "/usr/sbin/policy-rc.d").out == "mine\n",
               "the rootfs's own policy-rc.d is the same after an install")
    planned = run("upgrade", "--check", "--json")
    tap.report({"name": "odd-late", "from": "0.5", "version": "1", "security": False} in
               result_of(planned).get("upgraded", ()), "upgrade replaces it by the archive's newer one",
               planned)
    with open(own, "rb") as file:
        data = file.read()
    for what, path, says in (
            ("of text", home.write("own/text.deb", "no package"), "text.deb"),
            ("that is cut", home.write("own/cut.deb", data[:len(data) // 2]), "cut.deb"),
            ("that is missing", f"{home.dir}/own/none.deb", "none.deb: No such file"),
            ("that is a directory", f"{home.dir}/own", "not a regular file"),
            ("that needs what no archive has", make("odd-needs", fields="Depends: odd-nowhere\n"),
             "odd-nowhere"),
            ("with a name that is none", make("Odd_name"), "Odd_name.*no valid Package")):
        same_tree(f"install of a .deb file {what}", "install", path, status=INPUT, says=says)


with Server(AT.first.root) as served:
    created = home.create(server=served, at=AT.first)
    if tap.report(created.status == 0, "the rootfs is created", created):
        installs()
        enterable(served)
        shared_files(served)
        uninstalls()
        more_rootfs(served)
        upgrades(served)
        goes_back(served)
        every_rootfs()
        tools()
        profile()
        own_files()
tap.done()
