"""Finished trees of a few files, like a snapshot in the cache, created by root without a helper. Reimplements
the digest and what an installed helper adds to it."""
import hashlib
import hmac
import os
import stat
import struct

def _content(*lists):
    """As policy/rule_content.c: of releases, mirrors, keyrings, repository-keyrings, deny-packages, engines
    and older-releases."""
    return "".join("".join(f"{word}\0" for word in words) + "\0" for words in lists)


ENGINES = ["debootstrap", "native", "pieces"]
# What is allowed without a policy, and by one that support.installed.allow() writes.
ANY = _content(["*"], ["*"], ["*"], ["*"], [], ENGINES, ["yes"])
INSTALLED = _content(["*"], ["*"], ["*"], [], [], ENGINES, [])
KEY, POLICY = "/etc/rootlet/snapshot.key", "/etc/rootlet/policy.conf"


def put(path, data=b"", mode=0o644):
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)


def give(path, uid):
    """Gives PATH and everything below it to UID."""
    for where, directories, names in os.walk(path):
        for one in (where, *(f"{where}/{name}" for name in directories + names)):
            os.lchown(one, uid, uid)


def _sum(*fields):
    """Hashes each value, preceded by its length."""
    return hashlib.sha256(b"".join(struct.pack("Q", len(one)) + one for one in fields)).digest()


def _sorted(sums):
    return hashlib.sha256(b"".join(sorted(sums))).digest()


def _entry(path, inner, first):
    st = os.lstat(path)
    mode = st.st_mode if inner else stat.S_IFDIR  # rootlet sets the mode of the top directory
    target = content = b""
    attributes = []
    if stat.S_ISLNK(mode):
        target = os.readlink(path).encode()
    else:
        attributes = [_sum(name.encode(), os.getxattr(path, name)) for name in os.listxattr(path)]
    fields = [inner.encode(), struct.pack("III", mode, st.st_uid - first, st.st_gid - first), target,
              _sorted(attributes)]
    if stat.S_ISREG(mode):
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).digest()
        fields.append(content)
    return _sum(*fields)


def digest(path, first):
    """Returns the digest as in helper/worker/tree/digest.c, for ids that start at FIRST, and the number of
    entries."""
    sums = [_entry(path, "", first)]
    for where, directories, names in os.walk(path):
        for name in directories + names:
            inner = os.path.relpath(f"{where}/{name}", path)
            if inner != "etc/rootlet" and not inner.startswith("etc/rootlet/"):
                sums.append(_entry(f"{path}/{inner}", inner, first))
    return _sorted(sums).hex(), len(sums)


def sign(path, first, key=None, rule=None, ids=None):
    """Writes the digest of PATH; with a KEY, also an installed helper's MAC for the range of IDS."""
    total, count = digest(path, first)
    rule = rule or (INSTALLED if os.path.exists(POLICY) else ANY)
    with open(f"{path}/etc/rootlet/manifest.json", "rb") as file:
        hashes = [hashlib.sha256(text).hexdigest() for text in (file.read(), rule.encode())]
    lines = "\n".join([f"{total} {count}", *hashes, ""]).encode()
    if key is not None:
        text = struct.pack("II", ids or first, ids or first) + lines
        lines += hmac.new(key, text, "sha256").hexdigest().encode() + b"\n"
    put(f"{path}/etc/rootlet/digest", lines)
    give(f"{path}/etc", first)


def make(path, first, more=None, key=None, rule=None):
    """Creates a minimal finished tree with the digest of a snapshot; MORE: extra files {path: content}."""
    for name, data in {"var/lib/dpkg/status": b"none\n", "usr/bin/tool": b"tool\n", "etc/file": b"file\n",
                       **(more or {})}.items():
        put(f"{path}/{name}", data)
    put(f"{path}/etc/rootlet/manifest.json", b"{}")
    os.chmod(path, 0o755)
    give(path, first)
    sign(path, first, key, rule)
    return path
