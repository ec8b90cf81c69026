"""tests/count itself: every way in which a test program can go wrong has to count as a failure."""
import json
import os
import subprocess

from support import tap
from support.world import SCRATCH, SOURCE

GOOD = "ok 1 - a\nok 2 - b\n1..2\n"

# what: (TAP, meson's result, names expected or None, last line, exit status, what else is printed)
ROWS = {
    "all good": (GOOD, "OK", None, "2 passed, 0 failed, 0 skipped", 0, ""),
    "one failed": ("ok 1 - a\nnot ok 2 - b\n# why\n1..2\n", "FAIL", None,
                   "1 passed, 1 failed, 0 skipped", 1, "FAILED: b\n    why"),
    "a skip has a name and a reason": ("ok 1 - a\nok 2 - b # SKIP no disk\n1..2\n", "OK", None,
                                       "1 passed, 0 failed, 1 skipped", 0, "skipped: b: no disk"),
    "a skip that failed": ("ok 1 - a\nnot ok 2 - b # SKIP no\n1..2\n", "FAIL", None,
                           "1 passed, 1 failed, 0 skipped", 1, "FAILED: b"),
    "nothing but skips": ("ok 1 - a # SKIP no\n1..1\n", "SKIP", None,
                          "0 passed, 0 failed, 1 skipped", 1, ""),
    "a crash before the plan": ("ok 1 - a\n", "ERROR", None, "1 passed, 1 failed, 0 skipped", 1,
                                "did not run to its end"),
    "a crash after the plan": (GOOD, "ERROR", None, "2 passed, 1 failed, 0 skipped", 1,
                               "did not run to its end"),
    "a time-out": ("ok 1 - a\n", "TIMEOUT", None, "1 passed, 1 failed, 0 skipped", 1, "TIMEOUT"),
    "fewer cases than planned": ("ok 1 - a\n1..2\n", "ERROR", None, "1 passed, 1 failed, 0 skipped",
                                 1, ""),
    "not a word": ("", "OK", None, "0 passed, 1 failed, 0 skipped", 1, ""),
    "an empty plan": ("1..0\n", "OK", None, "0 passed, 1 failed, 0 skipped", 1, ""),
    "a program that never ran": (GOOD, "OK", ["p", "q"], "2 passed, 1 failed, 0 skipped", 1,
                                 "q\n  FAILED: it never ran"),
    "no program at all": (None, "OK", ["p"], "0 passed, 1 failed, 0 skipped", 1, "never ran"),
}


def log(number, text, result, names):
    """A log as meson writes it; returns its path."""
    path = f"{SCRATCH}/count.{os.getpid()}.{number}.json"
    with open(path, "w", encoding="utf-8") as file:
        if text is not None:
            json.dump({"name": "p", "stdout": text, "stderr": "", "result": result, "duration": 1,
                       "returncode": 0}, file)
            file.write("\n")
    if names:
        with open(path.removesuffix(".json") + ".expected", "w", encoding="utf-8") as file:
            file.write("\n".join(names) + "\n")
    return path


for position, (what, (text, result, names, last, status, says)) in enumerate(ROWS.items()):
    done = subprocess.run([f"{SOURCE}/tests/count", log(position, text, result, names)],
                          stdout=subprocess.PIPE, text=True, check=False, timeout=60)
    tap.report(done.returncode == status and done.stdout.splitlines()[-1] == last and
               says in done.stdout, f"count: {what}", f"exit status {done.returncode}", done.stdout)
for what, words in {"an unknown word": ["nosuch"], "an unknown option": ["--nosuch"]}.items():
    done = subprocess.run([f"{SOURCE}/tests/run", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=60)
    tap.report(done.returncode == 2, f"run: {what}", done.stdout, done.stderr)
tap.done()
