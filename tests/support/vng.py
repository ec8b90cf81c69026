"""A fake virtme-ng: `rootlet run` stops where vng would take over, after building the root image, which is
all of its own work."""
import os

from . import debs
from . import mirror as mirrors

TOY = "6.9.0-1"


def kernel(version="", size=4096):
    """Writes a kernel header, which is all that rootlet reads before vng takes over, padded to SIZE bytes."""
    image = bytearray(size)
    image[0x1f1], image[0x1fe:0x200], image[0x202:0x206] = 4, b"\x55\xaa", b"HdrS"
    if version:
        image[0x20f] = 4  # pointer to the version string: 0x400, plus 0x200
        image[0x600:0x600 + len(version)] = version.encode()
    return bytes(image)


def stand_in(home):
    """Returns (a fake kernel, the environment); the run exits with status 125."""
    os.chmod(home.write("bin/vng", "#!/bin/sh\nexit 3\n"), 0o755)
    return home.write("kernel", kernel()), {"PATH": f"{home.folder}/bin:/usr/local/bin:/usr/bin:/bin"}


def is_image(path):
    """Whether an erofs image is complete: its magic number is written last."""
    with open(path, "rb") as file:
        return file.read(1028)[1024:] == b"\xe2\xe1\xf5\xe0"


def toy_packages(folder):
    """Creates a fake kernel, packaged like Ubuntu's: a package that depends on the newest kernel, and that
    kernel."""
    modules = f"./lib/modules/{TOY}"
    return [debs.make(folder, "linux-image-virtual", mirrors.arch(), fields=f"Depends: linux-image-{TOY}\n"),
            debs.make(folder, f"linux-image-{TOY}", mirrors.arch(), entries=[
                (f"./boot/vmlinuz-{TOY}", kernel(TOY, 1 << 20)),
                (f"./boot/config-{TOY}", "".join(f"CONFIG_{name}=y\n" for name in (
                    "VIRTIO_BLK", "OVERLAY_FS", "NET_9P_VIRTIO", "9P_FS", "EROFS_FS", "EXT4_FS")).encode()),
                (f"{modules}/modules.order", b""), (f"{modules}/modules.builtin", b""),
                (f"{modules}/kernel/toy.ko", b"no module at all")])]
