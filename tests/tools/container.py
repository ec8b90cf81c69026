"""container.py SPEC COMMAND…: runs a command as a container runtime would, as root. SPEC is a JSON object:

first_id      the host's id of the container's root, for a user namespace with 131072 ids; null: none
user          uid and gid of the command
masked        whether parts of /proc are covered or read-only, as in most containers
capabilities  the names of those that it may have at most
escalation    whether it may gain privileges by running a program
binds         [file, path where the container sees it instead]

The root directory stays the host's."""
import ctypes
import json
import os
import subprocess
import sys

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWCGROUP = (
    0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x2000000)
IDS = 131072
# What runc covers, and what it makes read-only.
COVERED = ("kcore", "keys", "latency_stats", "timer_list", "sched_debug")
READ_ONLY = ("bus", "fs", "irq", "sys", "sysrq-trigger")


def unshare(flags):
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def make_userns(first):
    """The parent writes the id maps."""
    asked, ask = os.pipe()
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        unshare(CLONE_NEWUSER)
        os.write(ask, b"x")
        os.read(told, 1)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        os.setgroups([])
        return
    os.read(asked, 1)
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
            file.write(f"0 {first} {IDS}\n")
    os.write(tell, b"x")
    wait(pid)


def wait(pid):
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os._exit(status if status >= 0 else 128 - status)


def mount_proc(masked):
    mount("-t", "proc", "proc", "/proc")
    for name in COVERED if masked else ():
        if os.path.exists(f"/proc/{name}"):
            mount("--bind", "/dev/null", f"/proc/{name}")
    for name in READ_ONLY if masked else ():
        if os.path.exists(f"/proc/{name}"):
            mount("--bind", f"/proc/{name}", f"/proc/{name}")
            mount("-o", "remount,bind,ro", f"/proc/{name}")


def main():
    spec, command = json.loads(sys.argv[1]), sys.argv[2:]
    unshare(CLONE_NEWNS)
    mount("--make-rprivate", "/")
    for source, path in spec["binds"]:
        mount("--bind", source, path)
    if spec["first_id"] is not None:
        make_userns(spec["first_id"])
    unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
    first = os.fork()
    if first:
        wait(first)
    mount_proc(spec["masked"])
    uid, gid = map(str, spec["user"])
    bound = ["-all", *(f"+{name.lower()}" for name in spec["capabilities"])]
    words = ["setpriv", "--bounding-set", ",".join(bound), "--inh-caps", "-all", "--clear-groups",
             "--regid", gid, "--reuid", uid]
    os.execvp("setpriv", [*words, *([] if spec["escalation"] else ["--no-new-privs"]), *command])


main()
