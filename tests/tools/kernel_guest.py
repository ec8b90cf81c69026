"""integration/kernels.py runs this in a guest as root: kernel_guest.py SHARE SOURCE BUILD SHARED PROGRAM…

Unpacks SHARE/all.tar and runs the test programs like ./tests/run: as root, with rootlet run by an ordinary
user with a range of ids. Prints "== PROGRAM", its output, and "== end: " with its exit status and time."""
import glob
import os
import re
import shutil
import socket
import subprocess
import sys
import time

SHARE, SOURCE, BUILD, SHARED, *PROGRAMS = sys.argv[1:]
USERS = {"tester": (1000, 65536), "other": (1001, 65536)}
PLACE = {"rootlet-helper": "helper", "rootlet-worker": "helper", "rootlet-userns": "frontend"}
SECONDS = 7200  # per program
RESTRICTION = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"


def run(*words, **more):
    return subprocess.run(words, check=True, **more)


def prepare():
    """Sets up a disk for the tests' files, users, and the programs under test."""
    run("ip", "link", "set", "lo", "up")
    socket.sethostname("host-of-test")
    run("mkfs.ext4", "-q", "/dev/vda")
    run("mount", "/dev/vda", "/mnt")
    run("tar", "-C", "/mnt", "-xf", f"{SHARE}/all.tar")
    for library in glob.glob(f"{SHARE}/*.so.*"):
        for old in glob.glob(f"/usr/lib/*/{os.path.basename(library)}"):
            os.unlink(old)
            shutil.copy(library, old)
    os.makedirs("/mnt/var/tmp", exist_ok=True)
    os.chmod("/mnt/var/tmp", 0o1777)
    for place in ("/var/tmp", *(place for place in (SOURCE, BUILD) if not place.startswith("/var/tmp/"))):
        os.makedirs(place, exist_ok=True)
        run("mount", "--bind", f"/mnt{place}", place)
    first = 100000
    for file in ("/etc/subuid", "/etc/subgid"):
        open(file, "w", encoding="ascii").close()
    for name, (uid, count) in USERS.items():
        run("useradd", "--create-home", "--uid", str(uid), "--shell", "/bin/bash", name)
        for file in ("/etc/subuid", "/etc/subgid"):
            with open(file, "a", encoding="ascii") as out:
                out.write(f"{name}:{first}:{count}\n")
        first += count
    os.makedirs(f"{SHARED}/cache", exist_ok=True)
    os.makedirs("/var/tmp/scratch", mode=0o755)


def allow_helper():
    """Turns on AppArmor's restriction of user namespaces, if available, and loads rootlet's profile for this
    build."""
    if not os.path.exists(RESTRICTION):
        return
    with open(RESTRICTION, "w", encoding="ascii") as file:
        file.write("1")
    for name in PLACE:
        with open(f"{BUILD}/policy/{name}.apparmor", encoding="utf-8") as file:
            profile = re.sub(r"^profile \S+ /\S+/", rf"profile {name}-of-build {BUILD}/{PLACE[name]}/",
                             file.read(),
                             flags=re.M)
        run("apparmor_parser", "-K", "-r", input=profile.encode())


def environment():
    return {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": "/root",
            "PYTHONPATH": f"{SOURCE}/tests", "PYTHONDONTWRITEBYTECODE": "1", "ROOTLET_BUILD": BUILD,
            "ROOTLET_TEST_USER": "tester", "ROOTLET_TEST_OTHER": "other", "ROOTLET_TEST_SHARED": SHARED,
            "ROOTLET_TEST_SCRATCH": "/var/tmp/scratch", "ROOTLET_TEST_INSTALLED": f"{SHARED}/installed"}


def command_of(program):
    suite, name = program.split("/")
    return [f"{BUILD}/tests/{name}"] if suite == "unit" else ["python3", f"{SOURCE}/tests/{program}.py"]


def main():
    prepare()
    allow_helper()
    for program in PROGRAMS:
        print(f"== {program}", flush=True)
        began = time.monotonic()
        done = subprocess.run(["timeout", "-k", "30", str(SECONDS), *command_of(program)],
                              stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, env=environment(), cwd="/", check=False)
        print(f"\n== end: exit status {done.returncode}, {time.monotonic() - began:.0f} s", flush=True)


main()
