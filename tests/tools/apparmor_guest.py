"""integration/apparmor.py runs this in its guest as root. The argument is the directory with the files it
needs."""
import glob
import os
import re
import signal
import subprocess
import sys
import time

from support import protocol, tap
from support.world import User

SHARE = sys.argv[1]
PREFIX = "/usr/local"
ROOTLET, HELPER = f"{PREFIX}/bin/rootlet", f"{PREFIX}/libexec/rootlet/rootlet-helper"
DATA = f"{PREFIX}/share/rootlet"
PROFILE = f"{DATA}/apparmor/rootlet-helper.apparmor"
USERNS = f"{PREFIX}/libexec/rootlet/rootlet-userns"
ATTACK = "/opt/userns_attack"
PRELOADED = "/opt/userns_attack_preloaded.so"
LOG = "/opt/log/attack"
TESTER = User("tester", 1000, 1000)
UNCONFINED = "apparmor_restrict_unprivileged_unconfined"
PORT = 8080
SOURCE = ["--mirror", f"http://127.0.0.1:{PORT}", "--keyring", "/opt/keyring.gpg"]
POLICY = """[allow tester]
users = tester
folders = *
keyrings = *
[ids]
first = 1000000000
uids = 1-9999
[audit]
journal = no
"""


def root(*words, **more):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          **more)


def as_tester(*words, **environment):
    """Returns the command line to run a command as the ordinary user, with the groups of a login."""
    values = {"HOME": "/home/tester", "USER": "tester", "LANG": "C.UTF-8", "TMPDIR": "/var/tmp",
              "PATH": "/usr/local/bin:/usr/bin:/bin", **environment}
    # Preload only into that command.
    return ["setpriv", "--reuid", "tester", "--regid", "tester", "--init-groups", "env", "-i",
            *(f"{name}={value}" for name, value in values.items()), *words]


def tester(*words, seconds=2400, stdin=subprocess.DEVNULL, **environment):
    """Runs a command as the ordinary user; returns the outcome."""
    began = time.monotonic()
    done = root("timeout", "-k", "10", str(seconds), *as_tester(*words, **environment), cwd="/", stdin=stdin)
    done.seconds = time.monotonic() - began
    return done


def set_rule(name, value):
    with open(f"/proc/sys/kernel/{name}", "w", encoding="ascii") as file:
        file.write(value)


def prepare():
    root("ip", "link", "set", "lo", "up")
    root("useradd", "--create-home", "--uid", "1000", "tester")
    for file in ("/etc/subuid", "/etc/subgid"):
        with open(file, "w", encoding="ascii") as out:
            out.write("tester:100000:65536\n")
    root("cp", "-a", f"{SHARE}/installed{PREFIX}/.", PREFIX)
    root("chown", "-R", "root:root", PREFIX)
    root("cp", "--no-preserve=ownership", f"{SHARE}/userns_attack", f"{SHARE}/userns_attack_preloaded.so",
         f"{SHARE}/keyring.gpg", "/opt")
    root("cp", "-a", f"{SHARE}/mirror", "/opt")
    os.mkdir("/opt/log")
    os.chmod("/opt/log", 0o777)
    server = subprocess.Popen([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory",
                               "/opt/mirror", str(PORT)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    # Ubuntu loads it at boot.
    done = root("apparmor_parser", "-K", "-r", "/etc/apparmor.d/unprivileged_userns")
    tap.report(done.returncode == 0, "AppArmor runs, with Ubuntu's profile for unconfined programs",
               done.stdout)
    set_rule("apparmor_restrict_unprivileged_userns", "1")
    return server


def attacked(what, *words, **environment):
    """Returns the attack's lines: its own output if it is the program, or the log if it is preloaded."""
    if os.path.exists(LOG):
        os.unlink(LOG)
    done = tester(*words, ATTACK_LOG=LOG, **environment)
    lines = open(LOG, encoding="utf-8").read().splitlines() if os.path.exists(LOG) else []
    tap.note(f"{what}: {'; '.join(lines) or 'not loaded'}")
    return lines, done


def denied(what, *words, **environment):
    lines, done = attacked(what, *words, **environment)
    tap.report(lines and all(" denied: " in line for line in lines), f"denied: {what}", *lines, done.stdout)


def capable(what, *words, **environment):
    """A case in which the attack works, which proves that it is one."""
    lines, done = attacked(what, *words, **environment)
    tap.report(any(line.endswith(" capable") for line in lines), f"capable: {what}", *lines, done.stdout)


def preloads():
    """Each program in the profile, and rootlet itself, with the caller's code preloaded."""
    for variable in ("LD_PRELOAD", "LD_AUDIT"):
        for words in (["--version"], ["doctor"], ["list"]):
            denied(f"{variable} into rootlet {words[0]}", ROOTLET, *words, **{variable: PRELOADED})
        lines, done = attacked(f"{variable} into rootlet-helper", HELPER, **{variable: PRELOADED})
        tap.report(not lines and "not by hand" in done.stdout,
                   f"{variable} into rootlet-helper loads nothing",
                   *lines, done.stdout)


def create(mode, name):
    done = tester(ROOTLET, "create", "--release", "jammy", "--profile", "small", "--quiet", "--fresh",
                  "--name",
                  name, *SOURCE)
    tap.report(done.returncode == 0, f"{mode}: rootlet create works, in {done.seconds:.0f} s", done.stdout)


def profile_of_user():
    directory = "/home/tester/.config/rootlet/profiles"
    os.makedirs(directory)
    with open(f"{directory}/small.conf", "w", encoding="ascii") as out:
        out.write("[packages]\nall = attr acl\n")
    root("chown", "-R", "tester:tester", "/home/tester")


def without_profile():
    denied("no profile", ATTACK)
    done = tester(ROOTLET, "create", "--release", "jammy", "--profile", "small", "--quiet", *SOURCE)
    tap.report(done.returncode == 5 and
               re.search("cannot create .*namespaces?: .*; to see which setting forbids it, run: rootlet "
                         "doctor", done.stdout),
               "without the profile, create leads to doctor", done.stdout)
    done = tester(ROOTLET, "doctor")
    tap.report(re.search(rf"^missing +user namespaces +AppArmor forbids .*\n.*{DATA}/install-helper, .*"
                         rf"apparmor_parser -r {PROFILE}.*=0\)", done.stdout, re.M),
               "without the profile, doctor names the program and the file", done.stdout)


def user_mode():
    done = root("apparmor_parser", "-K", "-r", PROFILE)
    tap.report(done.returncode == 0, "the profile loads", done.stdout)
    done = tester(ROOTLET, "doctor")
    tap.report(re.search(r"^ok +user namespaces +AppArmor lets rootlet's own", done.stdout, re.M) and
               re.search(r"^ok +seal of VMs", done.stdout, re.M),
               "user mode: doctor reports working namespaces", done.stdout)
    preloads()
    denied("user mode: a program of the caller", ATTACK)
    # As SECURITY.md says: the caller owns the namespace, by the protocol.
    with protocol.Helper(TESTER, program=HELPER, seconds=300) as helper:
        answer = helper.ask("OpenNamespace")
        tap.report(answer.code == 0 and len(answer.fds) == 1,
                   "user mode: the namespace belongs to the caller", answer)
        for fd in answer.fds:
            os.close(fd)
    # Ubuntu's own bypass of every profile, and its fix.
    capable("aa-exec, as Ubuntu allows it", "aa-exec", "-p", "rootlet-helper", ATTACK)
    set_rule(UNCONFINED, "1")
    denied("aa-exec, with kernel.apparmor_restrict_unprivileged_unconfined", "aa-exec", "-p",
           "rootlet-helper", ATTACK)
    create("user mode", "by-user")
    in_jail("user mode", "by-user")
    # As root of the namespace, which the caller owns; the same is true for every program that creates one for
    # its caller.
    enter_all("user mode", "by-user", lambda lines: tap.report(
        any(line.endswith(" capable")
            for line in lines), "capable: user mode: into the caller's own namespace", *lines))


def processes_of_helper():
    found = []
    for path in glob.glob("/proc/[0-9]*/ns/user"):
        try:
            # All other processes are in the initial namespace.
            if os.readlink(path) != os.readlink("/proc/1/ns/user"):
                found.append(path.split("/")[2])
        except OSError:
            pass
    return found


def jail_of(name):
    """Starts a shell in a rootfs, and finds the processes in user namespaces."""
    shell = subprocess.Popen(as_tester(ROOTLET, "shell", "--name", name, "--", "sleep", "1000"),
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while time.monotonic() < end and not root("pgrep", "-x", "sleep").stdout.strip() and shell.poll() is None:
        time.sleep(1)
    return shell, processes_of_helper()


def enter_all(mode, name, attempt):
    shell, found = jail_of(name)
    tap.report(len(found) >= 4, f"{mode}: the jail and the processes around it exist", *found)
    lines = []
    for pid in found:
        lines += attacked(f"{mode}: into the namespace of process {pid}", ATTACK, pid)[0]
    attempt(lines)
    shell.send_signal(signal.SIGTERM)
    shell.wait()


def in_jail(mode, name):
    """Code in a jail is root there, but cannot create another namespace."""
    with open(ATTACK, "rb") as program:
        done = tester(ROOTLET, "shell", "--name", name, "--", "sh", "-c",
                      "cat >/tmp/a && chmod 755 /tmp/a && /tmp/a",
                      stdin=program)
    tap.report(re.search(r"^a denied: unshare: ", done.stdout, re.M), f"denied: {mode}: in a jail",
               done.stdout)


def installed_mode():
    done = root(f"{DATA}/install-helper")
    tap.report(done.returncode == 0 and "AppArmor profile loaded" in done.stdout,
               "install-helper loads the profile", done.stdout)
    root("usermod", "--append", "--groups", "rootlet", "tester")
    with open("/etc/rootlet/policy.conf", "w", encoding="ascii") as out:
        out.write(POLICY)
    done = tester(ROOTLET, "doctor")
    tap.report(re.search(r"^warning +user namespaces +AppArmor lets rootlet-helper", done.stdout, re.M),
               "installed: doctor", done.stdout)
    preloads()
    groups = subprocess.run(["id", "-G", "tester"], stdout=subprocess.PIPE, text=True,
                            check=True).stdout.split()
    member = User("tester", 1000, 1000)
    member.switch = lambda: {"user": 1000, "group": 1000, "extra_groups": [int(group) for group in groups]}
    with protocol.Helper(member, program=HELPER, seconds=300) as helper:
        answer = helper.ask("OpenNamespace")
        tap.report(answer.code == protocol.REFUSED and not answer.fds,
                   "installed: the namespace is not handed out",
                   answer)
    create("installed", "by-installed")
    in_jail("installed", "by-installed")
    enter_all("installed", "by-installed", lambda lines: tap.report(
        lines and all(" denied: " in line
                      for line in lines), "denied: installed: into every namespace of the helper",
        *lines))
    done = root(f"{DATA}/install-helper", "--vm")
    tap.report(done.stdout.count("AppArmor profile loaded") == 2, "install-helper --vm loads both profiles",
               done.stdout)
    done = tester(ROOTLET, "doctor")
    tap.report(re.search(r"^ok +user namespaces +AppArmor lets rootlet's own", done.stdout, re.M) and
               re.search(r"^ok +seal of VMs", done.stdout, re.M),
               "installed, for VMs: doctor reports working namespaces", done.stdout)
    for variable in ("LD_PRELOAD", "LD_AUDIT"):
        lines, done = attacked(f"{variable} into rootlet-userns", USERNS, **{variable: PRELOADED})
        tap.report(not lines, f"{variable} into rootlet-userns loads nothing", *lines, done.stdout)
    # Through a shell: setpriv itself still has all rights when it executes.
    done = root("setpriv", "--reuid", "1001", "--regid", "1001", "--clear-groups", "sh", "-c", USERNS)
    tap.report("ermission denied" in done.stdout, "only members of the group can run rootlet-userns",
               done.stdout)
    done = root(f"{DATA}/install-helper", "--remove")
    with open("/sys/kernel/security/apparmor/profiles", encoding="ascii") as file:
        tap.report(done.returncode == 0 and not glob.glob("/etc/apparmor.d/rootlet-*") and
                   "rootlet" not in file.read(),
                   "install-helper --remove unloads both profiles", done.stdout)
    os.unlink("/etc/rootlet/policy.conf")


server = prepare()
try:
    profile_of_user()
    without_profile()
    installed_mode()
    user_mode()
finally:
    server.kill()
tap.done()
