"""The audit log: its contents with each backend, failures to write it, and how `rootlet audit verify` finds
tampering."""
import datetime
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time

from support import installed, tap
from support.protocol import Helper, opened
from support.schemas import document, errors, parse
from support.world import ROOTLET, Case, Home, children, kill, play, small_rootfs, wait_until

HOST = 12
installed.enter("the record")
ROOTFS = small_rootfs()
TREE = f"{ROOTFS.store}/test-rootfs"
home = Home()
OWN = f"{home.dir}/state/rootlet/audit.log"
subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", "/run"], check=True)
os.makedirs("/run/systemd/journal")


def records(path):
    with open(path, encoding="ascii") as file:
        return [json.loads(line) for line in file]


def shell(*words):
    return home.run("shell", "--path", TREE, "--", *words)


def own_record():
    """Without a policy, the log is the caller's own file."""
    shell("sh", "-c", "exit 7")
    home.run("check", "--path", TREE)
    seen = records(OWN)
    execute = [one for one in seen if one["request"] == "Execute"]
    tap.report(os.stat(OWN).st_mode & 0o7777 == 0o600 and os.stat(OWN).st_uid == home.user.ids()[0],
               "only the caller can read their own log")
    tap.report([one["kind"] for one in execute] == ["intent", "result"] and execute[1]["status"] == 7 and
               execute[1]["result"] == "none" and "argv=sh -c exit 7" in execute[0]["arguments"],
               "a request is logged with its intent and its result", *execute)
    first = execute[0]
    tap.report((first["uid"], first["gid"]) == home.user.ids() and first["pid"] > 0 and
               first["mode"] == "user" and first["rule"] == "no policy" and first["decision"] == "allowed",
               "a record has the user, the mode and the rule", first)
    tap.report([one["seq"] for one in seen] == list(range(1, len(seen) + 1)),
               "the sequence numbers have no gap")
    play(Case("audit: shows the requests", ["audit"], 0,
              [f"Execute +folder={TREE} user=root terminal=0 argv=sh -c exit 7"]), home)
    play(Case("audit show --json", ["audit", "show", "--json"], 0, '"request":"Execute"'), home)
    # As with a compressed rotated log: a pipe cannot be read twice.
    piped = home.run("-c", f"cat {OWN} | {ROOTLET} audit show /dev/stdin", program="/bin/sh")
    tap.report(piped.status == 0 and "argv=sh -c exit 7" in piped.out, "audit show reads a pipe", piped)
    lines, wrong = parse(home.run("audit", "--json").out)
    wrong += [error for line in lines for error in errors("audit-show", line)]
    tap.report(not wrong and len(lines) == len(seen), "audit show --json: every line fits its schema", *wrong)
    value, wrong = document("audit-verify", home.run("audit", "verify", "--json"))
    tap.report(not wrong and value["records"] >= len(seen), "audit verify --json fits its schema", *wrong,
               value)
    play(Case("audit verify", ["audit", "verify"], 0, r"\d+ records, 0 faults"), home)


def arguments():
    """Records have a request's directories and arguments, and a mark if they were truncated."""
    directory, image = home.make_dir(f"{home.dir}/trees"), home.write("image", "")
    os.chmod(image, 0o666)
    null = ["/dev/null"] * 3
    account = {"name": "x", "uid": 1500, "gid": 1500, "home": "/home/x", "shell": "/bin/sh",
               "groups": ["a", "b"]}
    rows = {
        "Begin": ([directory, "/dev/null"],
                  {"name": "new", "suite": "jammy", "arch": "amd64", "engine": "native", "filters": [
            "-/usr/share/doc/*", "+/usr/share/doc/x"]},
                  f"folder={directory} name=new suite=jammy arch=amd64 engine=native "
                  "filters=-/usr/share/doc/*,+/usr/share/doc/x epoch=0"),
        "Execute": ([TREE, *null], {"argv": ["true", "x" * 2000], "user": "root", "terminal": 0},
                    f"folder={TREE} user=root terminal=0 argv=true xxx"),
        "Inspect": ([TREE], {"deep": 0}, f"folder={TREE} deep=0 digest=0"),
            "Verify": ([TREE], {}, f"folder={TREE}"),
        "Open": ([TREE], {}, f"folder={TREE}"),
            "Read": ([TREE], {"file": "passwd"}, f"folder={TREE} file=passwd"),
        "Find": ([TREE], {"paths": ["/etc", "/no"]}, f"folder={TREE} paths=/etc,/no"),
        "Publish": (["/dev/null"], {"replace": 1, "mode": 0o700}, "replace=1 keep_old=0 mode=0700"),
        "Remove": ([directory], {"name": "none"}, f"folder={directory} name=none stale=0"),
        "Clone": ([directory, home.dir], {"name": "new", "base_name": "none"},
                  f"folder={directory} folder={home.dir} name=new base_name=none epoch=0"),
        "Extend": ([directory, home.dir, "/dev/null"],
                   {"name": "new", "base_name": "none", "suite": "jammy", "arch": "amd64"},
                   f"folder={directory} folder={home.dir} name=new base_name=none suite=jammy arch=amd64"),
        "BuildImage":
            ([TREE, lambda: os.open(image, os.O_RDWR)], {"format": "xfs"},
             f"folder={TREE} format=xfs epoch=0"),
        "AddUser": ([], account, "name=x uid=1500 gid=1500 home=/home/x shell=/bin/sh groups=a,b")}
    path = f"{home.dir}/arguments.log"
    for kind, (paths, fields, says) in rows.items():
        with Helper(home.user, record=path) as helper, opened(*paths) as fds:
            helper.ask(kind, fds, **fields)
        text = [one["arguments"] for one in records(path) if one["request"] == kind][-1]
        if kind == "Execute":
            good = text.startswith(says) and text.endswith("x...") and len(text) == 1023
        else:
            good = text == says
        tap.report(good, f"{kind}: the record has its arguments", text, says)


def logged_in():
    """Returns a command prefix that runs a command as the user, with a login uid."""
    login = home.write("login.py", "import os, sys\nopen('/proc/self/loginuid', 'w').write(sys.argv[1])\n"
                                   "os.execvp(sys.argv[2], sys.argv[2:])\n")
    uid, gid = str(home.user.uid), str(home.user.gid)
    return ["python3", login, uid, "setpriv", "--reuid", uid, "--regid", gid, "--clear-groups"]


def who():
    """Records have the caller's login uid and audit session from the kernel, the time, and the duration."""
    path = f"{home.dir}/who.log"
    began = time.time()
    with Helper(home.user, record=path,
                before=logged_in()) as helper, opened(TREE, *["/dev/null"] * 3) as fds:
        front = os.getpid()
        answer = helper.ask("Execute", fds, argv=["sleep", "1"], user="root")
        with open(f"/proc/{helper.process.pid}/sessionid", encoding="ascii") as file:
            session = int(file.read())
        with open(f"/proc/{helper.process.pid}/loginuid", encoding="ascii") as file:
            login = int(file.read())
    ended, seen = time.time(), records(path)
    last = [one for one in seen if one["request"] == "Execute"][-1]
    none = (1 << 32) - 1
    tap.report(answer.code == 0 and {one.get("login_uid", none) for one in seen} == {login} and
               {one.get("session", none) for one in seen} == {session} and
               {one["pid"] for one in seen} == {front} and
               {one["helper"] for one in seen} == {helper.process.pid},
               "a record has the login uid, the audit session, the front end and the helper", login, session,
               last)
    if login == none:
        tap.skip("a known login uid", "the kernel has none (CONFIG_AUDIT)")
    else:
        tap.report(login == home.user.ids()[0] and session != none, "the login uid is the right one", login,
                   session)
    times = [datetime.datetime.fromisoformat(one["time"].replace("Z", "+00:00")).timestamp() for one in seen]
    tap.report(began - 0.001 <= times[0] and times == sorted(times) and times[-1] <= ended + 0.001 and
               1000 <= last["milliseconds"] <= (ended - began) * 1000 and times[-1] - times[0] >= 1,
               "a record has the time and the duration", began, ended, times, last["milliseconds"])


def together():
    """Many simultaneous helpers write one chain."""
    before = len(records(OWN))
    running = [home.start("check", "--path", TREE) for _ in range(8)]
    for process in running:
        process.communicate()
    after = records(OWN)
    tap.report(len(after) - before >= 32 and
               [one["seq"] for one in after] == list(range(1, len(after) + 1)),
               "eight helpers at once: the sequence numbers have no gap", before, len(after))
    play(Case("eight helpers at once: the chain is intact", ["audit", "verify"], 0, " 0 faults"), home)


def hostile_text():
    """A client's text is logged faithfully, and corrupts neither the line nor a terminal."""
    installed.allow(home.user, audit=["file = /var/log/rootlet/audit.log"])
    os.path.exists(installed.RECORD) and os.unlink(installed.RECORD)
    root = Home(user=type(home.user)("root", 0, 0))
    installed.allow(root.user)
    with Helper(root.user) as helper, opened(home.dir) as fds:
        helper.ask("Remove", fds, name='a"b\n{"seq":1}\033[2J\xff' + "x" * 20)
        helper.ask("Remove", fds, name="\x00\x01")
        helper.send(b"\xff" * 300)
        helper.send(b"")
    seen = records(installed.RECORD)
    refused = [one for one in seen if one["kind"] == "refusal"]
    tap.report(len(refused) >= 3 and all(one["decision"] == "refused" for one in refused),
               "refusals and malformed requests are logged", *seen)
    with open(installed.RECORD, "rb") as file:
        data = file.read()
    tap.report(all(32 <= byte < 127 or byte == 10 for byte in data) and data.count(b"\n") == len(seen),
               "a record is one line of printable text")


def killed():
    """A killed request has an intent without a result, or with a result that says it was killed."""
    process = home.start("shell", "--path", TREE, "--", "sh", "-c", "echo in; sleep 67")
    process.stdout.readline()
    tree = children(process.pid)
    audit = tree[0]
    for pid in children(audit)[:1]:
        kill(pid)
    process.communicate()
    last = records(OWN)[-1]
    tap.report(last["kind"] == "result" and last["result"] == "interrupted" and last["request"] == "Execute",
               "kill -9 of the jailer: its death is logged", last)
    process = home.start("shell", "--path", TREE, "--", "sh", "-c", "echo in; sleep 67")
    process.stdout.readline()
    kill(children(process.pid)[0])
    process.communicate()
    last = records(OWN)[-1]
    tap.report(last["kind"] == "intent" and last["request"] == "Execute",
               "kill -9 of the audit process: the intent is logged", last)
    play(Case("audit show: a killed request", ["audit"], 0, r"Execute.*no result"), home)
    play(Case("audit verify names a killed request, which is not a fault in user mode", ["audit", "verify"],
              0,
              [rf"record {last['seq']}: Execute by {last['user']}.* has no result", " 0 faults"]), home)


def anew(line):
    """Returns LINE with a new valid hash after a change; anyone can compute one."""
    text = line[:line.index(',"hash"')]
    return f'{text},"hash":"{hashlib.sha256(text.encode()).hexdigest()}"}}\n'


def damage():
    """Every way to tamper with a file is noticed and located."""
    with open(OWN, encoding="ascii") as file:
        lines = file.read().splitlines(keepends=True)
    middle = len(lines) // 2
    edited = lines[middle].replace('"decision":"allowed"', '"decision":"refused"')
    rows = {
        "changed": (lines[:middle] + [edited] + lines[middle + 1:],
                    f":{middle + 1}: record {middle + 1} was changed"),
        "changed, with a new valid hash": (lines[:middle] + [anew(edited)] + lines[middle + 1:],
                                                    f":{middle + 2}: .*one of the two was changed"),
        "changed, without its hash":
            (lines[:middle] + [re.sub(',"hash".*', "}", edited)] + lines[middle + 1:],
                                            f":{middle + 1}: record {middle + 1} was changed"),
        "changed at the start of the log":
            ([lines[0].replace('"allowed"', '"refused"')] + lines[1:], ":1: record 1 was changed"),
        "changed at the end of the log": (lines[:-1] + [lines[-1].replace('"allowed"', '"refused"')],
                                f":{len(lines)}: record {len(lines)} was changed"),
        "removed": (lines[:middle] + lines[middle + 1:], f":{middle + 1}: .*removed"),
        "moved": (lines[:middle] + [lines[middle + 1], lines[middle]] + lines[middle + 2:],
                  f":{middle + 1}: "),
        "duplicated": (lines[:middle + 1] + lines[middle:], f":{middle + 2}: .*moved, or one was inserted"),
        "cut short": (lines[:middle] + [lines[middle][:50] + "\n"] + lines[middle + 1:],
                      f":{middle + 1}: not a record"),
        "put in": (lines[:middle] + [lines[middle].replace("check", "other")] + lines[middle:],
                   f":{middle + 2}: "),
    }
    for what, (text, says) in rows.items():
        path = home.write(f"damaged-{re.sub('[ ,]+', '-', what)}", "".join(text))
        play(Case(f"audit verify: a record that was {what}", ["audit", "verify", path], 1, []), home)
        outcome = home.run("audit", "verify", path)
        tap.report(bool(re.search(says, outcome.out)), f"audit verify: locates a record that was {what}",
                   says, outcome)
    tap.report(all(anew(line) == line for line in lines), "each record ends with the hash of its text")
    headless = home.write("headless", "".join(lines[1:]))
    play(Case("audit verify: says which records are missing at the start", ["audit", "verify", headless], 0,
              r":1: the log begins with record 2: .*or one was removed"), home)
    forged = home.write("forged", "".join(lines[:-1]) + anew(lines[-1].replace('"allowed"', '"refused"')))
    outcome = home.run("audit", "verify")
    last = outcome.out.split()[-1]
    tap.report(json.loads(lines[-1])["hash"] == last, "the last hash belongs to the last record", last)
    play(Case("audit verify --last: notices a changed last record with a new valid hash",
              ["audit", "verify", "--last", last, forged], 1, f"no record has the hash {last}"), home)
    short = home.write("cut-off", "".join(lines[:-2]))
    play(Case("audit verify --last: accepts a complete log", ["audit", "verify", "--last", last], 0,
              " 0 faults"), home)
    play(Case("audit verify --last: notices a truncated log", ["audit", "verify", "--last", last, short], 1,
              []), home)
    halves = [home.write("old", "".join(lines[:middle])), home.write("new", "".join(lines[middle:]))]
    play(Case("audit verify: accepts a rotated log", ["audit", "verify", *halves], 0, " 0 faults"), home)


def behind(line, other):
    """Returns LINE chained to OTHER."""
    return anew(re.sub('"prev":"[^"]*"', f'"prev":"{json.loads(other)["hash"]}"', line))


def locked_out():
    """A frozen helper holds the log's lock: requests are logged all the same, and the chain may fork there.
    When it continues, it appends a record from before the fork."""
    path = home.write("kept", "")
    with Helper(home.user, seconds=60, record=path) as helper, open(path, "rb") as file:
        helper.ask("Remove", (), name="..")
        fcntl.flock(file, fcntl.LOCK_EX)
        took = []
        for _ in range(2):
            began = time.monotonic()
            helper.ask("Remove", (), name="..")
            took.append(time.monotonic() - began)
        fcntl.flock(file, fcntl.LOCK_UN)
        helper.ask("Remove", (), name="..")
    with open(path, encoding="ascii") as file:
        lines = file.read().splitlines(keepends=True)
    before, (one, two), after = lines[:-3], lines[-3:-1], lines[-1]
    tap.report([bool(json.loads(line).get("unlocked")) for line in lines] == [False] * len(before) +
               [True, True, False] and
               len(before) == 3 and took[0] < 20 and took[1] < 1,
               "a locked log: requests are logged, with a mark", *lines, took)
    play(Case("audit verify: accepts records written without the lock", ["audit", "verify", path], 0,
              [" 0 faults", r":4: record 4 was written without the file's lock"]), home)
    late = anew(one.replace(',"unlocked":true', ""))
    rows = {"the frozen helper's record is last": (before + [one, two, late], 0),
            "the next record follows the frozen helper's":
            (before + [one, two, late, behind(after, late)], 0),
            "one follows a record that has changed":
            (before + [one, behind(two, before[-1]), behind(after, two)], 1),
            "two unlocked records follow the same one": (before + [one, behind(two, before[-1])], 0),
            "the first unlocked record was removed": (before + [two, after], 1),
            "the second unlocked record was removed": (before + [one, after], 1),
            "the record before them was removed": (before[:-1] + [one, two, after], 1),
            "a record after them was removed": (lines + [behind(after, late)], 1)}
    for what, (text, status) in rows.items():
        play(Case(f"audit verify, without the lock: {what}",
                  ["audit", "verify", home.write("parted", "".join(text))],
                  status, " 0 faults" if status == 0 else r" [1-9] fault"), home)


def chained(entries):
    """Whether each journal entry has the number and hash of the one before it."""
    return all(int(one["ROOTLET_SEQ"]) == int(before["ROOTLET_SEQ"]) + 1 and
               one["ROOTLET_PREV"] == before["ROOTLET_HASH"]
               for before, one in zip(entries, entries[1:]))


# Journal fields and the members of a record; a missing member means a missing field.
KEYS = ("time", "kind", "request", "arguments", "decision", "rule", "result", "message", "status",
        "milliseconds", "mode",
        "user", "uid", "gid", "pid", "helper", "login_uid", "session", "seq", "prev", "hash")
PRIORITIES = {"refusal": 4, "result": 5, "intent": 6}


def priority_of(record):
    return 6 if record["kind"] == "result" and record["result"] == "none" else PRIORITIES[record["kind"]]


def differing(entry, record):
    """Returns the differences between the journal's ENTRY and RECORD."""
    wanted = {f"ROOTLET_{key.upper()}": str(record[key]) if key in record else None for key in KEYS}
    wanted |= {"PRIORITY": str(priority_of(record)), "SYSLOG_FACILITY": "10",
               "SYSLOG_IDENTIFIER": "rootlet-helper"}
    message = f"{record['user']}({record['uid']}) {record['kind']} {record['request']}"
    wrong = [(key, entry.get(key), value) for key, value in wanted.items() if entry.get(key) != value]
    return wrong + ([] if entry.get("MESSAGE", "").startswith(message)
                    else [("MESSAGE", entry.get("MESSAGE"), message)])


def syslog_line(record):
    """Returns the syslog line for RECORD, as a regular expression."""
    arguments = f" {re.escape(record['arguments'])}" if record["arguments"] else ""
    outcome = "" if record["kind"] == "intent" else f": {record['result']}.*"
    return (rf"<{80 + priority_of(record)}>rootlet-helper\[\d+\]: {record['user']}\({record['uid']}\) "
            rf"{record['kind']} "
            rf"{record['request']}{arguments} by {re.escape(record['rule'])}{outcome} \({record['seq']} "
            rf"{record['hash']}\)")


def of_all_kinds(path):
    """Creates records of a logged-in user: successful, failed and refused requests."""
    with Helper(home.user, record=path, before=logged_in()) as helper, \
            opened(TREE, *["/dev/null"] * 3, home.dir) as fds:
        helper.ask("Execute", fds[:4], argv=["sleep", "0.1"], user="root")
        # It is not a snapshot.
        helper.ask("Verify", fds[:1])
        helper.ask("Inspect", fds[4:])
        helper.ask("Remove")
    return records(path)


def by_value(entries, lines):
    """The journal's ENTRIES, and syslog's LINES if any, match the records."""
    path = f"{home.dir}/kinds.log"
    os.path.exists(path) and os.unlink(path)
    kinds = of_all_kinds(path)
    tap.report({one["kind"] for one in kinds} == set(PRIORITIES) and
               any(one["kind"] == "result" and one["result"] != "none" for one in kinds) and
               any(one.get("milliseconds", 0) >= 100 for one in kinds), "the log has records of every kind",
               *kinds)
    found = wait_until(lambda: [one for one in entries()
                                if one.get("ROOTLET_HASH") == kinds[-1]["hash"]]) or []
    found = {one.get("ROOTLET_HASH"): one for one in entries()} if found else {}
    wrong = [one for record in kinds for one in differing(found.get(record["hash"], {}), record)]
    tap.report(not wrong, "the journal has all members of each record", *wrong[:20])
    if lines is None:
        return
    wait_until(lambda: any(kinds[-1]["hash"] in line for line in lines))
    wrong = [record for record in kinds if not any(re.fullmatch(syslog_line(record), line) for line in lines)]
    tap.report(not wrong, "syslog has the user, request, outcome, number and hash of each record",
               *wrong[:3], *lines[-3:])


JOURNALD = "/lib/systemd/systemd-journald"


def journald():
    """Runs a private journald in the test's own /run, without kernel audit or the host's log."""
    if not os.path.exists(JOURNALD) or not shutil.which("journalctl"):
        tap.skip("journalctl prints the fields", "systemd-journald is missing")
        return
    os.makedirs("/run/systemd/journald.conf.d")
    with open("/run/systemd/journald.conf.d/test.conf", "w", encoding="ascii") as file:
        file.write("[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=\nForwardToSyslog=no\nForwardToWall=no\n")
    process = subprocess.Popen(["unshare", "--net", "--ipc", JOURNALD], stderr=subprocess.DEVNULL)
    wait_until(lambda: os.path.exists("/run/systemd/journal/socket") or process.poll() is not None, 10)
    if process.poll() is None:
        by_value(printed, None)
    else:
        tap.skip("journalctl prints the fields", "systemd-journald does not start here")
    process.terminate()
    process.wait()


def printed():
    done = subprocess.run(["journalctl", "--no-pager", "--output=json", "--directory=/run/log/journal",
                           "SYSLOG_IDENTIFIER=rootlet-helper"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


def backends():
    """The journal and syslog backends, and the key required."""
    got = {"journal": [], "syslog": []}
    listening = []
    for name, path in (("journal", "/run/systemd/journal/socket"), ("syslog", "/dev/log")):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if os.path.lexists(path):
            tap.skip(f"backend {name}", f"{path} exists")
            continue
        listener.bind(path)
        os.chmod(path, 0o777)
        listening.append((name, path, listener))

        def read(name=name, listener=listener):
            while True:
                try:
                    got[name].append(listener.recv(65536).decode())
                except OSError:
                    return
        threading.Thread(target=read, daemon=True).start()
    installed.allow(home.user, audit=["syslog = yes"])
    with open(installed.POLICY, encoding="ascii") as file:
        text = file.read().replace("journal = no", "journal = yes")
    installed.set_policy(text)
    outcome = shell("true")
    own = records(OWN)[-1]
    for name, _, _ in listening:
        wait_until(lambda name=name: any(own["hash"] in one for one in got[name]))
    journal = [dict(line.split("=", 1) for line in entry.splitlines()) for entry in got["journal"]]
    wanted = {"MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "ROOTLET_REQUEST", "ROOTLET_DECISION",
              "ROOTLET_RULE",
              "ROOTLET_UID", "ROOTLET_GID", "ROOTLET_PID", "ROOTLET_MODE", "ROOTLET_HASH",
              "ROOTLET_SEQ", "ROOTLET_PREV"}
    tap.report(outcome.status == 0 and journal and wanted <= set(journal[-1]) and
               journal[-1]["SYSLOG_IDENTIFIER"] == "rootlet-helper" and
               journal[-1]["ROOTLET_REQUEST"] == own["request"], "the journal gets the fields", outcome,
               *journal[-1:])
    if journal:
        play(Case("the journal's hash anchors the file", ["audit", "verify", "--last",
                  journal[-1]["ROOTLET_HASH"], OWN], 0, " 0 faults"), home)
        tap.report(len(journal) > 2 and chained(journal) and
                   all(journal[-1][f"ROOTLET_{key.upper()}"] == str(own[key])
                       for key in ("seq", "prev", "hash")),
                   "the journal has each record's number, its hash and the previous hash", *journal[-2:])
        with Helper(home.user) as helper:
            helper.ask("Remove")
        # Two records for Hello, and the refusal.
        wait_until(lambda: len(got["journal"]) > len(journal) + 2)
        alone = [dict(line.split("=", 1) for line in entry.splitlines())
                 for entry in got["journal"]][len(journal):]
        tap.report(len(alone) > 2 and chained(alone) and alone[0]["ROOTLET_SEQ"] == "1",
                   "without a file, each helper's records form a chain in the journal", *alone)
    tap.report(got["syslog"] and "rootlet-helper[" in got["syslog"][-1] and
               got["syslog"][-1].startswith("<8"),
               "syslog gets the lines", *got["syslog"][-1:])
    if len(listening) == 2:
        by_value(lambda: [dict(line.split("=", 1) for line in one.splitlines()) for one in got["journal"]],
                 got["syslog"])
    for name, path, listener in listening:
        listener.close()
        os.unlink(path)
    journald()
    for name in ("socket", "dev-log", "stdout", "io.systemd.journal"):
        path = f"/run/systemd/journal/{name}"
        os.path.lexists(path) and os.unlink(path)
    for required, status in (("no", 0), ("yes", 5)):
        installed.set_policy(text + f"required = {required}\n")
        outcome = shell("true")
        tap.report(outcome.status == status, f"no journal, required = {required}: exit status {status}",
                   outcome)


def full_disk():
    """A full disk for the log: with required = yes, requests are refused, and the log stays intact."""
    root = Home(user=type(home.user)("root", 0, 0))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k,mode=755", "none", "/var/log/rootlet"], check=True)
    installed.allow(root.user, audit=["required = yes"])
    refused, done = None, 0
    with Helper(root.user) as helper:
        for _ in range(60):
            answer = helper.ask("OpenNamespace")
            for fd in answer.fds:
                os.close(fd)
            if answer.code:
                refused = answer
                break
            done += 1
    tap.report(done > 3 and refused and refused.code == HOST and "cannot be recorded" in refused.message,
               "with required = yes, a full log disk stops all requests", done, refused)
    with open(installed.RECORD, "rb") as file:
        data = file.read()
    tap.report(data.endswith(b"\n") and records(installed.RECORD),
               "a full log disk leaves no partial record", data[-80:])
    subprocess.run(["umount", "/var/log/rootlet"], check=True)


own_record()
arguments()
who()
together()
killed()
damage()
locked_out()
hostile_text()
backends()
full_disk()
tap.done()
