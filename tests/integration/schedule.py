"""The simulation of runs on many guests, tests/bench/schedule, which drives the queue of rootlet fstests."""
import re
import subprocess

from support import tap
from support.world import BUILD, SCRATCH, SOURCE

BENCH, PROGRAM = f"{SOURCE}/tests/bench/schedule", f"{BUILD}/tests/schedule"
# If one of the longest tests starts late, because nobody knows that it is long, the others wait for it. The
# mean of many seeds is 1.28.
BEYOND = ("unknown durations", "64")
THREE = "10 1 0 s a\n20 1 0 s b\n30 1 0 s c\n"


def run(*words, lines=None):
    return subprocess.run(words, input=lines, capture_output=True, text=True, check=False)


def rows():
    done = run(BENCH, "--limits", "--seeds", "5", BUILD)
    found = re.findall(r"^(.*?) +(\d+) +[\d.]+ +[\d.]+ +([\d.]+) +[\d.]+ +([\d.]+)", done.stdout, re.M)
    tap.report(done.returncode in (0, 1) and len(found) == 23, "every row of the simulation is printed",
               done.stdout,
               done.stderr)
    for what, guests, mean, limit in found:
        if (what, guests) == BEYOND:
            tap.skip(f"{what}, {guests} guests: {mean} of the lower bound", f"the goal is {limit}")
            continue
        tap.report(1 <= float(mean) <= float(limit), f"{what}, {guests} guests: {mean} of the lower bound",
                   limit)
    tap.report(done.stdout == run(BENCH, "--limits", "--seeds", "5", BUILD).stdout,
               "the same seeds give the same result")


def figures():
    for what, words, lines, expected in (
            ("one guest runs one test after the other", ["boot=5"], THREE, "65.00 65.00 1"),
            ("two guests share the work", ["guests=2", "boot=5"], THREE, "35.00 35.00 2"),
            ("each batch takes a start of check", ["check=1", "most=1"], THREE, "63.00 60.00 1"),
            ("tests that run alone come one after the other", ["guests=2"], THREE.replace("1 0 s", "1 1 s"),
             "60.00 60.00 2"),
            ("a change of section takes time", ["section=2"], THREE + "5 1 0 t d\n", "69.00 65.00 1")):
        done = run(PROGRAM, *words, lines=lines)
        tap.report(done.stdout == f"{expected}\n", f"simulated: {what}", done.stdout, done.stderr)
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
            ("no tests", [PROGRAM], "", 1, "no tests")):
        done = run(*words, lines=lines)
        tap.report(done.returncode == status and says in done.stderr, f"{what}: refused", done.stdout,
                   done.stderr)


rows()
figures()
wrong()
tap.done()
