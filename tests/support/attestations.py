"""Signed statements about a rootfs, made and checked without rootlet's code: OpenPGP keys, DSSE envelopes,
and the digest of a tree as docs/provenance.md describes it."""
import base64
import hashlib
import json
import os
import stat
import struct
import subprocess

from . import trees

PAYLOAD = "application/vnd.in-toto+json"


class Keys:
    """OpenPGP keys of a home's user. {name: (when it is made, when it expires)}; None is the present."""

    def __init__(self, home, **keys):
        self.home, self.dir = home, home.make_dir(f"{home.dir}/gnupg")
        os.chmod(self.dir, 0o700)
        for name, (made, expires) in keys.items():
            self.gpg("--quick-generate-key", f"{name} <{name}@example.org>", "rsa2048", "sign", expires,
                     when=made)
        listed = self.gpg("--with-colons", "--list-keys").decode().splitlines()
        self.fingerprints = dict(zip(keys, (line.split(":")[9] for line in listed if line[:3] == "fpr")))

    def gpg(self, *words, data=b"", when=None):
        clock = ["--faked-system-time", f"{when}!"] if when else []
        done = subprocess.run(["gpg", "--homedir", self.dir, "--batch", "--quiet", "--yes",
                               "--passphrase", "", "--pinentry-mode", "loopback", "--no-permission-warning",
                               "--allow-weak-digest-algos", *clock, *words], input=data,
                              capture_output=True, check=False, **self.home.user.switch())
        self.stop()
        if done.returncode:
            raise RuntimeError(f"gpg {' '.join(words)}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def keyring(self, *names):
        """Writes the public keys into a file; returns its path."""
        return self.home.write(f"{'-'.join(names)}.keys", self.gpg("--export", *(
            self.fingerprints[name] for name in names)))

    def revoke(self, name):
        with open(f"{self.dir}/openpgp-revocs.d/{self.fingerprints[name]}.rev", encoding="ascii") as file:
            self.gpg("--import", data=file.read().replace(":-----BEGIN", "-----BEGIN").encode())

    def sign(self, data, *names, digest="SHA512", when=None):
        """Returns one or more signatures, in the same bytes."""
        users = [word for name in names for word in ("--local-user", f"{self.fingerprints[name]}!")]
        return self.gpg(*users, "--digest-algo", digest, "--detach-sign", data=data, when=when)

    def stop(self):
        """Ends the agent that gpg leaves behind."""
        subprocess.run(["gpgconf", "--homedir", self.dir, "--kill", "gpg-agent"], check=False,
                       **self.home.user.switch())


def encoded(payload, kind=PAYLOAD):
    """What a signature covers: PAE of https://github.com/secure-systems-lab/dsse."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def text64(data):
    return base64.b64encode(data).decode()


def payload_of(envelope):
    return base64.b64decode(envelope["payload"], validate=True)


def envelope_of(payload, *signatures, kind=PAYLOAD):
    return {"payloadType": kind, "payload": text64(payload),
            "signatures": [{"keyid": "", "sig": text64(one)} for one in signatures]}


def dumped(statement):
    return json.dumps(statement).encode()


def good_by_hand(directory, envelope, keyring):
    """Whether gpgv accepts the envelope's signature."""
    for name, data in (("pae", encoded(payload_of(envelope))),
                       ("sig", base64.b64decode(envelope["signatures"][0]["sig"], validate=True))):
        with open(f"{directory}/by-hand.{name}", "wb") as file:
            file.write(data)
    done = subprocess.run(["gpgv", "--keyring", keyring, f"{directory}/by-hand.sig",
                           f"{directory}/by-hand.pae"],
                          capture_output=True, check=False)
    return done.returncode == 0


# --- the digest of a tree ---

def _field(data):
    return struct.pack("<Q", len(data)) + data


def _sum(*fields):
    return hashlib.sha256(b"".join(map(_field, fields))).digest()


def _attribute(name, value, first):
    """As a process reads it whose ids 0… are the host's ids FIRST…"""
    if name == "security.capability" and value[3] == 3 and int.from_bytes(value[20:24], "little") == first:
        value = value[:3] + b"\2" + value[4:20]
    if name.startswith("system.posix_acl_"):
        entries = [struct.unpack_from("<HHI", value, at) for at in range(4, len(value), 8)]
        value = value[:4] + b"".join(struct.pack("<HHI", tag, mode, one - (first if tag in (2, 8) else 0))
                                     for tag, mode, one in entries)
    return _sum(name.encode(), value)


def tree_digest(rootfs):
    """Returns the digest in hex. Needs root."""
    tree = trees.inside(rootfs)
    first, sums = os.lstat(tree).st_uid, []
    paths = [""]
    for where, directories, names in os.walk(tree):
        inner = os.path.relpath(where, tree)
        paths += [os.path.normpath(f"{inner}/{name}") for name in directories + names]
        if inner == "etc" and "rootlet" in directories:
            directories.remove("rootlet")
            paths.remove("etc/rootlet")
    for path in paths:
        full, target, attributes, content = f"{tree}/{path}" if path else tree, b"", [], []
        st = os.lstat(full)
        mode = st.st_mode if path else stat.S_IFDIR
        if stat.S_ISLNK(mode):
            target = os.readlink(full).encode()
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            attributes = [_attribute(name, os.getxattr(full, name), first) for name in os.listxattr(full)]
        if stat.S_ISREG(mode):
            with open(full, "rb") as file:
                content = [hashlib.sha256(file.read()).digest()]
        facts = struct.pack("<3I", mode, st.st_uid - first, st.st_gid - os.lstat(tree).st_gid)
        attributes = hashlib.sha256(b"".join(sorted(attributes))).digest()
        sums.append(_sum(path.encode(), facts, target, attributes, *content))
    return hashlib.sha256(b"".join(sorted(sums))).hexdigest()
