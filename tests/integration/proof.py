"""rootlet export --provenance and rootlet verify: the statement is right, others' libraries and gpgv alone
accept it, and verify finds each change of the rootfs, the statement, the envelope and the signature."""
import base64
import copy
import glob
import hashlib
import json
import os
import re
import subprocess

from support import attestations, changes, tap
from support import mirror as mirrors
from support.attestations import PAYLOAD, dumped, encoded, envelope_of, payload_of, text64
from support.schemas import document
from support.server import Server
from support.world import AS_ROOT, SOURCE, Case, Home, Tidy, mirror, other_user, play

USAGE, TRUST = 2, 3
AT = changes.Mirrors(mirror())
home = Home()
keys = attestations.Keys(home, builder=(None, "never"), stranger=(None, "never"), revoked=(None, "never"),
                         expired=("20200101T000000", "2020-12-31"))
BUILDER = keys.fingerprints["builder"]
SIGNED = f"{home.dir}/signed.json"
GNUPG = {"GNUPGHOME": keys.dir}
DEPENDENCIES = ("predicate", "buildDefinition", "resolvedDependencies")


def run(*words):
    outcome = home.run(*words, environment=GNUPG)
    keys.stop()
    return outcome


def export(*words, key=BUILDER):
    return run("export", "--provenance", SIGNED, "--key", key, *words)


def read(path=SIGNED):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def statement():
    return json.loads(payload_of(read()))


def verify(*words, file=SIGNED, keyring=None):
    return home.run("verify", file, "--keyring", keyring or TRUSTED, *words)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def inside(*words, name="test-rootfs"):
    return home.run("shell", "--name", name, "--", *words)


# --- the statement ---

def exports():
    outcome = export()
    tap.report(outcome.status == 0 and not outcome.out and not outcome.err, "export writes provenance",
               outcome)
    envelope, said = read(), statement()
    again = export("--sbom", f"{home.dir}/packages.json")
    alone = run("export", "--sbom", "-")
    tap.report(again.status == 0 and payload_of(read()) == payload_of(envelope),
               "two statements of one rootfs are equal, byte for byte", again)
    with open(f"{home.dir}/packages.json", encoding="utf-8") as file:
        tap.report(file.read() == alone.out, "export writes the list of packages with it")
    shown = run("export", "--provenance", "-", "--key", f"0x{BUILDER.lower()[-16:]}")
    tap.report(shown.status == 0 and payload_of(json.loads(shown.out)) == payload_of(envelope),
               "export writes to standard output, and takes a long key id", shown)
    tap.report(envelope["payloadType"] == PAYLOAD and
               [one["keyid"] for one in envelope["signatures"]] == [BUILDER],
               "the envelope names the type and the key", envelope["signatures"])
    tap.report(attestations.good_by_hand(home.dir, envelope, TRUSTED), "gpgv alone accepts the signature")
    return envelope, said


def states_dependencies(said):
    definition = said["predicate"]["buildDefinition"]
    wanted = {f"{mirrors.pocket_suite(pocket)}/InRelease": sha256(AT.first.released(pocket).encode())
              for pocket in mirrors.POCKETS}
    rows = inside("dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture}\n").out.splitlines()
    versions = {name: (version, arch) for name, version, arch in map(str.split, rows)}
    listed = {one["name"]: one for one in definition["resolvedDependencies"]}
    tap.report({name: listed.get(name, {}).get("digest") for name in wanted} ==
               {name: {"sha256": one} for name, one in wanted.items()} and
               all(re.fullmatch(rf"http://127\.0\.0\.1:\d+/dists/{name}", listed[name]["uri"]) and
                   re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", listed[name]["annotations"]["date"])
                   for name in wanted),
               "the statement has each release file, with address, hash and date", *listed.items())
    tap.report(set(listed) == set(wanted) | set(versions) and len(listed) == len(
        definition["resolvedDependencies"]), "it has what dpkg says is installed, and nothing else")
    wrong = [listed[name]["uri"] for name, (version, arch) in versions.items() if not re.fullmatch(
        rf"pkg:deb/ubuntu/\S+@{re.escape(version)}\?arch={arch}&distro={mirrors.SUITE}", listed[name]["uri"])]
    tap.report(not wrong, "its package URLs have the versions", *wrong[:5])
    with open(f"{AT.first.root}/{AT.first.deb_of('attr')}", "rb") as file:
        tap.report(listed["attr"]["digest"] == {"sha256": sha256(file.read())}, "it has a package's hash")


def states_origin(said):
    definition, details = said["predicate"]["buildDefinition"], said["predicate"]["runDetails"]
    given = definition["externalParameters"]
    path = f"{home.dir}/config/rootlet/profiles/test.conf"
    with open(path, "rb") as file:
        profile = sha256(file.read())
    tap.report(given["release"] == mirrors.SUITE and given["architecture"] == mirrors.arch() and
               given["engine"] == "native" and given["requested"] == ["attr", "acl", "odd-app"] and
               given["profile"] == {"name": "test", "digest": {"sha256": profile}} and "lock" not in given,
               "the statement has the parameters of the create", given)
    with open(home.state("audit.log"), encoding="utf-8") as file:
        records = {record["hash"]: record for record in map(json.loads, file)}
    record = records.get(details["metadata"]["invocationId"], {})
    tap.report([record.get(key) for key in ("request", "kind", "result")] == ["Publish", "result", "none"],
               "its invocation is the audit record of what was published", record, details)
    outcome = home.run("audit", "verify", "--last", details["metadata"]["invocationId"])
    tap.report(outcome.status == 0, "audit verify finds that record in the chain", outcome)
    manifest = changes.manifest(home)
    tap.report(details["metadata"]["finishedOn"] == manifest["created"] and
               re.fullmatch(r"\d+\.\d+\.\d+", details["builder"]["version"]["rootlet"]),
               "it has the time and the version of rootlet", details)


def states_tree(said):
    tap.report([one["name"] for one in said["subject"]] == ["test-rootfs"], "its subject is the rootfs")
    if not AS_ROOT:
        tap.skip("the digest, computed without rootlet", "needs root to read the tree")
        return
    taken = attestations.tree_digest(f"{home.store}/test-rootfs")
    tap.report(said["subject"][0]["digest"] == {"rootletTree1": taken},
               "another program computes the same digest of the tree", taken, said["subject"])


def accepted_by_others(envelope):
    """By the Go libraries of in-toto and DSSE."""
    program = f"{home.dir}/validate"
    if not os.path.isdir("/usr/share/gocode/src/github.com/in-toto/attestation/go/v1") or not os.path.isdir(
            "/usr/share/gocode/src/github.com/secure-systems-lab/go-securesystemslib/dsse"):
        tap.skip("in-toto's validator", "apt install golang-go golang-github-in-toto-attestation-dev "
                 "golang-github-secure-systems-lab-go-securesystemslib-dev")
        return
    built = subprocess.run(["go", "build", "-o", program, f"{SOURCE}/tests/provenance/validate.go"],
                           text=True, capture_output=True, check=False,
                           env={**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode",
                                "GOCACHE": f"{home.dir}/go"})
    if not tap.report(built.returncode == 0, "in-toto's validator builds", built.stderr):
        return
    done = subprocess.run([program], input=json.dumps(envelope), text=True, capture_output=True, check=False)
    tap.report(done.returncode == 0, "in-toto's library accepts the statement and its predicate", done.stderr)
    tap.report(base64.b64decode(done.stdout) == encoded(payload_of(envelope)),
               "the DSSE library says that the same bytes are signed")
    for what, path, value in (("an unknown field", ("predicate", "runDetails", "more"), 1),
                              ("no builder", ("predicate", "runDetails", "builder"), None),
                              ("a short hash", (*DEPENDENCIES, 0, "digest", "sha256"), "00")):
        broken = edited(json.loads(payload_of(envelope)), path, value)
        done = subprocess.run([program], input=json.dumps(envelope_of(dumped(broken), b"")), text=True,
                              capture_output=True, check=False)
        tap.report(done.returncode == 1, f"in-toto's library finds {what}", done.stderr)


# --- verify ---

def verifies():
    outcome = verify()
    tap.report(outcome.status == 0 and not outcome.err and "is what was signed" in outcome.out and
               f"Signed by: {BUILDER}" in outcome.out, "verify accepts the rootfs as it was signed", outcome)
    outcome = verify("--json")
    found, wrong = document("verify", outcome)
    tap.report(not wrong and outcome.status == 0 and found["state"] == "verified" and
               found["key"] == BUILDER and not found["reasons"] and found["tree"] == found["signed_tree"],
               "verify --json", *wrong, outcome)


def differs(what, says, file=SIGNED, count=None, name="test-rootfs"):
    """Verify must find each of SAYS, and, if given, exactly COUNT differences."""
    outcome = verify("--name", name, file=file)
    found, wrong = document("verify", verify("--name", name, "--json", file=file))
    wrong += [f"does not print: {one}" for one in says if not re.search(f"^  - {one}", outcome.out, re.M)]
    tap.report(outcome.status == TRUST and "is not what was signed" in outcome.out and not outcome.err and
               not wrong and found["state"] == "differs" and count in (None, found["differences"]) and
               len(found["reasons"]) == min(found["differences"], 40),
               f"verify finds {what}", *wrong, outcome, found)


def refused(what, status, says, file=SIGNED, keyring=None):
    play(Case(f"verify refuses {what}", ["verify", file, "--keyring", keyring or TRUSTED], status, says),
         home)


def edited(value, path, new):
    """Returns a copy of VALUE with the member at PATH set, or removed if NEW is None."""
    value = copy.deepcopy(value)
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    if new is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return value


def signed(said, name="builder", file="edited.json", **more):
    """Writes an envelope of a statement, or of bytes, signed in the right way."""
    payload = said if isinstance(said, bytes) else dumped(said)
    path = home.write(file, json.dumps(envelope_of(payload, keys.sign(encoded(payload), name, **more))))
    return path


GIVEN = ("predicate", "buildDefinition", "externalParameters")
DETAILS = ("predicate", "runDetails")
NAMED = {"name": "odd-more", "uri": "pkg:deb/x/odd-more@1", "digest": {"sha256": "0" * 64}}
STATEMENTS = [
    # what, path, new value, what verify says
    ("another digest", ("subject", 0, "digest", "rootletTree1"), "0" * 64,
     r"files: the digest of the tree is \S+, in the statement 0{64}"),
    ("a second digest", ("subject", 0, "digest", "sha256"), "0" * 64,
     r'subject\.0\.digest\.sha256: the statement has "0+", the rootfs nothing'),
    ("another release", (*GIVEN, "release"), "noble",
     r'\S+\.release: the statement has "noble", the rootfs "'),
    ("a missing parameter", (*GIVEN, "engine"), None, r"\S+\.engine: the statement has nothing, the rootfs"),
    ("an unknown parameter", (*GIVEN, "more"), {"a": 1},
     r'\S+\.more: the statement has {"a":1}, the rootfs nothing'),
    ("an unknown field", ("more",), [1], r"more: the statement has \[1\], the rootfs nothing"),
    ("another builder", (*DETAILS, "builder", "id"), "x:y", r"\S+\.builder\.id: the statement has"),
    ("an odd audit record", (*DETAILS, "metadata", "invocationId"), "x",
     r'\S+\.invocationId: the statement has "x"'),
    ("no list of packages", DEPENDENCIES, {}, r"\S+\.resolvedDependencies: the statement has no list"),
]


def wrong_statements(said):
    for what, path, value, says in STATEMENTS:
        differs(what, [says], signed(edited(said, path, value)))
    differs("a second subject", [r"subject\.1: the statement has {.*, the rootfs nothing"],
            signed({**said, "subject": [*said["subject"], NAMED]}))
    listed = said["predicate"]["buildDefinition"]["resolvedDependencies"]
    place = {one["name"]: number for number, one in enumerate(listed)}
    attr, release = place["attr"], place[f"{mirrors.SUITE}/InRelease"]
    for what, changed, says in (
            ("a package that the rootfs lacks", [*listed, NAMED],
             "package odd-more: the statement has pkg:deb/x/odd-more@1, the rootfs does not"),
            ("a package that the statement lacks", [one for one in listed if one["name"] != "attr"],
             r"package attr: the rootfs has pkg:deb/\S+, the statement does not"),
            ("another hash of a package", edited(listed, (attr, "digest", "sha256"), "0" * 64),
             "package attr: its SHA-256 in the statement is 0{64}, in the rootfs "),
            ("another source of a package", edited(listed, (attr, "annotations", "source"), "x"),
             "package attr: the statement has other details"),
            ("another hash of a release file", edited(listed, (release, "digest", "sha256"), "0" * 64),
             rf"release file {mirrors.SUITE}/InRelease: its SHA-256"),
            ("a package twice", [*listed, listed[attr]], "attr: it is in the statement twice"),
            ("a dependency without a name", [*listed, {"uri": "x:y"}], "dependency .* has no name"),
            ("something else in the list", [*listed, 1], "dependency .* has no name")):
        differs(what, [says], signed(edited(said, DEPENDENCIES, changed)), count=1)
    for what, path, value in (("another name of the rootfs", ("subject", 0, "name"), "x"),
                              ("another rootlet", (*DETAILS, "builder", "version", "rootlet"), "9"),
                              ("no audit record", (*DETAILS, "metadata", "invocationId"), None)):
        outcome = verify(file=signed(edited(said, path, value)))
        tap.report(outcome.status == 0, f"verify accepts {what}", outcome)
    reordered = edited(said, DEPENDENCIES, listed[::-1])
    tap.report(verify(file=signed(reordered)).status == 0, "verify accepts any order of the packages")


BUILD_TYPE = ("predicate", "buildDefinition", "buildType")
TREE_DIGEST = ("subject", 0, "digest", "rootletTree1")
PAYLOADS = [
    # what, payload, what verify says
    ("data after the statement", lambda one: dumped(one) + b" {}",
     "its payload, line 1: end of file expected"),
    ("half a statement", lambda one: dumped(one)[:500], "its payload, line 1: "),
    ("a field twice", lambda one: dumped(one)[:-1] + b', "subject": []}', "duplicate object key"),
    ("deep nesting", lambda one: b"[" * 100000, "its payload, line 1: maximum parsing depth"),
    ("no object", lambda one: b"[1]", 'its _type is ""'),
    ("a statement of another version",
     lambda one: dumped({**one, "_type": "https://in-toto.io/Statement/v0.1"}),
     r'its _type is .*v0\.1" instead of'),
    ("another predicate", lambda one: dumped({**one, "predicateType": "https://spdx.dev/Document"}),
     "its predicateType is .*spdx.*instead of"),
    ("another type of build", lambda one: dumped(edited(one, BUILD_TYPE, "a:b")), 'its buildType is "a:b"'),
    ("no subject", lambda one: dumped(edited(one, ("subject",), None)), "subject has no digest"),
    ("a digest that is none", lambda one: dumped(edited(one, TREE_DIGEST, "x")), "subject has no digest"),
]


def wrong_payloads(said):
    for what, make, says in PAYLOADS:
        refused(f"{what}, well signed", USAGE, [says], signed(make(said)))


ENVELOPES = [
    # what, change of the envelope or its text, what verify says
    ("something else", lambda one: "{}", "is not a DSSE envelope"),
    ("an array", lambda one: "[1]", "is not a DSSE envelope"),
    ("no JSON", lambda one: "-----BEGIN PGP SIGNED MESSAGE-----\n", "envelope.json, line 1: "),
    ("half an envelope", lambda one: json.dumps(one)[:500], "envelope.json, line 1: "),
    ("data after it", lambda one: json.dumps(one) + "{}", "line 1: end of file expected"),
    ("a field twice", lambda one: json.dumps(one)[:-1] + ',"payload":""}', "duplicate object key"),
    ("deep nesting", lambda one: "[" * 100000, "maximum parsing depth"),
    ("a huge file", lambda one: " " * (9 << 20), "too large|too long|bytes"),
    ("another payloadType", lambda one: {**one, "payloadType": "text/plain"},
     "its payload is of type text/plain instead of"),
    ("an unknown field", lambda one: {**one, "more": 1}, 'unknown field "more"'),
    ("an unknown field of the signature", lambda one: edited(one, ("signatures", 0, "cert"), "x"),
     'unknown field "cert"'),
    ("no signature", lambda one: {**one, "signatures": []}, "has 0 signatures"),
    ("no list of signatures", lambda one: {**one, "signatures": "x"}, "has 0 signatures"),
    ("two signatures", lambda one: {**one, "signatures": one["signatures"] * 2}, "has 2 signatures"),
    ("a signature that is a text", lambda one: {**one, "signatures": ["x"]}, "its signature is malformed"),
    ("an empty signature", lambda one: edited(one, ("signatures", 0, "sig"), ""), "sig is missing"),
    ("a payload that is a number", lambda one: {**one, "payload": 1}, "payload is missing"),
    ("no payload", lambda one: edited(one, ("payload",), None), "payload is missing"),
    ("a payload with a line break", lambda one: {**one, "payload": one["payload"] + "\n"},
     "payload is not base64"),
    ("a payload without base64", lambda one: {**one, "payload": "{}"}, "payload is not base64"),
]


def wrong_envelopes(envelope):
    for what, change, says in ENVELOPES:
        made = change(envelope)
        path = home.write("envelope.json", made if isinstance(made, str) else json.dumps(made))
        refused(f"an envelope: {what}", USAGE, [says], path)
    refused("a file that does not exist", 1, ["none.json"], "none.json")
    refused("a directory", USAGE, ["gnupg"], "gnupg")


def wrong_signatures(envelope, said):
    payload = payload_of(envelope)
    keys.revoke("revoked")
    trusted = keys.keyring("builder", "expired", "revoked")
    wrong = "the signature is not valid: "
    for what, name, more, says in (
            ("an untrusted key", "stranger", {}, "no key of the keyring signed it"),
            ("an expired key", "expired", {"when": "20200601T000000"},
             "the key of its signature has expired"),
            ("a revoked key", "revoked", {}, "the key of its signature was revoked"),
            ("a trusted key over SHA-1", "builder", {"digest": "SHA1"}, "a digest that can be forged")):
        if name == "revoked":
            path = REVOKED
        else:
            path = signed(payload, name, **more)
        refused(f"a signature by {what}", TRUST, [wrong + ".*" + says], path, trusted)
    other = edited(envelope, ("payload",), text64(dumped({**said, "more": 1})))
    refused("a signature of another payload", TRUST, [f"{wrong}its signature does not match"],
            home.write("envelope.json", json.dumps(other)))
    unwrapped = envelope_of(payload, keys.sign(payload, "builder"))
    refused("a signature of the payload without its type", TRUST, [f"{wrong}its signature does not match"],
            home.write("envelope.json", json.dumps(unwrapped)))
    garbage = envelope_of(payload, b"no packets")
    refused("a signature that is none", TRUST, [wrong], home.write("envelope.json", json.dumps(garbage)))
    both = envelope_of(payload, keys.sign(encoded(payload), "builder", "stranger"))
    refused("two signatures in one", USAGE, ["its signature consists of several"],
            home.write("envelope.json", json.dumps(both)))
    refused("a keyring that does not exist", USAGE, ["cannot read the keyring none.gpg"], keyring="none.gpg")


# --- changes of the rootfs ---

def changed_trees():
    for what, change, undo in (
            ("a changed file", "echo more >>/etc/issue", "sed -i '$d' /etc/issue"),
            ("a new file", "touch /etc/new", "rm /etc/new"),
            ("another mode", "chmod u+s /bin/true", "chmod u-s /bin/true"),
            ("another owner", "chown 1000 /etc/issue", "chown 0 /etc/issue"),
            ("another link", "ln -s x /etc/link", "rm /etc/link")):
        inside("sh", "-c", change)
        differs(f"{what} of the tree", ["files: the digest of the tree is"], count=1)
        inside("sh", "-c", undo)
    outcome = verify()
    tap.report(outcome.status == 0, "verify accepts the tree again once the changes are undone", outcome)
    engine = "sed -i 's/\"engine\": \"{}\"/\"engine\": \"{}\"/' /etc/rootlet/manifest.json"
    inside("sh", "-c", engine.format("native", "debootstrap"))
    differs("a changed manifest", [r'\S+\.engine: the statement has "native", the rootfs "debootstrap"'],
            count=1)
    inside("sh", "-c", engine.format("debootstrap", "native"))
    tap.report(verify().status == 0, "verify accepts the manifest again")


def upgraded(server, before):
    """The rootfs that an upgrade keeps is still what was signed; the new one is not, until it is signed."""
    server.dir = AT.second.root
    outcome = run("upgrade", "--keyring", AT.second.keyring)
    tap.report(outcome.status == 0, "the rootfs is upgraded", outcome)
    differs("an upgrade", [r"package odd-app: the statement has \S+/odd-app@1\?\S+, .* has \S+/odd-app@2\?",
                           "package odd-more: the rootfs has", "files: the digest",
                           rf"release file {mirrors.SUITE}-updates/InRelease: its SHA-256",
                           r"\S+\.generation: the statement has 1, the rootfs 2"])
    old = verify("--name", "test-rootfs.previous")
    tap.report(old.status == 0, "the rootfs from before the upgrade is what was signed", old)
    outcome = export()
    now = statement()
    tap.report(outcome.status == 0 and verify().status == 0 and
               now["predicate"]["runDetails"]["metadata"]["invocationId"] not in
               (None, before["predicate"]["runDetails"]["metadata"]["invocationId"]),
               "the upgraded rootfs is signed, with the audit record of the upgrade", outcome)
    outcome = home.run("upgrade", "--rollback")
    again = export()
    tap.report(outcome.status == 0 and again.status == 0 and statement() == before,
               "after a rollback, the statement is the first one again", outcome, again)
    run("upgrade", "--rollback")
    server.dir = AT.third.root
    outcome = run("upgrade", "--keyring", AT.third.keyring)
    run("upgrade", "--rollback")
    export()
    tap.report(outcome.status == 0 and statement() == now,
               "after two upgrades and a rollback, it has the record of the first upgrade", outcome)


# --- the same rootfs, made by somebody else ---

def made_again(server):
    lock = f"{home.dir}/the.lock"
    run("lock", "--output", lock)
    source = ["--fresh", "--lock", lock, "--mirror", server.url, "--keyring", AT.first.keyring]
    outcome = run("create", "--name", "locked", *source, *([] if AS_ROOT else ["--tree-mode", "0755"]))
    signing = export("--name", "locked")
    said = statement()["predicate"]
    with open(lock, "rb") as file:
        digest = sha256(file.read())
    tap.report(outcome.status == 0 and signing.status == 0 and
               "finishedOn" not in said["runDetails"]["metadata"] and
               said["buildDefinition"]["externalParameters"]["lock"] == {"digest": {"sha256": digest}},
               "the statement on a rootfs made from a lock has the hash of the lock", outcome, signing, said)
    if not (AS_ROOT and other_user()):
        tap.skip("the same rootfs of another user", "needs root and the users that ./tests/run creates")
        return
    theirs = Home(user=other_user())
    outcome = theirs.run("create", "--name", "theirs", *source)
    done = theirs.run("verify", SIGNED, "--keyring", TRUSTED, "--name", "theirs")
    tap.report(outcome.status == 0 and done.status == 0,
               "another user's rootfs from the same lock is what was signed, with other host ids", outcome,
               done)
    theirs.run("shell", "--name", "theirs", "--", "touch", "/etc/new")
    tap.report(theirs.run("verify", SIGNED, "--keyring", TRUSTED, "--name", "theirs").status == TRUST,
               "until they change it")


# --- export refuses ---

def refuses_to_export():
    path = f"{home.dir}/none"
    for what, words, status, says in (
            ("without a key", ["--provenance", path], USAGE, "--key is missing: provenance is always signed"),
            ("with a name as key", ["--provenance", path, "--key", "me@example.org"], USAGE,
             "--key me@example.org is not a fingerprint or a long key id"),
            ("with a short key id", ["--provenance", path, "--key", BUILDER[-8:]], USAGE,
             "is not a fingerprint"),
            ("with an option as key", ["--provenance", path, "--key", "--armor"], USAGE,
             "is not a fingerprint"),
            ("with a key but no provenance", ["--sbom", path, "--key", BUILDER], USAGE,
             "--key is for --provenance"),
            ("with a format but no list", ["--provenance", path, "--key", BUILDER, "--format", "spdx"], USAGE,
             "--format is for --sbom"),
            ("twice to standard output", ["--provenance", "-", "--key", BUILDER, "--sbom", "-"], USAGE,
             "are the same file"),
            ("with a key of nobody", ["--provenance", path, "--sbom", path + "2", "--key", "0" * 40], 1,
             "cannot sign with key 0{40}: .*No secret key.*gpg --list-secret-keys"),
            ("with an expired key", ["--provenance", path, "--key", keys.fingerprints["expired"]], 1,
             "cannot sign with key .*: ")):
        play(Case(f"export {what}", ["export", *words], status, [says],
                  check=lambda one: [f"{found} exists" for found in glob.glob(f"{path}*")]), SIGNING)
    home.write("gnupg/gpg.conf", f"local-user {keys.fingerprints['stranger']}\n")
    outcome = export()
    tap.report(outcome.status == 1 and "gpg also used another key" in outcome.err,
               "export refuses a second signature by a key from gpg.conf", outcome)
    home.write("gnupg/gpg.conf", "armor\ndigest-algo SHA1\n")
    outcome = export()
    tap.report(outcome.status == 0 and verify().status == 0,
               "armor and a weak digest in gpg.conf do not matter", outcome)
    os.unlink(f"{keys.dir}/gpg.conf")
    os.rename(home.state("audit.log"), f"{home.dir}/saved.log")
    outcome = export()
    tap.report(outcome.status == 0 and "note: the provenance names no audit record" in outcome.err and
               "invocationId" not in statement()["predicate"]["runDetails"]["metadata"] and
               verify().status == 0,
               "without the audit log, the statement has no invocation, and export says so", outcome)


class Signing(Home):
    """The same home, whose commands find the keys and leave no agent."""

    def __init__(self, of):  # pylint: disable=super-init-not-called
        self.__dict__.update(of.__dict__)

    def run(self, *words, **more):
        outcome = super().run(*words, environment=GNUPG, **more)
        keys.stop()
        return outcome


TRUSTED = keys.keyring("builder", "expired")
SIGNING = Signing(home)
with Server(AT.first.root) as one_server, Tidy(home) as tidy:
    created = home.create("--include", "odd-app", server=one_server, at=AT.first)
    if not tap.report(created.status == 0, "a rootfs to sign is created", created):
        tap.done()
    first, first_statement = exports()
    REVOKED = signed(payload_of(first), "revoked", "revoked.json")
    states_dependencies(first_statement)
    states_origin(first_statement)
    states_tree(first_statement)
    verifies()
    wrong_statements(first_statement)
    wrong_payloads(first_statement)
    wrong_envelopes(first)
    wrong_signatures(first, first_statement)
    changed_trees()
    made_again(one_server)
    export()
    upgraded(one_server, first_statement)
    refuses_to_export()
tap.report(not tidy.complaints(), "nothing is left behind", *tidy.complaints())
accepted_by_others(first)
tap.done()
