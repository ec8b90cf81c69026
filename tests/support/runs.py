"""Run directories that tests write themselves, as rootlet fstests would have left them."""
import json
import random

RECORD = {"began": 1794500000, "kernel_version": "6.12.0", "boot": "elf", "fstype": "ext4",
          "fstests": "/home/tester/xfstests", "rootfs": "/home/tester/.kerneldev-mcp/test-rootfs",
          "root": "image",
          "tests": ["-g", "auto"], "status": "failed", "exit_status": 1, "seconds": 61.5, "boots": 2,
          "identity": {"kernel": "ab" * 32, "fstests": "cd" * 32, "configuration": "ef" * 32}}
DIFF = """    --- tests/{name}.out\t2024-11-02 10:11:12.000000000 +0000
    +++ /opt/rootlet/results/{name}.out.bad\t2026-11-24 15:32:00.000000000 +0000
    @@ -1,2 +1,3 @@
     QA output created by {name}
    -Silence is golden.
    +mount: can't read the superblock
    ...
    (Run 'diff -u tests/{name}.out {name}.out.bad' to see the entire diff)"""
TRACE = "BUG: kernel NULL pointer dereference, address: 0000000000000018\n" \
        "RIP: 0010:ext4_truncate+0x10c/0x150\nCall Trace:\n ext4_evict_inode+0x1/0x2"
# A test with each status.
RESULTS = [
    {"name": "generic/001", "status": "pass", "seconds": 3.25},
    {"name": "generic/002", "status": "fail", "seconds": 12, "reason": "output mismatch",
     "detail": DIFF.format(name="generic/002")},
    {"name": "generic/003", "status": "notrun", "seconds": 0, "reason": "attr utility required"},
    {"name": "generic/004", "status": "expunged", "seconds": 0},
    {"name": "generic/005", "status": "crash", "seconds": 2, "reason": TRACE.split("\n", maxsplit=1)[0],
     "detail": TRACE},
    {"name": "generic/006", "status": "timeout", "seconds": 1800, "reason": "it ran for more than 1800 s"},
    {"name": "generic/007", "status": "unreached", "seconds": 0},
]
OOPS = {"kind": "oops", "test": "generic/005", "line": TRACE.split("\n", maxsplit=1)[0], "trace": TRACE}


def lines(objects):
    return "".join(json.dumps(one) + "\n" for one in objects)


def write_run(home, at, results=tuple(RESULTS), kernel=(OOPS,), files=None, **record):
    """Writes the run directory AT of HOME; FILES are below its results/. A field of the record that is None
    is left out. Returns its path."""
    whole = {**RECORD, "run": at.rpartition("/")[2], **record}
    home.write(f"{at}/run.json",
               json.dumps({key: value for key, value in whole.items() if value is not None}))
    home.write(f"{at}/tests.jsonl", lines(results))
    home.write(f"{at}/kernel.jsonl", lines(kernel))
    for name, data in (files or {}).items():
        home.write(f"{at}/results/{name}", data)
    return f"{home.dir}/{at}"


def many(count, number, seed):
    """Returns NUMBER results, of which about COUNT failed and a quarter did not run."""
    chance = random.Random(seed)
    found = []
    for i in range(number):
        name = f"{('generic', 'xfs', 'btrfs')[i * 3 // number]}/{i % 800 + 1:03}"
        one = {"name": name, "status": "pass", "seconds": round(chance.expovariate(1 / 8), 2)}
        if chance.random() < count / number:
            one.update(status="fail", reason="output mismatch", detail=DIFF.format(name=name))
        elif i % 4 == 0:
            one.update(status="notrun", seconds=0, reason=f"this test requires feature {i % 40}")
        found.append(one)
    return found


HOSTILE = {
    "terminal escapes": "\x1b[31mred\x1b]0;title\x07\x9b2J\x7f\r",
    "HTML": "</script><script>alert(1)</script><img src=x onerror=alert(1)><!--",
    "XML": "]]></failure></testcase><!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>&y;",
    "Markdown": "``` `` | [link](javascript:alert(1)) @everyone #1 ![](http://example.org/x)\n\n"
                "# Title\n</details>",
    "KTAP": "x # SKIP\nok 1 fake\nBail out!\n1..99",
    "separators of lines": "a\u2028b\u2029c\u0085d\ve\ff",
    "text that is no character": "\ufffe\uffff\u202ereversed",
}


def write_hostile_run(home, at, text):
    """Writes a run that has TEXT wherever a text can be."""
    results = [{"name": text, "section": text, "status": "fail", "seconds": 1, "reason": text,
                "detail": text},
               {"name": "generic/001", "status": "notrun", "seconds": 1e300, "reason": text},
               {"name": "generic/002", "status": "fail", "seconds": -1, "detail": text * 500}]
    return write_run(home, at, results, [{"kind": text, "test": text, "line": text, "trace": text}],
                     {"generic/002.out.bad": text.encode() + b"\xff\xfe\xc3(" + text.encode()},
                     kernel_version=text, fstype=text, status=text, rootfs=text, tests=[text],
                     identity={"kernel": text, text: text})
