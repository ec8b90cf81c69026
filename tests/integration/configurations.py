"""Every configuration of the catalogue, for real: its filesystem is made and mounted, and five tests run in
it, on the release's kernel. All configurations of a filesystem run in one guest. Needs ROOTLET_FSTESTS, the
source tree of fstests (kdave/xfstests). Prints the table in docs/configurations.md.

To run a part: configurations.py FS…"""
import glob
import json
import os
import re
import sys

from support import apt, tap
from support.world import AS_ROOT, Home, Tidy, shared_cache

SOURCE = os.environ.get("ROOTLET_FSTESTS")
# Links, permissions, ACLs; the last two mount the scratch device as well.
TESTS = ["generic/002", "generic/087", "generic/105", "generic/306", "generic/317"]


def make_home(packages):
    """A rootfs with what the configurations need, as far as the release has it."""
    home = Home(cache=shared_cache())
    home.write("config/rootlet/profiles/configurations.conf",
               f"[profile]\nextend = fstests\n[packages]\noptional = {' '.join(packages)}\n")
    mode = [] if AS_ROOT else ["--tree-mode", "0755"]
    outcome = home.run("create", "--release", apt.host_suite(), "--profile", "configurations", *mode,
                       "--quiet", seconds=3600)
    if not tap.report(outcome.status == 0, "the rootfs is created", outcome):
        tap.done()
    return home


def run(home, names):
    """Runs them. Returns {section: {test: status}}, the last event and complaints."""
    with Tidy(home) as tidy:
        outcome = home.run("fstests", "--json", "--kernel", "distro", "--build", "--fstests", SOURCE,
                           "--memory", "2G", "--device-size", "2G", "-c", ",".join(names), "--", *TESTS,
                           seconds=4 * 3600)
        wrong = tidy.complaints()
    events = [json.loads(line) for line in outcome.out.splitlines()]
    found = {}
    for event in events:
        if event.get("event") == "test":
            found.setdefault(event["section"], {})[event["name"]] = event["status"]
    return found, outcome, wrong


def lacking(outcome, names):
    """{name: what the kernel lacks} from a refusal, which names all of them."""
    return {name: text for name, text in re.findall(r"(\w+/\w+) needs ([^;]*)", outcome.err) if name in names}


def describe(tests):
    counts = {status: list(tests.values()).count(status) for status in sorted(set(tests.values()))}
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def rows(home, filesystem, configurations):
    """One filesystem: a row per configuration."""
    names = [one["name"] for one in configurations]
    found, outcome, wrong = run(home, names)
    why = lacking(outcome, names)
    able = [name for name in names if name not in why]
    if why and able:
        found, outcome, wrong = run(home, able)
    tap.report(not able or outcome.status in (0, 1, 5) and not wrong,
               f"{filesystem}: the run ends by itself", *wrong, outcome)
    directory = json.loads(outcome.out.splitlines()[-1]).get("results", "") if outcome.out else ""
    for path in glob.glob(f"{directory}/check*.out"):
        with open(path, encoding="utf-8", errors="replace") as file:
            tap.note("\n".join(line for line in file.read().splitlines()
                               if re.search("rootlet: |^check: |^common/", line)))
    for one in configurations:
        tests = found.get(one["section"], {})
        if one["name"] in why:
            tap.note(f"| {one['name']} | not run | the kernel has no {why[one['name']].strip()} |")
            continue
        ran = [name for name in TESTS if tests.get(name) in ("pass", "fail", "notrun", "excluded")]
        tap.report(ran == TESTS, f"{one['name']}: made, mounted and tested", tests)
        failed = [name for name, status in tests.items() if status not in ("pass", "notrun", "excluded")]
        tap.note(f"| {one['name']} | {describe(tests)} | {' '.join(failed)} |")


def main():
    if not SOURCE:
        tap.skip("the configurations", "ROOTLET_FSTESTS does not name the source tree of fstests")
        return
    every = json.loads(Home().run("configurations", "--json").out)
    packages = sorted({package for one in every for package in one["packages"]})
    home = make_home(packages)
    for filesystem in sys.argv[1:] or sorted({one["fstype"] for one in every}):
        rows(home, filesystem, [one for one in every if one["fstype"] == filesystem])


main()
tap.done()
