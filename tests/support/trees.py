"""A file-by-file description of a tree, for comparison: type, mode, owner, link target, content hash,
extended attributes (including file capabilities), and hard links."""
import calendar
import collections
import hashlib
import os
import re
import stat
import struct
import time


DYNAMIC = range(100, 1000)  # ids that packages allocate in the order of configuration


def _sorted_lines(text):
    return b"\n".join(sorted(text.split(b"\n")))


def _without_dynamic_ids(text):
    """Reduces passwd(5) and group(5) to names."""
    def field(word):
        return b"-" if word.isdigit() and int(word) in DYNAMIC else word
    return _sorted_lines(b"\n".join(b":".join(map(field, line.split(b":"))) for line in text.split(b"\n")))


def _without_days(text):
    """Removes the date of the last password change from shadow(5): midnight may pass between two trees."""
    lines = [line.split(b":") for line in text.split(b"\n")]
    return _sorted_lines(b"\n".join(b":".join([*line[:2], b"", *line[3:]]) if len(line) > 3
                                    else b":".join(line)
                                    for line in lines))


def _without_overrides(text):
    return re.sub(rb"^(Priority|Section): .*\n", b"", text, flags=re.M)


# Differences that only come from the order of configuration, and fields that an archive may override.
NORMAL = {**dict.fromkeys(("/etc/gshadow", "/etc/shells", "/var/lib/dpkg/triggers/File"), _sorted_lines),
          "/etc/shadow": _without_days,
          **dict.fromkeys(("/etc/passwd", "/etc/group"), _without_dynamic_ids),
          "/var/lib/dpkg/status": _without_overrides}


def _names(tree, file):
    """Returns {id: name} of the dynamic ids in passwd(5) or group(5)."""
    path, names = f"{tree}/etc/{file}", {}
    if os.path.isfile(path):
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                words = line.split(":")
                if len(words) > 2 and words[2].isdigit() and int(words[2]) in DYNAMIC:
                    names[int(words[2])] = words[0]
    return names


def _content(path, inside, st, exact):
    if stat.S_ISLNK(st.st_mode) and exact:
        return os.readlink(path)
    if stat.S_ISLNK(st.st_mode):
        # systemctl(1) links a unit through /lib or /usr/lib, depending on whether systemd is configured.
        return re.sub(r"^/lib/systemd/", "/usr/lib/systemd/", os.readlink(path))
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as file:
            text = file.read()
        normal = lambda same: same  # noqa: E731
        return hashlib.sha256((normal if exact else NORMAL.get(inside, normal))(text)).hexdigest()
    return ""


def _attributes(path):
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}


def _capability(attributes, first):
    """Removes the root id of the user namespace from a revision 3 security.capability."""
    value = attributes.get("security.capability")
    if value and value[3] == 3 and int.from_bytes(value[20:24], "little") == first:
        attributes["security.capability"] = value[:20]
    elif value and value[3] == 2:
        attributes["security.capability"] = value[:3] + b"\3" + value[4:]
    return attributes


def _lists(attributes, uid, gid):
    """Makes the ids in access control lists relative to UID and GID. Format: posix_acl_xattr.h."""
    for name in {"system.posix_acl_access", "system.posix_acl_default"} & attributes.keys():
        value = attributes[name]
        entries = [struct.unpack_from("<HHI", value, at) for at in range(4, len(value), 8)]
        base = {0x02: uid, 0x08: gid}
        attributes[name] = [(tag, mode, one - base.get(tag, 0)) for tag, mode, one in entries]
    return attributes


def inside(rootfs):
    """Returns the path of the tree of a rootfs or snapshot: one level down if it is closed."""
    return f"{rootfs}/rootfs" if os.path.lexists(f"{rootfs}/rootfs") else rootfs


def census(tree, exact=False):
    """Returns {path: (type, mode, owner, group, content, attributes, first name of the same file, time)}.
    Owners are relative to the owner of the tree. Unless EXACT, dynamic ids are names, differences that only
    come from the order of configuration do not count, and the time is 0."""
    tree = inside(tree)
    root = os.lstat(tree)
    users, groups = ({}, {}) if exact else (_names(tree, "passwd"), _names(tree, "group"))
    seen, inodes = {}, {}
    for where, directories, names in os.walk(tree):
        for name in sorted(directories + names):
            path = f"{where}/{name}"
            st = os.lstat(path)
            below = path[len(tree):]
            first = inodes.setdefault(st.st_ino, below) if st.st_nlink > 1 and not stat.S_ISDIR(
                st.st_mode) else ""
            uid, gid = st.st_uid - root.st_uid, st.st_gid - root.st_gid
            seen[below] = (stat.S_IFMT(st.st_mode), stat.S_IMODE(st.st_mode),
                           users.get(uid, uid), groups.get(gid, gid),
                           _content(path, below, st, exact),
                           _lists(_capability(_attributes(path), root.st_uid), root.st_uid, root.st_gid),
                           first,
                           st.st_mtime_ns if exact else 0)
    # A file that is only hard-linked to other trees has one name in this one.
    names = collections.Counter(entry[6] for entry in seen.values())
    return {path: entry if names[entry[6]] > 1 else (*entry[:6], "", entry[7])
            for path, entry in seen.items()}


def seconds(text):
    """Returns the seconds since 1970 of a time as a manifest has it."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def attributed(census):
    """Returns {path: extended attributes} for files that have any."""
    return {path: entry[5] for path, entry in census.items() if entry[5]}


FIELDS = ("type", "mode", "owner", "group", "content", "attributes", "same file as", "time")


def differences(one, other, allowed):
    """Returns the differences between two censuses, one line each, except those in ALLOWED: a list of (path
    pattern, fields or None for all, reason)."""
    found = []
    for path in sorted(set(one) | set(other)):
        a, b = one.get(path), other.get(path)
        if a == b:
            continue
        if a is None or b is None:
            wrong = ["only in the " + ("second" if a is None else "first")]
            names = {"existence"}
        else:
            names = {name for name, x, y in zip(FIELDS, a, b) if x != y}
            wrong = [f"{name} {x if name != 'mode' else oct(x)} / {y if name != 'mode' else oct(y)}"
                     for name, x, y in zip(FIELDS, a, b) if x != y]
        for pattern, fields, _ in allowed:
            if re.fullmatch(pattern, path) and (fields is None or names <= set(fields)):
                break
        else:
            found.append(f"{path}: {', '.join(wrong)}")
    return found


# (path, fields or None for all, why)
EVERYWHERE = [
    (r"/etc/(passwd|group|shadow|gshadow)-", None, "backup of the state before the last change"),
    (r"/etc/machine-id", None, "random; mmdebstrap empties it"),
    (r"/etc/rootlet(/.*)?|/etc/dpkg/dpkg.cfg.d/(rootlet|99mmdebstrap)", None, "differs for each engine"),
    (r"/var/log/.*", None, "times and order of actions"),
    (r"/var/cache/ldconfig/aux-cache", None, "inode numbers and times"),
    (r"/var/lib/dpkg/(available|cmethopt)", None, "files of dselect, written by debootstrap"),
    (r"/var/(lib|cache)/(dpkg|debconf)/.*-old", None, "backup of the state before the last change"),
    (r"/var/lib/systemd/catalog/database", {"content"}, "differs every time on bionic"),
    (r"/usr/lib/python3.*/__pycache__/.*\.cpython-3[0-8]\.pyc", {"content"},
     "before 3.9, sets are written in random order"),
    (r"/etc/nvme/host(id|nqn)", {"content"}, "random"),
    (r"/etc/mdadm/mdadm.conf", {"content"}, "the time of its creation"),
]
# Of a snapshot that was extended, against a build; also in rootlet-create(1).
EXTENDED = [
    (r"/etc/rootlet/(manifest.json|linked)", None, "compared apart; whether it shares files"),
    (r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-", None, "backup of the state before a change"),
    (r"/var/log/.*", None, "times and order of actions"),
    (r"/var/cache/ldconfig/aux-cache", None, "inode numbers and times"),
    (r"/var/(lib|cache)/(dpkg|debconf)/.*-old", None, "backup of the state before the last change"),
]
DEBOOTSTRAP = [
    (r"/dev/.*", None, "debootstrap leaves links in /dev"),
    (r"/etc/localtime", None, "in no package: debootstrap's script for Ubuntu creates it"),
    (r"/etc/unsupported-skip-usrmerge-conversion", None, "debootstrap's own"),
]
