"""A signed mirror of a release called jammy, made from real packages of the host's own release. Tests that
must not depend on a remote mirror create their rootfs from it.

It has the pockets jammy, jammy-updates and jammy-security and the components main and universe. The packages
are real, except that those in main are compressed with zstd like Ubuntu's and have shorter scripts (see
shorten()), base-files claims to be jammy's, and the two other pockets have a newer version of one package
each. tzdata is left out: it has as many files as all the others."""
import contextlib
import datetime
import fcntl
import functools
import gzip
import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
import tempfile
import time

from . import apt
from .debs import with_zstd

SUITE = "jammy"
WANTED = ["?essential", "?priority(required)", "apt", "attr", "acl"]
UNIVERSE = ("attr", "acl")         # packages in universe
NEWER = {"updates": "hostname", "security": "ncurses-base"}
POCKETS = ("", "updates", "security")
FORMAT = 17                         # of the cached mirror: other formats are rebuilt
REFRESH = 3600                     # seconds until InRelease is signed again


def _output(*words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def pocket_suite(pocket):
    return f"{SUITE}-{pocket}" if pocket else SUITE


def _field(stanza, name):
    found = re.search(rf"^{name}: (.*)$", stanza, re.M)
    return found.group(1) if found else ""


def repack(deb, directory, change):
    """Unpacks DEB, lets CHANGE(tree) edit it, and repacks it in `directory`; returns the path."""
    with tempfile.TemporaryDirectory() as work:
        tree = f"{work}/tree"
        subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
        change(tree)
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", tree, directory],
                       check=True, stdout=subprocess.DEVNULL)
    name = _output("dpkg-deb", "-f", deb, "Package").strip()
    made = [f"{directory}/{entry}" for entry in os.listdir(directory) if entry.startswith(f"{name}_")]
    return max(made, key=os.path.getmtime)


def _edit(path, pattern, replacement):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(re.sub(pattern, replacement, text, flags=re.M))


def _claim_suite(tree):
    """Edits another release's base-files to look like jammy's."""
    release = f"{tree}/usr/lib/os-release"
    _edit(release, r"^VERSION_CODENAME=.*$", f"VERSION_CODENAME={SUITE}")
    _edit(release, r"^ID=.*$", "ID=ubuntu")
    with open(release, "rb") as file:
        digest = hashlib.md5(file.read()).hexdigest()
    _edit(f"{tree}/DEBIAN/md5sums", r"^\w+  usr/lib/os-release$", f"{digest}  usr/lib/os-release")


UNITS = re.compile(rb"^# Automatically added by dh_installsystemd/.*?^# End automatically added section\n",
                   re.M | re.S)


def shorten(package, name, content):
    """Leaves out of a maintainer script what takes as long as everything else in a create: the perl programs
    that enable systemd's units, and debconf where nothing is asked. Real releases have them:
    integration/engines."""
    if name in ("preinst", "postinst", "prerm", "postrm"):
        content = UNITS.sub(b"", content)
        if package in ("libc6", "base-passwd"):  # they do without it if it is missing
            content = content.replace(b"/usr/share/debconf/confmodule", b"/nonexistent")
    # It only restarts services after an upgrade.
    return None if (package, name) == ("libpam0g", "postinst") else content


def _raise_version(tree):
    _edit(f"{tree}/DEBIAN/control", r"^(Version: .*)$", r"\1+newer1")


class Mirror:
    """DIRECTORY/mirror is for a server to serve; DIRECTORY/keyring.gpg has the signing key."""

    def __init__(self, directory):
        self.dir = directory
        self.root = f"{directory}/mirror"
        self.keyring = f"{directory}/keyring.gpg"
        self.home = f"{directory}/gnupg"

    # --- contents ---

    def deb_of(self, package, pocket=""):
        """Returns the path of PACKAGE's .deb in the mirror."""
        for component in ("main", "universe"):
            path = f"{self.root}/dists/{pocket_suite(pocket)}/{component}/binary-{arch()}/Packages"
            with open(path, encoding="utf-8") as file:
                for stanza in file.read().split("\n\n"):
                    if _field(stanza, "Package") == package:
                        return _field(stanza, "Filename")
        raise KeyError(package)

    def version_of(self, package, pocket=""):
        return _output("dpkg-deb", "-f", f"{self.root}/{self.deb_of(package, pocket)}",
                       "Version").strip()

    def inrelease(self, pocket="", key="test", **changes):
        """Returns the signed InRelease of POCKET with fields changed (None removes one): Valid_Until, Date,
        Codename, Suite … KEY "other" signs with a key that is not in the keyring."""
        suite = pocket_suite(pocket)
        base = f"{self.root}/dists/{suite}"
        now = datetime.datetime.now(datetime.timezone.utc)
        fields = {"Origin": "Ubuntu", "Label": "Ubuntu", "Suite": suite, "Codename": SUITE,
                  "Date": date(now), "Valid-Until": date(now + datetime.timedelta(days=7)),
                  "Architectures": arch(), "Components": "main universe",
                  "Acquire-By-Hash": "no"}
        for name, value in changes.items():
            fields[name.replace("_", "-")] = value
        text = "".join(f"{name}: {value}\n" for name, value in fields.items() if value is not None)
        text += "SHA256:\n"
        for path in sorted(files_below(base)):
            if not path.endswith("InRelease"):
                with open(f"{base}/{path}", "rb") as file:
                    data = file.read()
                text += f" {hashlib.sha256(data).hexdigest()} {len(data)} {path}\n"
        return self.sign(text, key)

    def released(self, pocket=""):
        """Returns the served text of the pocket's InRelease."""
        with open(f"{self.root}/dists/{pocket_suite(pocket)}/InRelease", encoding="utf-8") as file:
            return file.read()

    def sign(self, text, key="test"):
        words = ["gpg", "--homedir", self.home, "--batch", "--quiet", "--pinentry-mode", "loopback",
                 "--passphrase", "", "--local-user", f"{key}@example.org", "--digest-algo",
                 "SHA512", "--clearsign"]
        with self.agent():
            return subprocess.run(words, input=text.encode(), stdout=subprocess.PIPE,
                                  check=True).stdout

    @contextlib.contextmanager
    def agent(self):
        """Runs gpg and ends the agent that it leaves behind, without disturbing other tests."""
        with open(f"{self.home}/rootlet-test.lock", "w", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                self.stop_agent()

    def stop_agent(self):
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "gpg-agent"], check=False)

    # --- building ---

    def make(self, downloads):
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.root)
        self.make_keys()
        debs = [deb for deb in apt.download(wanted(), downloads) if name_of(deb) != "tzdata"]
        with tempfile.TemporaryDirectory() as work:
            def pack(deb, directory):
                return with_zstd(deb, directory, functools.partial(shorten, name_of(deb))) \
                    if knows_zstd() else deb
            self.add_component("", "main", [pack(deb, work) for deb in debs if component_of(deb) == "main"])
        self.add_component("", "universe", [deb for deb in debs if component_of(deb) == "universe"])
        for pocket in POCKETS[1:]:
            deb = next(deb for deb in debs if name_of(deb) == NEWER[pocket])
            with tempfile.TemporaryDirectory() as work:
                self.add_component(pocket, "main", [repack(deb, work, _raise_version)])
            self.add_component(pocket, "universe", [])
        for pocket in POCKETS:
            self.refresh(pocket)
        claim(self.dir, apt.host_suite())

    def refresh(self, pocket):
        """Writes a new InRelease before the old one's Valid-Until passes."""
        path = f"{self.root}/dists/{pocket_suite(pocket)}/InRelease"
        if os.path.exists(path) and time.time() - os.path.getmtime(path) < REFRESH:
            return
        with open(f"{self.dir}/draft", "wb") as file:
            file.write(self.inrelease(pocket))
        os.rename(f"{self.dir}/draft", path)

    def make_keys(self):
        os.makedirs(self.home, mode=0o700)
        gpg = ["gpg", "--homedir", self.home, "--batch", "--quiet"]
        with self.agent():
            for key in ("test", "other"):
                subprocess.run([*gpg, "--passphrase", "", "--quick-generate-key",
                                f"{key} <{key}@example.org>", "rsa3072", "sign", "never"], check=True,
                               stderr=subprocess.DEVNULL)
            subprocess.run([*gpg, "--output", self.keyring, "--export", "test@example.org"],
                           check=True)

    def add_component(self, pocket, component, debs):
        """Lays out DEBS and writes Packages, uncompressed and compressed."""
        stanzas = [self.add_package(component, deb) for deb in debs]
        base = f"{self.root}/dists/{pocket_suite(pocket)}/{component}/binary-{arch()}"
        os.makedirs(base)
        self.write_index(base, "".join(stanzas).encode())

    @staticmethod
    def write_index(base, data):
        for suffix, packed in (("", data), (".gz", gzip.compress(data)), (".xz", lzma.compress(data))):
            with open(f"{base}/Packages{suffix}", "wb") as file:
                file.write(packed)

    def with_packages(self, directory, debs, without=(), pocket=""):
        """Creates a mirror in `directory` with DEBS added to POCKET's main, and the packages WITHOUT removed
        from it, signed with the same key."""
        other = Mirror(directory)
        other.home, other.keyring = self.home, self.keyring
        shutil.copytree(self.root, other.root, copy_function=os.link)
        base = f"{other.root}/dists/{pocket_suite(pocket)}/main/binary-{arch()}"
        with open(f"{base}/Packages", "rb") as file:
            data = file.read()
        for name in os.listdir(base):
            os.unlink(f"{base}/{name}")  # hard-linked with this one
        data = b"".join(stanza + b"\n\n" for stanza in data.strip().split(b"\n\n")
                        if _field(stanza.decode(), "Package") not in without)
        for deb in debs:
            data += other.add_package("main", deb).encode()
        self.write_index(base, data)
        os.unlink(f"{other.root}/dists/{pocket_suite(pocket)}/InRelease")
        other.refresh(pocket)
        return other

    def with_contents(self, directory, contents):
        """Creates a mirror in `directory` with CONTENTS, {path below dists/SUITE: bytes}, which its release
        file lists, signed with the same key."""
        other = Mirror(directory)
        other.home, other.keyring = self.home, self.keyring
        shutil.copytree(self.root, other.root, copy_function=os.link)
        for path, data in contents.items():
            with open(f"{other.root}/dists/{SUITE}/{path}", "wb") as file:
                file.write(data)
        os.unlink(f"{other.root}/dists/{SUITE}/InRelease")
        other.refresh("")
        return other

    def add_package(self, component, deb):
        """Copies one .deb to the pool; returns its stanza."""
        name = name_of(deb)
        directory = f"pool/{component}/{name[0]}/{name}"
        os.makedirs(f"{self.root}/{directory}", exist_ok=True)
        # As in real archives, file names have no epoch.
        path = f"{self.root}/{directory}/" + re.sub(r"_\d+%3a", "_", os.path.basename(deb))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # with_packages: hard-linked with another mirror
        if name == "base-files":
            with tempfile.TemporaryDirectory() as work:
                shutil.copy(repack(deb, work, _claim_suite), path)
        else:
            shutil.copy(deb, path)
        os.chmod(path, 0o644)
        with open(path, "rb") as file:
            data = file.read()
        return (f"{_output('dpkg-deb', '-f', path).strip()}\n"
                f"Filename: {directory}/{os.path.basename(path)}\nSize: {len(data)}\n"
                f"MD5sum: {hashlib.md5(data).hexdigest()}\n"
                f"SHA256: {hashlib.sha256(data).hexdigest()}\n\n")


def wanted():
    """Returns the one without dependencies of the two packages that stand for a merged /usr."""
    known = subprocess.run(["apt-cache", "show", "usr-is-merged"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False).returncode == 0
    return WANTED + (["usr-is-merged"] if known else [])


def arch():
    return _output("dpkg", "--print-architecture").strip()


@functools.cache
def knows_zstd():
    """Whether the host's dpkg, which debootstrap unpacks with, supports it."""
    return "zstd" in _output("dpkg-deb", "--help")


def date(when):
    return when.strftime("%a, %d %b %Y %H:%M:%S UTC")


def name_of(deb):
    return os.path.basename(deb).partition("_")[0]


def component_of(deb):
    return "universe" if name_of(deb) in UNIVERSE else "main"


def files_below(directory):
    for where, _, names in os.walk(directory):
        for name in names:
            yield os.path.relpath(os.path.join(where, name), directory)


def claim(directory, suite):
    """Marks the mirror in `directory` as complete, for the host's release."""
    with open(f"{directory}/made.json", "w", encoding="utf-8") as file:
        json.dump({"format": FORMAT, "suite": suite}, file)


def shared(directory):
    """Returns the mirror in `directory`, built now or in an earlier run. The caller holds the lock."""
    mirror = Mirror(f"{directory}/jammy")
    try:
        with open(f"{mirror.dir}/made.json", encoding="utf-8") as file:
            usable = json.load(file) == {"format": FORMAT, "suite": apt.host_suite()}
    except (OSError, ValueError):
        usable = False
    if not usable:
        mirror.make(f"{directory}/downloads")
    for pocket in POCKETS:
        mirror.refresh(pocket)
    return mirror
