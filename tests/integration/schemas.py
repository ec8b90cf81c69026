"""--json without a rootfs: documents and streams fit their schemas, also for failures."""
import fcntl
import hashlib
import json
import os

import jsonschema

from support import tap
from support.schemas import NAMES, document, errors, schema, stream, unresolved
from support.world import SOURCE, Home

home = Home()
MISSING = f"{home.store}/test-rootfs"

used = set()
for name in NAMES:
    try:
        jsonschema.Draft202012Validator.check_schema(schema(name))
        wrong = []
    except jsonschema.SchemaError as error:
        wrong = [error.message]
    wrong += unresolved(schema(name))
    tap.report(not wrong and schema(name).get("title"), f"schema {name} is valid and complete", *wrong)
    used.update(schema(name).get("$defs", ()))
with open(f"{SOURCE}/frontend/schemas/definitions.json", encoding="utf-8") as shared:
    unused = set(json.load(shared)["$defs"]) - used
tap.report(used and not unused, "every shared definition is used", *unused)
# Check that the validator works: a schema that accepts everything is useless.
for name, value in (("create", {"event": "result", "exit_status": 0, "path": None}), ("check", {}),
                    ("delete", {"event": "result", "exit_status": 1, "path": None}), ("list", {}),
                    ("lock", {"lock": 1}), ("lock-result", {"path": None}), ("verify", {"state": "verified"}),
                    ("publish", {"event": "result", "exit_status": 0, "path": None}),
                    ("run", {"event": "result", "exit_status": 0}), ("doctor", {"ok": 1}), ("config", {}),
                    ("events", {"event": "progress", "stage": "x", "more": 1}), ("profiles-show", {}),
                    ("configurations-list", [{}]), ("configurations-show", {}), ("kconfig", {}),
                    ("profiles-list", [{}]), ("fstests", {"run": "x", "status": "good"}),
                    ("runs-list", [{}]), ("runs-show", {}), ("runs-compare", {}), ("runs-prune", {}),
                    ("runs-durations", {}), ("runs-merge", {}), ("runs-report", {}), ("runs-archive", {}),
                    ("deps", {}), ("kcidb", {}), ("kcidb", {"version": {"major": 4, "minor": 0}}),
                    ("runs-flaky", {"runs": 1, "tests": []}),
                    ("runs-list", [{"run": "x", "state": "passed"}]),
                    ("upgrade-all", {"event": "result", "rootfs": [{"name": "x"}], "exit_status": 0}),
                    ("runs-durations", {"durations": [{"name": "x"}]}),
                    ("cache-list", [{}]), ("cache-list", {}),
                    ("cache-verify", {}), ("cache-prune", {}), ("cache-export", {}),
                    ("cache-import", {"snapshots": 1}), ("policy-check", {}), ("policy-show", {}),
                    ("policy-seccomp", [{}]), ("policy-seccomp", {}), ("audit-show", {}),
                    ("audit-verify", {}),
                    ("create", {"event": "result", "exit_status": 1, "path": None, "release": "jammy",
                                "profile": "x", "requests": []})):
    tap.report(bool(errors(name, value)), f"schema {name} rejects invalid values")

RECORD = [f'{{"seq":{number},"time":"2026-01-01T00:00:00.000000Z",'
          f'"kind":"refusal","request":"Hello","arguments":"",'
          f'"decision":"refused","rule":"start","result":"host","message":"x","status":0,"milliseconds":1,'
          f'"mode":"user","user":"x","uid":1,"gid":1,"pid":2,"helper":3,"prev":"{prev * 64}"}}\n'
          for number, prev in ((1, "0"), (2, "1"))]
home.write("whole.log", RECORD[0])
home.write("damaged.log", "".join(RECORD))
home.write("right.policy", "[allow x]\nusers = root\n")
home.write("wrong.policy", "[allow x]\nuser = root\n")
home.write("config/rootlet/profiles/wrong.conf", "[packages]\nbash\n")
home.write("config/rootlet/configurations/wrong.conf", "[one]\nmkfs\n")
home.write("config/rootlet/profiles/odd.conf", "[profile]\ndescription = \u00e4\n[packages]\na = bash\n")
DOCUMENTS = [
    # what, words, exit status, schema, expected members
    ("check of a missing rootfs", ["check"], 1, "check",
     {"state": "missing", "path": MISSING, "bytes": None}),
    ("check of another directory", ["check", "--path", "config"], 1, "check", {"state": "foreign"}),
    ("check of an invalid name", ["check", "--name", "a/b"], 2, "check", {"exit_status": 2}),
    ("verify of something that is no envelope", ["verify", "whole.log", "--keyring", "whole.log"], 2,
     "verify", {"exit_status": 2}),
    ("list of an empty store", ["list"], 0, "list", []),
    ("list of a store that is not a directory", ["list"], None, "list", {}),
    ("doctor", ["doctor"], None, "doctor", {}),
    ("lock of a missing rootfs", ["lock", "--output", "x"], 1, "lock-result", {"exit_status": 1}),
    ("config", ["config"], 0, "config", {"exists": False}),
    ("runs without any run", ["runs"], 0, "runs-list", []),
    ("runs show of an unknown run", ["runs", "show", "nosuch"], None, "runs-show", {}),
    ("cache", ["cache"], 0, "cache-list", [{"kind": kind, "objects": 0, "bytes": 0} for kind in
                                           ("packages", "indexes", "solv", "bases", "images", "kernels",
                                            "build", "fstests")]),
    ("policy check", ["policy", "check", "right.policy"], 0, "policy-check",
     {"path": "right.policy", "sections": 1}),
    ("policy check without a policy", ["policy", "check"], 0, "policy-check", {"path": None, "sections": 0}),
    ("policy check of an invalid policy", ["policy", "check", "wrong.policy"], 2, "policy-check",
     {"exit_status": 2}),
    ("policy show", ["policy", "show"], None, "policy-show",
     {"user": home.user.name, "uid": home.user.ids()[0]}),
    ("policy seccomp", ["policy", "seccomp"], 0, "policy-seccomp", None),
    ("audit", ["audit", "whole.log"], 0, "audit-show", {"seq": 1, "result": "host"}),
    ("audit show of a missing log", ["audit", "show", "wrong.policy.none"], 1, "audit-show",
     {"exit_status": 1}),
    ("audit verify", ["audit", "verify", "whole.log"], 0, "audit-verify",
     {"faults": 0, "records": 1, "remarks": []}),
    ("audit verify of a damaged log", ["audit", "verify", "damaged.log"], 1, "audit-verify", {"faults": 1}),
    ("audit verify without the last record", ["audit", "verify", "--last", "1" * 64, "whole.log"], 1,
     "audit-verify",
     {"faults": 1}),
    ("runs compare of unknown runs", ["runs", "compare", "no", "such"], None, "runs-compare", {}),
    ("deps of a missing tree", ["deps", "--fstests", "nosuch"], 2, "deps", {"exit_status": 2}),
    ("runs durations without any run", ["runs", "durations"], 1, "runs-durations", {"exit_status": 1}),
    ("runs report of an unknown run", ["runs", "report", "nosuch", "--html", "x"], 1, "runs-report",
     {"exit_status": 1}),
    ("runs archive of an unknown run", ["runs", "archive", "nosuch"], 1, "runs-archive", {"exit_status": 1}),
    ("runs flaky without any run", ["runs", "flaky"], 0, "runs-flaky", {"runs": 0, "tests": []}),
    ("runs merge of an unknown run", ["runs", "merge", "nosuch"], 1, "runs-merge", {"exit_status": 1}),
    ("configurations", ["configurations"], 0, "configurations-list", {}),
    ("configurations show", ["configurations", "show", "ext4/1k"], 0, "configurations-show",
     {"name": "ext4/1k", "section": "ext4_1k", "fstype": "ext4", "mkfs": "-b 1024", "own": False}),
    ("configurations show of an unknown one", ["configurations", "show", "ext4/1m"], 2, "configurations-show",
     {"exit_status": 2}),
    ("kconfig", ["kconfig", "-c", "ext4/1k"], 0, "kconfig", {"exit_status": 0}),
    ("kconfig --check of a missing kernel", ["kconfig", "--check", "nosuch"], 2, "kconfig",
     {"exit_status": 2}),
    ("profiles", ["profiles"], 0, "profiles-list", {}),
    ("profiles show", ["profiles", "show", "fstests-build"], 0, "profiles-show",
     {"extends": "fstests", "name": "fstests-build"}),
    ("profiles show of an unknown profile", ["profiles", "show", "nosuch"], 2, "profiles-show",
     {"exit_status": 2}),
    ("profiles check", ["profiles", "check", "config/rootlet/profiles/odd.conf"], 0, "profiles-show",
     {"description": "\u00e4", "extends": None}),
    ("profiles check of an invalid profile", ["profiles", "check", "config/rootlet/profiles/wrong.conf"], 2,
     "profiles-show", {"exit_status": 2}),
]
STREAMS = [
    ("create with an unknown release", ["create", "--release", "warty"], 2, "create", "input"),
    ("create with an unknown profile", ["create", "--profile", "nosuch"], 2, "create", "input"),
    ("create over a directory", ["create", "--path", "config"], 6, "create", "exists"),
    ("create without a mirror", ["create", "--release", "jammy", "--profile", "odd", "--mirror",
                                 "http://127.0.0.1:9"], None, "create", None),
    ("delete of a missing rootfs", ["delete", "--yes"], 1, "delete", "missing"),
    ("delete without --yes", ["delete"], 1, "delete", "missing"),
    ("run in a missing rootfs", ["run", "--kernel", "distro", "--", "true"], 1, "run", "missing"),
    ("fstests without a kernel", ["fstests", "--kernel", "/no/such", "--fstests", "/no/such"], None,
     "fstests", None),
    ("fstests in a missing rootfs", ["fstests", "--kernel", "distro", "--fstests", "config"], None,
     "fstests", "missing"),
    ("run without a kernel", ["run", "--kernel", "config", "--", "true"], None, "run", None),
]
for what, words, status, name, holds in DOCUMENTS:
    no_store = what.endswith("that is not a directory")
    if no_store:
        home.write(".kerneldev-mcp", "a file")
    outcome = home.run(*words, "--json")
    value, wrong = document(name, outcome)
    if no_store:
        os.unlink(home.store)
        wrong += [] if outcome.status and isinstance(value, dict) else ["it did not fail"]
    if status is not None and outcome.status != status:
        wrong.append(f"expected exit status {status}")
    if isinstance(holds, list) and value != holds:
        wrong.append(f"is not {holds}")
    if isinstance(holds, dict) and isinstance(value, dict):
        wrong += [f"{key} is not {wanted!r}" for key, wanted in holds.items() if value.get(key) != wanted]
    tap.report(not wrong, f"--json: {what}", *wrong, outcome)
for what, words, status, name, code in STREAMS:
    at = words.index("--") if "--" in words else len(words)
    outcome = home.run(*words[:at], "--json", *words[at:])
    _, result, wrong = stream(name, outcome)
    if status is not None and outcome.status != status:
        wrong.append(f"expected exit status {status}")
    if not outcome.status or not result or "error" not in result:
        wrong.append("it did not fail")
    elif code and result["error"]["code"] != code:
        wrong.append(f"the error is not \"{code}\"")
    elif result["error"]["message"] not in outcome.err:
        wrong.append("the message is missing on standard error")
    tap.report(not wrong, f"--json: {what}", *wrong, outcome)
# The cache, undamaged and damaged: streams that succeed.
WHOLE, DAMAGED = (hashlib.sha256(text).hexdigest() for text in (b"whole", b"damaged"))
home.write(f".cache/rootlet/packages/{WHOLE}", b"whole")
home.write(f".cache/rootlet/packages/{DAMAGED}", b"dAmaged")
for what, words, status, name, holds, stage in (
        ("cache verify with a damaged object", ["verify"], 3, "cache-verify", {"objects": 2, "damaged": [
            {"kind": "packages", "name": DAMAGED, "message": "its hash differs from its name"}]},
         "Reading the cache"),
        ("cache verify without damage", ["verify"], 0, "cache-verify", {"objects": 1, "damaged": []},
         "Reading the cache"),
        ("cache prune that removes nothing", ["prune", "--max-size", "1G"], 0, "cache-prune",
         {"removed_bytes": 0, "left_bytes": 4096}, "Removing from the cache"),
        ("cache prune that removes", ["prune", "--max-size", "0"], 0, "cache-prune",
         {"removed_bytes": 4096, "left_bytes": 0}, "Removing from the cache"),
        ("cache export of an empty cache", ["export", "empty.cache"], 0, "cache-export",
         {"snapshots": 0, "kernels": 0}, "Exporting the cache"),
        ("cache import of an empty cache", ["import", "empty.cache"], 0, "cache-import",
         {"snapshots": 0, "kernels": 0, "present": 0, "rejected": []}, "Importing into the cache")):
    outcome = home.run("cache", *words, "--json")
    events, result, wrong = stream(name, outcome)
    if outcome.status != status or outcome.err:
        wrong.append(f"expected exit status {status} and no error")
    wrong += [f"{key} is not {wanted!r}" for key, wanted in holds.items() if result.get(key) != wanted]
    if stage not in [event.get("stage") for event in events]:
        wrong.append(f"no progress of the stage {stage}")
    tap.report(not wrong, f"--json: {what}", *wrong, outcome)
tap.report(not os.path.exists(f"{home.cache}/rootlet/packages/{WHOLE}"), "cache prune removes the object")
# Three runs; one is in progress.
for name in ("20260101-1", "20260101-2", "20260101-3"):
    home.write(f"state/rootlet/runs/{name}/run.json", "{}")
fd = os.open(f"{home.dir}/state/rootlet/runs/20260101-1", os.O_RDONLY)
fcntl.flock(fd, fcntl.LOCK_EX)
value, wrong = document("runs-prune", home.run("runs", "prune", "--keep", "1", "--json"))
os.close(fd)
tap.report(not wrong and value["removed"] == ["20260101-2"] and value["left"] == 2 and
           value["failed"] == [{"run": "20260101-1", "message": "run 20260101-1 is still in progress"}],
           "runs prune --json reports the run in progress", *wrong, value)
# The output of show is a valid profile, equal except for its source.
home.write("config/rootlet/profiles/rules.conf",
           "[profile]\nextend = fstests\nsuites = jammy noble\n[packages]\n"
           "a = gdb\n[files]\npath-exclude = /usr/share/zoneinfo/* /opt/*\npath-include = /opt/kept\n"
           "path-exclude = /opt/kept/not\n[group many]\ngid = 1500\n[user more]\nuid = 1501\ngroups = many "
           "fsgqa\n")
for name in [row["name"] for row in document("profiles-list", home.run("profiles", "--json"))[0]
             if "error" not in row]:
    shown, wrong = document("profiles-show", home.run("profiles", "show", name, "--json"))
    home.write(f"again/{name}.conf", home.run("profiles", "show", name).out)
    again, more = document("profiles-show", home.run("profiles", "check", f"again/{name}.conf", "--json"))
    wrong += more + [f"{key}: {shown[key]}, then {again.get(key)}"
                     for key in ("suites", "packages", "files", "groups", "users")
                     if shown[key] != again.get(key)]
    if name == "rules" and [(one["rule"], one["pattern"]) for one in shown["files"]][-4:] != [
            ("path-exclude", "/usr/share/zoneinfo/*"), ("path-exclude", "/opt/*"), ("path-include",
                                                                                    "/opt/kept"),
            ("path-exclude", "/opt/kept/not")]:
        wrong.append(f"files: {shown['files']}")
    tap.report(not wrong, f"profiles show {name} prints a valid profile", *wrong)
outcome = home.run("run", "--kernel", "distro", "--json")
tap.report(outcome.status == 2 and "--json has none" in outcome.err, "--json is refused for a shell", outcome)
path = home.make_dir(os.fsencode(home.dir) + b"/\xff\xfe")
outcome = home.run("check", "--json", "--path", os.fsdecode(path) + "/x")
value, wrong = document("check", outcome)
tap.report(not wrong and value["path"].endswith("/??/x"), "--json escapes a path that is not UTF-8", *wrong,
           outcome)
tap.done()
