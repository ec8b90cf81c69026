"""Sanitizer reports from the processes that a test program starts: these write them to a shared mapped file,
see tests/tools/reports.c."""
import json
import os
import re
import subprocess

_SIZE = 1 << 18
_USED = 8  # bytes of the length field
_FRAME = re.compile(r"\((/[^()]+)\+(0x[0-9a-f]+)\)(?: \(BuildId: \w+\))?")
_path = None
_seen = 0


def _has_sanitizers(build):
    with open(f"{build}/meson-info/intro-buildoptions.json", encoding="utf-8") as file:
        return any(option["name"] == "b_sanitize" and option["value"] != "none" for option in json.load(file))


def watch(build, path):
    """Creates the file, for processes of any user, if BUILD has sanitizers."""
    global _path
    if not _has_sanitizers(build):
        return
    _path = path
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, _SIZE)
    os.chmod(path, 0o666)
    os.environ.update(environment())


def watched():
    """Whether the build has sanitizers."""
    return _path is not None


def environment():
    """Returns the environment that names the file."""
    return {"ROOTLET_REPORTS": _path} if _path else {}


def _place(match):
    """Names the function and the line of an address in a program."""
    done = subprocess.run(["addr2line", "-pfie", *match.groups()], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL,
                          text=True, check=False)
    return f"{match.group(1)}: {done.stdout.strip()}"


def reports():
    """Returns the lines reported since the last call."""
    global _seen
    if not _path:
        return []
    with open(_path, "rb") as file:
        data = file.read()
    used = int.from_bytes(data[:_USED], "little")
    text = data[_USED + _seen:_USED + used].decode(errors="replace")
    _seen = used
    return _FRAME.sub(_place, text).splitlines()
