"""The index of all runs: whatever happens to it, rootlet runs list and flaky say what the run directories
hold. Needs no helper and no guest."""
import math
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
from fractions import Fraction

from support import sanitizers, tap
from support.kept_runs import RUNS, hold, result, write_run
from support.schemas import document
from support.world import AS_ROOT, BUILD, MOUNTED_BY_TEST, Home

home = Home()
INDEX = home.state("runs.sqlite")
KERNELS = ["a" * 64, "b" * 64]
QUESTIONS = (["runs", "list"], ["runs", "flaky"], ["runs", "durations"])


# A minute later, all files are old enough for the index to trust their times.
LATER = {"LD_PRELOAD": f"{BUILD}/tests/clock.so", "CLOCK_AHEAD": "60",
         "ASAN_OPTIONS": "verify_asan_link_order=0"}


def answers(environment=(), **more):
    return [home.run(*words, environment={**LATER, **dict(environment)}, **more).out for words in QUESTIONS]


def truth():
    """The answers without an index."""
    if os.path.exists(INDEX):
        os.unlink(INDEX)
    return answers()


def flaky(*words):
    """Returns {(configuration, test): (failed, ran, flaky)}, and complaints."""
    value, wrong = document("runs-flaky", home.run("runs", "flaky", "--json", *words, environment=LATER))
    return {(one["fstype"] + ("/" + one["section"] if "section" in one else ""), one["name"]):
            (one["failed"], one["ran"], one["flaky"]) for one in value["tests"]}, value, wrong


def counted():
    """What flaky counts."""
    runs = [
        ("1-ext4", [result("generic/001", "fail"), result("generic/002", "fail"), result("generic/003")], {}),
        ("2-ext4", [result("generic/001"), result("generic/002", "crash"), result("generic/003", "notrun")],
         {}),
        ("3-ext4", [result("generic/001"), result("generic/002", "timeout"),
                    result("generic/003", "unreached"), result("generic/004", "expunged")],
         {"image": KERNELS[1], "kernel": "6.12.1"}),
        ("4-xfs", [result("generic/001", "fail", section="4k"), result("generic/001", section="1k")],
         {"fstype": "xfs"}),
        ("5-xfs", [result("generic/001", section="4k")],
         {"fstype": "xfs", "image": KERNELS[1], "kernel": "6.12.1"}),
        # A test that this run repeated.
        ("6-btrfs", [result("generic/001", "fail" if i == 7 else "pass") for i in range(10)],
         {"fstype": "btrfs", "status": None}),
    ]
    for name, results, more in runs:
        write_run(home, name, results, **{"image": KERNELS[0], **more})
    everything = {("ext4", "generic/001"): (1, 3, True), ("ext4", "generic/002"): (3, 3, False),
                  ("xfs/4k", "generic/001"): (1, 2, False), ("btrfs", "generic/001"): (1, 10, True)}
    for what, words, expected in (
            ("all", [], everything),
            ("one filesystem", ["--fstype", "ext4"], {key: value for key, value in everything.items()
                                                      if key[0] == "ext4"}),
            ("one section", ["--configuration", "4k"],
             {("xfs/4k", "generic/001"): (1, 2, False)}),
            ("sections of one filesystem", ["--configuration", "xfs/*"],
             {("xfs/4k", "generic/001"): (1, 2, False)}),
            ("one kernel", ["--kernel", "6.12*"], {("ext4", "generic/002"): (1, 1, False)}),
            ("no run", ["--fstype", "f2fs"], {})):
        found, value, wrong = flaky(*words)
        tap.report(found == expected and not wrong, f"runs flaky counts {what}", *wrong, value)
    _, value, _ = flaky()
    first = value["tests"][0]
    tap.report(value["runs"] == 6 and first["name"] == "generic/002" and first["rate"] == 1 and
               abs(first["low"] - 0.438503) < 1e-6 and first["high"] == 1,
               "the interval is Wilson's, and the most certain test comes first", first)
    outcome = home.run("runs", "flaky")
    tap.report("always fails" in outcome.out and "depends on the kernel" in outcome.out and
               "4 of the tests failed in 6 runs; 2 of them failed and passed with the same kernel" in
               outcome.out, "runs flaky says what kind of failure each is", outcome)


def bad_runs():
    """Runs that cannot be counted are named, and no obstacle."""
    running = write_run(home, "7-ext4", {"generic/001": "fail"}, status=None)
    held = hold(running)
    write_run(home, "8-ext4", {"generic/001": "fail"}, format=2)
    home.write(f"{RUNS}/9-ext4/run.json", "{")
    home.make_dir(home.state("runs/10-ext4"))
    os.symlink("/nowhere", home.state("runs/11-ext4"))
    home.write(f"{RUNS}/12-ext4", "no directory")
    found, value, wrong = flaky()
    tap.report(not wrong and found[("ext4", "generic/001")] == (1, 3, True) and
               value["skipped"] == {"running": 1, "damaged": 1, "newer": 1},
               "runs flaky leaves out runs in progress, damaged ones and those of a newer rootlet", value)
    listed, wrong = document("runs-list", home.run("runs", "--json"))
    states = {one["run"]: one["state"] for one in listed}
    tap.report(not wrong and states == {
        **{name: "passed" for name in ("1-ext4", "2-ext4", "3-ext4", "4-xfs", "5-xfs")},
        "6-btrfs": "cut off", "7-ext4": "running", "8-ext4": "newer format", "9-ext4": "damaged"},
        "runs list shows their states", states, *wrong)
    outcome = home.run("runs", "flaky", "--fstype", "f2fs")
    tap.report("not counted: 1 run with a damaged run.json\nnot counted: 1 run of a newer rootlet\n" in
               outcome.out, "runs flaky names them without any other run", outcome)
    outcome = home.run("runs", "show", "8-ext4")
    tap.report(outcome.status == 1 and "was written by a newer rootlet: upgrade rootlet" in outcome.err,
               "runs show of a newer run names the fix", outcome)
    os.close(held)
    found, value, _ = flaky()
    tap.report(found[("ext4", "generic/001")] == (2, 4, True) and value["skipped"]["running"] == 0,
               "a run counts once its process has ended", value)
    for name in ("7-ext4", "8-ext4", "9-ext4", "10-ext4"):
        shutil.rmtree(home.state(f"runs/{name}"))
    for name in ("11-ext4", "12-ext4"):
        os.unlink(home.state(f"runs/{name}"))


def fisher(before, after):
    """Fisher's exact test, one-sided, by exact sums: the value, and the least that it could be."""
    (a, m), (x, n) = before, after
    tail = [Fraction(math.comb(n, k) * math.comb(m, a + x - k), math.comb(m + n, a + x))
            for k in range(min(n, a + x) + 1) if a + x - k <= m]
    first = min(n, a + x) + 1 - len(tail)
    return sum(tail[x - first:]), tail[-1]


def compared():
    """Regressions and known flakes."""
    shutil.rmtree(home.state("runs"))
    names = [f"generic/{number:03}" for number in range(1, 100)]
    for number in range(30):
        write_run(home, f"{number:02}-ext4", {
            **dict.fromkeys(names, "pass"), "generic/002": "fail" if number % 8 == 0 else "pass",
            "generic/003": "fail", "generic/006": "fail" if number < 15 else "pass",
            "generic/007": "fail" if number == 29 else "pass",
            "generic/008": "fail" if number == 3 else "pass"},
            image=KERNELS[number // 15], kernel=f"6.{number // 15}", began=number)
    later = {"image": "c" * 64, "kernel": "6.2"}
    write_run(home, "40-ext4", dict.fromkeys(names, "fail"), began=40, **later)
    write_run(home, "41-xfs", dict.fromkeys(names, "fail"), began=1, fstype="xfs")
    results = [result(name) for name in names[7:]] + \
        [result("generic/001", "fail")] * 3 + \
        [result("generic/002", "fail"), result("generic/003", "fail"), result("generic/004", "crash"),
         result("generic/005", "notrun"), result("generic/006", "fail"), result("generic/007"),
         result("generic/200", "fail")]
    write_run(home, "50-ext4", results, began=50, **later)
    value, wrong = document("runs-compare", outcome := home.run("runs", "compare", "29-ext4", "50-ext4",
                                                                "--json"))
    kinds = {kind: [one["name"] for one in value[kind]] for kind in
             ("regressions", "newly_fails", "known_flakes", "newly_passes", "still_fails")}
    tap.report(outcome.status == 1 and not wrong and kinds == {
        "regressions": ["generic/001"], "known_flakes": ["generic/002"], "still_fails": ["generic/003"],
        "newly_fails": ["generic/004", "generic/006", "generic/200"], "newly_passes": ["generic/007"]},
        "runs compare tells regressions, flakes and new failures", kinds, *wrong)
    # 007 and 008 could have been significant, too. What failed often, or is new, could not.
    cases = {"generic/001": ((0, 30), (3, 3)), "generic/002": ((4, 30), (1, 1)),
             "generic/003": ((30, 30), (1, 1)), "generic/004": ((0, 30), (1, 1)),
             "generic/006": ((15, 30), (1, 1)), "generic/200": ((0, 0), (1, 1))}
    passed = [fisher((1, 30), (0, 1))] * 2
    rates = {one["name"]: one for one in value["rates"]}
    exact = {name: fisher(*case) for name, case in cases.items()}
    family = sorted(p for p, least in [*exact.values(), *passed] if least <= Fraction(5, 100))
    good = value["earlier_runs"] == 30 and len(rates) == len(cases)
    for name, (p, least) in exact.items():
        q = min([min(1, p2 * len(family) / (family.index(p2) + 1)) for p2 in family if p2 >= p]) \
            if least <= Fraction(5, 100) else 1
        good = good and abs(rates[name]["p"] - p) < 1e-9 and abs(rates[name]["q"] - q) < 1e-9 and \
            (rates[name]["before"]["failed"], rates[name]["before"]["ran"]) == cases[name][0]
    tap.report(good, "their rates, p and q are those of exact sums", value["rates"], family)
    outcome = home.run("runs", "compare", "29-ext4", "50-ext4")
    tap.report(re.search(r"^regression: generic/001 \(pass before, fail now; failed 0 of 30 times before, "
                         r"3 of 3 now, q = 0.00073\)$", outcome.out, re.M) and
               "3 newly fail, 1 newly pass, 1 still fail, 1 regression, 1 known flake\n" in outcome.out and
               "Fisher's exact test against 30 earlier runs, with a false-discovery rate of 5 % over 100 "
               "tests" in outcome.out, "and runs compare says so", outcome)
    write_run(home, "51-ext4", {**dict.fromkeys(names, "pass"), "generic/002": "fail"}, began=51, **later)
    outcome = home.run("runs", "compare", "29-ext4", "51-ext4")
    tap.report(outcome.status == 0 and "known flake: generic/002" in outcome.out,
               "a known flake is no new failure", outcome)
    copied = write_run(home, "copied", dict.fromkeys(names, "pass"), at="elsewhere", began=29)
    outcome = home.run("runs", "compare", copied, "51-ext4")
    tap.report(outcome.status == 0 and "failed 4 of 31 times before" in outcome.out,
               "a run that was copied here counts, too", outcome)


def behind_its_back():
    """The run directories are the truth, whatever the index has."""
    answers()
    before = answers()
    tests = home.state("runs/1-ext4/tests.jsonl")
    times = os.stat(tests)
    with open(tests, encoding="utf-8") as file:
        text = file.read()
    with open(tests, "r+", encoding="utf-8") as file:
        file.write(text.replace('"generic/003","status":"pass"', '"generic/003","status":"fail"'))
    os.utime(tests, ns=(times.st_atime_ns, times.st_mtime_ns))
    found, _, _ = flaky()
    tap.report(("ext4", "generic/003") in found,
               "a result that was changed, with the old size and time, is seen", found)
    with open(tests, "w", encoding="utf-8") as file:
        file.write(text)
    tap.report(answers() == before, "a change that is taken back is seen")
    os.rename(home.state("runs/2-ext4"), f"{home.dir}/2-ext4")
    found, _, _ = flaky()
    tap.report(found[("ext4", "generic/001")] == (1, 2, False), "a run that was removed does not count",
               found)
    os.rename(f"{home.dir}/2-ext4", home.state("runs/2-ext4"))
    tap.report(answers() == before, "a run that comes back counts")
    os.rename(home.state("runs/2-ext4"), home.state("runs/0-ext4"))
    tap.report("0-ext4" in answers()[0], "a run that was renamed has its new name")
    os.rename(home.state("runs/0-ext4"), home.state("runs/2-ext4"))
    elsewhere = write_run(home, "elsewhere", {"generic/009": "fail"}, at="results")
    os.symlink(elsewhere, home.state("runs/99-ext4"))
    found, _, _ = flaky()
    tap.report(("ext4", "generic/009") in found, "a run made with --results counts", found)
    os.unlink(home.state("runs/99-ext4"))


def damage():
    """An index that is damaged in any way is made again."""
    right = truth()
    with open(INDEX, "rb") as file:
        whole = file.read()
    chosen = random.Random(1)
    cases = {"an empty file": b"", "a text": b"no database\n" * 500, "half of it": whole[:len(whole) // 2],
             "its first page only": whole[:4096], "zeros in the middle": whole[:4096] + bytes(
                 4096) + whole[8192:]}
    for number in range(30):
        at = chosen.randrange(100, len(whole))
        cases[f"a changed byte at {at} (#{number})"] = \
            whole[:at] + bytes([whole[at] ^ 1 << chosen.randrange(8)]) + whole[at + 1:]
    wrong = []
    for what, data in cases.items():
        with open(INDEX, "wb") as file:
            file.write(data)
        if answers() != right:
            wrong.append(what)
    tap.report(not wrong, f"{len(cases)} kinds of damage change no answer", *wrong)
    for what, statement in (("a test without its name", "UPDATE test SET name = NULL"),
                            ("a test that is missing", "DELETE FROM test WHERE id = 0"),
                            ("the last tests missing", "DELETE FROM test WHERE id > 0"),
                            ("a run with another status", "UPDATE run SET status = 'failed'"),
                            ("outcomes that are missing", "UPDATE run SET outcomes = NULL"),
                            ("another table", "DROP TABLE run; CREATE TABLE run (x)"),
                            ("an older format", "PRAGMA user_version = -1")):
        with open(INDEX, "wb") as file:
            file.write(whole)
        with sqlite3.connect(INDEX) as database:
            database.executescript(statement)
        database.close()
        tap.report(answers() == right, f"an index with {what} is made again")
    with sqlite3.connect(INDEX) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with open(INDEX, "rb") as file:
        newer = file.read()
    tap.report(answers() == right and open(INDEX, "rb").read() == newer,
               "the index of a newer rootlet is left alone")
    os.unlink(INDEX)
    os.mkdir(INDEX)
    tap.report(answers() == right, "a directory in its place is no obstacle")
    os.rmdir(INDEX)


def killed():
    """kill -9 at any time, and two processes at once."""
    for number in range(200):
        write_run(home, f"kill-{number:03}-ext4", {f"generic/{test:03}": "fail" if test == number else "pass"
                                                   for test in range(100)}, began=number)
    began = time.monotonic()
    right = truth()
    took = time.monotonic() - began
    kills = 0
    for number in range(20):
        if number % 5 == 0 and os.path.exists(INDEX):
            os.unlink(INDEX)
        process = home.start("runs", "flaky")
        try:
            process.wait(took / 3 * number / 20)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
        # Another run, so that there is something to write.
        write_run(home, "kill-000-ext4", {f"generic/{test:03}": "fail" if test == 0 else "pass"
                                          for test in range(100)}, began=0)
    tap.report(kills >= 5 and answers() == right, f"after {kills} times kill -9, the answers are right")
    wrong = []
    for _ in range(3):
        os.unlink(INDEX)
        several = [home.start("runs", "flaky") for _ in range(5)]
        wrong += [process for process in several if process.communicate()[0].decode() != right[1]]
    tap.report(not wrong and answers() == right, "five processes that make the index at once agree")


def no_room():
    """The index cannot be written: on a full disk, and with a limit on the size of files."""
    right = truth()
    limited = ("sh", "-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh")
    os.unlink(INDEX)
    tap.report(answers(before=limited) == right, "without room for a file, the answers are right")
    if not AS_ROOT:
        tap.skip("a full disk", "needs root to mount a small disk")
        return
    point = home.make_dir(f"{home.dir}/{MOUNTED_BY_TEST}")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "tmpfs", point], check=True)
    try:
        home.make_dir(f"{point}/rootlet")
        os.symlink(home.state("runs"), f"{point}/rootlet/runs")
        full = answers(environment={"XDG_STATE_HOME": point})
        tap.report(full == right, "on a full disk, the answers are right")
        tap.report(sorted(os.listdir(f"{point}/rootlet")) in (["runs"], ["runs", "runs.sqlite"]),
                   "and no draft is left", os.listdir(f"{point}/rootlet"))
    finally:
        subprocess.run(["umount", point], check=True)


def many():
    """1,000 runs of 800 tests."""
    shutil.rmtree(home.state("runs"))
    lines = [result(f"generic/{number:03}", "fail" if number % 100 == 7 else "pass", seconds=number / 7)
             for number in range(800)]
    first = write_run(home, "0000-ext4", lines)
    with open(f"{first}/run.json", encoding="utf-8") as file:
        record = file.read()
    with open(f"{first}/tests.jsonl", encoding="utf-8") as file:
        text = file.read()
    for number in range(1, 1000):
        home.write(f"{RUNS}/{number:04}-ext4/run.json", record)
        home.write(f"{RUNS}/{number:04}-ext4/tests.jsonl", text)
    for what, words in (("runs flaky, and makes the index,", ["runs", "flaky"]), ("runs list", ["runs"]),
                        ("runs flaky", ["runs", "flaky"]), ("runs list --json", ["runs", "--json"]),
                        ("runs durations", ["runs", "durations"])):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        outcome = home.run(*words, environment=LATER)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Other programs run at the same time: what counts is the processor's time.
        took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        tap.report(outcome.status == 0 and took <= (10 if sanitizers.watched() else 1),
                   f"{what} takes at most a second for 1,000 runs of 800 tests: {took:.2f} s", outcome.err)
    outcome = home.run("runs", "flaky")
    tap.report("8 of the tests failed in 1000 runs; 0 of them" in outcome.out, "it has counted all", outcome)


for part in (counted, bad_runs, behind_its_back, damage, compared, killed, no_room, many):
    part()
tap.done()
