"""The protocol of `rootlet mcp`: what it requires, and what a client should not send. Needs no helper, no
rootfs and no network."""
import contextlib
import json
import os
import random
import re
import shutil
import signal
import time

import jsonschema

from support import sanitizers, tap, vng
from support.mcp import Server
from support.schemas import unresolved
from support.world import SOURCE, Home, kill, processes_left, wait_until

NEWEST, REVISIONS = "2025-11-25", ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]
PARSE, INVALID, METHOD, PARAMS, NOT_FOUND = -32700, -32600, -32601, -32602, -32002
TOOLS = ["create_test_rootfs", "check_test_rootfs", "delete_test_rootfs", "list_test_rootfs",
         "fstests_vm_boot_and_run", "fstests_results", "run_in_vm", "doctor", "install_packages",
         "uninstall_packages", "upgrade_test_rootfs", "fstests_dependencies", "lock_test_rootfs",
         "publish_test_rootfs", "fetch_test_rootfs", "verify_test_rootfs",
         "check_virtme_ng", "kill_hanging_vms", "fstests_groups_list", "fstests_baseline_save",
         "fstests_baseline_get", "fstests_baseline_list", "fstests_baseline_compare", "fstests_flaky",
         "fstests_report", "fstests_bisect", "fstests_bisect_resume"]
# The parameters of kerneldev-mcp's tools: name, parameter, default.
ORIGINAL = [
    ("create_test_rootfs", "rootfs_path", None), ("create_test_rootfs", "ubuntu_release", "jammy"),
    ("create_test_rootfs", "force", False), ("check_test_rootfs", "rootfs_path", None),
    ("delete_test_rootfs", "rootfs_path", None), ("fstests_vm_boot_and_run", "kernel_path", None),
    ("fstests_vm_boot_and_run", "fstests_path", None),
    ("fstests_vm_boot_and_run", "tests", ["-g", "quick"]),
    ("fstests_vm_boot_and_run", "fstype", "ext4"), ("fstests_vm_boot_and_run", "timeout", 300),
    ("fstests_vm_boot_and_run", "memory", "4G"), ("fstests_vm_boot_and_run", "cpus", 4),
    ("fstests_vm_boot_and_run", "force_9p", False),
    ("fstests_vm_boot_and_run", "io_scheduler", "mq-deadline"),
    ("fstests_vm_boot_and_run", "extra_args", None),
    ("fstests_vm_boot_and_run", "custom_mkfs_command", None),
    ("fstests_vm_boot_and_run", "use_custom_rootfs", False),
    ("fstests_vm_boot_and_run", "custom_rootfs_path", None), ("kill_hanging_vms", "force", False),
    ("fstests_baseline_save", "results_dir", None), ("fstests_baseline_save", "baseline_name", None),
    ("fstests_baseline_save", "save_baseline", True), ("fstests_baseline_save", "fstype", None),
    ("fstests_baseline_save", "kernel_version", None), ("fstests_baseline_save", "test_selection", None),
    ("fstests_baseline_get", "baseline_name", None), ("fstests_baseline_compare", "baseline_name", None),
    ("fstests_baseline_compare", "current_results_file", "last"),
]

home = Home()


def call(name, arguments, number=1):
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call",
            "params": {"name": name, "arguments": arguments}}


def ask(method, **more):
    return {"jsonrpc": "2.0", "id": 1, "method": method, **more}


# A message sent after initialize, the expected error, and the id in the answer.
REFUSED = [
    ("no JSON", b"garbage\n", PARSE, None),
    ("half of an object", b'{"jsonrpc": "2.0", "id": 1,\n', PARSE, None),
    ("a key twice", b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}\n', PARSE, None),
    ("no UTF-8", b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}\n', PARSE, None),
    ("a NUL in a string", b'{"jsonrpc":"2.0","id":1,"method":"a\\u0000b"}\n', PARSE, None),
    ("a NUL byte", b'{"jsonrpc":"2.0",\0"id":1,"method":"ping"}\n', PARSE, None),
    ("arrays 100,000 deep", b"[" * 100000 + b"\n", PARSE, None),
    ("a message of 2 MiB", b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * (2 << 20) + b'"}\n',
     INVALID, None),
    ("a message one byte too long", b'"' + b"x" * (1 << 20) + b'"\n', INVALID, None),
    ("a number", 7, INVALID, None),
    ("a string", "ping", INVALID, None),
    ("null", None, INVALID, None),
    ("an empty object", {}, INVALID, None),
    ("no version", {"id": 1, "method": "ping"}, INVALID, None),
    ("version 1.0", {"jsonrpc": "1.0", "id": 1, "method": "ping"}, INVALID, None),
    ("version as a number", {"jsonrpc": 2.0, "id": 1, "method": "ping"}, INVALID, None),
    ("a method that is a number", {"jsonrpc": "2.0", "id": 1, "method": 1}, INVALID, None),
    ("an id that is null", {"jsonrpc": "2.0", "id": None, "method": "ping"}, INVALID, None),
    ("an id that is an object", {"jsonrpc": "2.0", "id": {}, "method": "ping"}, INVALID, None),
    ("an id with a fraction", {"jsonrpc": "2.0", "id": 1.5, "method": "ping"}, INVALID, None),
    ("an unknown method", ask("tools/destroy"), METHOD, 1),
    ("prompts", ask("prompts/list"), METHOD, 1),
    ("a resource without a URI", ask("resources/read"), PARAMS, 1),
    ("an unknown cursor of resources", ask("resources/list", params={"cursor": "x"}), PARAMS, 1),
    ("params that are an array", ask("tools/list", params=[1]), PARAMS, 1),
    ("params that are a string", ask("ping", params="x"), PARAMS, 1),
    ("an unknown cursor", ask("tools/list", params={"cursor": "x"}), PARAMS, 1),
    ("a second initialize", ask("initialize", params={"protocolVersion": NEWEST}), INVALID, 1),
    ("an unknown level", ask("logging/setLevel", params={"level": "loud"}), PARAMS, 1),
    ("no level", ask("logging/setLevel"), PARAMS, 1),
    ("a call without a tool", ask("tools/call"), PARAMS, 1),
    ("a call to an unknown tool", call("format_disk", {}), PARAMS, 1),
    ("a tool that is a number", ask("tools/call", params={"name": 1}), PARAMS, 1),
    ("arguments that are an array", call("doctor", [1]), PARAMS, 1),
    ("a progress token that is an object", ask("tools/call", params={
        "name": "doctor", "arguments": {}, "_meta": {"progressToken": {}}}), PARAMS, 1),
]

# Arguments that a tool does not accept, and the expected message.
BAD_ARGUMENTS = [
    ("an unknown argument", "check_test_rootfs", {"path": "/x"}, "unknown property path"),
    ("a path that is a number", "check_test_rootfs", {"rootfs_path": 7},
     "rootfs_path: must be of type string"),
    ("a force that is a string", "create_test_rootfs", {"force": "yes"}, "force: must be of type boolean"),
    ("a path that is null", "delete_test_rootfs", {"rootfs_path": None}, "rootfs_path: must be of type"),
    ("no kernel", "run_in_vm", {"command": ["true"]}, "kernel_path is missing"),
    ("no command", "run_in_vm", {"kernel_path": "distro", "command": []}, "length 0: at least 1"),
    ("a command that is a string", "run_in_vm", {"kernel_path": "x", "command": "ls"}, "type array"),
    ("a word that is not a string", "run_in_vm", {"kernel_path": "x", "command": ["ls", 1]}, r"command[1]"),
    ("a timeout that is too short", "fstests_vm_boot_and_run",
     {"kernel_path": "x", "fstests_path": "y", "timeout": 59}, "timeout 59: at least 60"),
    ("a timeout with a fraction", "fstests_vm_boot_and_run",
     {"kernel_path": "x", "fstests_path": "y", "timeout": 60.5}, "timeout: must be of type integer"),
    ("an unknown scheduler", "fstests_vm_boot_and_run",
     {"kernel_path": "x", "fstests_path": "y", "io_scheduler": "cfq"}, "mq-deadline"),
    ("too many cpus", "run_in_vm", {"kernel_path": "x", "command": ["ls"], "cpus": 1000}, "at most 255"),
    ("no packages", "install_packages", {}, "packages is missing"),
    ("an empty list of packages", "uninstall_packages", {"packages": []}, "length 0: at least 1"),
    ("a package that is not a string", "install_packages", {"packages": [1]}, "packages[0]"),
    ("no lock file", "lock_test_rootfs", {"lock_path": ""}, "length 0: at least 1"),
    ("an empty run", "fstests_results", {"run": ""}, "length 0: at least 1"),
    ("a baseline that is not saved", "fstests_baseline_save",
     {"results_dir": "last", "baseline_name": "x", "save_baseline": False}, "save_baseline: must be one of"),
    ("a report of no run", "fstests_report", {"runs": []}, "length 0: at least 1"),
    ("a bisect without its ends", "fstests_bisect", {"tree_path": "x", "fstests_arguments": ["y"]},
     "good is missing"),
    ("a crash that counts as good", "fstests_bisect",
     {"tree_path": "x", "good": "a", "bad": "b", "fstests_arguments": ["y"], "crash": "good"}, "crash: must"),
]


def error_of(message):
    return (message or {}).get("error", {}).get("code")


def test_revisions():
    for wanted, expected in [(name, name) for name in REVISIONS] + [("1999-01-01", NEWEST),
                                                                    ("2099-01-01", NEWEST)]:
        with Server(home) as server:
            answer = server.initialize(wanted)
            tap.report((answer or {}).get("result", {}).get("protocolVersion") == expected,
                       f"revision {wanted}: the server answers {expected}", answer)
            tap.report(server.end() == 0, f"revision {wanted}: the server exits at end of input")
    with Server(home) as server:
        tap.report(error_of(server.request("tools/list")) == INVALID,
                   "before initialize, tools/list is refused")
        tap.report("result" in server.request("ping"), "before initialize, ping is answered")
        tap.report(error_of(server.request("initialize", {})) == PARAMS,
                   "initialize without a revision is refused")
        tap.report("result" in server.initialize(), "a valid initialize after a refused one works")


def test_refusals():
    with Server(home) as server:
        server.initialize()
        for what, message, code, number in REFUSED:
            server.send(message)
            answer = server.read()
            good = error_of(answer) == code and answer.get("jsonrpc") == "2.0" and \
                answer.get("id", "none") == number and isinstance(answer["error"].get("message"), str)
            tap.report(good, f"error {code} for {what}", answer)
        tap.report("result" in server.request("ping"), "the server continues after errors")
        for what, message in {
                "an empty line": b"\n", "whitespace": b" \t \r\n",
                "a response without a request": {"jsonrpc": "2.0", "id": 5, "result": {}},
                "an unknown notification": {"jsonrpc": "2.0", "method": "notifications/nosuch"},
                "a cancellation without a request": {"jsonrpc": "2.0", "method": "notifications/cancelled",
                                              "params": {"requestId": "nothing"}},
                "a cancellation without params":
                              {"jsonrpc": "2.0", "method": "notifications/cancelled"}}.items():
            server.send(message)
            number = server.start("ping")
            answer = server.read()
            tap.report(answer and answer.get("id") == number, f"no answer to {what}", answer)
        server.send(b'{"jsonrpc":"2.0","id":"in pieces",')
        time.sleep(0.1)
        server.send(b'"method":"ping"}\r\n')
        tap.report((server.read() or {}).get("id") == "in pieces",
                   "a message in two pieces, with CRLF, is answered")
        tap.report(server.end() == 0, "the server exits at end of input")
        tap.report(not server.process.stderr.read(), "the server prints nothing on standard error")


def test_arguments():
    with Server(home) as newest, Server(home) as older:
        newest.initialize()
        older.initialize("2025-06-18")
        for what, tool, arguments, says in BAD_ARGUMENTS:
            result = (newest.call(tool, arguments) or {}).get("result", {})
            text = result.get("content", [{}])[0].get("text", "")
            tap.report(result.get("isError") is True and says in text,
                       f"arguments: {what} is a tool error", result)
            answer = older.call(tool, arguments)
            tap.report(error_of(answer) == PARAMS and says in answer["error"]["message"],
                       f"arguments: {what} is a protocol error in older revisions", answer)


def test_batches():
    many = [ask("ping"), {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": 2, "method": "nosuch"}, 7,
            call("list_test_rootfs", {}, 3), {"jsonrpc": "2.0", "id": 4, "method": "ping"}]
    for revision in REVISIONS:
        with Server(home) as server:
            server.initialize(revision)
            server.send(many)
            answer = server.read()
            if revision in ("2025-11-25", "2025-06-18"):
                tap.report(error_of(answer) == INVALID, f"batch in {revision} is refused", answer)
                continue
            by_id = {m.get("id"): m for m in answer} if isinstance(answer, list) else {}
            tap.report(len(by_id) == 5 and error_of(by_id.get(2)) == METHOD and
                       error_of(by_id.get(None)) == INVALID and
                       all("result" in by_id.get(i, {}) for i in (1, 3, 4)),
                       f"batch in {revision}: all answers come in one array", answer)
            server.send([])
            tap.report(error_of(server.read()) == INVALID, f"batch in {revision}: an empty batch is refused")
            server.send([{"jsonrpc": "2.0", "method": "notifications/nosuch"}])
            number = server.start("ping")
            tap.report((server.read() or {}).get("id") == number,
                       f"batch in {revision}: a batch of notifications gets no answer")


def test_tools():
    with Server(home) as server:
        server.initialize()
        tools = {tool["name"]: tool for tool in server.request("tools/list")["result"]["tools"]}
    tap.report(sorted(tools) == sorted(TOOLS), "tools/list lists the tools", sorted(tools))
    for name, tool in tools.items():
        wrong = []
        for kind in ("inputSchema", "outputSchema"):
            try:
                jsonschema.Draft202012Validator.check_schema(tool[kind])
            except jsonschema.SchemaError as error:
                wrong.append(f"{kind}: {error.message}")
            if tool[kind].get("type") != "object":
                wrong.append(f"{kind} is not an object schema")
            wrong += [f"{kind} refers to {one}" for one in unresolved(tool[kind])]
        wrong += [f"{key} has no description" for key, value in tool["inputSchema"]["properties"].items()
                  if not value.get("description")]
        wrong += [f"no annotation {hint}" for hint in ("readOnlyHint", "destructiveHint", "idempotentHint",
                                                       "openWorldHint")
                  if not isinstance(tool["annotations"].get(hint), bool)]
        wrong += [f"{key} is published" for key in ("command", "wrap", "brief", "vm") if key in tool]
        tap.report(not wrong and tool["description"],
                   f"tool {name}: has complete schemas, descriptions and annotations",
                   *wrong)
        tap.note(f"{name}: input schema {len(json.dumps(tool['inputSchema'], separators=(',', ':')))} bytes, "
                 f"output schema {len(json.dumps(tool['outputSchema'], separators=(',', ':')))} bytes")
    for name, parameter, default in ORIGINAL:
        schema = tools[name]["inputSchema"]["properties"].get(parameter)
        tap.report(schema is not None and schema.get("default") == default,
                   f"tool {name}: {parameter} is compatible, with its default", schema)


def test_calls():
    """Calls every tool on an empty store: the answers fit the published schemas."""
    with Server(home) as server:
        server.initialize()
        tools = {tool["name"]: tool for tool in server.request("tools/list")["result"]["tools"]}
        missing = f"{home.store}/test-rootfs"
        for tool, arguments, failed, says in (
                ("check_test_rootfs", {}, False, f"✗ Rootfs does not exist at {missing}\n\n"
                                                 "Create it with: create_test_rootfs"),
                ("check_test_rootfs", {"rootfs_path": "~/.kerneldev-mcp/test-rootfs"}, None, "✗ "),
                ("check_test_rootfs", {"rootfs_path": "--help"}, True, "not a valid rootfs path"),
                ("list_test_rootfs", {}, False, "There is no rootfs yet"),
                ("delete_test_rootfs", {}, True, f"Rootfs does not exist at {missing}"),
                ("create_test_rootfs", {"ubuntu_release": "warty"}, True, '"warty" is unknown'),
                ("create_test_rootfs", {"ubuntu_release": "--help"}, True, "invalid release name"),
                ("create_test_rootfs", {"profile": "nosuch"}, True, 'no profile "nosuch"'),
                ("run_in_vm", {"kernel_path": "/no/such", "command": ["--help"]}, True, "/no/such"),
                ("run_in_vm", {"kernel_path": "distro", "command": ["true"], "memory": "1"}, True,
                 "--memory 1"),
                ("fstests_vm_boot_and_run", {"kernel_path": "/no/such", "fstests_path": "/no/such"}, True,
                 "/no/such"),
                ("fstests_vm_boot_and_run", {"kernel_path": "x", "fstests_path": "y", "tests": ["-g quick"]},
                 True,
                 "is one argument; pass two: -- -g quick"),
                ("fstests_vm_boot_and_run",
                 {"kernel_path": "x", "fstests_path": "y", "tests": ["generic/001", "-b"]}, True,
                 "is misplaced"),
                ("fstests_vm_boot_and_run", {"kernel_path": "/no/kernel", "fstests_path": "y",
                                             "tests": ["-e", "generic/001", "-g", "quick"]}, True,
                 "/no/kernel"),
                ("fstests_results", {}, True, "no runs yet"),
                                              ("fstests_results", {"run": "--help"}, True, "--help"),
                ("install_packages", {"packages": ["attr"]}, True, f"no rootfs at {missing}"),
                ("install_packages", {"packages": ["--help"]}, True, "no rootfs at"),
                ("uninstall_packages", {"packages": ["attr"], "dry_run": True}, True, "no rootfs at"),
                ("upgrade_test_rootfs", {"check": True}, True, "no rootfs at"),
                ("upgrade_test_rootfs", {"rollback": True, "check": True}, True,
                 "--check does not go with --rollback"),
                ("fstests_dependencies", {"fstests_path": "/no/such"}, True, "/no/such"),
                ("lock_test_rootfs", {"lock_path": "x.lock"}, True, "no rootfs at"),
                ("lock_test_rootfs", {"lock_path": "--help", "rootfs_path": "/no/such"}, True, "/no/such"),
                ("publish_test_rootfs", {"directory": "x", "key": "y"}, True, "no rootfs at"),
                ("fetch_test_rootfs", {"url": "/no/such", "keyring": "/no/such"}, True, "/no/such"),
                ("verify_test_rootfs", {"provenance_path": "--help", "keyring": "x"}, True,
                 "cannot open --help"),
                ("doctor", {}, False, "sub-id ranges"),
                ("check_virtme_ng", {}, False, "vng: "),
                ("fstests_groups_list", {}, True, "give fstests_path"),
                ("fstests_groups_list", {"fstests_path": "/no/such"}, True, "cannot read the tests in /no"),
                ("fstests_groups_list", {"fstests_path": f"{SOURCE}/tests/fstests-mini"}, False,
                 "quick: 6 tests"),
                ("fstests_flaky", {}, False, "0 tests failed in 0 runs"),
                ("fstests_report", {"html_path": "x"}, True, "no runs yet"),
                ("fstests_report", {"ktap": True}, True, "use one at a time, or --output FILE"),
                ("fstests_bisect", {"tree_path": "/no/such", "good": "--help", "bad": "b",
                                    "fstests_arguments": ["--help"]}, True, "--tree /no/such"),
                ("fstests_bisect_resume", {}, True, "no bisects yet"),
                ("fstests_bisect_resume", {"bisect": "../x"}, True, "there is no bisect"),
                ("kill_hanging_vms", {"force": True}, False, "No VM of this session is running")):
            result = (server.call(tool, arguments) or {}).get("result", {})
            text = "".join(part.get("text", "") for part in result.get("content", []))
            wrong = []
            if failed is not None and result.get("isError") is not failed:
                wrong.append(f"isError is {result.get('isError')}")
            if says not in text:
                wrong.append(f"does not say: {says}")
            if "structuredContent" in result:
                wrong += [error.message for error in jsonschema.Draft202012Validator(
                    tools[tool]["outputSchema"]).iter_errors(result["structuredContent"])]
            elif not result.get("isError"):
                wrong.append("no structured content")
            tap.report(not wrong, f"call to {tool} with {json.dumps(arguments)[:60]}", *wrong, result)
        tap.report(server.end() == 0 and not processes_left(10), "calls leave no processes behind")


def write_run(name, failed):
    """Writes a run of all of fstests in which some tests failed."""
    at = f"state/rootlet/runs/{name}"
    tests = [{"name": f"generic/{number:03}", "status": "pass", "seconds": 12.5} for number in range(1781)]
    for test in tests[:failed]:
        test.update(status="fail", reason="output mismatch; " * 40, detail="\u2026-one\n+two\n" * 700)
    for test in tests[-300:]:
        test.update(status="notrun", reason=f"{test['name']} utility required, skipped this test")
    counts = {status: sum(test["status"] == status for test in tests)
              for status in ("pass", "fail", "notrun", "expunged", "crash", "timeout", "unreached")}
    home.write(f"{at}/tests.jsonl", "".join(json.dumps(test) + "\n" for test in tests))
    home.write(f"{at}/run.json", json.dumps({
        "run": name, "began": 1, "status": "failed", "exit_status": 1, "seconds": 9, "boots": 1,
        "root": "image", "fstype": "ext4", "tests": ["-g", "auto"],
        "results": f"{home.dir}/{at}", "counts": counts,
        "failures": tests[:failed], "kernel": [], "kernel_version": "6.1.0"}))
    return name


def test_sizes():
    """What an agent reads about a run of all of fstests."""
    with Server(home) as server:
        server.initialize()
        tools = {tool["name"]: tool for tool in server.request("tools/list")["result"]["tools"]}
        for failed in (1, 40, 300):
            run = write_run(f"20260101-00000{len(str(failed))}-ext4", failed)
            result = server.call("fstests_results", {"run": run})["result"]
            content, size = result["structuredContent"], len(json.dumps(result, ensure_ascii=False).encode())
            wrong = [error.message for error in jsonschema.Draft202012Validator(
                tools["fstests_results"]["outputSchema"]).iter_errors(content)]
            tap.report(not wrong and size <= 8192 and content["counts"]["fail"] == failed and
                       content["failures"] and content.get("left_out", {}).get("failures", 0) ==
                       failed - len(content["failures"]),
                       f"fstests_results of 1781 tests, {failed} of which failed: {size} bytes", *wrong,
                       content)
    shutil.rmtree(home.state("runs"))


def test_flaky_and_reports():
    """What an agent reads about two runs of all of fstests, and reports of them."""
    for failed in (40, 300):
        write_run(f"20260101-00000{failed // 100}-ext4", failed)
    with Server(home) as server:
        server.initialize()
        tools = {tool["name"]: tool for tool in server.request("tools/list")["result"]["tools"]}
        files = [f"{home.dir}/report.{one}" for one in ("html", "xml", "md")]
        for tool, arguments, says, holds in (
                ("fstests_flaky", {}, "300 tests failed in 2 runs\ngeneric/000 on ext4: failed 2 of 2 times, "
                                      "100.0 % (34.2 to 100.0 %)\n", {"runs": 2}),
                ("fstests_flaky", {"fstype": "xfs"}, "0 tests failed in 0 runs", {"tests": []}),
                ("fstests_report", {"html_path": files[0], "junit_path": files[1], "markdown": True,
                                    "output_path": files[2]}, f"✓ Wrote {files[2]}",
                 {"files": files, "runs": ["20260101-000003-ext4"]})):
            result = server.call(tool, arguments)["result"]
            content, size = result["structuredContent"], len(json.dumps(result, ensure_ascii=False).encode())
            wrong = [error.message for error in jsonschema.Draft202012Validator(
                tools[tool]["outputSchema"]).iter_errors(content)]
            tap.report(not wrong and says in result["content"][0]["text"] and size <= 8192 and
                       {**content, **holds} == content,
                       f"{tool} with {len(arguments)} arguments about runs of 1781 tests: {size} bytes",
                       *wrong, result)
        tap.report(all(os.path.getsize(file) for file in files), "the reports are written")
    shutil.rmtree(home.state("runs"))


def test_baselines():
    """A run is saved under a name, and survives as that; another one is compared with it."""
    with Server(home) as server:
        server.initialize()
        tools = {tool["name"]: tool for tool in server.request("tools/list")["result"]["tools"]}

        def ask_tool(what, tool, arguments, says, failed=False):
            result = server.call(tool, arguments)["result"]
            text, content = result["content"][0]["text"], result.get("structuredContent", {})
            wrong = [error.message for error in jsonschema.Draft202012Validator(
                tools[tool]["outputSchema"]).iter_errors(content)] if content else []
            size = len(json.dumps(result, ensure_ascii=False).encode())
            tap.report(not wrong and says in text and result["isError"] is failed and size <= 8192, what,
                       *wrong, result)
            return content

        ask_tool("no baseline yet", "fstests_baseline_list", {}, "There is no baseline yet")
        run = write_run("20260101-000000-ext4", 2)
        ask_tool("a run is saved as a baseline", "fstests_baseline_save",
                 {"results_dir": run, "baseline_name": "6.1", "save_baseline": True, "fstype": "ext4"},
                 f"Saved run {run} as baseline 6.1")
        shutil.rmtree(home.state("runs"))
        listed = ask_tool("it is listed, and outlives its run", "fstests_baseline_list", {},
                          f"6.1: run {run}, failed")
        tap.report(listed["baselines"][0]["counts"]["fail"] == 2, "with its counts", listed)
        ask_tool("it is shown", "fstests_baseline_get", {"baseline_name": "6.1"}, "2 fail")
        run = write_run("20260102-000000-ext4", 500)
        found = ask_tool("the last run is compared with it", "fstests_baseline_compare",
                         {"baseline_name": "6.1"}, "newly_fails (498): generic/002, generic/003")
        shown = len(found["newly_fails"])
        tap.report(shown and found["left_out"]["newly_fails"] == 498 - shown and
                   len(found["still_fails"]) == 2, "and the answer is cut", found)
        ask_tool("a baseline is replaced", "fstests_baseline_save",
                 {"results_dir": "last", "baseline_name": "6.1"}, f"Saved run {run} as")
        ask_tool("a baseline equals itself", "fstests_baseline_compare",
                 {"baseline_name": "6.1", "current_results_file": "6.1"}, "newly_fails (0)")
        for what, name, says in (("of a run", run, "is the id of a run"),
                                 ("with a slash", "a/b", "cannot be the name"),
                                 ("that is hidden", ".a", "cannot be"), ("last", "last", "cannot be"),
                                 ("like an option", "--help", "cannot be")):
            ask_tool(f"no baseline has a name {what}", "fstests_baseline_save",
                     {"results_dir": "last", "baseline_name": name}, says, failed=True)
        ask_tool("an unknown baseline", "fstests_baseline_get", {"baseline_name": "6.2"},
                 "run 6.2 does not exist", failed=True)
        tap.report(os.listdir(home.state("baselines")) == ["6.1"], "nothing else is left",
                   os.listdir(home.state("baselines")))
    shutil.rmtree(home.state("runs"))
    shutil.rmtree(home.state("baselines"))


def read_all(server, uri):
    """Reads a resource, page by page. Returns its text, and the size of the largest answer in bytes."""
    text, largest = "", 0
    while uri:
        answer = server.request("resources/read", {"uri": uri})
        contents = answer.get("result", {}).get("contents", [])
        if not contents or any(set(one) != {"uri", "mimeType", "text"} for one in contents):
            return f"{text}: no contents in {answer}", 0
        text += contents[0]["text"]
        largest = max(largest, len(json.dumps(answer, ensure_ascii=False).encode()))
        more = re.fullmatch(r"\n\[more: (\S+), of \d+\]\n", contents[1]["text"]) if contents[1:] else None
        uri = more and more.group(1)
    return text, largest


# A URI that leads nowhere.
NOWHERE = ["rootlet://nothing", "rootlet://runsx", "file:///etc/passwd", "rootlet://runs/nosuch",
           "rootlet://runs/last/nosuch", "rootlet://runs//tests.jsonl", "rootlet://runs/..",
           "rootlet://runs/%2e%2e", "rootlet://runs/..%2f..", "rootlet://runs/last/results/link",
           "rootlet://runs/last/results/pipe", "rootlet://runs/last/%00", "rootlet://runs/last/%zz",
           "rootlet://runs/last/run.json?offset=", "rootlet://runs/last/run.json?offset=-1",
           "rootlet://runs/last/run.json?page=1", "rootlet://runs/" + "x" * 5000]


def test_resources():
    """Runs and their files, in pages that an agent can afford."""
    run = write_run("20260101-000000-ext4", 40)
    at = home.state(f"runs/{run}")
    home.write(f"state/rootlet/runs/{run}/results/generic/001.full", "\x1b[31m\u2026" * 2000 + "\0end")
    for number in range(300):
        home.write(f"state/rootlet/runs/{run}/results/many/{number:03}.dmesg", "")
    home.write("secret", "not of a run")
    os.symlink(f"{home.dir}/secret", f"{at}/results/link")
    os.mkfifo(f"{at}/results/pipe")
    with Server(home) as server:
        server.initialize()
        listed = server.request("resources/list")["result"]["resources"]
        tap.report([one["uri"] for one in listed] == ["rootlet://runs", "rootlet://runs/last"],
                   "resources/list has the runs, and the last one", listed)
        templates = server.request("resources/templates/list")["result"]["resourceTemplates"]
        tap.report("rootlet://runs/{run}/{+path}{?offset}" in [one["uriTemplate"] for one in templates] and
                   all(one["description"] and one["name"] for one in templates), "and templates of the rest",
                   templates)
        text, _ = read_all(server, "rootlet://runs")
        tap.report(text == f"{run} failed ext4 6.1.0: 1441 passed, 40 failed\n", "the list of runs", text)
        text, _ = read_all(server, "rootlet://runs/last")
        tap.report(text.splitlines()[0] == "results/" and "\ntests.jsonl " in text, "the files of a run",
                   text)
        text, largest = read_all(server, f"rootlet://runs/{run}/results/many")
        tap.report(text.splitlines() == [f"{number:03}.dmesg 0" for number in range(300)] and largest <= 2048,
                   f"a long list of files, in pages of at most {largest} bytes", text)
        with open(f"{at}/tests.jsonl", encoding="utf-8") as file:
            whole = file.read()
        text, largest = read_all(server, f"rootlet://runs/{run}/tests.jsonl?offset={len(whole) - 20000}")
        tap.report(text == whole[-20000:] and 1400 < largest <= 2048,
                   f"a long file, in pages of at most {largest} bytes", text[:100])
        text, _ = read_all(server, "rootlet://runs/last/results/generic/001%2Efull")
        tap.report(text == "?[31m\u2026" * 2000 + "?end",
                   "pages end between characters, without terminal escapes", text[-100:])
        text, _ = read_all(server, "rootlet://runs/last/run.json?offset=99999999")
        tap.report(text == "", "behind the end of a file is nothing", text)
        for uri in NOWHERE:
            answer = server.request("resources/read", {"uri": uri})
            tap.report(error_of(answer) == NOT_FOUND and "not of a run" not in json.dumps(answer),
                       f"no resource: {uri[:60]}", answer)
        tap.report(server.end() == 0 and not processes_left(10), "reading leaves no processes behind")
    shutil.rmtree(home.state("runs"))
    with Server(home) as server:
        server.initialize()
        answer = server.request("resources/read", {"uri": "rootlet://runs"})
        tap.report(answer.get("result", {}).get("contents", [{}])[0].get("text") == "",
                   "without a run, the list is empty", answer)


def test_many():
    """More simultaneous calls than the limit, each with its own id."""
    with Server(home) as server:
        server.initialize()
        numbers = [server.start_call("doctor") for _ in range(40)]
        answers = [server.answer(number, 120) for number in numbers]
        served = [a for a in answers if "result" in (a or {})]
        refused = [a for a in answers if error_of(a) == -32603]
        tap.report(len(served) >= 32 and len(served) + len(refused) == 40,
                   "of 40 calls at once, each is served or refused", len(served), len(refused))
        server.send(call("doctor", {}, "twice"))
        server.send(call("doctor", {}, "twice"))
        first, second = (server.wait_for(lambda m: m.get("id") == "twice") for _ in range(2))
        tap.report({"result" in first, "result" in second} == {True, False} and
                   INVALID in (error_of(first), error_of(second)), "an id in use is refused",
                   first, second)
        tap.report(server.end() == 0 and not processes_left(10), "concurrent calls leave nothing behind")


def test_vms():
    """kill_hanging_vms ends the calls that have VMs, and nothing else."""
    os.chmod(home.write("bin/vng", "#!/bin/sh\nexec sleep 600\n"), 0o755)
    shutil.copytree(f"{SOURCE}/tests/fstests-mini", tree := f"{home.dir}/fstests-mini")
    arguments = {"kernel_path": home.write("kernel", vng.kernel_with(vng.MAGIC)), "fstests_path": tree,
                 "tests": ["generic/001"], "timeout": 3600, "memory": "64M", "cpus": 1}
    with Server(home, environment={"PATH": f"{home.dir}/bin:/usr/bin:/bin"}) as server:
        server.initialize()
        for force in (False, True):
            number = server.start_call("fstests_vm_boot_and_run", arguments, token=f"boot {force}")
            booting = server.wait_for(lambda m: m.get("params", {}).get("message") == "Booting")
            ended = server.call("kill_hanging_vms", {"force": force})["result"]["structuredContent"]["ended"]
            answer = server.answer(number) or {}
            tap.report(booting and [one["tool"] for one in ended] == ["fstests_vm_boot_and_run"] and
                       answer.get("result", {}).get("isError") is True,
                       f"kill_hanging_vms ends a VM, and its call is answered, force: {force}", ended, answer)
            if not force:
                tap.report(answer["result"]["structuredContent"]["status"] == "interrupted",
                           "with what the run has so far", answer)
        tap.report(server.call("kill_hanging_vms")["result"]["structuredContent"] == {"ended": []},
                   "afterwards, there is nothing to end")
        tap.report(server.end() == 0 and not processes_left(20), "no process is left behind")
    shutil.rmtree(home.state("runs"))


def test_slow_reader():
    """A client that sends requests but does not read: the server's memory is bounded, and it recovers."""
    with Server(home) as server:
        server.initialize()
        pipe = server.process.stdin.fileno()
        os.set_blocking(pipe, False)
        # Large requests, so that few of them fill the server's read buffer.
        message = json.dumps(ask("tools/list", params={"_meta": {"padding": "x" * 4000}})).encode() + b"\n"
        rest, asked, stuck = b"", 0, time.monotonic() + 5
        while time.monotonic() < stuck and asked < 16000:
            if not rest:
                rest, asked = message, asked + 1
            try:
                rest = rest[os.write(pipe, rest):]
                stuck = time.monotonic() + 5
            except BlockingIOError:
                time.sleep(0.02)
        with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as file:
            peak = int(next(line.split()[1] for line in file if line.startswith("VmHWM")))
        if not sanitizers.watched():  # sanitizers need memory themselves
            tap.report(peak < 64 << 10, "a client that does not read costs bounded memory", f"{peak} KiB")
        answers = 0
        while answers < asked and server.read():
            answers += 1
            if rest and answers == asked // 2:
                os.set_blocking(pipe, True)
                os.write(pipe, rest)
        tap.report(answers == asked and asked > 50, "a slow client finally gets all answers", answers, asked)
        tap.report("result" in server.request("ping"), "the server continues after a slow client")


def test_noise():
    """Valid messages with some bytes changed, removed or doubled (always the same ones): every answer is
    JSON, and the server survives."""
    noise = random.Random(1)
    seeds = [json.dumps(message).encode() for message in (
        ask("ping"), ask("tools/list", params={}), ask("logging/setLevel", params={"level": "error"}),
        call("list_test_rootfs", {}), call("check_test_rootfs", {"rootfs_path": "/no/such"}),
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
        [ask("ping"), ask("tools/list")])]
    with Server(home) as server:
        server.initialize("2025-03-26")
        for _ in range(1500):
            data = bytearray(noise.choice(seeds))
            for _ in range(noise.randint(1, 4)):
                at = noise.randrange(len(data))
                how = noise.randrange(4)
                if how == 0:
                    data[at] = noise.randrange(256)
                elif how == 1:
                    del data[at:at + noise.randint(1, 8)]
                elif how == 2:
                    data[at:at] = data[:noise.randint(1, 20)]
                else:
                    data[at:at] = noise.choice([b"{", b"]", b"\\u0000", b"\\ud800", b"1e999", b'"'])
                data = data or bytearray(b"{")
            server.send(bytes(data).replace(b"\n", b" ") + b"\n")
        number = server.start("ping", id="the last")
        tap.report(server.wait_for(lambda m: isinstance(m, dict) and m.get("id") == "the last",
                                   300) is not None,
                   "the server survives 1500 corrupted messages", server.process.poll(), number)
        tap.report(server.end(120) == 0 and not processes_left(20),
                   "the server exits normally after corrupted messages")


def test_ends():
    for what, number, status in (("SIGTERM", signal.SIGTERM, 130), ("SIGINT", signal.SIGINT, 130),
                                 ("SIGHUP", signal.SIGHUP, 130)):
        with Server(home) as server:
            server.initialize()
            kill(server.process.pid, number)
            tap.report(wait_until(lambda: server.process.poll() == status), f"{what} ends the server",
                       server.process.poll())
    with Server(home) as server:
        server.initialize()
        server.process.stdout.close()
        with contextlib.suppress(BrokenPipeError):  # it may notice before it has an answer to send
            server.send(ask("ping"))
        tap.report(wait_until(lambda: server.process.poll() == 0),
                   "the server exits when its output is closed",
                   server.process.poll())
    with Server(home) as server:
        server.send(ask("initialize", params={"protocolVersion": NEWEST}))
        server.process.stdin.close()
        tap.report("result" in (server.read() or {}) and server.process.wait(30) == 0,
                   "requests before the end of input are answered")


def test_start_up():
    """Prints the startup time. There is no limit, which a loaded machine would exceed."""
    times = []
    for _ in range(10):
        began = time.monotonic()
        with Server(home) as server:
            server.initialize()
            server.request("tools/list")
            times.append(time.monotonic() - began)
    tap.note(f"from start to the answers of initialize and tools/list: {min(times) * 1000:.1f} ms at best, "
             f"{sorted(times)[5] * 1000:.1f} ms median of 10")


def test_data():
    """Checks tools.json against the options it refers to."""
    with open(f"{SOURCE}/frontend/mcp/tools.json", encoding="utf-8") as file:
        tools = json.load(file)
    for tool in tools:
        properties, command = tool["inputSchema"]["properties"], tool["command"]
        tap.report(set(properties) == set(command["arguments"]) and tool["inputSchema"].get(
            "additionalProperties") is False and
                   ("--json" in command["words"] or command["words"] in ([], ["__groups"])),
                   f"tools.json: {tool['name']}: every argument maps to the command line")
        if "--json" not in command["words"]:  # the server itself does it
            continue
        options = {how for how in command["arguments"].values() if isinstance(how, str) and how != "--"}
        text = home.run("help", command["words"][0]).out
        lacks = [option for option in {*options, *(w for w in command["words"] if w.startswith("-"))}
                 if f"  {option}" not in text]
        tap.report(not lacks, f"tools.json: {tool['name']}: the command has all mapped options", lacks)


for name, function in list(globals().items()):
    if name.startswith("test_"):
        function()
tap.done()
