"""Real power cuts: rootlet publishes files in a guest with the release's kernel, on a disk whose writes
dm-log-writes records; then the log is replayed up to many points, and the result checked
(tools/power_guest.py). durable.py, which always runs, checks the order of system calls."""
import os
import re
import shutil
import subprocess

from support import guest, tap
from support.world import BUILD, PROFILE, ROOTLET, HELPER, SOURCE, fstests_rootfs, mirror

PROGRAMS = (ROOTLET, HELPER, f"{BUILD}/helper/rootlet-worker", f"{BUILD}/tests/test_run_dir")
SECONDS = 7200


def libraries():
    """Returns the libraries that the programs load, by name, except the C library, which the guest has."""
    found = {}
    for program in PROGRAMS:
        text = subprocess.run(["ldd", program], check=True, stdout=subprocess.PIPE, text=True).stdout
        found.update(re.findall(r"^\s*(\S+) => (/\S+)", text, re.M))
    return {name: path for name, path in found.items() if not re.match(r"lib(c|m|dl|rt|pthread)\.so", name)}


def fill(home):
    """Copies what the guest needs: the programs and their libraries, the mirror, the test itself."""
    share = home.make_dir(f"{home.dir}/power")
    at = mirror()
    for program in PROGRAMS:
        place = f"{share}/build/{os.path.relpath(program, BUILD)}"
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copy(program, place)
    os.makedirs(f"{share}/lib", exist_ok=True)
    for name, path in libraries().items():
        shutil.copy(path, f"{share}/lib/{name}")
    shutil.copytree(at.root, f"{share}/mirror", symlinks=True, dirs_exist_ok=True)
    shutil.copy(at.keyring, f"{share}/keyring.gpg")
    os.makedirs(f"{share}/config/rootlet/profiles", exist_ok=True)
    with open(f"{share}/config/rootlet/profiles/test.conf", "w", encoding="utf-8") as file:
        file.write(PROFILE)
    shutil.copytree(f"{SOURCE}/tests/support", f"{share}/tests/support", dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(f"{SOURCE}/tests/tools/power_guest.py", share)
    subprocess.run(["chmod", "-R", "a+rX", share], check=True)
    return share


def main():
    home = fstests_rootfs()
    share = fill(home)
    try:
        outcome = home.run("run", "--kernel", "distro", "--disk", "2G", "--disk", "6G", "--disk", "2G",
                           "--rwdir", share, "--memory", "2G", "--cpus", "2", "--timeout", SECONDS - 300,
                           "--", "python3",
                           f"{share}/power_guest.py", share, BUILD, "/dev/vda", "/dev/vdb", "/dev/vdc",
                           seconds=SECONDS)
    finally:
        shutil.rmtree(share)
    count = guest.pass_on(outcome.out.replace("\r", ""), "guest")
    tap.report(outcome.status == 0 and count >= 6, "the guest completed", outcome)


main()
tap.done()
