"""Packages that no archive would accept: hostile scripts, archives that point outside the tree."""
import gzip
import io
import lzma
import os
import subprocess
import tarfile


def _pack(data, suffix):
    """Returns the compression command for data.tar.SUFFIX."""
    if suffix == "zst":
        return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return {"": bytes, "gz": gzip.compress, "xz": lzma.compress}[suffix](data)


def _tar(entries):
    """ENTRIES: (name, what). What is bytes for a file's content, "-> x" for a symlink, "=> x" for a hard
    link, "dir" for a directory, or "dev" for a disk device. Or (name, what, (uid, gid), mode)."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, what, *more in entries:
            info, content = tarfile.TarInfo(name), b""
            (info.uid, info.gid), info.mode = more or ((0, 0), 0o755)
            if isinstance(what, bytes):
                info.size, content = len(what), what
            elif what.startswith("-> "):
                info.type, info.linkname = tarfile.SYMTYPE, what[3:]
            elif what.startswith("=> "):
                info.type, info.linkname = tarfile.LNKTYPE, what[3:]
            elif what == "dir":
                info.type = tarfile.DIRTYPE
            else:
                info.type, info.devmajor, info.devminor = tarfile.BLKTYPE, 8, 0
            tar.addfile(info, io.BytesIO(content))
    return data.getvalue()


def _member(name, data):
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
    return header + data + (b"\n" if len(data) % 2 else b"")


def _edited(control, edit):
    """Returns a control archive in which EDIT(name, content) has changed the files, or has removed them (it
    returned None)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(control)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for entry in old:
            content = edit(entry.name.removeprefix("./"), old.extractfile(entry).read()) \
                if entry.isreg() else b""
            if content is not None:
                entry.size = len(content)
                new.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def with_zstd(deb, directory, edit):
    """Copies DEB to `directory`, recompressed with zstd, because xz is much slower to unpack, and with its
    control files edited (see _edited). Returns the path."""
    with open(deb, "rb") as file:
        data = file.read()
    path, at, members = f"{directory}/{os.path.basename(deb)}", 8, b""
    while at < len(data):
        name, size = data[at:at + 16].rstrip().decode(), int(data[at + 48:at + 58])
        content = data[at + 60:at + 60 + size]
        if name.endswith(".xz"):
            name, content = f"{name[:-2]}zst", lzma.decompress(content)
            content = _pack(_edited(content, edit) if name.startswith("control") else content, "zst")
        members += _member(name, content)
        at += 60 + size + size % 2
    with open(path, "wb") as file:
        file.write(data[:8] + members)
    return path


def make(directory, name, arch, scripts=None, entries=(), suffix="gz", fields="", version="1"):
    """Writes NAME_VERSION_ARCH.deb to `directory`, with the maintainer SCRIPTS by name, and a data archive
    with exactly ENTRIES (which dpkg-deb might reject), compressed as SUFFIX says. FIELDS: extra control
    fields. Returns the path."""
    control = (f"Package: {name}\nVersion: {version}\nArchitecture: {arch}\n"
               f"Maintainer: x <x@example.org>\n{fields}"
               "Description: made by a test\n")
    files = [("./control", control.encode())]
    files += [(f"./{script}", text.encode()) for script, text in (scripts or {}).items()]
    path, dot = f"{directory}/{name}_{version}_{arch}.deb", "." if suffix else ""
    os.makedirs(directory, exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"!<arch>\n" + _member("debian-binary", b"2.0\n") +
                   _member(f"control.tar{dot}{suffix}", _pack(_tar(files), suffix)) +
                   _member(f"data.tar{dot}{suffix}", _pack(_tar([("./", "dir"), *entries]), suffix)))
    return path


# odd-capable sets extended attributes on these: a file that clones may share, one that they may not, a
# directory.
CAPABLE = {"/usr/bin/odd-capable", "/var/lib/odd-capable", "/etc/odd-capable"}


def capable(directory, arch):
    """Creates a package whose postinst sets a file capability (cap_net_bind_service+ep, see capabilities(7))
    and a user attribute."""
    script = "#!/bin/sh\nset -e\nfor directory in /usr/bin /var/lib; do\n" \
             "cp /usr/bin/attr $directory/odd-capable\n" \
             "setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 " \
             "$directory/odd-capable; done\n" \
             "mkdir /etc/odd-capable; setfattr -n user.x -v y /etc/odd-capable\n"
    return make(directory, "odd-capable", arch, {"postinst": script}, fields="Depends: attr\n")


def files_of(path):
    """Returns {name without "./": content} of the regular files in a .deb, using dpkg-deb."""
    data = subprocess.run(["dpkg-deb", "--fsys-tarfile", path], stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {entry.name.removeprefix("./"): tar.extractfile(entry).read() for entry in tar
                if entry.isreg()}
