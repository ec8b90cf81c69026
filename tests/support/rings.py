"""The rings of tests/rings.ini: which files of the privileged half each has, how many lines of code these are, and what
SECURITY.md says of that."""
import configparser
import os
import re

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = "tests/rings.ini"
DIRECTORIES = ("helper", "lib", "policy", "proto")
# What is no comment begins with a quote, or is none of these.
PARTS = re.compile(r"""//(?:\\\n|[^\n])*|/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""", re.S)


def lines_of_code(text):
    """Of C: lines that are neither blank nor comments alone, as cloc counts them."""
    def without(match):
        part = match.group()
        return part if part[0] in "\"'" else "\n" * part.count("\n")
    return sum(bool(line.strip()) for line in PARTS.sub(without, text).splitlines())


def read(path):
    with open(f"{SOURCE}/{path}", encoding="utf-8") as file:
        return file.read()


def sources():
    """Every C file that has to be in a ring."""
    return sorted(os.path.relpath(f"{folder}/{name}", SOURCE) for top in DIRECTORIES
                  for folder, _, names in os.walk(f"{SOURCE}/{top}") for name in names if name.endswith((".c", ".h")))


def expand(path, alone):
    """The files that PATH stands for: those of a directory, but for those named ALONE."""
    return [found for found in sources() if found.startswith(path) and found not in alone] if path.endswith("/") else [path]


class Rings:
    """FILES {ring: paths}, LINES {ring: count} and TARGETS {sum of rings, as "a + b": lines at most}."""

    def __init__(self):
        data = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=(";",))
        data.optionxform = str
        data.read_string(read(DATA))
        named = {name: data[name]["files"].split() for name in data.sections() if name != "targets"}
        alone = {path for paths in named.values() for path in paths}
        self.files = {name: [found for path in paths for found in expand(path, alone)] for name, paths in named.items()}
        self.lines = {name: sum(lines_of_code(read(path)) for path in paths) for name, paths in self.files.items()}
        self.targets = {name: int(most) for name, most in data["targets"].items()}

    def sum_of(self, rings):
        return sum(self.lines[name] for name in rings.split(" + "))

    def misplaced(self):
        """What is wrong with the list: files of no ring, of two, and those that are not there."""
        listed = [path for paths in self.files.values() for path in paths]
        there = sources()
        return ([f"{path} has no ring" for path in there if path not in listed] +
                [f"{path} is not there" for path in listed if path not in there] +
                [f"{path} has two rings" for path in sorted(set(listed)) if listed.count(path) > 1])

    def verdicts(self):
        """A line for each target."""
        for rings, most in self.targets.items():
            have = self.sum_of(rings)
            yield f"{rings}: {have} lines, target {most}: " + (f"missed by {have - most}" if have > most else "met")

    def documented(self, text):
        """TEXT, of SECURITY.md, with the figures of today."""
        for name in self.files:
            text = re.sub(rf"^(\| {name} \|) \d+ \| \d+ \|", rf"\1 {len(self.files[name])} | {self.lines[name]} |",
                          text, flags=re.M)
        told = "\n".join(f"- {line}" for line in self.verdicts())
        return re.sub(r"(?<=<!-- targets -->\n).*?(?=<!-- end of targets -->)", lambda _: f"{told}\n", text, flags=re.S)
