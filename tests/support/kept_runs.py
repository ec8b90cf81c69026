"""Writes run directories, as rootlet fstests leaves them."""
import fcntl
import json
import os

RUNS = "state/rootlet/runs"
STATUSES = ("pass", "fail", "notrun", "expunged", "crash", "timeout", "unreached")


def result(name, status="pass", seconds=1, section="", **more):
    """Returns a line of tests.jsonl."""
    return {**({"section": section} if section else {}), "name": name, "status": status, "seconds": seconds,
            **more}


def write_run(home, name, results, fstype="ext4", kernel="6.1.0", image=None, began=1000, at=RUNS, **record):
    """Writes the run NAME with RESULTS, which are lines or {name: status}. IMAGE: of the kernel. A member of
    RECORD that is None is left out. Returns the path of its directory."""
    if isinstance(results, dict):
        results = [result(test, status) for test, status in results.items()]
    whole = {"run": name, "began": began, "status": "passed", "exit_status": 0, "seconds": 10, "boots": 1,
             "results": f"{home.dir}/{at}/{name}", "failures": [], "kernel": [],
             "counts": {status: sum(one["status"] == status for one in results) for status in STATUSES},
             "kernel_version": kernel, "fstype": fstype, "rootfs": "/some/rootfs",
             "fstests": "/some/fstests", "tests": ["-g", "quick"], "root": "image"}
    if image:
        whole["identity"] = {"kernel": image, "fstests": "0" * 64, "configuration": "0" * 64}
    whole.update(record)
    home.write(f"{at}/{name}/run.json",
               json.dumps({key: value for key, value in whole.items() if value is not None}, indent=2))
    home.write(f"{at}/{name}/tests.jsonl",
               "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in results))
    return f"{home.dir}/{at}/{name}"


def hold(path):
    """Locks a run's directory, as its process does. Returns a descriptor."""
    fd = os.open(path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd
