"""A fake virtme-ng: `rootlet run` stops where vng would take over, after building the root image, which is
all of its own work."""
import gzip
import os
import struct

from . import debs
from . import mirror as mirrors

TOY = "6.9.0-1"

# Runs before each guest script: finds the channels and the results directory, and counts the boots.
PRELUDE = r"""#!/bin/bash
for word; do
	case $word in
	/opt/rootlet/results=*) results=${word#*=} ;;
	*path=*/status*) directory=${word#*path=}; directory=${directory%%/status*}
		directory=${directory##*path=}
		directory=${directory%%/console*} ;;
	esac
	[[ $before != --root ]] || root=$word
	before=$word
done
boot=1
# Two guests may boot at once.
until (set -o noclobber; printf '%s\n' "$@" >"$results/words.$boot") 2>/dev/null; do
	[[ -e $results/words.$boot ]] || break
	((boot++))
done
sed 's/^/set /' "$root"/rootlet/settings >"$results/settings" 2>/dev/null
cat "$root"/rootlet/command "$root"/usr/lib/rootlet/run "$directory"/command \
	>"$results/command.$boot" 2>/dev/null
console() { echo "[    1.000000] $*" >"$directory/console"; }
status() { echo "$*" >"$directory/status"; }
running() { console "run fstests $1 at now"; printf '%-12s       ' "$1"; }
token=$(grep -aho 'rootlet-[0-9a-f]\{16\}' "$results/command.$boot" | head -n 1)
# As frontend/guest/fstests.sh does: starts, lists the tests if asked to, and waits for the order to run
# check.
begin() {
	status started
	while echo "$token ready 0" && IFS=$'\037' read -ra order; do
		case ${order[0]} in
		list) eval "$(grep 'rootlet[.]list$' "$0")" ;;
		*) printf "'%s' " "${order[@]:1}" >"$results/check.$boot"; return ;;
		esac
	done
}
# check ends with this status, and then the guest.
finish() { echo "$token ready $1"; read -r order; status exit "$1"; }
"""


def kernel(version="", size=4096):
    """Writes a kernel header, which is all that rootlet reads before vng takes over, padded to SIZE bytes."""
    image = bytearray(size)
    image[0x1f1], image[0x1fe:0x200], image[0x202:0x206] = 4, b"\x55\xaa", b"HdrS"
    if version:
        image[0x20f] = 4  # pointer to the version string: 0x400, plus 0x200
        image[0x600:0x600 + len(version)] = version.encode()
    return bytes(image)


MAGIC = "".join(f"CONFIG_{name}=y\n" for name in ("VIRTIO_BLK", "OVERLAY_FS", "NET_9P_VIRTIO", "9P_FS"))
EROFS, EXT4 = "CONFIG_EROFS_FS=y\n", "CONFIG_EXT4_FS=y\n"


def kernel_with(config=None, version=None):
    """Returns the parts of a bzImage that rootlet reads: its header, and CONFIG as CONFIG_IKCONFIG embeds
    it."""
    image = bytearray(kernel(version, 8192))
    if config is not None:
        inner = b"\x7fELF and more " * 20 + b"IKCFG_ST" + gzip.compress(config.encode()) + b"IKCFG_ED" + \
            b"\0" * 99
        payload = gzip.compress(inner)
        image[0x248:0x250] = struct.pack("<II", len(image) - 2560, len(payload))
        image += payload
    return bytes(image)


def stand_in(home):
    """Returns (a fake kernel, the environment); the run exits with status 125."""
    os.chmod(home.write("bin/vng", "#!/bin/sh\nexit 3\n"), 0o755)
    return home.write("kernel", kernel()), {"PATH": f"{home.dir}/bin:/usr/local/bin:/usr/bin:/bin"}


def is_image(path):
    """Whether an erofs image is complete: its magic number is written last."""
    with open(path, "rb") as file:
        return file.read(1028)[1024:] == b"\xe2\xe1\xf5\xe0"


def toy_packages(directory):
    """Creates a fake kernel, packaged like Ubuntu's: a package that depends on the newest kernel, and that
    kernel."""
    modules = f"./lib/modules/{TOY}"
    return [debs.make(directory, "linux-image-virtual", mirrors.arch(),
                      fields=f"Depends: linux-image-{TOY}\n"),
            debs.make(directory, f"linux-image-{TOY}", mirrors.arch(), entries=[
                (f"./boot/vmlinuz-{TOY}", kernel(TOY, 1 << 20)),
                (f"./boot/config-{TOY}", "".join(f"CONFIG_{name}=y\n" for name in (
                    "VIRTIO_BLK", "OVERLAY_FS", "NET_9P_VIRTIO", "9P_FS", "EROFS_FS", "EXT4_FS")).encode()),
                (f"{modules}/modules.order", b""), (f"{modules}/modules.builtin", b""),
                (f"{modules}/kernel/toy.ko", b"no module at all")])]
