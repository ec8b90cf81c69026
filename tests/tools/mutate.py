#!/usr/bin/python3
"""Breaks the code on purpose, one small change at a time, and runs the tests that should notice.

usage: mutate.py [--list | --check] [--mutations FILE] [--copy DIR] [--fixed | NAME…]

Each mutation in FILE (default: mutations.ini beside this program) is a section:

    [NAME]
    file = helper/x.c         relative to the source tree
    old = text                one line or several; must occur exactly once
    new = text
    tests = program …         as `meson test` takes them, the quickest first
    fixed = yes               one of the set that ./tests/run --long tries: --fixed

Works in a copy of the source tree (DIR, else a temporary one), so nothing here changes. A mutation that
does not compile counts as an error: it tests nothing. In the end each case that noticed one must pass in
the unchanged copy, or its failure proved nothing. Runs the tests as the user that calls it; the environment
is that of a single `meson test` (CONTRIBUTING.md). Says as it goes what noticed each; then one TAP case for
each mutation: "ok" if a test noticed it. Exit status 0 if each was noticed.

--check only compares FILE with the source tree, and prints which mutations no longer fit."""
import argparse
import configparser
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
SECONDS = 1200  # for a test program


def call(words, directory, environment=None):
    return subprocess.run(words, cwd=directory, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)


def left_out(directory, names):
    """Builds, at the top, and what is not source."""
    return [name for name in names if name in (".git", "__pycache__") or
            (directory == SOURCE and name.startswith("build"))]


def make_copy(directory):
    shutil.copytree(SOURCE, directory, symlinks=True, dirs_exist_ok=True, ignore=left_out)
    # Other users run the tests' commands from there.
    os.chmod(directory, 0o755)
    done = call(["meson", "setup", "build"], directory)
    return done if done.returncode else call(["ninja", "-C", "build"], directory)


def mutations(path):
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=(";",))
    parser.optionxform = str
    with open(path, encoding="utf-8") as file:
        parser.read_file(file)
    return {name: parser[name] for name in parser.sections()}


def unfold(text):
    """configparser strips indentation, which a "|" at the beginning of each further line keeps."""
    return "\n".join(line.removeprefix("|") for line in text.split("\n"))


def misfit(directory, one):
    """Why the mutation does not fit the source tree, or ""."""
    path = os.path.join(directory, one["file"])
    if not os.path.exists(path):
        return f"there is no {one['file']}"
    with open(path, encoding="utf-8") as file:
        count = file.read().count(unfold(one["old"]))
    if count != 1:
        return f"the old text occurs {count} times in {one['file']}"
    with open(f"{directory}/tests/meson.build", encoding="utf-8") as file:
        known = set(re.findall(r"^  '(\w+)': ", file.read(), re.M))
    missing = [test for test in one["tests"].split() if test not in known]
    return f"no such test: {' '.join(missing)}" if missing or not one["tests"].split() else ""


def change(directory, one):
    """Applies the mutation. Returns (path, its text before)."""
    path = os.path.join(directory, one["file"])
    with open(path, encoding="utf-8") as file:
        before = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(before.replace(unfold(one["old"]), unfold(one["new"])))
    return path, before


def results(log):
    """{program: [(good, case)]} from meson's log. A program that broke off has a case that failed."""
    found = {}
    with open(log, encoding="utf-8") as file:
        for program in map(json.loads, file):
            cases = [(good == "ok", case) for good, case in
                     re.findall(r"^(ok|not ok) \d+ - (.*)", program.get("stdout") or "", re.M)]
            if program["result"] not in ("OK", "SKIP") and all(good for good, _ in cases):
                cases.append((False, program["result"]))
            found[program["name"].split(" / ")[-1]] = cases
    return found


def run_tests(directory, names, **environment):
    """See results(). The rootfs of one run is not used by the next: a mutation may have spoiled it."""
    # Short, as sockets and the lines of a policy limit how long a path below it may be.
    scratch = f"{directory}/s"
    environment = {**os.environ, "ROOTLET_TEST_LONG": "0", **environment}
    environment.pop("ROOTLET_TEST_SCRATCH", None)
    if os.geteuid() == 0:
        os.mkdir(scratch, 0o755)
        environment["ROOTLET_TEST_SCRATCH"] = scratch
    log = f"{directory}/build/meson-logs/mutate.json"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(log)
    try:
        # A TERM makes meson end its tests.
        call(["timeout", "--foreground", str(SECONDS * len(names)), "meson", "test", "-C", "build",
              "--no-rebuild",
              "--timeout-multiplier", "4", "--num-processes", "2", "--logbase", "mutate", *names], directory,
             environment)
        return results(log) if os.path.exists(log) else {}
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", scratch], check=False)


def targets(directory, one):
    """What has to be built for its tests: for unit tests, only those programs."""
    programs = [f"tests/test_{test}" for test in one["tests"].split()]
    return programs if all(os.path.exists(f"{directory}/build/{path}") for path in programs) else []


def try_one(directory, one):
    """(program, case) that noticed it, and why nothing did."""
    wrong = misfit(directory, one)
    if wrong:
        return None, wrong
    path, before = change(directory, one)
    try:
        done = call(["ninja", "-C", "build", *targets(directory, one)], directory)
        if done.returncode:
            return None, "it does not compile:\n" + "\n".join(done.stdout.splitlines()[-10:])
        for test in one["tests"].split():
            ran = run_tests(directory, [test], ROOTLET_TEST_STOP="1")
            failed = [(program, case) for program, cases in ran.items() for good, case in cases if not good]
            if failed:
                return failed[0], ""
        return None, f"survived: {one['tests']}"
    finally:
        with open(path, "w", encoding="utf-8") as file:
            file.write(before)


def passes(cases, case):
    """Some cases are only reported if they fail."""
    if any(name == case for _, name in cases):
        return (False, case) not in cases
    return bool(cases) and all(good for good, _ in cases)


def fail_unchanged(directory, noticed):
    """Those of the (program, case) that fail without any mutation, too."""
    if not noticed or call(["ninja", "-C", "build"], directory).returncode:
        return noticed
    ran = run_tests(directory, sorted({program for program, _ in noticed}),
                    ROOTLET_TEST_UNTIL="\n".join(map(": ".join, noticed)))
    return {(program, case) for program, case in noticed if not passes(ran.get(program, []), case)}


def try_all(directory, chosen):
    """Prints what becomes of each mutation; returns how many were not noticed."""
    done = make_copy(directory)
    if done.returncode:
        print(f"Bail out! the copy cannot be built\n{done.stdout[-2000:]}")
        return len(chosen)
    found = {}
    for name, one in chosen.items():
        began = time.monotonic()
        found[name] = by, why = try_one(directory, one)
        print(f"# {name}: {f'noticed by {by[0]}: {by[1]}' if by else why.splitlines()[0]}; "
              f"{time.monotonic() - began:.0f} s", flush=True)
    failing = fail_unchanged(directory, {by for by, _ in found.values() if by})
    survived = 0
    for number, (name, (by, why)) in enumerate(found.items(), 1):
        if by in failing:
            by, why = None, f"{by[0]} fails without it, too: {by[1]}"
        survived += not by
        print(f"{'ok' if by else 'not ok'} {number} - {name}", *(f"# {line}" for line in why.splitlines()),
              sep="\n")
    print(f"1..{len(found)}")
    return survived


def choose(parser, words):
    """The mutations that the command line names."""
    known = mutations(words.mutations)
    unknown = [name for name in words.names if name not in known]
    if unknown:
        parser.error(f"no such mutation: {' '.join(unknown)}")
    if words.fixed and words.names:
        parser.error("--fixed takes no names")
    if words.fixed:
        return {name: one for name, one in known.items() if one.getboolean("fixed", False)}
    return {name: known[name] for name in words.names or known}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--fixed", action="store_true")
    parser.add_argument("--mutations", default=f"{HERE}/mutations.ini")
    parser.add_argument("--copy")
    parser.add_argument("names", nargs="*", metavar="NAME")
    words = parser.parse_args()
    chosen = choose(parser, words)
    if words.list:
        print("\n".join(chosen))
        return 0
    if words.check:
        wrong = [f"{name}: {why}" for name, one in chosen.items() if (why := misfit(SOURCE, one))]
        print("\n".join(wrong) or f"all {len(chosen)} fit")
        return 1 if wrong else 0
    directory = words.copy or tempfile.mkdtemp(
        prefix="mutate.", dir=os.environ.get("ROOTLET_TEST_SCRATCH", "/var/tmp"))
    try:
        return 0 if try_all(directory, chosen) == 0 else 1
    finally:
        if not words.copy:
            shutil.rmtree(directory, ignore_errors=True)


sys.exit(main())
