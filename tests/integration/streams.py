"""--json and MCP over the life cycle of a rootfs from the test mirror: progress, other calls during create,
cancellation, and a client or server that disappears."""
import os
import signal
import time

import jsonschema

from support import tap
from support import mirror as mirrors
from support.mcp import Server as Client
from support.pace import patient
from support.schemas import document, stream
from support.server import Fault, Server
from support.world import (Home, Tidy, children, command_of, kill, mirror, processes_left, wait_until)

AT = mirror()
home = Home()
TREE = f"{home.store}/test-rootfs"
UNPACKING = "Downloading and unpacking packages"
SOON = patient(3)  # seconds; one second on an idle machine
SLOW = Fault(r"/perl-base_[^/]*\.deb$", "slow", 150000)


def source(server):
    return ["--release", mirrors.SUITE, "--profile", "test", "--mirror", server.url, "--keyring",
            AT.keyring]


def by_command_line():
    with Server(AT.root) as server, Tidy(home) as tidy:
        outcome = home.run("create", "--json", *source(server))
        events, result, wrong = stream("create", outcome)
        wrong += tidy.complaints()
    stages = [event["stage"] for event in events if event["event"] == "progress"]
    tap.report(outcome.status == 0 and not wrong and not outcome.err, "create --json: every line fits its "
               "schema", *wrong, outcome)
    tap.report(result and result["path"] == TREE and result["release"] == "jammy" and result["packages"] > 50
               and result["users"] == ["fsqa", "fsgqa2"] and result["bytes"] > 50e6 and
               os.path.isdir(TREE), "create --json: prints the result", result)
    for stage in ("Choosing packages", "Verifying signatures and indexes", UNPACKING,
                  "Unpacking and configuring", "Adding groups and users", "Writing to disk"):
        tap.report(stage in stages, f"create --json: reports the stage {stage}", stages)
    counted = [e for e in events if e.get("stage") == UNPACKING and "total" in e]
    tap.report(counted and counted[-1]["done"] == counted[-1]["total"] == result["packages"] and
               counted[-1]["bytes"] == counted[-1]["bytes_total"],
               "create --json: counts packages and bytes to the end", counted[-1:])
    over = [e for e in events if e.get("total", e.get("done")) != e.get("done") and e["done"] > e["total"]]
    tap.report(not over, "create --json: no count exceeds its total", over)
    with Server(AT.root) as server:
        outcome = home.run("create", "--json", *source(server))
        _, result, wrong = stream("create", outcome)
    tap.report(outcome.status == 6 and not wrong and result["error"]["code"] == "exists" and
               result["path"] == TREE, "create --json over an existing rootfs", *wrong, outcome)
    outcome = home.run("check", "--json")
    value, wrong = document("check", outcome)
    tap.report(outcome.status == 0 and not wrong and value["state"] == "ready" and value["bytes"] > 50e6,
               "check --json of a ready rootfs", *wrong, outcome)
    home.run("shell", "--", "sed", "-i", "/^fsgqa2:/d", "/etc/passwd")
    outcome = home.run("check", "--json")
    value, wrong = document("check", outcome)
    tap.report(outcome.status == 1 and not wrong and value["state"] == "not-ready" and
               any("fsgqa2" in reason for reason in value["reasons"]), "check --json of a damaged rootfs",
               *wrong, outcome)
    outcome = home.run("list", "--json")
    value, wrong = document("list", outcome)
    tap.report(not wrong and len(value) == 1 and value[0]["bytes"] > 50e6, "list --json", *wrong, outcome)
    outcome = home.run("delete", "--json")
    _, result, wrong = stream("delete", outcome)
    tap.report(outcome.status == 2 and not wrong and os.path.isdir(TREE) and
               "--yes" in result["error"]["message"], "delete --json does not prompt", *wrong, outcome)
    outcome = home.run("delete", "--json", "--yes")
    _, result, wrong = stream("delete", outcome)
    tap.report(outcome.status == 0 and not wrong and not os.path.lexists(TREE) and result["path"] == TREE,
               "delete --json", *wrong, outcome)


def create_call(client, server):
    """Starts a create that finds nothing in the cache."""
    home.run("cache", "prune", "--max-size", "0")
    return client.start_call("create_test_rootfs", {
        "ubuntu_release": mirrors.SUITE, "profile": "test", "mirror": server.url,
        "keyring": AT.keyring}, token="t")


def through_mcp():
    with Server(AT.root, [SLOW]) as server, Client(home) as client, Tidy(home) as tidy:
        client.initialize()
        tools = {tool["name"]: tool for tool in client.request("tools/list")["result"]["tools"]}
        number = create_call(client, server)
        progress = client.wait_for(lambda m: m.get("method") == "notifications/progress", 120)
        tap.report(progress and progress["params"]["progressToken"] == "t" and
                   progress["params"]["message"], "MCP create: reports progress", progress)
        began = time.monotonic()
        meanwhile = client.call("check_test_rootfs")
        tap.report(meanwhile and not any(m.get("id") == number for m in client.seen) and
                   "does not exist" in meanwhile["result"]["content"][0]["text"],
                   f"MCP: check answers while create runs ({time.monotonic() - began:.2f} s)", meanwhile)
        answer = client.answer(number, 600)
        result = (answer or {}).get("result", {})
        text = result.get("content", [{}])[0].get("text", "")
        tap.report(result.get("isError") is False and text.startswith(
            f"✓ Successfully created rootfs at {TREE}\n\nPath: {TREE}\nSize: ") and
                   "\nUbuntu: jammy\nTest users: fsqa, fsgqa2\n\nYou can now use use_custom_rootfs=true in "
                   "fstests_vm_boot_and_run" in text, "MCP create: returns the compatible text", answer)
        values = [m["params"]["progress"] for m in [progress, *client.seen]
                  if m.get("method") == "notifications/progress"]
        tap.report(len(values) > 5 and all(a < b for a, b in zip(values, values[1:])),
                   "MCP create: progress never decreases", values)
        for tool, arguments, says in (
                ("check_test_rootfs", {}, f"✓ Rootfs is configured and ready at {TREE}\n\nSize: "),
                ("check_test_rootfs", {"rootfs_path": "~/.kerneldev-mcp/test-rootfs"}, "✓ Rootfs is "),
                ("list_test_rootfs", {}, "test-rootfs\nPath: "),
                ("create_test_rootfs", {}, f"✗ Rootfs already exists at {TREE}\n\nUse force=true"),
                ("delete_test_rootfs", {}, f"✓ Successfully deleted rootfs at {TREE}")):
            answer = client.call(tool, arguments)
            result = (answer or {}).get("result", {})
            validator = jsonschema.Draft202012Validator(tools[tool]["outputSchema"])
            wrong = [e.message for e in validator.iter_errors(result.get("structuredContent"))]
            tap.report(says in result.get("content", [{}])[0].get("text", "") and not wrong,
                       f"MCP: {tool} {arguments}", *wrong, answer)
        tap.report(client.end() == 0, "MCP: the server exits at end of input")
        wrong = tidy.complaints()
    tap.report(not wrong, "MCP: nothing is left behind", *wrong)


def working(client):
    """Returns the helpers below the server."""
    return [pid for pid in children(client.process.pid) if "rootlet-helper" in command_of(pid)]


def gone(pids, seconds=60):
    """Returns the seconds until none of PIDS ran, or None if they do not end."""
    began = time.monotonic()
    ended = wait_until(lambda: not [pid for pid in pids if command_of(pid)], seconds)
    return time.monotonic() - began if ended else None


def hang(client, what):
    """Stops the processes WHAT below the server."""
    for pid in children(client.process.pid):
        if what in command_of(pid):
            kill(pid, signal.SIGSTOP)


def breaks():
    """Interrupts a create while packages are downloaded, and while they are unpacked."""
    hanging = {
        "cancelled with a helper that hangs": lambda client, number: (
            hang(client, "rootlet-helper"), client.cancel(number)),
        "cancelled with a front end that hangs": lambda client, number: (
            hang(client, "rootlet create"), client.cancel(number)),
        "SIGTERM to the server of a front end that hangs": lambda client, number: (
            hang(client, "rootlet create"), kill(client.process.pid, signal.SIGTERM)),
    }
    ways = {
        "cancelled": lambda client, number: client.cancel(number),
        "its client disconnects": lambda client, number: client.process.stdin.close(),
        "SIGTERM to the server": lambda client, number: kill(client.process.pid, signal.SIGTERM),
        "kill -9 of the server": lambda client, number: kill(client.process.pid),
    }
    for stage, faults in ((UNPACKING, [SLOW]), ("Unpacking and configuring", [])):
        for what, break_it in {**ways, **(hanging if faults else {})}.items():
            # No create completes in this cache, so it has no snapshot to clone.
            fresh = {"XDG_CACHE_HOME": f"{home.dir}/cold"}
            with Server(AT.root, faults) as server, Tidy(home) as tidy, \
                    Client(home, environment=fresh) as client:
                client.initialize()
                number = create_call(client, server)
                reached = client.wait_for(lambda m, stage=stage, number=number: m.get("id") == number or
                                          stage in m.get("params", {}).get("message", ""), 300)
                pids = children(client.process.pid)
                helpers = working(client)
                break_it(client, number)
                took = gone(pids)
                if "cancelled" in what:
                    ping = client.request("ping")
                    silent = not any(m.get("id") == number for m in client.seen)
                    tap.report(ping and silent,
                               f"create {what} in \"{stage}\" gets no answer, and the server "
                               "continues", client.seen[-3:])
                    client.end()
                # The next command removes what there was no time to remove.
                home.run("list")
                wrong = tidy.complaints()
            tap.report(reached and "id" not in reached and helpers and took is not None and took < SOON and
                       not wrong and
                       not os.path.lexists(TREE),
                       f"create {what} in \"{stage}\": ends soon and leaves nothing behind",
                       f"reached: {reached}, helpers: {helpers}, took: {took}", *client.seen, *wrong)
            tap.note(f"\"{stage}\", {what}: all processes gone after "
                     f"{'-' if took is None else f'{took:.2f} s'}")


by_command_line()
through_mcp()
breaks()
tap.report(not processes_left(5), "no processes remain")
tap.done()
