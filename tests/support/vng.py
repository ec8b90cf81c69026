"""What stands in for virtme-ng: `rootlet run` ends where that takes over, and all that it has done is its own
work, the root image."""
import os


def stand_in(home):
    """(a kernel of its form, what has to be in the environment); the run ends with status 125."""
    header = bytearray(4096)
    header[0x1f1], header[0x1fe:0x200], header[0x202:0x206] = 4, b"\x55\xaa", b"HdrS"
    os.chmod(home.write("bin/vng", "#!/bin/sh\nexit 3\n"), 0o755)
    return home.write("kernel", bytes(header)), {"PATH": f"{home.folder}/bin:/usr/local/bin:/usr/bin:/bin"}


def is_image(path):
    """An erofs as a whole has its magic number, which is written last."""
    with open(path, "rb") as file:
        return file.read(1028)[1024:] == b"\xe2\xe1\xf5\xe0"
