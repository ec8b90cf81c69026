"""Packages in several versions, and mirrors that get newer, for tests of install, uninstall and upgrade."""
import contextlib
import json
import os
import subprocess

from . import debs
from . import mirror as mirrors
from .protocol import Helper, opened
from .world import SCRATCH

NEVER_ENDS = "#!/bin/sh\nexec sleep 600\n"
FAILS = "#!/bin/sh\nfor i in 1 2 3; do echo odd word $i; done\necho no such thing >&2\nexit 3\n"


def _files(name, version, *more):
    return [(f"./usr/share/{name}/", "dir"),
            (f"./usr/share/{name}/version", version.encode(), (0, 0), 0o644), *more]


def _application(version, needs):
    """A package with two configuration files."""
    files = [("./etc/odd-app/", "dir")]
    files += [(f"./etc/odd-app/{name}", f"of version {version}\n".encode(), (0, 0), 0o644)
              for name in ("edited", "untouched")]
    return {"entries": _files("odd-app", version, *files), "fields": f"Depends: {needs}\n",
            "scripts": {"conffiles": "/etc/odd-app/edited\n/etc/odd-app/untouched\n"}}


def _plain(name, version, **more):
    return {"entries": _files(name, version), **more}


# By mirror, each made from the one before: (pocket, package, version, how).
FIRST = [
    ("", "odd-app", "1", _application("1", "odd-lib")),
    ("", "odd-lib", "1", _plain("odd-lib", "1")),
    ("", "odd-shared", "1", _plain("odd-shared", "1")),
    ("", "odd-user", "1", _plain("odd-user", "1", fields="Depends: odd-shared\n")),
    ("", "odd-attr", "1", _plain("odd-attr", "1", fields="Depends: attr\n")),
    ("", "odd-held", "1", _plain("odd-held", "1")),
    ("", "odd-safe", "1", _plain("odd-safe", "1")),
    ("", "odd-late", "1", _plain("odd-late", "1")),
    ("", "odd-before", "1", _plain("odd-before", "1", scripts={"preinst": FAILS})),
    ("", "odd-after", "1", _plain("odd-after", "1", scripts={"postinst": FAILS})),
    ("", "odd-slow", "1", _plain("odd-slow", "1", scripts={"postinst": NEVER_ENDS})),
    ("", "odd-stuck", "1", _plain("odd-stuck", "1")),
    ("", "odd-large", "1",
     {"entries": _files("odd-large", "1", ("./usr/share/odd-large/zeros", bytes(80 << 20)))}),
]
SECOND = [
    ("updates", "odd-app", "2", _application("2", "odd-lib, odd-more")),
    ("updates", "odd-more", "2", _plain("odd-more", "2")),
    ("updates", "odd-held", "2", _plain("odd-held", "2")),
    ("security", "odd-safe", "2", _plain("odd-safe", "2")),
    ("updates", "odd-stuck", "2", _plain("odd-stuck", "2", scripts={"postinst": NEVER_ENDS})),
]
THIRD = [("updates", "odd-app", "3", _application("3", "odd-lib, odd-more"))]


def two(base, directory):
    """Returns two mirrors made from BASE, of which only the second has updates for the package odd-old."""
    first, second = ([debs.make(f"{directory}/debs", "odd-old", mirrors.arch(), version=version,
                                **_plain("odd-old", version))] for version in "12")
    at = base.with_packages(f"{directory}/first", first)
    return at, at.with_packages(f"{directory}/second", second, pocket="updates")


class Mirrors:
    """at = Mirrors(mirror); at.first, at.second and at.third are mirrors, each newer than the one before."""

    def __init__(self, base):
        self.dir = f"{SCRATCH}/{os.getpid()}.changes"
        self.first = self.after(base, "first", FIRST)
        self.second = self.after(self.first, "second", SECOND)
        self.third = self.after(self.second, "third", THIRD)

    def after(self, at, name, packages):
        """Returns a mirror made from AT with PACKAGES added."""
        for pocket in sorted({pocket for pocket, *_ in packages}):
            made = [debs.make(f"{self.dir}/debs", package, mirrors.arch(), version=version, **how)
                    for its, package, version, how in packages if its == pocket]
            at = at.with_packages(f"{self.dir}/{name}{pocket}", made, pocket=pocket)
        return at


def digest(home, name="test-rootfs"):
    """Returns the digest of a rootfs, which covers all its files."""
    with Helper(home.user, seconds=300) as helper, opened(f"{home.store}/{name}") as fds:
        return helper.ask("Inspect", fds, digest=1).digest


def manifest(home, name="test-rootfs"):
    return json.loads(home.run("shell", "--name", name, "--", "cat",
                               "/etc/rootlet/manifest.json").out or "{}")


@contextlib.contextmanager
def used(home, name="test-rootfs"):
    """A rootfs in which a shell runs; yields whether it does."""
    shell = home.start("shell", "--name", name, "--", "sh", "-c", "echo inside; read line",
                       stdin=subprocess.PIPE)
    try:
        yield shell.stdout.readline() == b"inside\n"
    finally:
        shell.communicate(b"\n")
