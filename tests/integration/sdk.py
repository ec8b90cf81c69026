"""`rootlet mcp` with an independent client, the official SDK in tests/mcp. It calls every tool, boots a
kernel with one, and cancels two while this program watches their processes."""
import json
import shutil
import subprocess
import time

from support import mirror as mirrors
from support import npm, tap
from support.guest import QUICK
from support.mcp import Server as Client
from support.pace import patient
from support.server import Server
from support.world import (PROFILE, ROOTLET, SOURCE, Home, Tidy, children, command_of, fstests_rootfs,
                           kill, mirror, wait_until)

PROCESSES = {"create": "rootlet-helper", "run": "qemu"}  # must end when a call is cancelled
SOON = patient(3)  # time limit in seconds; one second on an idle machine


def watch_end(process, name):
    """Reports how long the processes of a cancelled call take to end."""
    there = {pid for pid in children(process.pid) if PROCESSES[name] in command_of(pid)}
    process.stdin.write(b"\n")
    process.stdin.flush()
    began = time.monotonic()
    wait_until(lambda: not there & set(children(process.pid)), 60)
    took = time.monotonic() - began
    tap.report(there and took < SOON, f"cancelling {name} ends its processes", f"{there} after {took:.1f} s")
    tap.note(f"cancelling {name}: no {PROCESSES[name]} after {took:.2f} s")


def follow(process):
    """Reports the client's lines; returns whether it completed."""
    cases = 0
    for line in process.stdout:
        try:
            said = json.loads(line)
        except ValueError:
            tap.report(False, "the client prints valid lines", line)
            continue
        if "mark" in said:
            watch_end(process, said["mark"])
        elif "good" in said:
            cases += 1
            tap.report(said["good"], f"SDK: {said['what']}",
                       json.dumps(said["seen"], ensure_ascii=False)[:3000])
    return process.wait(60) == 0 and cases > 20


npm.needs_node(18, "rootlet mcp and the official SDK")
boot = fstests_rootfs()
AT = mirror()
directory = npm.installed("mcp", "client.mjs")
# The guest's kernel is cached with the rootfs to boot.
home = Home(cache=boot.cache)
# Without acl, so that no snapshot of profile test can be extended: its scripts run in full.
home.write("config/rootlet/profiles/other.conf", PROFILE.replace(" acl", "") + "[group other]\ngid = 1009\n")
shutil.copytree(f"{SOURCE}/tests/fstests-mini", f"{home.dir}/fstests-mini")
with Server(AT.root) as server, Tidy(home) as tidy:
    create = {"ubuntu_release": mirrors.SUITE, "profile": "test", "mirror": server.url, "keyring": AT.keyring}
    arguments = {
        "rootlet": ROOTLET, "bootRootfs": f"{boot.store}/test-rootfs", "kernelTimeout": 1200,
        "append": QUICK[3],
        "fstests": f"{home.dir}/fstests-mini", "create": create, "other": {**create, "profile": "other"}}
    with home.start(f"{directory}/client.mjs", json.dumps(arguments), program=shutil.which("node"),
                    stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
        whole = follow(client)
    tap.report(whole, "SDK: the client completes", client.returncode)
    wrong = tidy.complaints()
tap.report(not wrong, "SDK: nothing is left behind", *wrong)
# A silent guest: its front end cannot notice from output errors that the server is gone.
with Tidy(home) as tidy, Client(home) as server:
    server.initialize()
    server.request("logging/setLevel", {"level": "debug"})
    server.start_call("run_in_vm", {"kernel_path": "distro", "rootfs_path": f"{boot.store}/test-rootfs",
                                    "cpus": 1, "append": QUICK[3], "timeout": 1200,
                                    "command": ["sh", "-c", "echo is-up; sleep 1000"]})
    up = server.wait_for(lambda m: "is-up" in str(m.get("params", {}).get("data", "")), 900)
    kill(server.process.pid)
    wrong = tidy.complaints(60)
tap.report(bool(up) and not wrong, "kill -9 of the server ends a silent VM", up, *wrong)
tap.done()
