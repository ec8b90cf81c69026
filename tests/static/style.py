"""Source style: clang-format, shellcheck, pyflakes, codespell and the length of lines, each on every file of
its kind in the source tree; and words in identifiers. One case per file and tool; a finding fails it."""
import os
import re
import shutil
import subprocess

from support import tap
from support.world import SCRATCH, SOURCE

HERE = f"{SOURCE}/tests/static"
SHELL, PYTHON = (b"#!/bin/sh", b"#!/bin/bash", b"#!/usr/bin/env bash"), (b"#!/usr/bin/python3",)
# Third-party, recorded and fuzzer-generated files. Deliberate misspellings in tests are in codespell.words.
NOT_OURS = ("tests/recorded/", "tests/fuzz/seeds/", "tests/mcp/package-lock.json",
            "tests/kubernetes/package-lock.json", "tests/sbom/package-lock.json")
OURS = ("tests/recorded/signatures/make",)  # ours even so
MINI = "tests/fstests-mini/"  # check sources these files, and sets and reads their variables


def sources():
    found = []
    for directory, names, files in os.walk(SOURCE):
        names[:] = [name for name in names if name not in (".git", "__pycache__", "node_modules") and
                    not (directory == SOURCE and name.startswith("build"))]
        found += [os.path.relpath(f"{directory}/{name}", SOURCE) for name in files]
    return sorted(path for path in found if path in OURS or not path.startswith(NOT_OURS))


def begins(path, *starts):
    with open(f"{SOURCE}/{path}", "rb") as file:
        return file.readline(100).rstrip().startswith(starts)


def findings(words, paths):
    """Runs the tool once on all paths; returns {path: findings}; key None: other output."""
    done = subprocess.run([*words, *paths], cwd=SOURCE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True,
                          errors="replace", check=False)
    found = {}
    for line in done.stdout.splitlines():
        path = line.split(":")[0]
        found.setdefault(path if path in paths else None, []).append(line)
    return found


TOOLS = (
    ("clang-format", ["clang-format", "-n", "-Werror"], lambda path: path.endswith((".c", ".h")),
     "int  f( void );\n"),
    ("shellcheck", ["shellcheck", "--severity=warning", "--format=gcc"],
     lambda path: (path.endswith((".sh", ".bash")) or begins(path, *SHELL)) and not path.startswith(MINI),
     "#!/bin/bash\nx=1\n"),
    ("shellcheck, with the variables of check",
     ["shellcheck", "--severity=warning", "--format=gcc", "--exclude=SC2154,SC2034"],
     lambda path: path.startswith(MINI) and begins(path, *SHELL),
     "#!/bin/bash\n[ $a == b ] && cd $c\necho [a]* |read\nls $(<\n"),
    ("pyflakes", ["pyflakes3"], lambda path: path.endswith(".py") or begins(path, *PYTHON), "import os\n"),
    ("codespell", ["codespell", "--check-hidden", f"--ignore-words={HERE}/codespell.words"],
     lambda path: True, "t" + "eh\n"),
)

# Columns, with tabs of 8. The first pattern that matches a path applies. What cannot be broken is not
# counted: tables in Markdown, strings of JSON, and the patterns of coverage.argued and cppcheck.cfg.
COLUMNS = ((r".*\.json|tests/coverage\.argued|tests/static/cppcheck\.cfg", None), (r".*\.[ch]", 100),
           (r"tests/.*", 110), (r".*", 120))
TABLES = {".md": r"^\|.*$", ".c": r"clang-format off(?s:.*?)clang-format on",
          ".h": r"clang-format off(?s:.*?)clang-format on"}


def long_lines(path, text):
    """Returns "PATH:LINE: …" for each line that is too long."""
    most = next(columns for pattern, columns in COLUMNS if re.fullmatch(pattern, path))
    table = TABLES.get(os.path.splitext(path)[1])
    if table:
        text = re.sub(table, lambda match: "\n" * match.group().count("\n"), text, flags=re.M)
    return [f"{path}:{number}: {len(line.expandtabs(8))} columns, at most {most}"
            for number, line in enumerate(text.split("\n"), 1) if most and len(line.expandtabs(8)) > most]


# (file, text, whether a line is too long)
LENGTHS = (
    ("a.c", "x" * 100, False), ("a.c", "x" * 101, True), ("a.c", "\t" + "x" * 93, True),
    ("a.c", f"// clang-format off\n{'x' * 150}\n// clang-format on\n", False),
    ("a.c", f"// clang-format off\n// clang-format on\n{'x' * 150}\n", True),
    ("tests/unit/a.c", "x" * 101, True), ("tests/a.py", "x" * 110, False), ("tests/a.py", "x" * 111, True),
    ("a.sh", "x" * 120, False), ("a.sh", "x\n" + "x" * 121, True), ("a.md", "x" * 121, True),
    ("a.md", "| " + "x" * 121, False), ("a.json", "x" * 121, False),
)


def check_lengths(paths):
    for number, (path, text, wrong) in enumerate(LENGTHS):
        tap.report(bool(long_lines(path, text)) == wrong,
                   f"columns: sample {number}, {path}, has {'a' if wrong else 'no'} long line")
    for path in paths:
        with open(f"{SOURCE}/{path}", encoding="utf-8") as file:
            found = long_lines(path, file.read())
        tap.report(not found, f"columns: {path}", *found)


# Literals, which may have any word, and identifiers with a word for which the project has another one.
NAMES = re.compile(r'"(?:\\.|[^"\\\n])*"|(\w*folder\w*)', re.I)


def wrong_names(path, text):
    return [f"{path}: {match.group(1)}: say directory, or dir" for match in NAMES.finditer(text)
            if match.group(1)]


def check_names(paths):
    for text, wrong in (("int fold;", False), ('puts("folder");', False), ("int a_folder;", True),
                        ('f("\\"", a_folders);', True)):
        tap.report(bool(wrong_names("a.c", text)) == wrong, f"names: {text}")
    found = []
    for path in paths:
        if path.endswith((".c", ".h")):
            with open(f"{SOURCE}/{path}", encoding="utf-8") as file:
                found += wrong_names(path, re.sub(r"`[^`\n]*`", "", file.read()))
    tap.report(not found, "names: no identifier says folder", *found)


def main():
    paths = sources()
    check_lengths(paths)
    check_names(paths)
    unread = [path for path in paths if begins(path, b"#!") and not begins(path, b"#!/usr/bin/make") and
              not any(concerns(path) for tool, _, concerns, _ in TOOLS if tool != "codespell")]
    tap.report(not unread, "shellcheck or pyflakes checks every script", *unread)
    for tool, words, concerns, fault in TOOLS:
        if not shutil.which(words[0]):
            tap.report(False, f"{tool}: {words[0]} is installed")
            continue
        wrong = f"{SCRATCH}/style.{os.getpid()}.c"
        with open(wrong, "w", encoding="utf-8") as file:
            file.write(fault)
        tap.report(wrong in findings(words, [wrong]), f"{tool} finds a planted fault")
        os.unlink(wrong)
        mine = [path for path in paths if concerns(path)]
        found = findings(words, mine)
        for path in mine:
            tap.report(path not in found, f"{tool}: {path}", *found.get(path, []))
        # The lines after a finding quote the source.
        tap.report(len(mine) > 5 and (None not in found or len(found) > 1), f"{tool}: no other output",
                   *found.get(None, []))
    tap.done()


main()
