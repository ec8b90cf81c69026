"""A kernel built from the source package of the host's archive, configured with `vng --kconfig`, like those
that most kernel developers boot."""
import glob
import os
import re
import subprocess

from . import tap


def _run(home, words, directory, seconds):
    """Runs a command as the user; raises RuntimeError with its last output."""
    done = subprocess.run(words, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False, timeout=seconds, **home.user.switch(),
                          env={**home.environment(), "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit status {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


def unpack_source(home, directory):
    """Downloads the host's newest linux-source and unpacks it below `directory`; returns the tree's path."""
    depends = _run(home, ["apt-cache", "depends", "linux-source"], directory, 60)
    package = re.search(r"Depends: (linux-source-\S+)", depends)
    if not package:
        raise RuntimeError(f"linux-source has no version: {depends}")
    _run(home, ["apt-get", "-q", "download", package.group(1)], directory, 1200)
    deb, = glob.glob(f"{directory}/*.deb")
    _run(home, ["dpkg-deb", "-x", deb, directory], directory, 600)
    os.unlink(deb)
    # The first path is Debian's, the second Ubuntu's.
    archive, = (path for depth in ("", "*/")
                for path in glob.glob(f"{directory}/usr/src/{depth}linux-source-*.tar.*"))
    _run(home, ["tar", "-x", "-f", archive], directory, 600)
    os.unlink(archive)
    tree, = glob.glob(f"{directory}/linux-source-*")
    return tree


def build(home, tree, *items):
    """Configures TREE as vng does, plus ITEMS such as CONFIG_EXT4_FS=y, and builds it."""
    _run(home, ["vng", "--kconfig", *(word for item in items for word in ("--configitem", item))], tree, 600)
    _run(home, ["make", f"-j{os.cpu_count()}"], tree, 4 * 3600)


def release(home, tree):
    """Returns its release, as in uname -r."""
    return _run(home, ["make", "-s", "kernelrelease"], tree, 60).strip()


def vng_kernel(home):
    """Returns the tree of a built kernel; reports a failure and returns None if it is missing."""
    directory = home.make_dir(f"{home.dir}/linux")
    try:
        tree = unpack_source(home, directory)
        build(home, tree)
        return tree
    except (RuntimeError, OSError, ValueError, subprocess.SubprocessError) as error:
        tap.report(False, "a kernel with vng's configuration builds", error)
        return None
