#!/usr/bin/python3
"""Runs each fuzz target in tests/fuzz from its seeds for ROOTLET_FUZZ_SECONDS (4), one more in parallel than
there are processors. One TAP case per target; an input that crashes a target is written below the build
directory and named.

run.py [TARGET…]"""
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from support import tap  # noqa: E402

BUILD = os.environ["ROOTLET_BUILD"]
SECONDS = int(os.environ.get("ROOTLET_FUZZ_SECONDS", "4"))
LONGEST = {"deb": 20000, "unpack": 24000, "plan": 8192, "chain": 8192, "request": 4096, "task": 20000,
           "kernel_log": 12000, "fetch": 12000}
# Targets whose seeds are recorded files.
RECORDED = {"check_output": "check", "kernel_log": "kernel"}
TARGETS = sorted(name[5:-2] for name in os.listdir(HERE) if name.startswith("fuzz_") and name.endswith(".c"))


def in_memory(room):
    """Returns a command prefix that mounts a tmpfs on ROOM, for that process only."""
    os.makedirs(room, exist_ok=True)
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *as_root, "--mount", "--propagation", "private", "sh", "-c",
            'mount -t tmpfs fuzz "$0" && exec "$@"', room]


def fuzz(target):
    """Returns (exit status, executions, output)."""
    work = f"{BUILD}/fuzz-work/{target}"
    os.makedirs(f"{work}/corpus", exist_ok=True)
    seeds = f"{HERE}/../recorded/{RECORDED[target]}" if target in RECORDED else f"{HERE}/seeds/{target}"
    words = [f"{BUILD}/tests/fuzz/fuzz_{target}", f"-max_total_time={SECONDS}", "-timeout=60",
             "-print_final_stats=1",
             "-rss_limit_mb=2048", f"-max_len={LONGEST.get(target, 4096)}", f"-artifact_prefix={work}/",
             f"{work}/corpus", seeds]
    done = subprocess.run([*in_memory(f"{work}/room"), *words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT,
                          errors="replace", check=False,
                          env={"PATH": "/usr/bin:/bin", "FUZZ_ROOM": f"{work}/room",
                               "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1",
                               "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})
    count = re.search(r"stat::number_of_executed_units:\s+(\d+)", done.stdout)
    return done.returncode, int(count.group(1)) if count else 0, done.stdout


with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
    wanted = sys.argv[1:] or TARGETS
    for target, (status, count, text) in zip(wanted, pool.map(fuzz, wanted)):
        # Running only the seeds is not fuzzing: too few executions prove nothing.
        tap.report(status == 0 and count > 100, f"fuzz {target}: {SECONDS} s", text[-6000:])
        tap.note(f"fuzz {target}: {count} executions, exit status {status}")
tap.done()
