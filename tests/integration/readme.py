"""Facts in README.md and SECURITY.md: each message they explain exists in the programs, each number of system
calls matches the lists, and each test named for a promise exists."""
import glob
import json
import re
import subprocess

from support import sanitizers, tap
from support.world import ROOTLET, SOURCE

# Placeholders and omissions in README's messages.
VARIABLE = re.compile(r'…|"you"|/[a-z]+(?:/[a-z]+)*')
LITERAL = r'"((?:[^"\\]|\\.)*)"'


def literals():
    """Returns all strings in the sources, each joined if it spans several lines."""
    found = []
    for folder in ("frontend", "helper", "lib", "policy", "proto"):
        for path in glob.glob(f"{SOURCE}/{folder}/**/*.c", recursive=True):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for run in re.finditer(rf"(?:{LITERAL}\s*)+", text):
                joined = "".join(re.findall(LITERAL, run.group(0)))
                found.append(joined.replace('\\"', '"'))
    return found


def explained():
    """Returns the messages in the first column, without those that only name an exit status."""
    with open(f"{SOURCE}/README.md", encoding="utf-8") as file:
        section = file.read().partition("## When something fails\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.*?) \| ", section, re.M)
    return [message for row in rows for message in re.findall(r"`([^`]+)`", row)]


def read(name):
    with open(f"{SOURCE}/{name}", encoding="utf-8") as file:
        return file.read()


def numbers_of_calls():
    done = subprocess.run([ROOTLET, "policy", "seccomp", "--json"], stdout=subprocess.PIPE, check=True)
    calls = {row["process"]: row["calls"] for row in json.loads(done.stdout)}
    # The jailer's own calls are those that are on no jail's list.
    count = {name: len(names) for name, names in calls.items()}
    count["jailer"] = len(set(calls["jailer"]) - set(calls["jail"]))
    told = re.search(r"policy/seccomp\): (\d+), (\d+), (\d+) and (\d+) for its own processes \(the last "
                     r"besides\s+those of the "
                     r"jails that it starts\), (\d+) to (\d+) for `rootlet-worker`, (\d+) for the tool jail, "
                     r"(\d+) for package\s"
                     r"scripts;", read("README.md"))
    workers = [count[name] for name in ("unpacker", "reader", "copier", "remover")]
    wanted = [count[name] for name in ("waiter", "audit", "parser", "jailer")]
    wanted += [min(workers), max(workers), count["tool"], count["jail"]]
    tap.report(told and [int(number) for number in told.groups()] == wanted,
               "README.md: has the right number of system calls per process", told and told.groups(), wanted)
    told = dict(re.findall(r"^\| (\w+) \|.*\| (\d+) system calls", read("SECURITY.md"), re.M))
    wanted = {name: str(count[name])
              for name in ("waiter", "parser", "unpacker", "reader", "copier", "remover", "fetch")}
    tap.report(told == wanted,
               "SECURITY.md: has the right number of system calls for processes that read hostile data",
               told, count)


def promises():
    """Each row of the table names tests, by directory and name."""
    table = read("SECURITY.md").partition("## What is promised\n")[2].partition("\n\n`")[0]
    rows = re.findall(r"^\| (\d+)\. .* \| (.*) \|$", table, re.M)
    built = read("tests/meson.build")
    tests = {}
    for folder, name in (("unit", "unit_tests"), ("integration", "python_tests"),
                         ("adversary", "adversary_tests")):
        block = re.search(rf"^{name} = \{{\n(.*?)^\}}", built, re.M | re.S).group(1)
        tests[folder] = set(re.findall(r"^  '(\w+)':", block, re.M))
    named = [one for _, cell in rows for one in re.findall(r"`(\w+/\w+)`", cell)]
    wrong = [one for one in named if one.partition("/")[2] not in tests.get(one.partition("/")[0], ())]
    tap.report([int(number) for number, _ in rows] == list(range(1, len(rows) + 1)) and len(rows) >= 12 and
               len(named) >= 20 and all("`" in cell for _, cell in rows) and not wrong,
               "SECURITY.md: each promise has tests, and these exist", len(rows), len(named), *wrong)


texts = literals()
messages = explained()
tap.report(len(messages) >= 12 and len(texts) > 1000, "README's messages and the sources' strings are found",
           len(messages), len(texts))
for message in messages:
    pieces = [piece.strip() for piece in VARIABLE.split(message) if len(piece.strip()) > 3]
    tap.report(pieces and any(all(piece in text for piece in pieces) for text in texts),
               f"a README message exists in the sources: {message}", *pieces)
if not sanitizers.watched():  # sanitizer runtimes make extra calls
    numbers_of_calls()
promises()
tap.done()
