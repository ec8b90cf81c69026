"""rootlet runs archive on runs that these tests write: what is in the archive, what of the host is not, and
what a guest can put into its results. Needs no helper and no guest."""
import fcntl
import io
import json
import os
import socket
import tarfile

from support import tap
from support.runs import OOPS, RESULTS, write_run
from support.schemas import document
from support.world import Home

home = Home()
HOST = socket.gethostname()
SHORT = HOST.partition(".")[0]


def archive(run, *words):
    """Returns the outcome, and {name in the archive: text}."""
    path = f"{home.dir}/a.tar.gz"
    outcome = home.run("runs", "archive", run, "--output", path, *words)
    if outcome.status:
        return outcome, {}
    with open(path, "rb") as file:
        data = file.read()
    os.unlink(path)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = tar.getmembers()
        texts = {one.name.partition("/")[2]: tar.extractfile(one).read().decode() for one in members}
        strange = [one.name for one in members
                   if not one.isfile() or one.uid or one.gid or one.uname or one.gname or ".." in one.name]
    tap.report(not strange, "the archive has regular files of nobody", *strange)
    return outcome, texts


def whole():
    run = write_run(home, "whole", files={"generic/002.out.bad": "bad output\n", "generic/001.full": "full\n",
                                          "guest-2/ext4/generic/005.dmesg": "dmesg\n", "check.log": "log\n"})
    for name in ("check.out", "check-2.out", "console.log", "plan"):
        home.write(f"whole/{name}", f"{name} of the run\n")
    home.write("whole/.run.json", "draft")
    outcome, texts = archive(run, "--json")
    value, wrong = document("runs-archive", outcome)
    tap.report(not wrong and value["run"] == "whole" and value["files"] == len(texts) and
               not value["left_out"],
               "--json describes the archive", *wrong, value)
    tap.report(set(texts) == {"README", "run.json", "tests.jsonl", "kernel.jsonl", "check.out", "check-2.out",
                              "console.log", "plan", "results/generic/002.out.bad",
                              "results/generic/001.full",
                              "results/guest-2/ext4/generic/005.dmesg", "results/check.log"},
               "it has rootlet's files and fstests' files", *texts)
    tap.report([json.loads(line) for line in texts["tests.jsonl"].splitlines()] == RESULTS and
               json.loads(texts["kernel.jsonl"]) == OOPS, "results and traces are whole",
               texts["tests.jsonl"])
    order = [name for name in texts if name.startswith("results/")]
    tap.report(order[:2] == ["results/generic/002.out.bad", "results/guest-2/ext4/generic/005.dmesg"],
               "files of failed tests come first", *order)
    first = home.run("runs", "archive", run).out
    with open(f"{home.dir}/whole.tar.gz", "rb") as file:
        before = file.read()
    second = home.run("runs", "archive", run).out
    with open(f"{home.dir}/whole.tar.gz", "rb") as file:
        tap.report(file.read() == before and first == second and first.startswith("whole.tar.gz: 12 files"),
                   "the same run gives the same bytes, in RUN.tar.gz", first)


# What is written, and what is left of it.
PRIVATE = [
    ("the host's name", f"on {HOST}: x", "on HOST: x"),
    ("the host's name in a console", f"[ 1.0] {SHORT} login:", "[ 1.0] HOST login:"),
    ("a word that begins like the host's name", f"{SHORT}x", f"{SHORT}x"),
    ("the home directory", f"{home.dir}/linux/vmlinux is old", "/…/vmlinux is old"),
    ("the home directory on a kernel's command line", f"dir={home.dir[1:]}/x y", "dir=/…/x y"),
    ("the rootfs", "'/opt/lab/rootfs/etc/passwd'", "'/…/passwd'"),
    ("fstests, at the end of a sentence", "see /usr/src/xfstests.", "see /…/xfstests."),
    ("a directory of a cluster", "/mnt/nfs/lab/run: stale", "/…/run: stale"),
    ("the source of a kernel", "WARNING: at /srv/build/linux/fs/ext4/inode.c:12 x+0x1",
     "at /…/inode.c:12 x+0x1"),
    ("another user's home", "(/home/somebody/x)", "(/…/x)"),
    ("a device of the guest", "input: as /devices/platform/i8042/input0",
     "input: as /devices/platform/i8042/input0"),
    ("paths of the guest", "/dev/vdb on /mnt/test, /opt/rootlet/results/generic/001.full",
     "/dev/vdb on /mnt/test, /opt/rootlet/results/generic/001.full"),
    ("a name of a test, a fraction and an address", "generic/001 1/2 https://kernel.org/pub/linux",
     "generic/001 1/2 https://kernel.org/pub/linux"),
]


def private():
    record = {"rootfs": "/opt/lab/rootfs", "host": "node.somebody.example", "fstests": "/usr/src/xfstests",
              "cluster": {"engine": "slurm", "directory": "/mnt/nfs/lab/run"},
              "tests": ["-E", "/srv/lab/excluded"],
              "shards": [{"run": "x", "part": 1, "results": "/srv/lab/shard", "state": "passed"}]}
    for what, text, left in PRIVATE:
        run = write_run(home, "private", [{**RESULTS[1], "reason": text, "detail": text}],
                        [{**OOPS, "line": text, "trace": text}], {"generic/002.full": text}, note=text,
                        **record)
        home.write("private/console.log", text)
        _, texts = archive(run)
        wrong = [name for name in ("tests.jsonl", "kernel.jsonl", "results/generic/002.full", "console.log",
                                   "run.json")
                 if left not in texts[name].replace(r"\/", "/")]
        tap.report(not wrong, f"{what}: what is private is removed, and nothing else", *wrong,
                   *(texts[name] for name in wrong))
        found = [word for word in ("/srv/", "/opt/lab", "/usr/src", "/mnt/nfs", home.dir[1:], "somebody")
                 for whole_text in texts.values() if word in whole_text]
        tap.report(not found, f"{what}: no private path is in any file", *found)


def hostile():
    home.write("secret", "SECRET")
    run = write_run(home, "hostile", files={
        "generic/002.out.bad": b"\x1b[31mred\xff\xfe\x9b\n", "binary": b"\x7fELF\0\0\0",
        "late": b"x" * 5000 + b"\0y"})
    results = f"{run}/results"
    home.write("hostile/console.log", b"one\r\ntwo\rthree\r\n")
    for name, target in (("link", f"{home.dir}/secret"), ("up", "../.."),
                         ("generic/003.full", "/etc/passwd")):
        os.symlink(target, f"{results}/{name}")
    os.mkfifo(f"{results}/pipe")
    os.makedirs(f"{results}/{'deep/' * 12}")
    home.write("hostile/results/generic/\x1b[31mname", "x")
    with open(home.write("hostile/results/generic/002.full", "begin\n"), "r+b") as file:
        file.truncate(100 << 20)
    with open(f"{results}/generic/002.full", "ab") as file:
        file.write(b"\nend\n")
    home.write("hostile/results/generic/002.full.text", b"begin\n" + b"line\n" * 500000 + b"end\n")
    outcome, texts = archive(run, "--json")
    value, wrong = document("runs-archive", outcome)
    left = {one["file"]: one["why"] for one in value["left_out"]}
    tap.report(not wrong and not any("SECRET" in text or "root:" in text for text in texts.values()),
               "links lead nowhere", *wrong)
    for name, why in (("results/link", "a symbolic link"), ("results/up", "a symbolic link"),
                      ("results/generic/003.full", "a symbolic link"), ("results/pipe", "no regular file"),
                      ("results/binary", "a binary file"), ("results/generic/002.full", "a binary file"),
                      ("results/generic/002.full.text", "only its middle: it is large")):
        tap.report(left.get(name) == why and f"{name}: {why}" in texts["README"],
                   f"{name} is left out, and README says why", left)
    tap.report("its name cannot be used" in left.values() and "too deep" in left.values(),
               "a name with an escape and a deep directory are left out", left)
    tap.report(texts["results/generic/002.out.bad"] == "?[31mred???\n" and
               texts["results/late"][-2:] == " y" and texts["console.log"] == "one\ntwo?three\n",
               "text has no control characters", repr(texts["results/generic/002.out.bad"]))
    long = texts["results/generic/002.full.text"]
    tap.report(long.startswith("begin\n") and long.endswith("end\n") and len(long) < 1.1e6,
               "of a long file there are the beginning and the end", len(long))


def refused():
    run = write_run(home, "running", status=None)
    fd = os.open(run, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    outcome, _ = archive(run)
    os.close(fd)
    tap.report(outcome.status == 6 and "still in progress" in outcome.err and
               not os.path.exists(f"{home.dir}/a.tar.gz"), "a run in progress is refused", outcome)
    outcome, texts = archive(run)
    tap.report(outcome.status == 0 and "tests.jsonl" in texts, "a run that was cut off has an archive",
               outcome)
    for what, status, says, words in (
            ("an unknown run", 1, "does not exist", ["nosuch"]),
            ("two runs", 2, "unexpected argument", [run, run]),
            ("a missing directory", 1, "cannot write /nonexistent/a", [run, "--output", "/nonexistent/a"])):
        outcome = home.run("runs", "archive", *words)
        tap.report(outcome.status == status and says in outcome.err, f"{what} is refused", outcome)


whole()
private()
hostile()
refused()
tap.done()
