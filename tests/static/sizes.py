"""The rings of the privileged half: each C file is in exactly one, and SECURITY.md has current numbers.
Exceeding a target is reported, but is not a failure yet."""
import os
import re

from support import rings, tap

# Samples with the counts of cloc 1.96.
SAMPLES = (
    ("", 0),
    ("int a;\n\n\t\nint b;\n", 2),
    ("/* one\n * two\n */\nint a; /* three */\n// four\nint b; // five\n", 2),
    ("int a = /* one\ntwo */ 1;\n", 2),
    ("const char *a = \"/* no comment\";\nchar b = '\"'; /* one */\nconst char *c = \"*/\";\n", 3),
    ("const char *a = \"\\\"/*\"; // one\nint b;\n", 2),
    ("#define A(b) \\\n\tdo { \\\n\t\tb; \\\n\t} while (0)\n", 4),
)


def main():
    for i, (text, count) in enumerate(SAMPLES):
        tap.report(rings.lines_of_code(text) == count, f"sample {i} has {count} lines of code",
                   rings.lines_of_code(text))
    found = rings.Rings()
    wrong = found.misplaced()
    tap.report(not wrong, f"each C file of {', '.join(rings.DIRECTORIES)} is in one ring of {rings.DATA}",
               *wrong)
    told = rings.read("SECURITY.md")
    named = re.findall(r"^\| ([a-z ]+) \| \d+ \| \d+ \|", told, re.M)
    tap.report(named == list(found.files), "SECURITY.md has a row for each ring", named, *found.files)
    now = found.documented(told)
    differing = [line for line in now.splitlines() if line not in told.splitlines()]
    tap.report(now == told,
               "SECURITY.md has the sizes of the rings; after a change run: tests/sizes --update", *differing)
    missing = [path for path in ("helper/main.c", "policy/policy.c")
               if not os.path.exists(f"{rings.SOURCE}/{path}")]
    tap.report(not missing and found.lines["starter"] > 1000, "the counts are plausible", *missing,
               found.lines)
    for line in found.verdicts():
        tap.note(line)
    tap.done()


main()
