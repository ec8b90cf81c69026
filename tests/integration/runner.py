"""tests/count: everything that can go wrong in a test program counts as a failure. tests/run, with its tools
replaced by fakes: what it prints, what it runs, and that an interrupt ends all of it. The benchmark refuses
to run if a peer is missing. Every mutation still fits the code."""
import json
import os
import re
import runpy
import shutil
import signal
import subprocess

from support import tap
from support.terminal import Terminal
from support.world import (AS_ROOT, BUILD, NOBODY, SCRATCH, SOURCE, Home, command_of, kill, plain_user,
                           wait_until, without)

GOOD = "ok 1 - a\nok 2 - b\n1..2\n"

# what: (TAP, meson's result, names expected or None, last line, exit status, what else is printed)
ROWS = {
    "all good": (GOOD, "OK", None, "2 passed, 0 failed, 0 skipped", 0, ""),
    "one failed": ("ok 1 - a\nnot ok 2 - b\n# why\n1..2\n", "FAIL", None,
                   "1 passed, 1 failed, 0 skipped", 1, "FAILED: b\n    why"),
    "a skip has a name and a reason": ("ok 1 - a\nok 2 - b # SKIP no disk\n1..2\n", "OK", None,
                                       "1 passed, 0 failed, 1 skipped", 0, "skipped: b: no disk"),
    "a skip that failed": ("ok 1 - a\nnot ok 2 - b # SKIP no\n1..2\n", "FAIL", None,
                           "1 passed, 1 failed, 0 skipped", 1, "FAILED: b"),
    "nothing but skips": ("ok 1 - a # SKIP no\n1..1\n", "SKIP", None,
                          "0 passed, 0 failed, 1 skipped", 1, ""),
    "a crash before the plan": ("ok 1 - a\n", "ERROR", None, "1 passed, 1 failed, 0 skipped", 1,
                                "did not run to its end"),
    "a crash after the plan": (GOOD, "ERROR", None, "2 passed, 1 failed, 0 skipped", 1,
                               "did not run to its end"),
    "a timeout": ("ok 1 - a\n", "TIMEOUT", None, "1 passed, 1 failed, 0 skipped", 1, "TIMEOUT"),
    "fewer cases than planned": ("ok 1 - a\n1..2\n", "ERROR", None, "1 passed, 1 failed, 0 skipped",
                                 1, ""),
    "no output": ("", "OK", None, "0 passed, 1 failed, 0 skipped", 1, ""),
    "an empty plan": ("1..0\n", "OK", None, "0 passed, 1 failed, 0 skipped", 1, ""),
    "a program that never ran": (GOOD, "OK", ["p", "q"], "2 passed, 1 failed, 0 skipped", 1,
                                 "q\n  FAILED: it never ran"),
    "no program at all": (None, "OK", ["p"], "0 passed, 1 failed, 0 skipped", 1, "never ran"),
}


def log(number, text, result, names):
    """Writes a log like meson's; returns its path."""
    path = f"{SCRATCH}/count.{os.getpid()}.{number}.json"
    with open(path, "w", encoding="utf-8") as file:
        if text is not None:
            json.dump({"name": "p", "stdout": text, "stderr": "", "result": result, "duration": 1,
                       "returncode": 0}, file)
            file.write("\n")
    if names:
        with open(path.removesuffix(".json") + ".expected", "w", encoding="utf-8") as file:
            file.write("\n".join(names) + "\n")
    return path


def budgets():
    """After a full run, count prints each suite's processor time and whether it exceeds the budget."""
    path = f"{SCRATCH}/count.{os.getpid()}.budgets.json"
    with open(path, "w", encoding="utf-8") as file:
        for number in range(11):
            suite, seconds = ("fuzz", 2.5) if number else ("cli", 999.6)
            json.dump({"name": f"rootlet:{suite} / p{number}",
                       "stdout": f"# time: 90.0 s, processor: {seconds} s\n{GOOD}",
                       "stderr": "", "result": "OK", "duration": 90, "returncode": 0}, file)
            file.write("\n")
    done = subprocess.run([f"{SOURCE}/tests/count", path], stdout=subprocess.PIPE, text=True, check=False,
                          timeout=60)
    most = runpy.run_path(f"{SOURCE}/tests/count")["BUDGETS"]
    tap.report(f"\nprocessor time of cli: 1000 s of {most['cli']} s: OVER BUDGET\n"
               f"processor time of fuzz: 25 s of {most['fuzz']} s\n"
               f"processor time of all suites: 1025 s of {sum(most.values())} s\n" in done.stdout
               and "\nlongest: cli/p0 90 s, processor 1000 s\n" in done.stdout,
               "count: a budget for each suite",
               done.stdout)


def without_a_peer():
    """Hides each installed peer in turn."""
    if not AS_ROOT:
        tap.skip("bench: a peer is missing", "needs root to hide a program")
        return
    home, bench = Home(), f"{SOURCE}/tests/bench/run"
    with open(bench, encoding="utf-8") as file:
        peers = re.findall(r'"([^"]+)"', re.search(r"^PEERS = \[(.*?)\]", file.read(), re.M | re.S).group(1))
    here = [(peer, shutil.which(peer)) for peer in peers]
    for peer, path in filter(lambda one: one[1], here):
        outcome = home.run(BUILD, program=bench, before=without(home, os.path.realpath(path)), **NOBODY,
                           seconds=60)
        tap.report(outcome.status == 2 and
                   re.search(rf"^bench: a peer is missing; install: .*\b{re.escape(peer)}\b",
                                                     outcome.err, re.M), f"bench: {peer} is missing", outcome)
    tap.report(any(path for _, path in here), "bench: some peers are installed", here)


def mutations_fit():
    """The code that each one changes still exists, and so do its tests."""
    mutate = f"{SOURCE}/tests/tools/mutate.py"
    done = subprocess.run([mutate, "--check"], stdout=subprocess.PIPE, text=True, check=False, timeout=60)
    tap.report(done.returncode == 0, "mutations: each fits the source tree", done.stdout)
    done = subprocess.run([mutate, "--fixed", "--list"], stdout=subprocess.PIPE, text=True, check=False,
                          timeout=60)
    tap.report(len(done.stdout.splitlines()) == 20, "mutations: twenty are in the fixed set", done)


for position, (what, (text, result, names, last, status, says)) in enumerate(ROWS.items()):
    done = subprocess.run([f"{SOURCE}/tests/count", log(position, text, result, names)],
                          stdout=subprocess.PIPE, text=True, check=False, timeout=60)
    tap.report(done.returncode == status and done.stdout.splitlines()[-1] == last and
               says in done.stdout, f"count: {what}", f"exit status {done.returncode}", done.stdout)
for what, words, says in (("an unknown word", ["comands"], "no test program comands; commands?"),
                          ("an unknown option", ["--nosuch"], "usage: "), ("an odd word", ["a.b"], "usage: "),
                          ("--changed with a suite", ["--changed", "unit"], "usage: "),
                          ("--shuffle without a number", ["--shuffle", "unit"], "usage: ")):
    done = subprocess.run([f"{SOURCE}/tests/run", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=60, text=True)
    tap.report(done.returncode == 2 and says in done.stderr, f"run: {what}", done.stdout, done.stderr)

# A fake meson with two tests, of which one fails. If STAND/hang exists, the second one hangs.
MESON = r"""#!/bin/sh
stand=%(stand)s
case $* in
*build-clang*)
	if [ -e $stand/fail ]; then
		until [ -s $stand/pids ]; do sleep 0.1; done
		echo "a compiler's words"
		exit 1
	fi ;;
esac
case $* in
"setup --reconfigure"*) ;;
setup*)
	mkdir -p $2
	echo "order: $ROOTLET_TEST_ORDER" >$stand/order ;;
*--list*)
	echo 'rootlet:unit / one'
	echo 'rootlet:unit / two'
	case $* in *"--suite long"*) echo 'rootlet:long / three' ;; esac ;;
test*)
	echo "$*" >>$stand/words
	echo ' 1/2 rootlet:unit / one     OK              0.02s   2 subtests passed'
	ls /proc/self/fd >$stand/fds
	if [ -e $stand/hang ]; then
		echo "$ROOTLET_TEST_SCRATCH" >$stand/scratch
		sleep 600 &
		echo "$$ $!" >>$stand/pids
		wait
	fi
	echo ' 2/2 rootlet:unit / two     FAIL            1.50s   exit status 1'
	mkdir -p $3/meson-logs
	cp $stand/log $3/meson-logs/$(basename $3).json ;;
esac
"""

# A fake ninja that builds programs with counters; the build itself has already run one of them.
COVERAGE_NINJA = """#!/bin/sh
cd $2 && mkdir -p profiles frontend helper && : >profiles/compiler
for program in frontend/rootlet helper/rootlet-helper; do
	printf '#!/bin/sh\\n: >%s\\n' $PWD/profiles/${program#*/} >$program
	chmod 755 $program
done
"""


def source_tree(home):
    """Creates a source tree with what tests/run needs, nothing to build or install, and fake tools."""
    stand = home.make_dir(f"{home.dir}/stand")
    home.write("source/tests/meson.build", "unit_tests = {\n  'one': [],\n  'two': [],\n}\n"
               "python_tests = {\n  'three': ['long', 60],\n}\nadversary_tests = {\n}\n")
    home.write("source/tests/coverage", f"#!/bin/sh\necho \"$*\" >{stand}/coverage\necho table of coverage\n")
    os.chmod(f"{home.dir}/source/tests/coverage", 0o755)
    for name in ("run", "count", "select"):
        with open(f"{SOURCE}/tests/{name}", encoding="utf-8") as file:
            os.chmod(home.write(f"source/tests/{name}", file.read()), 0o755)
    for name, script in (("source/quickstart", "#!/bin/sh\n"), ("bin/ninja", "#!/bin/sh\n"),
                         ("bin/meson", MESON % {"stand": stand})):
        os.chmod(home.write(name, script), 0o755)
    home.write("stand/log", "".join(json.dumps({
        "name": f"rootlet:unit / {name}", "stdout": text, "stderr": "", "result": result, "duration": 1,
        "returncode": 0}) + "\n" for name, text, result in (
            ("one", GOOD, "OK"), ("two", "not ok 1 - a\n1..1\n", "FAIL"))))
    return {"program": f"{home.dir}/source/tests/run", "environment": {
        "PATH": f"{home.dir}/bin:/usr/bin:/bin", "ROOTLET_TEST_SHARED": f"{home.dir}/shared"}}


def hanging(home):
    """Makes the second test hang; returns a function that returns what the run left behind."""
    for name in ("pids", "scratch"):
        home.write(f"stand/{name}", "")
    home.write("stand/hang", "")

    def left():
        with open(f"{home.dir}/stand/pids", encoding="utf-8") as file:
            pids = [int(word) for word in file.read().split()]
        with open(f"{home.dir}/stand/scratch", encoding="utf-8") as file:
            scratch = file.read().strip()
        found = ["it never began"] if len(pids) < 2 or not scratch else []
        found += [f"{pid} runs: {command_of(pid)}" for pid in pids
                  if not wait_until(lambda: not command_of(pid), 5)]
        for pid in pids:
            kill(pid)
        return found + ([f"{scratch} still exists"] if scratch and os.path.exists(scratch) else [])
    return left


def began(home):
    return wait_until(lambda: os.path.getsize(f"{home.dir}/stand/pids"), 60)


def whole_run(home, tree):
    stale = home.write("source/build-clang/stale", "")
    home.write("source/build-clang/options", "-Dof=another\n")
    outcome = home.run("unit", seconds=60, **tree)
    tap.report(not os.path.exists(stale), "run: a build directory with other options is rebuilt", outcome)
    with open(f"{home.dir}/stand/fds", encoding="utf-8") as file:
        fds = file.read().split()
    tap.report(outcome.status == 1 and outcome.out.endswith("\n4 passed, 2 failed, 0 skipped\n"),
               "run: the last line has the totals", outcome)
    tap.report(all(outcome.out.count(line) == 2 for line in (
        "  1/2 unit / one: OK, 0.02 s\n", "  2/2 unit / two: FAIL, 1.50 s\n")) and "\r" not in outcome.out and
               all(f"testing build-{kind}: unit\n" in outcome.out for kind in ("clang", "tests")),
               "run: prints a line as each test ends", outcome)
    tap.report("9" not in fds, "run: tests do not inherit the lock", *fds)
    tap.report(outcome.out.count("\n  alone: ./tests/run unit/two\n") == 2,
               "run: prints the command that runs a failed program alone", outcome)


def words_for_meson(home, tree, *words):
    """Returns meson's command lines when tests/run runs tests, and the outcome."""
    home.write("stand/words", "")
    outcome = home.run(*words, seconds=60, **tree)
    with open(f"{home.dir}/stand/words", encoding="utf-8") as file:
        return file.read().splitlines(), outcome


def shuffled(home, tree):
    """meson sets the order of the tests when it sets up a build."""
    for words, order in ((["--shuffle", "7"], "order: 7\n"), ([], "order: \n")):
        for build in ("build-tests", "build-clang"):
            shutil.rmtree(f"{home.dir}/source/{build}", ignore_errors=True)
        outcome = home.run(*words, "unit", seconds=60, **tree)
        with open(f"{home.dir}/stand/order", encoding="utf-8") as file:
            told = file.read()
        tap.report(told == order, f"run: {' '.join(words) or 'the longest first'}", told, outcome)


def suite_long(home, tree):
    """It takes hours, so it only runs on request."""
    for words, runs in (([], False), (["--long"], True), (["long"], True), (["unit", "three"], True),
                        (["unit"], False),
                        (["--long", "unit"], False)):
        lines, outcome = words_for_meson(home, tree, *words)
        tap.report(lines and any(" --suite long" in line for line in lines) == runs,
                   f"{' '.join(['run', *words])}: suite long is {'runs' if runs else 'is left out'}", *lines,
                   outcome)


def one_program(home, tree):
    """Only this program runs, and only this one must run."""
    lines, outcome = words_for_meson(home, tree, "unit/one")
    tap.report(len(lines) == 2 and all(line.endswith(" --suite unit one") for line in lines),
               "run: one program can be named", *lines, outcome)
    home.run("-c", "cd source && git init -q . && git add -A && git -c user.name=a -c user.email=a@b commit "
             "-qm a",
             program="/bin/sh")
    others = ["static/analyze", "static/style", "static/sizes", "static/layers", "static/prose", "fuzz/fuzz"]
    for what, path, words, chosen in (
            ("nothing", None, [], []), ("a unit test", "tests/unit/test_two.c", [], ["unit/two"]),
            ("a file that no row matches", "strange", [], ["unit/one", "unit/two", *others]),
            ("the same with --long", "strange", ["--long"], ["unit/one", "unit/two", "long/three", *others])):
        if path:
            home.write(f"source/{path}", "changed")
        outcome = home.run("--changed", *words, program=f"{home.dir}/source/tests/select", seconds=60)
        tap.report(outcome.status == 0 and outcome.out.split() == chosen, f"select --changed: {what}",
                   outcome)


def coverage_run(home, tree):
    """There is one build; the table comes between the tests and the last line."""
    os.chmod(home.write("bin/ninja", COVERAGE_NINJA), 0o755)
    home.write("stand/words", "")
    outcome = home.run("--coverage", "unit/one", seconds=60, **tree)
    profiles = f"{home.dir}/source/build-coverage/profiles"
    tap.report(outcome.out.endswith("\n2 passed, 1 failed, 0 skipped\n") and
               "build-clang" not in outcome.out and
               "build-tests" not in outcome.out, "run --coverage: builds only once", outcome)
    tap.report(0 < outcome.out.find("2/2 unit / two") < outcome.out.find("table of coverage"),
               "run --coverage: the table comes after the tests", outcome)
    tap.report(sorted(os.listdir(profiles)) == ["rootlet", "rootlet-helper"] and
               all(os.stat(f"{profiles}/{name}").st_mode & 0o777 == 0o666 for name in os.listdir(profiles)),
               "run --coverage: the counters start at zero and every user can write to them",
               os.listdir(profiles), outcome)
    with open(f"{home.dir}/stand/coverage", encoding="utf-8") as file:
        words = file.read().split()
    tap.report(words == [f"{home.dir}/source/build-coverage"],
               "run --coverage: with one program, coverage is not enforced", *words)


# A function with one condition. The regions it leads to are the whole function and "return -1".
CONDITION = "int f(int a)\n{\n\tif (a)\n\t\treturn -1;\n\treturn 0;\n}\n"
PARTS = ((2, 1, 6, 2), (4, 3, 4, 12))
# what: (file, execution counts, lines of coverage.argued, failing cases and their notes)
REACHED = {
    "everything is reached": ("helper/x.c", (2, 1), "", {}),
    "an unreached region without a reason": ("policy/x.c", (2, 0), "", {1: "policy/x.c:4: return -1"}),
    "an unreached region with a reason": ("helper/x.c", (2, 0), "# why\nhelper/x.c return -1\n", {}),
    "a reason for every file": ("proto/x.c", (2, 0), "* return -[0-9]\n", {}),
    "a reason for another file": ("helper/x.c", (2, 0), "helper/y.c return -1\n",
                                            {1: "helper/x.c:4: return -1", 2: "coverage.argued:1"}),
    "a reason whose pattern matches only half": ("helper/x.c", (2, 0), "* return\n",
                                   {1: "helper/x.c:4: return -1", 2: "coverage.argued:1"}),
    "a reason that matches no code": ("helper/x.c", (2, 1), "\nhelper/x.c exit\n", {2: "coverage.argued:2"}),
    "an unreached function is reported without its regions":
           ("helper/x.c", (0, 0), "", {1: "helper/x.c:2: f()"}),
    "an unreached function with a reason": ("helper/x.c", (0, 0), r"helper/x.c f\(\)" + "\n", {}),
    "a directory that is not checked": ("frontend/x.c", (0, 0), "", {}),
}


def reached():
    """Runs tests/coverage with fake LLVM tools."""
    for position, (what, (name, counts, argued, failed)) in enumerate(REACHED.items()):
        home = Home()
        with open(f"{SOURCE}/tests/coverage", encoding="utf-8") as file:
            os.chmod(home.write("source/tests/coverage", file.read()), 0o755)
        home.write("source/tests/coverage.argued", argued)
        path = home.write(f"source/{name}", CONDITION)
        summary = {kind: {"covered": 1, "count": 4} for kind in ("lines", "branches", "functions")}
        account = home.write("account", json.dumps({"data": [{
            "files": [{"filename": path, "summary": summary}],
            "functions": [{"name": "x.c:f", "filenames": [path], "count": counts[0], "regions": [
                [*part, count, 0, 0, 0] for part, count in zip(PARTS, counts)]}]}]}))
        for tool, script in (("llvm-profdata", ""), ("llvm-cov", f"[ $1 = show ] || cat {account}\n")):
            os.chmod(home.write(f"bin/{tool}", f"#!/bin/sh\n{script}"), 0o755)
        outcome = home.run(f"{home.dir}/source/build-coverage", f"{home.dir}/log.json",
                           program=f"{home.dir}/source/tests/coverage", seconds=60,
                           environment={"PATH": f"{home.dir}/bin:/usr/bin:/bin"})
        with open(f"{home.dir}/log.json", encoding="utf-8") as file:
            lines = json.load(file)["stdout"].splitlines()
        found = {int(line.split()[2]): lines[number + 1][2:] for number, line in enumerate(lines)
                 if line.startswith("not ok")}
        tap.report(outcome.status == 0 and found == failed, f"coverage: {what}", *lines, outcome)
        if position == 0:
            tap.report(re.search(r"^helper +1 of +4 +25 % +1 of +4 +25 % +1 of +4 +25 %$", outcome.out, re.M),
                       "coverage: prints a line per directory", outcome)


def sanitized(home, tree):
    """Suites that run on the sanitizer build only with --long."""
    for what, words, builds in (("without --long, on one build", [], ["tests"]),
                                ("with --long, on both builds", ["--long"], ["clang", "tests"])):
        for suite in ("integration", "adversary"):
            outcome = home.run(*words, suite, seconds=60, **tree)
            tap.report(sorted(re.findall(rf"^testing build-(\w+): {suite}$", outcome.out, re.M)) == builds,
                       f"run: {suite}, {what}", outcome)


def one_build_fails(home, tree):
    """The other build's tests are under way then."""
    home.write("stand/fail", "")
    left = hanging(home)
    outcome = home.run("unit", seconds=60, **tree)
    wrong = left()
    for name in ("fail", "hang"):
        os.unlink(f"{home.dir}/stand/{name}")
    tap.report(outcome.status == 1 and "a compiler's words" in outcome.out and
               "cannot build build-clang" in outcome.err and
               outcome.out.endswith("\n0 passed, 1 failed, 0 skipped\n") and not wrong,
               "run: a build that fails ends the tests of the other", *wrong, outcome)


def interrupted(home, tree):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        left = hanging(home)
        process = home.start("unit", start_new_session=True, **tree)
        began(home)
        os.kill(process.pid, number)
        out = process.communicate(timeout=300)[0].decode()
        wrong = left()
        tap.report(process.returncode == 130 and out.endswith("\n0 passed, 1 failed, 0 skipped\n") and
                   not wrong,
                   f"run: {number.name} ends the whole run", process.returncode, *wrong, out)
    left = hanging(home)
    with Terminal(home, "unit", **tree) as terminal:
        began(home)
        terminal.type("\x03")
        status = terminal.wait(60)
        wrong = left()
        tap.report(status == 130 and terminal.text.endswith("\n0 passed, 1 failed, 0 skipped\r\n") and
                   not wrong,
                   "run: Ctrl-C ends the whole run", status, *wrong, terminal.text)


def second_run(home, tree):
    """The second run waits for the first, names its process, and can be interrupted."""
    left = hanging(home)
    first = home.start("unit", start_new_session=True, **tree)
    began(home)
    second = home.start("unit", start_new_session=True, **tree)
    said = second.stdout.readline().decode()
    second.terminate()
    out = second.communicate(timeout=300)[0].decode()
    tap.report(re.search(rf"process {first.pid}: waiting for it$", said) and second.returncode == 130 and
               out == "0 passed, 1 failed, 0 skipped\n", "run: a second run waits for the first", said, out)
    first.terminate()
    first.communicate(timeout=300)
    wrong = left()
    tap.report(not wrong, "run: the first run ends as well", *wrong)


if plain_user().name == "root":
    tap.skip("run: all cases", "needs a user other than root: as root it creates users")
else:
    place = Home()
    stands = source_tree(place)
    whole_run(place, stands)
    shuffled(place, stands)
    suite_long(place, stands)
    one_program(place, stands)
    coverage_run(place, stands)
    sanitized(place, stands)
    one_build_fails(place, stands)
    interrupted(place, stands)
    second_run(place, stands)
reached()
budgets()
without_a_peer()
mutations_fit()
tap.done()
