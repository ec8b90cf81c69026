"""A kernel built from the source that the host's archive has, as `vng --kconfig` configures it: what most
people who work on kernels boot."""
import glob
import os
import re
import subprocess

from . import tap


def _run(home, words, folder, seconds):
    """As the user; raises RuntimeError with the last of what it printed."""
    done = subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False, timeout=seconds, **home.user.switch(),
                          env={**home.environment(), "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit status {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


def unpack_source(home, folder):
    """The newest linux-source of the host's apt, downloaded and unpacked below FOLDER: the tree's path."""
    depends = _run(home, ["apt-cache", "depends", "linux-source"], folder, 60)
    package = re.search(r"Depends: (linux-source-\S+)", depends)
    if not package:
        raise RuntimeError(f"linux-source is of no version: {depends}")
    _run(home, ["apt-get", "-q", "download", package.group(1)], folder, 1200)
    deb, = glob.glob(f"{folder}/*.deb")
    _run(home, ["dpkg-deb", "-x", deb, folder], folder, 600)
    os.unlink(deb)
    # Debian's place is the first, Ubuntu's the second.
    archive, = (path for depth in ("", "*/") for path in glob.glob(f"{folder}/usr/src/{depth}linux-source-*.tar.*"))
    _run(home, ["tar", "-x", "-f", archive], folder, 600)
    os.unlink(archive)
    tree, = glob.glob(f"{folder}/linux-source-*")
    return tree


def build(home, tree, *items):
    """Configures TREE as vng does, with ITEMS such as CONFIG_EXT4_FS=y besides, and builds it."""
    _run(home, ["vng", "--kconfig", *(word for item in items for word in ("--configitem", item))], tree, 600)
    _run(home, ["make", f"-j{os.cpu_count()}"], tree, 4 * 3600)


def release(home, tree):
    """What uname -r says when it runs."""
    return _run(home, ["make", "-s", "kernelrelease"], tree, 60).strip()


def vng_kernel(home):
    """The tree of a built kernel; None, reported, if there is none."""
    folder = home.make_folder(f"{home.folder}/linux")
    try:
        tree = unpack_source(home, folder)
        build(home, tree)
        return tree
    except (RuntimeError, OSError, ValueError, subprocess.SubprocessError) as error:
        tap.report(False, "a kernel with vng's configuration is built", error)
        return None
