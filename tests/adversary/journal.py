"""An installed helper's audit log with a real systemd-journald: what `rootlet audit verify --journal` finds,
which entries it trusts, and rotated logs."""
import json
import os
import shutil
import subprocess

from support import installed, tap
from support.protocol import Helper, opened
from support.world import Home, User, wait_until

JOURNALD, SOCKET = "/lib/systemd/systemd-journald", "/run/systemd/journal/socket"
CASES = ["audit verify --journal", "logrotate"]
installed.enter(*CASES)
USER = installed.user_without_range()
ROOT = Home(user=User("root", 0, 0))
HOME = Home(user=USER)
LOG = installed.RECORD
SPARE = installed.range_of(USER) + 65535


class Journal:
    """Runs a private journald in the test's own /run, without kernel audit or the host's log."""

    def __init__(self):
        self.process = None
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", "/run"], check=True)
        os.makedirs("/run/systemd/journald.conf.d")
        os.makedirs("/run/systemd/journal")
        with open("/run/systemd/journald.conf.d/test.conf", "w", encoding="ascii") as file:
            file.write("[Journal]\nStorage=volatile\nReadKMsg=no\n"
                   "Audit=\nForwardToSyslog=no\nForwardToWall=no\n")

    def start(self):
        self.process = subprocess.Popen(["unshare", "--net", "--ipc", JOURNALD], stderr=subprocess.DEVNULL)
        return wait_until(lambda: os.path.exists(SOCKET) or self.process.poll() is not None, 30) and \
            self.process.poll() is None

    def stop(self):
        self.process.terminate()
        self.process.wait()
        os.unlink(SOCKET)

    def sync(self):
        """Waits until everything sent so far is in the files."""
        marker = f"rootlet-test-{os.urandom(8).hex()}"
        send_entry(0, SYSLOG_IDENTIFIER="test", MESSAGE=marker)
        wait_until(lambda: subprocess.run(["journalctl", "--quiet", "--no-pager", f"MESSAGE={marker}"],
                                          stdout=subprocess.PIPE, check=False).stdout.strip())


def send_entry(uid, **fields):
    """Sends an entry with arbitrary fields from a process of UID."""
    text = "".join(f"{key}={value}\n" for key, value in fields.items())
    script = ("import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); "
              f"s.connect({SOCKET!r}); s.send(sys.argv[1].encode())")
    subprocess.run(["/usr/bin/python3", "-c", script, text], check=True, user=uid, group=uid, extra_groups=[])


def requests(count=2):
    with Helper(USER, program=installed.HELPER) as helper, opened(HOME.dir) as fds:
        for _ in range(count):
            helper.ask("Remove", fds, name="none")


def policy(*audit):
    installed.allow(USER, audit=audit)
    with open(installed.POLICY, encoding="ascii") as file:
        installed.set_policy(file.read().replace("journal = no", "journal = yes"))


def verify(*words):
    JOURNAL.sync()
    return ROOT.run("audit", "verify", *words)


def claim(status, what, *says, words=("--journal",)):
    outcome = verify(*words)
    tap.report(outcome.status == status and all(one in outcome.out for one in says), what, *says, outcome)
    return outcome


def lines_of(path=LOG):
    with open(path, encoding="ascii") as file:
        return file.read().splitlines(keepends=True)


def write_lines(lines, path=LOG):
    with open(path, "w", encoding="ascii") as file:
        file.writelines(lines)


def journal_fields(line):
    record = json.loads(line)
    names = {"request": "REQUEST", "rule": "RULE", "user": "USER", "uid": "UID", "seq": "SEQ",
             "prev": "PREV", "hash": "HASH"}
    return {"SYSLOG_IDENTIFIER": "rootlet-helper", "MESSAGE": "x"} | \
        {f"ROOTLET_{name}": record[key] for key, name in names.items()}


def compared():
    requests()
    claim(0, "the log and the journal agree", " 0 faults")
    forged = journal_fields(lines_of()[-1]) | {"ROOTLET_SEQ": 900, "ROOTLET_HASH": "ab" * 32}
    send_entry(USER.uid, **forged)
    claim(0, "an entry that the caller forged is ignored", " 0 faults",
          "1 entries that claim to be from rootlet-helper, but were sent by another uid")
    send_entry(SPARE + 65536, **forged)
    claim(0, "a forged entry with the reserved id of another range is ignored", " 0 faults",
          "2 entries that claim")
    whole = lines_of()
    write_lines(whole[:-2])
    claim(1, "records removed from the end of the log are noticed", f"the journal has record {len(whole)} ",
          "removed or changed", " 2 faults")
    write_lines(whole)
    JOURNAL.stop()
    requests()
    JOURNAL.start()
    claim(1, "records that journald did not get, at the end of the log, are not proven",
          "are not in the journal")
    requests()
    claim(0, "later records prove the ones that journald did not get", " 0 faults",
          "are missing from the journal")
    value = json.loads(verify("--journal", "--json").out)
    tap.report(value["faults"] == 0 and any(one["path"] == "journal" for one in value["remarks"]),
               "audit verify --journal --json names the journal", value)


def waiting_helper():
    """A helper that has completed a request and waits for the next."""
    helper = Helper(USER, program=installed.HELPER)
    with opened(HOME.dir) as fds:
        helper.ask("Remove", fds, name="none")
    return helper


def without_result():
    """The log after cgroup.kill during a request, which also kills the audit process. (integration/audit
    kills one process.)"""
    helper = waiting_helper()
    whole = lines_of()
    at = max(i for i, line in enumerate(whole) if json.loads(line)["kind"] == "intent")
    name = f"record {json.loads(whole[at])['seq']}: Remove by {USER.name} (uid {USER.uid})"
    write_lines(whole[:at + 1])
    claim(0, "a request of a running helper may lack its result", " 0 faults", words=())
    helper.leave()
    claim(1, "audit verify names a request that lacks its result", name, "has no result", words=())
    write_lines(whole)
    claim(0, "with the result, the log is complete again", " 0 faults", words=())


def without_file():
    policy("file = none")
    JOURNAL.stop()
    shutil.rmtree("/run/log/journal")
    JOURNAL.start()
    requests()
    claim(0, "without a file, the journal's chains are intact", " 0 faults")
    entry = journal_fields(lines_of()[-1]) | {"ROOTLET_SEQ": 7, "ROOTLET_PREV": "cd" * 32,
                                              "ROOTLET_HASH": "ef" * 32}
    send_entry(SPARE, **entry)
    claim(1, "without a file, a gap in a helper's chain is noticed",
          "record 7 ", "follows from one that the journal does not have")
    policy("required = yes", "file = none")
    outcome = ROOT.run("policy", "check")
    tap.report(outcome.status != 0 and "required = yes needs a file" in outcome.out + outcome.err,
               "a policy that requires records must name a file", outcome)
    os.unlink(installed.POLICY)
    outcome = verify("--journal")
    tap.report(outcome.status == 5 and "the journal proves nothing here" in outcome.err,
               "without a policy, audit verify --journal says that the journal proves nothing", outcome)


def rotated():
    """Rotates the log with logrotate and the installed configuration."""
    policy()
    requests()
    config = "/usr/local/share/rootlet/logrotate.conf"
    state = f"{ROOT.dir}/logrotate.state"
    helper = waiting_helper()
    done = subprocess.run(["/usr/sbin/logrotate", "--force", "--state", state, config],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    tap.report(done.returncode == 0 and os.path.exists(f"{LOG}.1") and
               os.stat(LOG).st_mode & 0o7777 == 0o600 and
               os.stat(LOG).st_uid == 0,
               "logrotate rotates the log; the new file has owner root and mode 0600", done.stdout)
    with opened(HOME.dir) as fds:
        helper.ask("Remove", fds, name="none")
    helper.leave()
    requests()
    outcome = verify(f"{LOG}.1", LOG)
    tap.report(outcome.status == 0 and " 0 faults" in outcome.out and
               "added to the older file" in outcome.out,
               "the old and the new file form one log, including records from a running helper", outcome)
    lines = lines_of(f"{LOG}.1")
    write_lines(lines[:-6], f"{ROOT.dir}/short")
    outcome = verify(f"{ROOT.dir}/short", LOG)
    tap.report(outcome.status == 1, "records removed before the rotation are noticed", outcome)


done, _ = installed.install(installed.group_of(USER))
if done.returncode != 0:
    tap.report(False, "install-helper", done.stdout)
    tap.done()
JOURNAL = Journal()
policy()
if not os.path.exists(JOURNALD) or not shutil.which("journalctl") or not JOURNAL.start():
    tap.skip(CASES[0], "systemd-journald does not start here")
else:
    compared()
    without_result()
    rotated()
    without_file()
    JOURNAL.stop()
tap.done()
