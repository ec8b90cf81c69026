"""The cache's checksums for a directory, a file or a rootfs, and ways to damage the data."""
import hashlib
import os

from support.protocol import Helper, opened


def _entry(path, name):
    if os.path.islink(path):
        yield f"# link {name} -> {os.readlink(path)}\n"
    elif os.path.isdir(path):
        yield f"# directory {name}\n"
        for below in sorted(os.listdir(path), key=os.fsencode):
            yield from _entry(f"{path}/{below}", f"{name}/{below}")
    else:
        if os.stat(path).st_mode & 0o100:
            yield f"# program {name}\n"
        with open(path, "rb") as file:
            yield f"{hashlib.sha256(file.read()).hexdigest()}  {name}\n"


def write(directory, name=None):
    """Writes the checksums of everything in `directory`, or of its file NAME; returns the path of the
    checksum file."""
    names = [name] if name else sorted((one for one in os.listdir(directory) if not one.startswith(".sums")),
                                       key=os.fsencode)
    path = f"{directory}/.{name}.sums" if name else f"{directory}/.sums"
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(line for one in names for line in _entry(f"{directory}/{one}", one))
    os.chown(path, os.stat(directory).st_uid, os.stat(directory).st_gid)
    return path


def write_digest(user, directory, name):
    """Writes the digest of the rootfs NAME as rootlet-helper reports it."""
    with Helper(user, seconds=300) as helper, opened(f"{directory}/{name}") as fds:
        digest = helper.ask("Inspect", fds, digest=1).digest
    with open(f"{directory}/.{name}.digest", "w", encoding="utf-8") as file:
        file.write(digest.hex())
    os.chown(file.name, os.stat(directory).st_uid, os.stat(directory).st_gid)


def flip(path, text=None):
    """Flips one bit: in the middle, or in TEXT."""
    with open(path, "r+b") as file:
        file.seek(file.read().index(text) if text else os.path.getsize(path) // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
