"""What stands in for virtme-ng: `rootlet run` ends where that takes over, and all that it has done is its own
work, the root image."""
import os

from . import debs
from . import mirror as mirrors

TOY = "6.9.0-1"


def kernel(version="", size=4096):
    """The header of one, which is all that is looked at before vng has it, and SIZE bytes."""
    image = bytearray(size)
    image[0x1f1], image[0x1fe:0x200], image[0x202:0x206] = 4, b"\x55\xaa", b"HdrS"
    if version:
        image[0x20f] = 4  # where its version stands: 0x400, and 0x200 further
        image[0x600:0x600 + len(version)] = version.encode()
    return bytes(image)


def stand_in(home):
    """(a kernel of its form, what has to be in the environment); the run ends with status 125."""
    os.chmod(home.write("bin/vng", "#!/bin/sh\nexit 3\n"), 0o755)
    return home.write("kernel", kernel()), {"PATH": f"{home.folder}/bin:/usr/local/bin:/usr/bin:/bin"}


def is_image(path):
    """An erofs as a whole has its magic number, which is written last."""
    with open(path, "rb") as file:
        return file.read(1028)[1024:] == b"\xe2\xe1\xf5\xe0"


def toy_packages(folder):
    """A kernel that only a stand-in boots, as Ubuntu packages one: one that depends on the newest kernel,
    and that."""
    modules = f"./lib/modules/{TOY}"
    return [debs.make(folder, "linux-image-virtual", mirrors.arch(), fields=f"Depends: linux-image-{TOY}\n"),
            debs.make(folder, f"linux-image-{TOY}", mirrors.arch(), entries=[
                (f"./boot/vmlinuz-{TOY}", kernel(TOY, 1 << 20)),
                (f"./boot/config-{TOY}", "".join(f"CONFIG_{name}=y\n" for name in (
                    "VIRTIO_BLK", "OVERLAY_FS", "NET_9P_VIRTIO", "EROFS_FS", "EXT4_FS")).encode()),
                (f"{modules}/modules.order", b""), (f"{modules}/modules.builtin", b""),
                (f"{modules}/kernel/toy.ko", b"no module at all")])]
