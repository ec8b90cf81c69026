"""A repository with exactly the packages of one rootfs, for benchmark peers: built from rootlet's cache and
the manifest of the rootfs, so that all use the same files."""
import copy
import glob
import json
import os
import re
import shutil
import subprocess
import time

from .trees import inside

MERGED_USR = "/usr/share/mmdebstrap/hooks/merged-usr/setup00.sh"


def _stanzas(cache, names):
    """Returns {SHA-256: stanza} of the packages NAMES, from every package index in CACHE."""
    found = {}
    for path in glob.glob(f"{cache}/rootlet/indexes/*"):
        with open(path, "rb") as file:
            if file.read(8) != b"Package:":
                continue
            file.seek(0)
            for stanza in file.read().decode().split("\n\n"):
                # A search in each of 60,000 stanzas would take seconds.
                if stanza.lstrip("\n").partition("\n")[0].removeprefix("Package: ") not in names:
                    continue
                digest = re.search(r"^SHA256: (\w+)$", stanza, re.M)
                if digest:
                    found[digest.group(1)] = stanza
    return found


def _is_of(tree, name, deb):
    """A test's own mirror may have different files for the same version."""
    sums = subprocess.run(["dpkg-deb", "--info", deb, "md5sums"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL,
                          check=False).stdout
    info = f"{tree}/var/lib/dpkg/info/{glob.escape(name)}"
    for path in glob.glob(f"{info}.md5sums") + glob.glob(f"{info}:*.md5sums"):
        with open(path, "rb") as file:
            if file.read() == sums:
                return True
    return not sums


class Repository:
    """DIRECTORY/dists and DIRECTORY/pool, unsigned; `source` is the apt line for it."""

    def __init__(self, directory, cache, tree, home=None):
        """HOME: gpg home, to sign with a new key, which goes to DIRECTORY/keyring.gpg."""
        tree = inside(tree)
        with open(f"{tree}/etc/rootlet/manifest.json", encoding="utf-8") as file:
            manifest = json.load(file)
        self.dir, self.suite, self.arch = directory, manifest["suite"], manifest["arch"]
        self.names = sorted(manifest["packages"])
        self.excludes = self._filters(tree)
        self.distribution, self.home = manifest["distribution"], home
        os.makedirs(f"{directory}/pool")
        chosen = {}
        for digest, stanza in _stanzas(cache, manifest["packages"]).items():
            name = re.search(r"^Package: (\S+)$", stanza, re.M).group(1)
            # Two mirrors may have the same package with different compression.
            if name not in chosen and (taken := self._take(cache, tree, manifest["packages"], digest,
                                                           stanza)):
                chosen[name] = taken
        if len(chosen) != len(self.names):
            raise RuntimeError(f"{len(chosen)} of {len(self.names)} packages are in {cache}")
        self.keyring = f"{directory}/keyring.gpg"
        self._publish(chosen)
        self.unsigned = self._without_signature()

    def _publish(self, stanzas):
        dist = f"{self.dir}/dists/{self.suite}"
        packages = f"main/binary-{self.arch}/Packages"
        os.makedirs(os.path.dirname(f"{dist}/{packages}"))
        self.stanzas = stanzas
        with open(f"{dist}/{packages}", "w", encoding="utf-8") as file:
            # debootstrap needs the last blank line too.
            file.write("".join(f"{stanza}\n\n" for stanza in stanzas.values()))
        with open(f"{dist}/Release", "w", encoding="utf-8") as file:
            file.write(f"Origin: {self.distribution}\nSuite: {self.suite}\n"
                       f"Codename: {self.suite}\nComponents: main\n"
                       f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S UTC', time.gmtime())}\n"
                       f"Architectures: {self.arch}\nSHA256:\n")
            digest, size = _digest(f"{dist}/{packages}")
            file.write(f" {digest} {size} {packages}\n")
        if self.home:
            self._sign(self.home, dist)

    def with_newer(self, names, directory, rewrite=False):
        """Returns a copy of this repository, signed with the same key, in which the packages NAMES have a
        higher version and are the same otherwise; REWRITE: and each of their files is longer by a byte,
        which programs, scripts and compressed files ignore."""
        newer = copy.copy(self)
        newer.dir = directory
        shutil.copytree(f"{self.dir}/pool", f"{directory}/pool", copy_function=os.link)
        stanzas = {name: self._newer_stanza(name, directory, rewrite) for name in names}
        newer._publish({**self.stanzas, **stanzas})
        return newer

    def _newer_stanza(self, name, directory, rewrite):
        old = re.search(r"^Filename: (\S+)$", self.stanzas[name], re.M).group(1)
        deb, unpacked = f"pool/{name}-newer.deb", f"{directory}/unpacked"
        subprocess.run(["dpkg-deb", "--raw-extract", f"{directory}/{old}", unpacked], check=True)
        with open(f"{unpacked}/DEBIAN/control", encoding="utf-8") as file:
            control = re.sub(r"^(Version: .*)$", r"\1+newer", file.read(), flags=re.M)
        with open(f"{unpacked}/DEBIAN/control", "w", encoding="utf-8") as file:
            file.write(control)
        for path in files_of(unpacked) if rewrite else ():
            with open(path, "ab") as file:
                file.write(b"\n")
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", unpacked, f"{directory}/{deb}"],
                       check=True,
                       stdout=subprocess.DEVNULL)
        shutil.rmtree(unpacked)
        digest, size = _digest(f"{directory}/{deb}")
        stanza = re.sub(r"^(MD5sum|SHA1|SHA512): .*\n", "", self.stanzas[name], flags=re.M)
        for field, value in (("Filename", deb), ("SHA256", digest), ("Size", size)):
            stanza = re.sub(rf"^{field}: .*$", f"{field}: {value}", stanza, flags=re.M)
        return re.sub(r"^(Version: .*)$", r"\1+newer", stanza, flags=re.M)

    @staticmethod
    def _filters(tree):
        path = f"{tree}/etc/dpkg/dpkg.cfg.d/rootlet"
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            return [line.strip() for line in file if line.startswith("path-")]

    def _take(self, cache, tree, wanted, digest, stanza):
        name = re.search(r"^Package: (\S+)$", stanza, re.M).group(1)
        version = re.search(r"^Version: (\S+)$", stanza, re.M).group(1)
        deb = f"{cache}/rootlet/packages/{digest}"
        target = f"{self.dir}/pool/{name}_{digest[:16]}.deb"
        right = name in wanted and wanted[name]["version"] == version
        if not right or not os.path.exists(deb) or os.path.exists(target):
            return None
        if not _is_of(tree, name, deb):
            return None
        shutil.copy(deb, target)
        os.chmod(target, 0o644)
        return re.sub(r"^Filename: .*$", f"Filename: pool/{os.path.basename(target)}", stanza,
                      flags=re.M)

    def _without_signature(self):
        """Creates a copy without InRelease: debootstrap prefers InRelease, but cannot read it if told not to
        verify."""
        other = f"{self.dir}/unsigned"
        os.makedirs(f"{other}/dists/{self.suite}")
        for name in ("pool", f"dists/{self.suite}/Release", f"dists/{self.suite}/main"):
            os.symlink(f"{self.dir}/{name}", f"{other}/{name}")
        return other

    def _sign(self, home, dist):
        os.makedirs(home, mode=0o700, exist_ok=True)
        gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback",
               "--passphrase", ""]
        key = [["--quick-generate-key", "offline@example.org", "rsa3072", "sign", "never"],
               ["--output", self.keyring, "--export", "offline@example.org"]]
        for words in (*([] if os.path.exists(self.keyring) else key),
                      ["--digest-algo", "SHA512", "--output", f"{dist}/InRelease", "--clearsign",
                       f"{dist}/Release"]):
            subprocess.run([*gpg, *words], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=False)

    @property
    def source(self):
        return f"deb [trusted=yes] copy://{self.dir} {self.suite} main"

    def mmdebstrap(self, target):
        """Returns the command that creates TARGET from the same packages, with the tree's exclusions."""
        words = ["mmdebstrap", "--mode=unshare", "--variant=apt", "--quiet",
                 f"--architectures={self.arch}", f"--include={','.join(self.names)}"]
        if "usr-is-merged" in self.names:  # otherwise base-files has the links
            words.append(f"--setup-hook={MERGED_USR}")
        words += [f"--dpkgopt={line}" for line in self.excludes]
        return [*words, self.suite, target, self.source]


def files_of(unpacked):
    """Yields the regular files of an unpacked package, without its control files."""
    for where, directories, names in os.walk(unpacked):
        if where == unpacked:
            directories.remove("DEBIAN")
        for name in names:
            if not os.path.islink(f"{where}/{name}"):
                yield f"{where}/{name}"


def _digest(path):
    out = subprocess.run(["sha256sum", path], stdout=subprocess.PIPE, check=True, text=True).stdout
    return out.split()[0], os.path.getsize(path)
