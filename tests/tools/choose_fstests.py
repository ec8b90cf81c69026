#!/usr/bin/python3
"""Chooses fstests tests that together use everything that tests call: the programs in src/ and ltp/ and the
functions in common/. Writes tests/recorded/fstests/FSTYPE.list with a line per test: "NAME  PROGRAM…" names
the programs that it uses. tests/integration/oracle.py compares their verdicts.

choose_fstests.py FSTESTS     FSTESTS: an fstests source tree"""
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LISTS = os.path.join(os.path.dirname(HERE), "recorded", "fstests")
# The number of tests from each directory.
WANTED = {"ext4": (300, ("generic", "ext4")), "xfs": (150, ("generic", "xfs")),
          "btrfs": (150, ("generic", "btrfs"))}
# Tests that never end, or are known to crash the kernel.
UNFIT = {"dangerous", "dangerous_fuzzers", "dangerous_norepair", "dangerous_repair",
         "dangerous_online_repair", "dangerous_scrub", "dangerous_bothrepair", "soak", "broken", "deprecated",
         "fuzzers_norepair"}
FUNCTION = re.compile(r"^(?:function\s+)?([A-Za-z_]\w*)\s*\(\)\s*$", re.M)
WORD = re.compile(r"[A-Za-z_]\w*")
VARIABLE = re.compile(r"^\s*(?:export\s+)?([A-Z][A-Z0-9_]*_PROG)=\S*?((?:src|ltp)/\S+)", re.M)


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return re.sub(r"^\s*#.*$", "", file.read(), flags=re.M)


class Fstests:
    """A source tree and what its tests call."""

    def __init__(self, directory):
        self.dir = directory
        # Named like their source; tests use the name after a slash or a helper's name.
        self.programs = {}
        for path in glob.glob(f"{directory}/src/**/*", recursive=True) + glob.glob(f"{directory}/ltp/*"):
            name, ext = os.path.splitext(path[len(directory) + 1:])
            if ext in (".c", ".pl", ".py", ".sh", ".awk") or (not ext and os.access(path, os.X_OK) and
                                                              os.path.isfile(path)):
                self.programs.setdefault(os.path.basename(name), name)
        common = [text_of(path) for path in sorted(glob.glob(f"{directory}/common/*"))
                  if os.path.isfile(path)]
        self.variables = {name: os.path.basename(path).strip("\"'") for text in common
                          for name, path in VARIABLE.findall(text)}
        self.functions = {}
        for text in common:
            starts = list(FUNCTION.finditer(text))
            for start, after in zip(starts, starts[1:] + [None]):
                self.functions[start.group(1)] = text[start.end():after.start() if after else len(text)]
        self.known = {}

    def named(self, text):
        """Returns the programs that TEXT names directly."""
        found = set(re.findall(r"(?:src|ltp|aio-dio-regress|vfs|perf|log-writes|iomap)/([\w.-]+)", text))
        found |= set(re.findall(r"_(?:run_aiodio|require_aiodio|require_test_program)\s+\"?([\w.-]+)", text))
        found |= {self.variables[name] for name in re.findall(r"\$\{?([A-Z0-9_]+_PROG)\b", text)
                  if name in self.variables}
        return {self.programs[name] for word in found
                for name in (word, os.path.splitext(word)[0]) if name in self.programs}

    def uses(self, text):
        """Returns (programs, functions of common/) that TEXT uses, directly or through other functions."""
        programs, functions, left = set(), set(), [text]
        while left:
            part = left.pop()
            programs |= self.named(part)
            for name in set(WORD.findall(part)) & self.functions.keys() - functions:
                functions.add(name)
                left.append(self.functions[name])
        return programs, functions

    def tests(self, fstype, directories):
        """Returns {name: (programs, functions, groups)} of the tests that may run on FSTYPE."""
        found = {}
        for path in sorted(path for directory in directories
                           for path in glob.glob(f"{self.dir}/tests/{directory}/[0-9]*")):
            if not re.fullmatch(r"\d{3,}", os.path.basename(path)):
                continue
            text = text_of(path)
            begin = re.search(r"^_begin_fstest\s+(.*)$", text, re.M)
            groups = set(begin.group(1).split()) if begin else set()
            only = " ".join(re.findall(r"^_supported_fs\s+(.*)$", text, re.M)).split()
            without = re.findall(r"^_exclude_fs\s+(\S+)", text, re.M)
            if groups & UNFIT or "auto" not in groups or fstype in without or f"^{fstype}" in only:
                continue
            if only and not {fstype, "generic"} & set(only) and not any(word[0] == "^" for word in only):
                continue
            programs, functions = self.uses(text)
            found["/".join(path.split("/")[-2:])] = (programs, functions, groups)
        return found


def choose(tests, count):
    """Returns COUNT names: first those that cover all programs, then functions, then short tests."""
    chosen = []
    for part in (0, 1):
        left = set().union(*(test[part] for test in tests.values()))
        left -= set().union(*(tests[name][part] for name in chosen)) if chosen else set()
        while left and len(chosen) < count:
            # Short ones first; the name makes the order stable.
            best = max((len(test[part] & left) * (2 if "quick" in test[2] else 1), name)
                       for name, test in tests.items() if name not in chosen)[1]
            if not tests[best][part] & left:
                break
            chosen.append(best)
            left -= tests[best][part]
        if part == 0 and left:
            sys.exit(f"COUNT is too small to cover {sorted(left)}")
    rest = sorted((name for name in tests if name not in chosen),
                  key=lambda name: ("quick" not in tests[name][2], not tests[name][0], name))
    return sorted(chosen + rest[:count - len(chosen)])


def main():
    fstests = Fstests(sys.argv[1])
    os.makedirs(LISTS, exist_ok=True)
    for fstype, (count, directories) in WANTED.items():
        tests = fstests.tests(fstype, directories)
        names = choose(tests, count)
        with open(f"{LISTS}/{fstype}.list", "w", encoding="utf-8") as file:
            file.write(f"# Chosen by tests/tools/choose_fstests.py from {len(tests)} tests that run on "
                       f"{fstype}.\n")
            for name in names:
                file.write(" ".join([f"{name:<12}", *sorted(tests[name][0])]).rstrip() + "\n")
        used = set().union(*(tests[name][0] for name in names))
        functions = set().union(*(tests[name][1] for name in names))
        print(f"{fstype}: {len(names)} of {len(tests)} tests, {len(used)} programs, "
              f"{len(functions)} of {len(set().union(*(t[1] for t in tests.values())))} functions of common/")


if __name__ == "__main__":
    main()
