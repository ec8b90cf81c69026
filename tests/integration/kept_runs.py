"""rootlet runs on runs that these tests write: durations. Needs no helper and no guest."""
import json

from support import tap
from support.schemas import document
from support.world import Home

HEAD = "# rootlet durations 1\n"

home = Home()


def write_run(at, results, **record):
    """Writes the run directory AT, with a line for each of RESULTS: (name, status, seconds[, section])."""
    home.write(f"{at}/run.json", json.dumps(record))
    home.write(f"{at}/tests.jsonl", "".join(json.dumps(
        {"name": name, "status": status, "seconds": seconds, **({"section": section[0]} if section else {})}) +
        "\n" for name, status, seconds, *section in results))
    return at


def durations():
    runs = "state/rootlet/runs"
    write_run(f"{runs}/20260101-000000-ext4", [("generic/001", "pass", 1), ("generic/002", "fail", 2)])
    write_run(f"{runs}/20260102-000000-ext4", [("generic/001", "pass", 10), ("generic/001", "pass", 5, "xfs"),
                                               ("generic/003", "unreached", 0), ("generic/004", "expunged", 0),
                                               ("generic/005", "timeout", 3600), ("generic/006", "notrun", 0)])
    home.write(f"{runs}/20260103-000000-ext4/run.json", "{}")
    write_run("elsewhere", [("generic/001", "pass", 7)])
    newest = HEAD + "10.00 generic/001\n2.00 generic/002\n3600.00 generic/005\n0.00 generic/006\n" \
                    "5.00 generic/001 xfs\n"
    for what, words, expected in (
            ("of all runs, the newest first", [], newest),
            ("of one run", ["20260101-000000-ext4"], HEAD + "1.00 generic/001\n2.00 generic/002\n"),
            ("of two runs, of which the first counts", [f"{home.folder}/elsewhere", "20260101-000000-ext4"],
             HEAD + "7.00 generic/001\n2.00 generic/002\n")):
        outcome = home.run("runs", "durations", *words)
        tap.report(outcome.status == 0 and outcome.out == expected and not outcome.err,
                   f"runs durations {what}", outcome)
        shown, wrong = document("runs-durations", home.run("runs", "durations", *words, "--json"))
        lines = sorted((f"{one['seconds']:.2f} {one['name']}" + (f" {one['section']}" if "section" in one else "")
                        for one in shown["durations"]))
        tap.report(not wrong and lines == sorted(expected.splitlines()[1:]), f"--json of durations {what}",
                   *wrong, shown)
    for what, words, says in (("a run that does not exist", ["nosuch"], "run nosuch does not exist"),
                              ("a run without results", ["20260103-000000-ext4"], "tests.jsonl")):
        outcome = home.run("runs", "durations", *words)
        tap.report(outcome.status == 1 and says in outcome.err and not outcome.out,
                   f"runs durations of {what} fails", outcome)


durations()
tap.done()
