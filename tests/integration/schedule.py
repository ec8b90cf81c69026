"""The simulation of runs on many guests, tests/bench/schedule, which drives the queue of rootlet fstests."""
import os
import re
import subprocess

from support import tap
from support.world import BUILD, SCRATCH, SOURCE

BENCH, PROGRAM = f"{SOURCE}/tests/bench/schedule", f"{BUILD}/tests/schedule"
THREE = "10 0 s a\n20 0 s b\n30 0 s c\n"


def run(*words, lines=None):
    return subprocess.run(words, input=lines, capture_output=True, text=True, check=False)


def rows():
    done = run(BENCH, "--limits", "--seeds", "5", BUILD)
    found = re.findall(r"^(.*?) +(\d+) +[\d.]+ +[\d.]+ +([\d.]+) +[\d.]+ +([\d.]+)", done.stdout, re.M)
    tap.report(done.returncode in (0, 1) and len(found) == 23, "every row of the simulation is printed",
               done.stdout,
               done.stderr)
    for what, guests, mean, limit in found:
        # A test that crashes its guest ends early, which the bound does not know.
        least = 0.95 if "crash" in what else 1
        tap.report(least <= float(mean) <= float(limit),
                   f"{what}, {guests} guests: {mean} of the lower bound", limit)
    tap.report(done.stdout == run(BENCH, "--limits", "--seeds", "5", BUILD).stdout,
               "the same seeds give the same result")


def figures():
    for what, words, lines, expected in (
            ("one guest runs one test after the other", ["boot=5"], THREE, "65.00 65.00 1"),
            ("two guests share the work", ["guests=2", "boot=5"], THREE, "35.00 35.00 2"),
            ("each batch takes a start of check", ["check=1", "most=1"], THREE, "63.00 60.00 1"),
            ("tests that run alone come one after the other", ["guests=2"], THREE.replace("0 0 s", "0 1 s"),
             "60.00 60.00 2"),
            ("a change of section takes time", ["section=2"], THREE + "5 0 t d\n", "69.00 65.00 1")):
        done = run(PROGRAM, *words, lines=lines)
        tap.report(done.stdout == f"{expected}\n", f"simulated: {what}", done.stdout, done.stderr)
    # generic/127 is in frontend/fstests/long_tests.c.
    os.makedirs(f"{SCRATCH}/tree/tests/generic")
    with open(f"{SCRATCH}/tree/tests/generic/group.list", "w", encoding="utf-8") as file:
        file.write("001 auto\n002 auto\n127 auto\n")
    guessed = run(PROGRAM, "guests=2", f"guess={SCRATCH}/tree",
                  lines="30 0 s generic/001\n30 0 s generic/002\n60 0 s generic/127\n")
    tap.report(guessed.stdout == "60.00 60.00 2\n",
               "simulated: a test that is known to take long starts first", guessed.stdout, guessed.stderr)
    crashed = run(PROGRAM, "crash=0.99", "boot=5", lines=THREE)
    tap.report(crashed.stdout.endswith(" 4\n"), "simulated: each crash takes a boot", crashed.stdout)


def wrong():
    path = f"{SCRATCH}/few.durations"
    with open(path, "w", encoding="utf-8") as file:
        file.write("# rootlet durations 1\n5 generic/001\n")
    for what, words, lines, status, says in (
            ("too few durations", [BENCH, "--durations", path, BUILD], None, 1, "1 tests; at least 700"),
            ("an unknown value", [PROGRAM, "guest=1"], THREE, 2, "usage: schedule"),
            ("no guests", [PROGRAM, "guests=0"], THREE, 2, "usage: schedule"),
            ("a directory without tests", [PROGRAM, f"guess={SCRATCH}/missing"], THREE, 2, "usage: schedule"),
            ("no tests", [PROGRAM], "", 1, "no tests")):
        done = run(*words, lines=lines)
        tap.report(done.returncode == status and says in done.stderr, f"{what}: refused", done.stdout,
                   done.stderr)


rows()
figures()
wrong()
tap.done()
