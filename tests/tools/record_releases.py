#!/usr/bin/python3
"""Records data for tests/integration/releases.py: for each release, a reduced copy of the archive's signed
indexes, and the packages that each profile gets from the complete ones; and for catalogue.py, which packages
of configurations each has.

tests/tools/record_releases.py ROOTLET DIR

DIR is tests/recorded/releases. The reduced indexes keep the stanzas of packages that any profile gets or
that their dependencies name, from every pocket that has them, with the fields that affect the choice. They
are signed with a temporary key. Needs the network, like rootlet create, and a cache ($XDG_CACHE_HOME), where
rootlet leaves the indexes that it verified."""
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import urllib.request

RELEASES = ("bionic", "focal", "jammy", "noble", "bookworm", "trixie")
PROFILES = ("minimal", "fstests", "fstests-build", "blktests", "kselftest", "ltp")
POCKETS = ("", "-updates", "-security")
FIELDS = ("Package", "Version", "Architecture", "Essential", "Priority", "Multi-Arch", "Pre-Depends",
          "Depends",
          "Provides", "Conflicts", "Breaks", "Replaces", "Filename", "Size", "SHA256")
RELEASE_FIELDS = ("Origin", "Label", "Suite", "Codename", "Date", "Components")
ARCH = "amd64"


def fields_of(stanza):
    return dict(re.findall(r"^([A-Za-z0-9-]+): *(.*(?:\n[ \t].*)*)", stanza, re.M))


def names_in(value):
    return set(re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)", value))


def resolve(rootlet, release, profile):
    """Returns what create would install, as "name=NAME version=VERSION", and what it would leave out; and the
    mirror of each pocket."""
    done = subprocess.run([rootlet, "create", "--dry-run", "--json", "--fresh", "--release", release,
                           "--arch", ARCH,
                           "--profile", profile, "--name", "recorded"], stdout=subprocess.PIPE, check=False)
    result = json.loads(done.stdout.splitlines()[-1])
    chosen = [request["arguments"] for request in result.get("requests", ())
              if request["request"] == "Package"]
    if not chosen:
        sys.exit(f"{release} {profile}: {result}")
    releases = [dict(word.split("=", 1) for word in request["arguments"].split())
                for request in result["requests"] if request["request"] == "Release"]
    mirrors = {one["pocket"] and f"-{one['pocket']}": one["mirror"] for one in releases}
    return {"packages": sorted(chosen), "left_out": result["left_out"]}, mirrors


def index_of(cache, url, components):
    """Returns (fields of the InRelease at URL, {component: stanzas}). The indexes come from the cache, where
    rootlet puts only what it has verified."""
    with urllib.request.urlopen(url, timeout=60) as answer:
        text = answer.read().decode()
    found = {}
    for component in components:
        listed = re.search(rf"^ ([0-9a-f]{{64}}) +\d+ {component}/binary-{ARCH}/Packages$", text, re.M)
        path = f"{cache}/{listed.group(1)}" if listed else ""
        if not os.path.exists(path):
            sys.exit(f"the cache lacks the index of {component} that {url} lists; try again")
        with open(path, encoding="utf-8") as file:
            found[component] = [stanza for stanza in file.read().split("\n\n") if stanza.strip()]
    return fields_of(text), found


def reduce(indexes, chosen):
    """Returns {pocket: {component: text}}."""
    names = set()
    for _, components in indexes.values():
        for stanza in (stanza for stanzas in components.values() for stanza in stanzas):
            fields = fields_of(stanza)
            if f"name={fields['Package']} version={fields['Version']}" in chosen or \
                    fields.get("Essential") == "yes" or fields.get("Priority") == "required":
                names |= {fields["Package"]} | names_in(fields.get("Depends", "")) | \
                    names_in(fields.get("Pre-Depends", ""))

    def text_of(stanzas):
        kept = [fields for fields in map(fields_of, stanzas) if fields["Package"] in names]
        return "".join("".join(f"{name}: {fields[name]}\n" for name in FIELDS if name in fields) + "\n"
                       for fields in kept)
    return {pocket: {component: text_of(stanzas) for component, stanzas in components.items()}
            for pocket, (_, components) in indexes.items()}


def sign(home, text):
    return subprocess.run(["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback",
                           "--passphrase",
                           "", "--digest-algo", "SHA512", "--clearsign"], input=text.encode(),
                          stdout=subprocess.PIPE, check=True).stdout


def files_of(release, indexes, reduced, home):
    for pocket, (fields, _) in indexes.items():
        sums = ""
        for component, text in reduced[pocket].items():
            path = f"{component}/binary-{ARCH}/Packages"
            sums += f" {hashlib.sha256(text.encode()).hexdigest()} {len(text.encode())} {path}\n"
            yield f"dists/{release}{pocket}/{path}", text.encode()
        text = "".join(f"{name}: {fields[name]}\n" for name in RELEASE_FIELDS if name in fields)
        yield f"dists/{release}{pocket}/InRelease", sign(home, f"{text}Architectures: "
                                                         f"{ARCH}\nSHA256:\n{sums}")


def packages_of_configurations(rootlet):
    done = subprocess.run([rootlet, "configurations", "--json"], stdout=subprocess.PIPE, check=True)
    return sorted({name for one in json.loads(done.stdout) for choice in one["packages"]
                   for name in choice.split("|")})


def record(rootlet, release, directory, home):
    """Returns the names of all packages of the release."""
    expected, mirrors = {}, {}
    for profile in PROFILES:
        expected[profile], mirrors = resolve(rootlet, release, profile)
    components = ("main",) if release in ("bookworm", "trixie") else ("main", "universe")
    cache = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")) + "/rootlet/indexes"
    indexes = {pocket: index_of(cache, f"{mirrors[pocket]}/dists/{release}{pocket}/InRelease", components)
               for pocket in POCKETS}
    reduced = reduce(indexes, {one for profile in expected.values() for one in profile["packages"]})
    with tarfile.open(f"{directory}/{release}.tar.xz", "w:xz", preset=9) as tar:
        files = [*files_of(release, indexes, reduced, home),
                 ("expected.json", json.dumps(expected, indent=1).encode())]
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    print(f"{release}: {os.path.getsize(f'{directory}/{release}.tar.xz')} bytes")
    return {fields_of(stanza)["Package"] for _, components in indexes.values()
            for stanzas in components.values() for stanza in stanzas}


def main(rootlet, directory):
    os.makedirs(directory, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        gpg = ["gpg", "--homedir", home, "--batch", "--quiet"]
        subprocess.run([*gpg, "--passphrase", "", "--quick-generate-key", "recorded <recorded@example.org>",
                        "rsa3072",
                        "sign", "never"], check=True)
        subprocess.run([*gpg, "--yes", "--output", f"{directory}/keyring.gpg", "--export"], check=True)
        with open(f"{directory}/configurations.list", "w", encoding="utf-8") as out:
            out.write("# Which packages that configurations name each release has: written by "
                      "tests/tools/record_releases.py.\n")
            for release in RELEASES:
                has = record(rootlet, release, directory, home)
                words = [name for name in packages_of_configurations(rootlet) if name in has]
                out.write(f"{release}: {' '.join(words)}\n")
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=False)


if len(sys.argv) != 3:
    sys.exit(__doc__)
main(*sys.argv[1:])
