"""Further archives with keys of their own, for create --repository."""
import datetime
import hashlib
import os
import shutil

from . import debs
from . import mirror as mirrors

SUITE, COMPONENT = "stable", "extra"


def package(directory, name, version, content, **more):
    """Returns the path of a .deb whose only file, /usr/share/NAME/from, has CONTENT."""
    entries = [(f"./{path}/", "dir") for path in ("usr", "usr/share", f"usr/share/{name}")]
    return debs.make(f"{directory}/{content}", name, mirrors.arch(), version=version, entries=[
        *entries, (f"./usr/share/{name}/from", content.encode(), (0, 0), 0o644)], **more)


class Archive(mirrors.Mirror):
    """An archive with one suite and one component."""

    def __init__(self, directory):
        super().__init__(directory)
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(self.root)
        self.make_keys()

    def publish(self, packages, arch=None, sign=None, key="test", suite=SUITE, **fields):
        """Writes the index of PACKAGES and an InRelease with FIELDS changed, signed by SIGN's KEY."""
        base = f"{self.root}/dists/{SUITE}"
        index = f"{base}/{COMPONENT}/binary-{arch or mirrors.arch()}"
        shutil.rmtree(base, ignore_errors=True)
        os.makedirs(index)
        stanzas = [self.add_package(COMPONENT, deb) for deb in packages]
        self.write_index(index, "".join(stanzas).encode())
        now = datetime.datetime.now(datetime.timezone.utc)
        values = {"Origin": "Further", "Suite": suite, "Codename": suite, "Date": mirrors.date(now), **fields}
        text = "".join(f"{name}: {value}\n" for name, value in values.items()) + "SHA256:\n"
        for path in sorted(mirrors.files_below(base)):
            with open(f"{base}/{path}", "rb") as file:
                data = file.read()
            text += f" {hashlib.sha256(data).hexdigest()} {len(data)} {path}\n"
        with open(f"{base}/InRelease", "wb") as file:
            file.write((sign or self).sign(text, key))
