"""The rings of tests/rings.ini: the files of the privileged half in each ring, their lines of code, and the
numbers in SECURITY.md."""
import configparser
import os
import re

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = "tests/rings.ini"
DIRECTORIES = ("helper", "lib", "policy", "proto")
# Comments and quoted strings.
PARTS = re.compile(r"""//(?:\\\n|[^\n])*|/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""", re.S)


def lines_of_code(text):
    """Counts lines of C that are neither blank nor only comments, like cloc."""
    def without(match):
        part = match.group()
        return part if part[0] in "\"'" else "\n" * part.count("\n")
    return sum(bool(line.strip()) for line in PARTS.sub(without, text).splitlines())


def read(path):
    with open(f"{SOURCE}/{path}", encoding="utf-8") as file:
        return file.read()


def sources():
    """Returns every C file that must be in a ring."""
    return sorted(os.path.relpath(f"{directory}/{name}", SOURCE) for top in DIRECTORIES
                  for directory, _, names in os.walk(f"{SOURCE}/{top}") for name in names
                  if name.endswith((".c", ".h")))


def expand(path, alone):
    """Returns the files that PATH stands for: those in a directory, except those named ALONE."""
    return [found for found in sources() if found.startswith(path) and
            found not in alone] if path.endswith("/") else [path]


class Rings:
    """FILES {ring: paths}, LINES {ring: count} and TARGETS {sum of rings, as "a + b": maximum lines}."""

    def __init__(self):
        data = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=(";",))
        data.optionxform = str
        data.read_string(read(DATA))
        named = {name: data[name]["files"].split() for name in data.sections() if name != "targets"}
        alone = {path for paths in named.values() for path in paths}
        self.files = {name: [found for path in paths for found in expand(path, alone)] for name,
                      paths in named.items()}
        self.lines = {name: sum(lines_of_code(read(path)) for path in paths) for name,
                      paths in self.files.items()}
        self.targets = {name: int(most) for name, most in data["targets"].items()}

    def sum_of(self, rings):
        return sum(self.lines[name] for name in rings.split(" + "))

    def misplaced(self):
        """Returns complaints: files in no ring, files in two, and missing files."""
        listed = [path for paths in self.files.values() for path in paths]
        there = sources()
        return ([f"{path} has no ring" for path in there if path not in listed] +
                [f"{path} is missing" for path in listed if path not in there] +
                [f"{path} has two rings" for path in sorted(set(listed)) if listed.count(path) > 1])

    def verdicts(self):
        """Yields a line per target."""
        for rings, most in self.targets.items():
            have = self.sum_of(rings)
            yield f"{rings}: {have} lines, target {most}: " + (f"missed by {have - most}" if have > most
                                                               else "met")

    def documented(self, text):
        """Returns TEXT, of SECURITY.md, with current numbers."""
        for name in self.files:
            text = re.sub(rf"^(\| {name} \|) \d+ \| \d+ \|",
                          rf"\1 {len(self.files[name])} | {self.lines[name]} |",
                          text, flags=re.M)
        told = "\n".join(f"- {line}" for line in self.verdicts())
        return re.sub(r"(?<=<!-- targets -->\n).*?(?=<!-- end of targets -->)", lambda _: f"{told}\n", text,
                      flags=re.S)
