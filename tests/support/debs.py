"""Packages that no archive would take: hostile scripts, archives that point outside."""
import io
import os
import tarfile


def _tar(entries):
    """ENTRIES: (name, what): bytes are a file's content, "-> x" a symlink, "=> x" a hard link,
    "dir" a folder, "dev" a disk's device."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz", format=tarfile.GNU_FORMAT) as tar:
        for name, what in entries:
            info = tarfile.TarInfo(name)
            info.mode, content = 0o755, b""
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


def make(folder, name, arch, scripts=None, entries=()):
    """Writes NAME_1_ARCH.deb into FOLDER: SCRIPTS of the maintainer by name, and the data archive's
    ENTRIES as they stand, which dpkg-deb would not pack. Returns the path."""
    control = (f"Package: {name}\nVersion: 1\nArchitecture: {arch}\nMaintainer: x <x@example.org>\n"
               "Description: made by a test\n")
    files = [("./control", control.encode())]
    files += [(f"./{script}", text.encode()) for script, text in (scripts or {}).items()]
    path = f"{folder}/{name}_1_{arch}.deb"
    os.makedirs(folder, exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"!<arch>\n" + _member("debian-binary", b"2.0\n") +
                   _member("control.tar.gz", _tar(files)) +
                   _member("data.tar.gz", _tar([("./", "dir"), *entries])))
    return path
