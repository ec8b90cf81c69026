"""rootlet lock and create --lock: one lock gives the same tree and the same images to every user, with any
settings, and says what is wrong or unavailable. rootlet export: the list of packages is right, and others'
validators accept it."""
import glob
import hashlib
import json
import os
import re
import subprocess

from support import debs, npm, tap, trees, vng
from support import mirror as mirrors
from support.schemas import errors
from support.server import Server
from support.world import AS_ROOT, SCRATCH, SOURCE, Case, Home, Tidy, mirror, other_user, play

# What a machine has of its own, what records the time, and what follows the order of a hash.
POSTINST = """#!/bin/sh
set -e
mkdir -p /var/lib/systemd /etc/ssh /etc/nvme /usr/lib/odd-machine /var/cache/odd-machine
head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \\n' >/etc/machine-id
for file in /var/lib/systemd/random-seed /etc/ssh/ssh_host_ed25519_key /etc/nvme/hostid; do
  head -c 16 /dev/urandom >$file
done
date +%s%N >/var/log/odd-machine.log
date +%s >/var/cache/debconf/odd.dat-old
date -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" >/usr/lib/odd-machine/time
perl -e 'print join " ", keys %{{ map { $_ => 1 } "a".."z" }}' >/usr/lib/odd-machine/order
touch /usr/lib/odd-machine/now
touch -d 2001-02-03T04:05:06Z /usr/lib/odd-machine/then
ln -s now /usr/lib/odd-machine/link
"""
DIRECTORY = f"{SCRATCH}/{os.getpid()}.locks"
AT = mirror().with_packages(DIRECTORY, [debs.capable(f"{DIRECTORY}.debs", mirrors.arch()), debs.make(
    f"{DIRECTORY}.debs", "odd-machine", mirrors.arch(), {"postinst": POSTINST})])
EMPTY = ("/etc/machine-id", "/var/log/odd-machine.log")
GONE = ("/var/lib/systemd/random-seed", "/etc/ssh/ssh_host_ed25519_key", "/etc/nvme/hostid",
        "/var/cache/debconf/odd.dat-old", "/etc/rootlet/linked")
USAGE, TRUST, NETWORK = 2, 3, 4
FORMATS = {"erofs": vng.EROFS, "ext4": vng.EXT4}
PACKAGE = "odd-capable"


home = Home()
LOCK = f"{home.dir}/made.lock"


def source(server):
    return ["--mirror", server.url, "--keyring", AT.keyring]


def images(one, rootfs):
    """Returns {format: SHA-256} of the images that `rootlet run` builds of ROOTFS."""
    _, environment = vng.stand_in(one)
    made = {}
    for form, config in FORMATS.items():
        kernel = one.write("kernel", vng.kernel_with(vng.MAGIC + config))
        outcome = one.run("run", "--kernel", kernel, "--path", rootfs, "--", "true", environment=environment)
        paths = glob.glob(f"{one.cache}/rootlet/images/*.{form}")
        if len(paths) == 1:
            with open(paths[0], "rb") as file:
                made[form] = hashlib.sha256(file.read()).hexdigest()
            os.unlink(paths[0])
        else:
            made[form] = str(outcome)
    return made


def make_lock(server):
    outcome = home.create("--include", f"{PACKAGE},odd-machine", server=server, at=AT)
    tap.report(outcome.status == 0, "a rootfs to lock is created", outcome)
    outcome = home.run("lock", "--output", LOCK)
    tap.report(outcome.status == 0 and not outcome.out, "lock writes a file", outcome)
    with open(LOCK, encoding="utf-8") as file:
        text = file.read()
    tap.report(home.run("lock").out == text, "lock writes the same to standard output")
    lock = json.loads(text)
    tap.report(not errors("lock", lock), "a lock fits its schema", *errors("lock", lock))
    attr, odd = lock["packages"]["attr"], lock["packages"][PACKAGE]
    with open(f"{AT.root}/{AT.deb_of('attr')}", "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    for what, good in {
            "versions and hashes": attr["version"] == AT.version_of("attr") and attr["sha256"] == digest,
            "sources": (odd["source"], odd["source_version"]) == (PACKAGE, "1"),
            "the release files": {one["pocket"]: one["sha256"] for one in lock["releases"]} ==
                                 {pocket: hashlib.sha256(AT.released(pocket).encode()).hexdigest()
                                  for pocket in mirrors.POCKETS},
            "the newest date as epoch": lock["epoch"] == max(one["date"] for one in lock["releases"]),
            "the profile and --include": lock["profile"]["name"] == "test" and lock["profile"]["requested"] ==
                                         ["attr", "acl", PACKAGE, "odd-machine"],
            "users and groups": [(user["name"], user["uid"]) for user in lock["profile"]["users"]] ==
                                [("fsqa", 1000), ("fsgqa2", 1001)]}.items():
        tap.report(good, f"a lock has {what}", text[:3000])
    return text, lock


def make_two(server, text):
    """Two users, as different as one host allows. Returns [(user, path of the rootfs)]."""
    user = other_user()
    other = Home(user=user, directory=f"{SCRATCH}/{os.getpid()}.a longer path")
    other.write("its.lock", text)
    last = max(os.sched_getaffinity(0))
    first = home.run("create", "--path", f"{home.dir}/first", "--fresh", "--lock", LOCK, *source(server),
                     *([] if AS_ROOT else ["--tree-mode", "0755"]))
    second = other.run("create", "--name", "second", "--lock", "its.lock", *source(server),
                       *([] if AS_ROOT else ["--tree-mode", "0755"]), before=["taskset", "-c", str(last)],
                       environment={"LANG": "de_DE.UTF-8", "LC_ALL": "C", "TZ": "Pacific/Auckland"},
                       **({"umask": 0o077} if user else {}))
    third = other.run("create", "--name", "third", "--lock", "its.lock", *source(server),
                      *([] if AS_ROOT else ["--tree-mode", "0755"]))
    tap.report(first.status == 0, "a rootfs is made from a lock", first)
    tap.report(second.status == 0, "another one, by another user, with another umask, locale, time zone",
               second)
    tap.report(third.status == 0 and "Cloned from a cached snapshot" in third.out,
               "a third one is cloned from the snapshot of that", third)
    check = home.run("check", "--path", f"{home.dir}/first")
    tap.report(check.status == 0, "a rootfs made from a lock is ready", check)
    return [(home, f"{home.dir}/first"), (other, f"{other.store}/second"), (other, f"{other.store}/third")]


def same_trees(made, lock):
    censuses = [trees.census(path, exact=True) for _, path in made]
    for number, what in ((1, "another user's tree"), (2, "a clone")):
        wrong = trees.differences(censuses[0], censuses[number], [])
        tap.report(not wrong and len(censuses[0]) > 1000, f"{what} is the same, entry by entry", *wrong[:20],
                   f"{len(wrong)} of {len(censuses[0])} entries differ")
    tap.report(set(trees.attributed(censuses[1])) >= debs.CAPABLE, "with attributes and capabilities")
    epoch = trees.seconds(lock["epoch"])
    newer = [path for path, entry in censuses[0].items() if entry[-1] > epoch * 10**9]
    tap.report(not newer, "no file is newer than the epoch", *newer[:20])
    tree = trees.inside(made[0][1])
    tap.report(os.lstat(f"{tree}/usr/lib/odd-machine/then").st_mtime == trees.seconds("2001-02-03T04:05:06Z"),
               "an older file keeps its time")
    with open(f"{tree}/usr/lib/odd-machine/time", encoding="utf-8") as file:
        text = file.read()
    tap.report(str(lock["epoch"][11:19]) in text, "scripts take the epoch as the current time", text)
    for path in EMPTY:
        tap.report(os.path.getsize(f"{tree}{path}") == 0, f"{path} is empty")
    left = [path for path in GONE if os.path.exists(f"{tree}{path}")]
    tap.report(not left, "nothing is left that a machine makes for itself", *left)
    with open(f"{tree}/etc/shadow", encoding="utf-8") as file:
        days = {line.split(":")[2] for line in file}
    tap.report(str(epoch // 86400) in days, "a user's password changed on the day of the epoch", *days)


def same_images(made):
    built = [images(one, path) for one, path in made]
    for form in FORMATS:
        sums = [one[form] for one in built]
        tap.report(len(set(sums)) == 1 and re.fullmatch("[0-9a-f]{64}", sums[0]),
                   f"their {form} images are the same, byte for byte", *sums)


def ordinary_trees():
    """What a create without a lock cleans, and what it leaves to the user."""
    tree = trees.inside(f"{home.store}/test-rootfs")
    tap.report(os.path.getsize(f"{tree}/etc/machine-id") == 0 and
               not os.path.exists(f"{tree}/var/lib/systemd/random-seed"),
               "no rootfs has a machine id or a random seed")
    tap.report(os.path.getsize(f"{tree}/var/log/odd-machine.log") > 0 and
               os.path.exists(f"{tree}/etc/ssh/ssh_host_ed25519_key"),
               "without a lock, logs and host keys stay")


def edited(change):
    def write(one):
        with open(LOCK, encoding="utf-8") as file:
            lock = json.load(file)
        text = change(lock)
        one.write("edited.lock", text if text is not None else json.dumps(lock))
    return write


def put(*keys, value):
    """Returns a change of a lock that sets the field KEYS to VALUE."""
    def change(lock):
        for key in keys[:-1]:
            lock = lock[key]
        lock[keys[-1]] = value
    return change


REFUSED = [
    # what, change, status, message
    ("a wrong hash", put("packages", "attr", "sha256", value="0" * 64), TRUST,
     r"package attr \S+ differs from the lock: its SHA-256 is [0-9a-f]{64} instead of 0{64}"),
    ("an unknown field", put("colour", value=1), USAGE, r'unknown field "colour" in the lock'),
    ("an unknown field of a package", put("packages", "attr", "size", value=1), USAGE,
     r'unknown field "size" in package attr'),
    ("a version that is gone", put("packages", "attr", "version", value="0.9-gone"), NETWORK,
     r"unavailable in jammy: attr 0\.9-gone \(the mirror has \d"),
    ("a package that is gone", put("packages", "odd-gone", value={
        "version": "1", "arch": "all", "sha256": "0" * 64, "source": "odd-gone", "source_version": "1"}),
     NETWORK, r"unavailable in jammy: odd-gone 1 \(the mirror has none\)"),
    ("a package of another architecture", put("packages", "attr", "arch", value="riscv64"), USAGE,
     r"package attr is of architecture riscv64, but the lock is of"),
    ("another source", put("packages", "attr", "source", value="bttr"), TRUST,
     r"package attr differs from the lock: its source is attr \S+ instead of bttr"),
    ("an impossible version", put("packages", "attr", "version", value="1 2"), USAGE,
     r"a field of package attr is missing or malformed"),
    ("half a lock", lambda lock: json.dumps(lock)[:2000], USAGE, r"edited\.lock, line 1: "),
    ("something else", lambda lock: "{}", USAGE, r"edited\.lock is not a lock: make one with: rootlet lock"),
    ("a later format", put("lock", value=2), USAGE, r"format 2 of a lock is not supported"),
    ("an epoch of its own", put("epoch", value="2001-02-03T04:05:06Z"), USAGE, r"epoch is not the date of"),
    ("no packages", put("packages", value={}), USAGE, r"packages is missing or malformed"),
    ("a user who is root", put("profile", "users", value=[
        {"name": "x", "uid": 0, "gid": 0, "home": "/x", "shell": "/bin/sh", "groups": []}]), USAGE,
     r"users of profile is missing or malformed"),
]


def refused(server):
    for what, change, status, says in REFUSED:
        play(Case(f"create --lock refuses {what}, and leaves nothing",
                  ["create", "--name", "new", "--lock", "edited.lock", *source(server)], status, [says],
                  setup=edited(change), check=nothing_made), home)
    for option, value in {"--release": "jammy", "--suite": "jammy", "--arch": "amd64", "--profile": "test",
                          "--include": "attr", "--engine": "native", "--components": "main"}.items():
        shown = "--release" if option == "--suite" else option
        play(Case(f"create refuses --lock with {option}",
                  ["create", "--name", "new", "--lock", LOCK, option, value], USAGE,
                  [f"--lock and {shown} contradict each other"], check=nothing_made), home)
    play(Case("create refuses a lock that does not exist", ["create", "--lock", "none.lock"], USAGE,
              ["cannot read the lock none.lock: No such file"]), home)


def nothing_made(one):
    return ["it exists"] if os.path.exists(f"{one.store}/new") else []


def moved_on(server, text):
    """The mirror has newer release files, but still every package of the lock."""
    before = AT.released("")
    path = f"{AT.root}/dists/{mirrors.SUITE}/InRelease"
    with open(path, "wb") as file:
        file.write(AT.inrelease())
    outcome = home.run("create", "--name", "later", "--fresh", "--lock", LOCK, *source(server))
    again = home.run("lock", "--name", "later")
    tap.report(outcome.status == 0 and AT.released("") != before and again.out == text,
               "a rootfs made from a lock has the same lock, even if the mirror has newer release files",
               outcome, again)


def older_rootfs():
    """A rootfs whose manifest has format 1, as written before there were locks."""
    path = f"{trees.inside(f'{home.store}/test-rootfs')}/etc/rootlet/manifest.json"
    with open(path, encoding="utf-8") as file:
        manifest = json.load(file)
    manifest["format"] = 1
    manifest["packages"] = {name: package["version"] for name, package in manifest["packages"].items()}
    for name in ("engine", "components", "requested", "optional", "filters", "releases"):
        del manifest[name]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(manifest, file)
    check = home.run("check")
    tap.report(check.status == 0, "a manifest of format 1 is still read", check)
    play(Case("lock says that it cannot lock a rootfs made by an older rootlet", ["lock"], USAGE,
              ["cannot lock .*test-rootfs: an older rootlet created it.*rootlet create --force"]), home)
    play(Case("export says that it cannot list the packages of such a rootfs",
              ["export", "--sbom", "-"], USAGE,
              ["packages of test-rootfs: an older rootlet created it.*rootlet create --force"]), home)


def dry_run(server):
    outcome = home.run("create", "--name", "new", "--dry-run", "--lock", LOCK, *source(server))
    tap.report(outcome.status == 0 and f"Package   name={PACKAGE} version=1" in outcome.out and
               not nothing_made(home), "create --lock --dry-run prints the requests", outcome)


def exported(form):
    """Returns the SBOM of test-rootfs as text."""
    outcome = home.run("export", "--sbom", "-", "--format", form)
    tap.report(outcome.status == 0 and not outcome.err, f"export writes {form} to standard output", outcome)
    return outcome.out


def validated(directory, text):
    done = subprocess.run(["node", "validate.mjs"], cwd=directory, input=text, text=True, capture_output=True,
                          check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {"errors": [done.stderr], "packages": []}


def exports(lock):
    shown = home.run("shell", "--", "dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture}\n").out
    installed = sorted(tuple(line.split()) for line in shown.splitlines())
    hashes = {name: package["sha256"] for name, package in lock["packages"].items()}
    texts = {form: exported(form) for form in ("spdx", "cyclonedx")}
    spdx, cyclonedx = (json.loads(text) for text in texts.values())
    rootfs, *packages = spdx["packages"]
    for form, found in {
            "spdx": {one["name"]: one["checksums"][0]["checksumValue"] for one in packages},
            "cyclonedx": {one["name"]: one["hashes"][0]["content"]
                          for one in cyclonedx["components"]}}.items():
        tap.report(found == hashes, f"{form} has the hash of each package", found)
        tap.report(exported(form) == texts[form], f"two exports as {form} are equal")
    related = {(one["spdxElementId"], one["relationshipType"]) for one in spdx["relationships"]}
    ends = {one["relatedSpdxElement"] for one in spdx["relationships"]}
    tap.report(related == {("SPDXRef-DOCUMENT", "DESCRIBES"), (rootfs["SPDXID"], "CONTAINS")} and
               ends == {one["SPDXID"] for one in spdx["packages"]},
               "spdx says that the rootfs contains all packages", spdx["relationships"][:3])
    tap.report(any(one["sourceInfo"] == f"built from the source package {PACKAGE} 1" for one in packages) and
               {"name": "rootlet:source", "value": f"{PACKAGE} 1"} in
               [one for component in cyclonedx["components"] for one in component["properties"]],
               "both have the sources")
    path = f"{home.dir}/packages.json"
    play(Case("export into a file", ["export", "--sbom", path], 0, silent=["."]), home)
    with open(path, encoding="utf-8") as file:
        tap.report(file.read() == texts["spdx"], "the file is as standard output, and SPDX is the default")
    for what, words, status, says in (
            ("without --sbom", [], USAGE, "--sbom"),
            ("in another format", ["--sbom", "-", "--format", "csv"], USAGE, "--format csv"),
            ("of a missing rootfs", ["--sbom", "-", "--name", "none"], 1, "none"),
            ("into a directory that does not exist", ["--sbom", "no/such"], 1,
             "cannot write no/such: No such")):
        play(Case(f"export {what}", ["export", *words], status, [says]), home)
    return texts, installed


def accepted(texts, installed):
    """Ends the program if there is no node."""
    npm.needs_node(14, "the validators of SBOMs")
    directory = npm.installed("sbom", "validate.mjs")
    for form, text in texts.items():
        result = validated(directory, text)
        tap.report(not result["errors"], f"a validator accepts {form}'s package URLs" if form == "spdx" else
                   "CycloneDX's validator accepts the document", *result["errors"])
        tap.report(sorted((one["name"], one["version"], one["arch"]) for one in result["packages"]) ==
                   installed and {(one["type"], one["namespace"], one["distro"])
                                  for one in result["packages"]} == {("deb", "ubuntu", mirrors.SUITE)},
                   f"the package URLs of {form} are what dpkg says is installed", result["packages"][:3],
                   installed[:3])
    broken = json.loads(texts["cyclonedx"])
    broken["components"][0]["hashes"][0]["alg"] = "SHA-257"
    tap.report(validated(directory, json.dumps(broken))["errors"], "the validator finds an unknown hash")


def accepted_by_spdx(text):
    """By the Go library of the SPDX project, which is too large to install for one test."""
    program = f"{home.dir}/spdx"
    if not os.path.isdir("/usr/share/gocode/src/github.com/spdx/tools-golang/spdxlib"):
        tap.skip("the SPDX project's validator", "apt install golang-go golang-github-spdx-tools-golang-dev")
        return
    built = subprocess.run(["go", "build", "-o", program, f"{SOURCE}/tests/sbom/spdx.go"], text=True,
                           capture_output=True, check=False, env={
                               **os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode",
                               "GOCACHE": f"{home.dir}/go"})
    if not tap.report(built.returncode == 0, "the SPDX project's validator builds", built.stderr):
        return
    for what, changed, good in (("accepts the document", text, True),
                                ("finds a reference to nothing",
                                 text.replace('"SPDXID": "SPDXRef-rootfs"', '"SPDXID": "SPDXRef-x"'), False)):
        done = subprocess.run([program], input=changed, text=True, capture_output=True, check=False)
        tap.report((done.returncode == 0) == good, f"the SPDX project's validator {what}", done.stdout,
                   done.stderr)


def failures():
    play(Case("lock of a missing rootfs", ["lock", "--name", "none"], 1, ["none"]), home)
    play(Case("lock into a directory that does not exist", ["lock", "--output", "no/such"], 1,
              ["cannot write no/such: No such file"]), home)


with Server(AT.root) as one_server, Tidy(home) as tidy:
    written, locked = make_lock(one_server)
    url = one_server.url.replace("//", "//me:secret@")
    secret = home.run("create", "--name", "secret", "--release", mirrors.SUITE, "--profile", "test",
                      "--mirror", url, "--keyring", AT.keyring, "--fresh")
    shown = home.run("lock", "--name", "secret")
    tap.report(secret.status == 0 and shown.status == 0 and "secret@" not in shown.out and
               re.search(r'"mirror": "http://127', shown.out), "a lock has no password of a mirror", secret,
               shown)
    if AS_ROOT and other_user():
        rootfs = make_two(one_server, written)
        same_trees(rootfs, locked)
        same_images(rootfs)
        ordinary_trees()
    else:
        tap.skip("the trees and images of one lock", "needs root and the users that ./tests/run creates")
    sboms = exports(locked)
    refused(one_server)
    dry_run(one_server)
    moved_on(one_server, written)
    failures()
    if AS_ROOT:
        older_rootfs()
    else:
        tap.skip("a rootfs made by an older rootlet", "needs root to write a manifest")
tap.report(not tidy.complaints(), "nothing is left behind", *tidy.complaints())
accepted_by_spdx(sboms[0]["spdx"])
accepted(*sboms)
tap.done()
