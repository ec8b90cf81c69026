"""Packages from npm, which are pinned by a lock file with their hashes and kept between runs."""
import hashlib
import os
import shutil
import subprocess

from . import tap
from .world import SHARED, SOURCE, locked

FILES = ("package.json", "package-lock.json", ".npmrc")


def needs_node(least, what):
    """Skips the program if the host's node is older."""
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    if int(version.lstrip("v").partition(".")[0] or 0) < least:
        tap.skip(what, f"it needs node {least}, this host has {version.strip() or 'none'}")
        tap.done()


def installed(name, program):
    """Returns a directory with the packages of tests/NAME and its PROGRAM."""
    digest = hashlib.sha256()
    for file_name in FILES:
        with open(f"{SOURCE}/tests/{name}/{file_name}", "rb") as file:
            digest.update(file.read())
    directory = f"{SHARED}/npm-{name}-{digest.hexdigest()[:16]}"
    with locked(f"npm-{name}"):
        if not os.path.exists(f"{directory}/installed"):
            shutil.rmtree(directory, ignore_errors=True)
            os.makedirs(directory, mode=0o755)
            for file_name in FILES:
                shutil.copy(f"{SOURCE}/tests/{name}/{file_name}", directory)
            done = subprocess.run(["npm", "ci"], cwd=directory, capture_output=True, text=True, check=False,
                                  env={**os.environ, "npm_config_cache": f"{directory}/cache"})
            if not tap.report(done.returncode == 0, f"npm ci installs the packages of tests/{name}",
                              done.stdout, done.stderr):
                tap.done()
            shutil.rmtree(f"{directory}/cache", ignore_errors=True)
            open(f"{directory}/installed", "w", encoding="utf-8").close()
        shutil.copy(f"{SOURCE}/tests/{name}/{program}", directory)
    return directory
