"""rootlet runs report on runs that these tests write: what each format says, what hostile output and damaged
runs do to it, and how large and slow it gets. Needs no helper, no guest and no browser."""
import base64
import fcntl
import hashlib
import html.parser
import json
import os
import re
import resource
import xml.etree.ElementTree

from support import sanitizers, tap
from support.runs import HOSTILE, OOPS, RESULTS, many, write_hostile_run, write_run
from support.schemas import document, errors
from support.world import Home

RUNS = "state/rootlet/runs"
FORMATS = ("html", "markdown", "ktap", "kcidb", "junit")
home = Home()


def report(names, *formats, **more):
    """Writes reports; returns the outcome and {format: text}. Those to files are named like the format."""
    formats = formats or FORMATS
    texts, last = {}, None
    for one in formats:
        words = [f"--{one}", f"{home.dir}/report.{one}"] if one in ("html", "junit") else [f"--{one}"]
        last = home.run("runs", "report", *names, *words, **more)
        if last.status == 0:
            texts[one] = last.out
            if len(words) == 2:
                with open(words[1], encoding="utf-8") as file:
                    texts[one] = file.read()
    return last, texts


# --- readers of the formats -----------------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """The elements of an HTML report, with what is in its scripts and its style."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.inside, self.policy, self.open = [], {}, "", None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"]

        self.open = dict(attrs).get("type", tag) if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self.open = None

    def handle_data(self, data):
        if self.open:
            self.inside[self.open] = self.inside.get(self.open, "") + data

    def data(self):
        return json.loads(self.inside["application/json"])


def read_ktap(text):
    """Returns {test: (good, directive)} of the innermost level, and complaints. Source: ktap.rst of Linux."""
    found, wrong, levels = {}, [], []
    for line in text.removesuffix("\n").split("\n"):
        depth, rest = (len(line) - len(line.lstrip(" "))) // 2, line.strip()
        if rest.startswith("KTAP version 1"):
            del levels[depth:]
            levels.append({"plan": None, "seen": 0})
            if len(levels) != depth + 1:
                wrong.append(f"a level too deep: {line}")
        elif plan := re.fullmatch(r"1\.\.(\d+)", rest):
            levels[depth]["plan"] = int(plan.group(1))
        elif result := re.fullmatch(r"(ok|not ok) (\d+) ([^#]*?)( # .*)?", rest):
            for inner in levels[depth + 1:]:
                if inner["plan"] != inner["seen"]:
                    wrong.append(f"the plan is {inner['plan']}, and there are {inner['seen']}: {line}")
            leaf = len(levels) == depth + 1
            del levels[depth + 1:]
            levels[depth]["seen"] += 1
            if int(result.group(2)) != levels[depth]["seen"]:
                wrong.append(f"wrong number: {line}")
            if leaf:
                found[result.group(3)] = (result.group(1) == "ok", (result.group(4) or "")[3:])
        elif not rest.startswith("#"):
            wrong.append(f"unexpected line: {line}")
    if levels and levels[0]["plan"] != levels[0]["seen"]:
        wrong.append("the outermost plan is wrong")
    return found, wrong


# Elements and attributes of Jenkins' schema junit-10.xsd (plug-in xUnit) that a report has.
JUNIT = {"testsuites": (set(), {"testsuite"}),
         "testsuite": ({"name", "tests", "failures", "errors", "skipped"}, {"properties", "testcase"}),
         "properties": (set(), {"property"}), "property": ({"name", "value"}, set()),
         "testcase": ({"name", "classname", "time"}, {"failure", "error", "skipped"}),
         **{name: ({"message", "type"}, set()) for name in ("failure", "error", "skipped")}}


def junit_complaints(root):
    wrong = []
    for element in root.iter():
        attributes, children = JUNIT.get(element.tag, (set(), set()))
        if set(element.attrib) != attributes or not {child.tag for child in element} <= children:
            wrong.append(f"{element.tag}: {element.attrib}")
    return wrong


def outside_code(text):
    """Returns what of a Markdown text is neither in a code block nor in a code span."""
    blocks = re.sub(r"^(`{3,})\w*\n.*?^\1$", "", text, flags=re.M | re.S)
    spans = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", blocks)
    return re.sub(r"<code>[^<\n]*</code>", "", spans)


# --- what each format says ------------------------------------------------------------------------


def formats():
    write_run(home, f"{RUNS}/20260101-000000-ext4",
              files={"generic/002.out.bad": "QA output\nmount: broken\n"})
    outcome, texts = report(["last"])
    tap.report(set(texts) == set(FORMATS), "all formats are written", outcome)
    page = Page(texts["html"])
    data = page.data()
    tap.report([status for status,
                *_ in data["statuses"]][int(data["columns"][0]["statuses"][1])] == "fail" and
               "mount: broken" in str(data["texts"]) and "ext4_truncate" in str(data["texts"]),
               "html: it has statuses, diffs, output and traces", data)
    outward = [(tag, attributes) for tag,
               attributes in page.elements for name in ("src", "href", "action", "data")
               if not attributes.get(name, "#").startswith("#")]
    tap.report(not outward and "@import" not in texts["html"] and "url(" not in texts["html"],
               "html: it refers to no other file", *outward)
    hashes = [base64.b64encode(hashlib.sha256(page.inside[name].encode()).digest()).decode()
              for name in ("script", "style")]
    tap.report(page.policy.startswith("default-src 'none'; ") and "unsafe" not in page.policy and
               all(f"'sha256-{one}'" in page.policy for one in hashes),
               "html: its policy allows its own script and style, by their hashes, and nothing else",
               page.policy)
    tap.report("## fstests: 3 of 4 tests failed" in texts["markdown"] and
               "+mount: can't read the superblock\n" in texts["markdown"] and
               "- 1: `attr utility required`" in texts["markdown"],
               "markdown: it has the counts, a diff and the reasons", texts["markdown"])
    found, wrong = read_ktap(texts["ktap"])
    expected = {"generic/001": (True, ""), "generic/002": (False, "output mismatch"),
                "generic/003": (True, "SKIP attr utility required"), "generic/004": (True, "SKIP"),
                "generic/005": (False, f"ERROR {OOPS['line']}"),
                "generic/006": (False, "TIMEOUT it ran for more than 1800 s"), "generic/007": (True, "SKIP")}
    tap.report(found == expected and not wrong, "ktap: each test has its result and its directive", *wrong,
               found)
    kcidb = json.loads(texts["kcidb"])
    tap.report(not errors("kcidb", kcidb), "kcidb: it fits the schema", *errors("kcidb", kcidb))
    tap.report([(one["path"], one["status"]) for one in kcidb["tests"]] ==
               [(f"xfstests.generic_00{i + 1}", status) for i, status in enumerate(
                   ("PASS", "FAIL", "SKIP", "SKIP", "FAIL", "ERROR", "MISS"))] and
               {one["build_id"] for one in kcidb["tests"]} == {one["id"] for one in kcidb["builds"]},
               "kcidb: each test has its path, its status and the build", kcidb)
    root = xml.etree.ElementTree.fromstring(texts["junit"])
    tap.report(not junit_complaints(root) and root.get("tests") == "7" and root.get("failures") == "1" and
               {"kernel_version": "6.12.0"}.items() <= {one.get("name"): one.get("value")
                                                        for one in root.iter("property")}.items(),
               "junit: it has the counts and the properties, and nothing that its schema lacks",
               *junit_complaints(root))


def several():
    """Runs and sections: older and newer, with and without a section, and a test that ran twice."""
    again = [{"name": "generic/001", "status": "pass", "seconds": 1, "section": "ext4_1k"},
             {"name": "generic/001", "status": "fail", "seconds": 2, "section": "ext4_1k",
              "reason": "mismatch"},
             {"name": "generic/001", "status": "pass", "seconds": 3, "section": "ext4_4k"}]
    write_run(home, f"{RUNS}/20260102-000000-ext4", again, (), began=1794400000)
    outcome, texts = report(["20260101-000000-ext4", "20260102-000000-ext4"])
    data = Page(texts["html"]).data()
    tap.report([one["id"] for one in data["runs"]] == ["20260102-000000-ext4", "20260101-000000-ext4"],
               "runs come in the order of their beginning", outcome)
    tap.report([(one["run"], one["configuration"]) for one in data["columns"]] ==
               [(0, "ext4_1k"), (0, "ext4_4k"), (1, "ext4")] and data["columns"][0]["again"] == {
                   "generic/001": "01"} and data["columns"][0]["statuses"][0] == "1",
               "html: a test that ran twice counts as failed, and both results are there", data["columns"])
    found, wrong = read_ktap(texts["ktap"])
    tap.report(not wrong and len(found) == 7 and texts["ktap"].count("# Subtest: ext4_") == 2,
               "ktap: each run has its sections", *wrong, texts["ktap"])
    kcidb = json.loads(texts["kcidb"])
    ids = [one["id"] for one in kcidb["tests"]]
    tap.report(not errors("kcidb", kcidb) and len(set(ids)) == 10 and len(kcidb["builds"]) == 1,
               "kcidb: each result has an id of its own, and one kernel is one build", *ids)
    root = xml.etree.ElementTree.fromstring(texts["junit"])
    tap.report(root.tag == "testsuites" and [suite.get("tests") for suite in root] == ["3", "7"] and
               not junit_complaints(root), "junit: each run is a suite", outcome)
    outcome = home.run("runs", "report", "last", "--kcidb", "--origin", "my_ci", "--build-id", "my_ci:42")
    kcidb = json.loads(outcome.out)
    tap.report({one["build_id"] for one in kcidb["tests"]} == {"my_ci:42"} and not kcidb["builds"] and
               kcidb["tests"][0]["id"].startswith("my_ci:"), "kcidb: origin and build are the user's",
               outcome)


def excused():
    """Neither an excluded test nor an excused failure may read as something else."""
    results = [{"name": "generic/001", "status": "pass", "seconds": 1},
               {"name": "generic/002", "status": "excluded", "seconds": 0, "reason": "it hangs"},
               {**RESULTS[1], "name": "generic/003", "excuse": "quarantined"},
               {**RESULTS[1], "name": "generic/004", "excuse": "retried"}]
    _, texts = report([write_run(home, "excused", results, (), status="passed", exit_status=0)])
    found, wrong = read_ktap(texts["ktap"])
    tap.report(not wrong and found == {
        "generic/001": (True, ""), "generic/002": (True, "SKIP it hangs"),
        "generic/003": (True, "XFAIL quarantined as a known flake: output mismatch"),
        "generic/004": (True, "XFAIL passed when it ran again: output mismatch")} and
        "\nok 1 excused\n" in texts["ktap"],
        "ktap: excluded tests are skipped, and excused failures fail no run", texts["ktap"])
    tap.report("## fstests: 2 of 3 tests failed, 2 of them excused\n" in texts["markdown"] and
               "</code> failed, quarantined as a known flake (" in texts["markdown"],
               "markdown: excuses are named", texts["markdown"])
    tap.report("passed when it ran again: output mismatch" in Page(texts["html"]).data()["texts"],
               "html: excuses are named")


def job_summary():
    path = home.write("summary.md", "before\n")
    for _ in range(2):
        outcome = home.run("runs", "report", "20260101-000000-ext4", "--markdown", "--json",
                           environment={"GITHUB_STEP_SUMMARY": path})
    with open(path, encoding="utf-8") as file:
        text = file.read()
    tap.report(outcome.status == 0 and text.startswith("before\n## fstests") and
               text.count("## fstests") == 2,
               "markdown: it is appended to the job summary of GitHub", outcome, text)
    value, wrong = document("runs-report", outcome)
    tap.report(not wrong and value == {"runs": ["20260101-000000-ext4"], "files": [path]},
               "--json names the runs and the files", *wrong)
    outcome = home.run("runs", "report", "last", "--markdown",
                       environment={"GITHUB_STEP_SUMMARY": "/nonexistent/summary"})
    tap.report(outcome.status == 1 and "$GITHUB_STEP_SUMMARY" in outcome.err and not outcome.out,
               "markdown: a job summary that cannot be written is an error", outcome)


def to_file():
    """--output: the file has what would be printed, and GitHub's summary is left alone."""
    path, summary = f"{home.dir}/out", home.write("summary.md", "")
    for one in ("markdown", "ktap", "kcidb"):
        printed = home.run("runs", "report", "20260101-000000-ext4", f"--{one}")
        outcome = home.run("runs", "report", "20260101-000000-ext4", f"--{one}", "--output", path, "--json",
                           environment={"GITHUB_STEP_SUMMARY": summary})
        value, wrong = document("runs-report", outcome)
        with open(path, encoding="utf-8") as file:
            tap.report(not wrong and value["files"] == [path] and file.read() == printed.out and
                       not os.path.getsize(summary), f"{one}: --output writes it to a file", outcome)
        os.unlink(path)


# --- hostile output -------------------------------------------------------------------------------

def hostile():
    for what, text in HOSTILE.items():
        run = write_hostile_run(home, "hostile", text)
        outcome, texts = report([run])
        tap.report(set(texts) == set(FORMATS), f"{what}: all formats are written", outcome)
        raw = {name: re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f]", whole) for name, whole in texts.items()}
        tap.report(not any(raw.values()), f"{what}: no format has a control character", raw)
        page = Page(texts["html"])
        tap.report([tag for tag, _ in page.elements].count("script") == 2 and
                   "img" not in [tag for tag, _ in page.elements] and
                   page.data()["tests"][1:] == ["generic/001", "generic/002"] and
                   not re.search("[<>&]", page.inside["application/json"]) and
                   page.inside["application/json"].isascii(),
                   f"{what}: html: it stays in the block of data", [tag for tag, _ in page.elements])
        plain = outside_code(texts["markdown"])
        tap.report(not re.search(r"[@\[\]!]|javascript|Title$|^#+ Title|<(?!/?(details|summary|code)>)",
                                 plain, re.M),
                   f"{what}: markdown: it is in code only", plain)
        found, wrong = read_ktap(texts["ktap"])
        tap.report(not wrong and len(found) == 3, f"{what}: ktap: it adds no results", *wrong, texts["ktap"])
        kcidb = json.loads(texts["kcidb"])
        tap.report(not errors("kcidb", kcidb) and len(kcidb["tests"]) == 3,
                   f"{what}: kcidb: it fits the schema",
                   *errors("kcidb", kcidb))
        root = xml.etree.ElementTree.fromstring(texts["junit"])
        tap.report(not junit_complaints(root) and len(root.findall("testcase")) == 3,
                   f"{what}: junit: it is well-formed", *junit_complaints(root))


def odd_types():
    """The page's script would end at a value that it cannot show, and with it all that comes after."""
    odd = {"toString": 5}
    run = write_run(home, "odd", kernel=({**OOPS, "kind": odd, "test": odd},), seconds="5", fstype=odd,
                    kernel_version=odd, rootfs="/home/tester/secret")
    _, texts = report([run], "html")
    data = Page(texts["html"]).data()
    tap.report(all(data["runs"][0][name] is None for name in ("seconds", "fstype", "kernel_version")) and
               data["kernel"][0]["kind"] is data["kernel"][0]["test"] is None,
               "html: values of another type are left out", data["runs"], data["kernel"])
    tap.report("secret" not in texts["html"], "html: it has no path that it does not show", data["runs"])


def large():
    run = write_run(home, "large", [{**one, "detail": "x" * 200000} for one in RESULTS[1:2]], ())
    with open(home.write("large/results/generic/002.out.bad", "the beginning\n"), "r+b") as file:
        file.truncate(100 << 20)
    outcome, texts = report([run])
    tap.report(set(texts) == set(FORMATS) and max(map(len, texts.values())) < 300000 and
               "the beginning" in texts["html"], "100 MB of output: each format has a part of it",
               {name: len(text) for name, text in texts.items()}, outcome)
    for name in ("tests.jsonl", "kernel.jsonl"):
        run = write_run(home, "large", RESULTS[1:2], ())
        os.truncate(f"{run}/{name}", 100 << 20)
        outcome, texts = report([run])
        tap.report(outcome.status == 2 and name in outcome.err and "at most" in outcome.err and not texts,
                   f"100 MB of {name} are refused", outcome)
    failing = [{"name": f"generic/{i:04}", "status": "fail", "seconds": 1,
                "detail": f"{i} {'<' * 16000}"} for i in range(1781)]
    _, texts = report([write_run(home, "failing", failing, ())], "html", "markdown")
    tap.report(len(texts["html"]) <= 6_000_000 and Page(texts["html"]).data()["left_out"] > 1000,
               "1,781 long failures: the HTML has at most 6 MB and says that texts are left out",
               len(texts["html"]))
    tap.report(len(texts["markdown"]) <= 1 << 20 and re.search(r"and \d+ more", texts["markdown"]),
               "1,781 long failures: the Markdown fits into GitHub's job summary", len(texts["markdown"]))


def links():
    """A guest can put links, pipes and directories into results/."""
    home.write("secret", "SECRET")
    run = write_run(home, "links", [{**RESULTS[1], "name": name} for name in
                                    [*(f"generic/00{i}" for i in range(6)), "xfs/001"]], ())
    os.makedirs(f"{run}/results/generic")
    here = f"{run}/results/generic"
    for i, target in enumerate((f"{home.dir}/secret", "../../../secret", "/proc/self/environ", ".")):
        os.symlink(target, f"{here}/00{i}.out.bad")
    home.write("outside/001.out.bad", "SECRET")
    os.symlink(f"{home.dir}/outside", f"{run}/results/xfs")
    os.mkfifo(f"{here}/004.out.bad")
    os.mkdir(f"{here}/005.out.bad")
    outcome, texts = report([run])
    tap.report(set(texts) == set(FORMATS) and not any("SECRET" in text or "XDG_STATE" in text
                                                      for text in texts.values()),
               "links and pipes of a guest lead to no file and stop no report", outcome)


# --- runs that are not whole ----------------------------------------------------------------------


def damaged():
    for what, status, says, change in (
            ("a damaged run.json", 2, "run.json is damaged", {"run.json": "{"}),
            ("a run.json that is no object", 2, "run.json is damaged", {"run.json": "[]"}),
            ("a newer format", 1, "a newer rootlet", {"run.json": '{"format": 2}'})):
        run = write_run(home, "damaged")
        for name, text in change.items():
            home.write(f"damaged/{name}", text)
        outcome, _ = report([run, "last"], "html")
        tap.report(outcome.status == status and says in outcome.err and not os.path.exists(
            f"{home.dir}/report.damaged"), f"{what} is refused", outcome)
    run = write_run(home, "damaged")
    with open(f"{run}/tests.jsonl", "ab") as file:
        file.write(b'{"name": "generic/008", "status": "puzzled"}\nnot JSON\n\xff\xfe\n{"name": "generic/009')
    with open(f"{run}/kernel.jsonl", "ab") as file:
        file.write(b"[]\n")
    _, texts = report([run], "html", "markdown")
    tap.report(Page(texts["html"]).data()["runs"][0]["unread"] == 5 and
               "5 lines of this run" in texts["markdown"],
               "damaged lines are counted, and the report says so", texts["markdown"])
    run = write_run(home, "damaged", [], (), status=None)
    for name in ("tests.jsonl", "kernel.jsonl"):
        os.unlink(f"{run}/{name}")
    outcome, texts = report([run])
    tap.report(set(texts) == set(FORMATS) and "no test ran" in texts["markdown"] and
               "cut off" in texts["ktap"],
               "a run that ended before its first test has a report", outcome)


def in_progress():
    run = write_run(home, "running", RESULTS[:2], (), status=None, exit_status=None, seconds=None)
    with open(f"{run}/tests.jsonl", "ab") as file:
        file.write(b'{"name": "generic/0')
    fd = os.open(run, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    _, texts = report([run])
    os.close(fd)
    data = Page(texts["html"]).data()["runs"][0]
    tap.report(data["state"] == "running" and data["unread"] == 0 and "`running`" in texts["markdown"] and
               "# running" in texts["ktap"] and len(json.loads(texts["kcidb"])["tests"]) == 2,
               "a run in progress: the results so far, and the reports say so", texts["ktap"])


def refused():
    for what, status, says, words in (
            ("no format", 2, "report needs --html FILE", ["last"]),
            ("no run", 2, "needs RUN", ["--ktap"]),
            ("an unknown run", 1, "nosuch does not exist", ["nosuch", "--ktap"]),
            ("a run that is named twice", 2, "is named twice", ["last", "20260102-000000-ext4", "--ktap"]),
            ("two formats on standard output", 2, "use one at a time", ["last", "--ktap", "--kcidb"]),
            ("two formats in one file", 2, "--output FILE needs one of",
             ["last", "--ktap", "--kcidb", "--output", "x"]),
            ("a file for no format", 2, "--output FILE needs one of",
             ["last", "--html", "y", "--output", "x"]),
            ("a format and --json on standard output", 2, "use one at a time", ["last", "--ktap", "--json"]),
            ("an origin with capitals", 2, "lower-case letters", ["last", "--kcidb", "--origin", "My CI"]),
            ("a build without an origin", 2, "ORIGIN:ID", ["last", "--kcidb", "--build-id", "42"]),
            ("a missing directory", 1, "cannot write", ["last", "--html", "/nonexistent/report.html"]),
            ("an option of another verb", 2, "--keep is for prune", ["last", "--ktap", "--keep", "3"])):
        outcome = home.run("runs", "report", *words)
        tap.report(outcome.status == status and says in outcome.err, f"{what} is refused", outcome)
    outcome = home.run("runs", "show", "last", "--junit", "x")
    tap.report(outcome.status == 2 and "--junit is for merge and report" in outcome.err,
               "an option of two verbs is refused with a third", outcome)


def figures():
    names = [write_run(home, f"figures/{i}", many(20, 1781, i), (OOPS,),
                       began=1794500000 + i) for i in range(10)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    outcome, texts = report(names, "html")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Other programs run at the same time: what counts is the processor's time.
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = len(texts["html"])
    tap.report(outcome.status == 0 and size <= 6_000_000,
               f"10 runs of 1,781 tests: the HTML has at most 6 MB: {size / 1e6:.2f} MB", outcome)
    tap.report(took <= (10 if sanitizers.watched() else 1),
               f"10 runs of 1,781 tests: the HTML takes at most a second: {took:.2f} s")
    tap.report([len(column["statuses"]) for column in Page(texts["html"]).data()["columns"]] == [1781] * 10,
               "10 runs of 1,781 tests: all results are in it")


formats()
several()
excused()
job_summary()
to_file()
hostile()
odd_types()
large()
links()
damaged()
in_progress()
refused()
figures()
tap.done()
