#!/usr/bin/python3
"""Breaks the code on purpose, one small change at a time, and runs the tests that should notice.

usage: mutate.py [--list] [--mutations FILE] [--copy DIR] [NAME…]

Each mutation in FILE (default: mutations.ini beside this program) is a section:

    [NAME]
    file = helper/x.c         relative to the source tree
    old = text                one line or several; stands there exactly once
    new = text
    tests = program …         as `meson test` takes them, the quickest first

First all of these tests must pass unchanged, else they notice nothing. Works in a copy of the source tree (DIR, else one below /var/tmp, removed afterwards), so nothing here
changes. A mutation that does not compile counts as an error: it tests nothing. Runs as whoever calls it;
the environment is that of a single `meson test` (README.md). One TAP case for each mutation: "ok" if a test
noticed it. Exit status 0 if each was noticed."""
import argparse
import configparser
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
SECONDS = 1200  # of one test program, emulated guests apart


def call(words, folder, **more):
    return subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **more)


def left_out(folder, names):
    """Builds, at the top, and what is not source."""
    return [name for name in names if name in (".git", "__pycache__") or
            (folder == SOURCE and name.startswith("build"))]


def make_copy(folder):
    shutil.copytree(SOURCE, folder, symlinks=True, dirs_exist_ok=True, ignore=left_out)
    # Other users run the tests' commands from there.
    os.chmod(folder, 0o755)
    done = call(["meson", "setup", "build"], folder)
    return done if done.returncode else call(["ninja", "-C", "build"], folder)


def mutations(path):
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=(";",))
    parser.optionxform = str
    with open(path, encoding="utf-8") as file:
        parser.read_file(file)
    return {name: parser[name] for name in parser.sections()}


def unfold(text):
    """configparser strips indentation, which a "|" at the beginning of each further line keeps."""
    return "\n".join(line.removeprefix("|") for line in text.split("\n"))


def change(folder, one):
    """(path, its text before), or what is wrong with the mutation."""
    path = os.path.join(folder, one["file"])
    with open(path, encoding="utf-8") as file:
        before = file.read()
    old, new = unfold(one["old"]), unfold(one["new"])
    if before.count(old) != 1:
        return None, f"the old text stands {before.count(old)} times in {one['file']}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(before.replace(old, new))
    return (path, before), ""


def run_test(folder, name):
    """Whether the program passes; one that does not end does not."""
    try:
        return call(["meson", "test", "-C", "build", "--no-rebuild", "--timeout-multiplier", "4", name], folder,
                    timeout=SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def targets(folder, one):
    """What has to be built for its tests: for a unit test, that program alone."""
    programs = [f"tests/test_{test}" for test in one["tests"].split()]
    return programs if all(os.path.exists(f"{folder}/build/{path}") for path in programs) else []


def noticed(folder, one):
    """(whether a test noticed, which one or why not)"""
    saved, wrong = change(folder, one)
    if not saved:
        return False, wrong
    try:
        done = call(["ninja", "-C", "build", *targets(folder, one)], folder)
        if done.returncode:
            return False, "it does not compile:\n" + "\n".join(done.stdout.splitlines()[-10:])
        for test in one["tests"].split():
            if not run_test(folder, test):
                return True, test
        return False, f"survived: {one['tests']}"
    finally:
        with open(saved[0], "w", encoding="utf-8") as file:
            file.write(saved[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--mutations", default=f"{HERE}/mutations.ini")
    parser.add_argument("--copy")
    parser.add_argument("names", nargs="*", metavar="NAME")
    words = parser.parse_args()
    known = mutations(words.mutations)
    unknown = [name for name in words.names if name not in known]
    if unknown:
        parser.error(f"no such mutation: {' '.join(unknown)}")
    if words.list:
        print("\n".join(known))
        return 0
    folder = words.copy or tempfile.mkdtemp(prefix="rootlet-mutate.", dir="/var/tmp")
    survived = 0
    try:
        done = make_copy(folder)
        if done.returncode:
            print(f"Bail out! the copy cannot be built\n{done.stdout[-2000:]}")
            return 1
        wanted = words.names or list(known)
        tests = dict.fromkeys(test for name in wanted for test in known[name]["tests"].split())
        failing = [test for test in tests if not run_test(folder, test)]
        if failing:
            print(f"Bail out! these fail without any mutation: {' '.join(failing)}")
            return 1
        for number, name in enumerate(wanted, 1):
            good, why = noticed(folder, known[name])
            survived += not good
            first, *rest = why.splitlines()
            print(f"{'ok' if good else 'not ok'} {number} - {name}: {'noticed by ' if good else ''}{first}", *(f"# {line}" for line in rest), sep="\n",
                  flush=True)
        print(f"1..{len(wanted)}")
    finally:
        if not words.copy:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if survived else 0


sys.exit(main())
