"""rootlet bisect on a git repository whose commits "build" fake kernels, with a fake vng that fails tests by
the kernel's version. git, rootlet fstests and everything between them are real."""
import os
import re
import shutil
import signal
import subprocess

from support import tap, vng
from support.mcp import Server
from support.schemas import stream
from support.world import SOURCE, Home, Outcome, Tidy, children, own_rootfs, wait_until

COMMITS = 24
FIRST_BAD = 17
NEAR = {"good": "main~9", "bad": "main~6"}  # 15 and 18
rootfs = own_rootfs()
TREE = f"{rootfs.store}/test-rootfs"
home = Home()
MINI = f"{home.dir}/fstests-mini"
shutil.copytree(f"{SOURCE}/tests/fstests-mini", MINI)
REPOSITORY = f"{home.dir}/linux"
IMAGE = home.write("image", vng.kernel_with(vng.MAGIC + vng.EROFS + vng.EXT4, "6.1.__"))

# Puts the number of the commit into the kernel's version. Commits in `unbuildable` do not build.
MAKE = (f"! grep -qx $(cat level) {home.dir}/unbuildable && mkdir -p arch/x86/boot && "
        f"sed s/6.1.__/6.1.$(cat level)/ {IMAGE} >arch/x86/boot/bzImage")

# The guest's words depend on the version of the kernel that it boots.
GUEST = r"""
kernel=$(grep -x -A1 -e --run "$results/words.$boot" | tail -n 1)
level=$(grep -ao '6[.]1[.][0-9][0-9]' "$kernel" | head -n 1) level=${level##*.} level=${level#0}
"""
TEST = r"""
echo generic/001 >$results/rootlet.list
running generic/001
if ((level >= 17)); then BAD; else echo ' 1s'; fi
finish 0
"""
# From the first bad commit on, every second run of the test fails.
FLAKY = r"""
status started
says='ready 0 more'
while echo "$token $says" && IFS=$'\037' read -ra order; do
	case ${order[0]} in
	list) echo generic/001 >$results/rootlet.list; continue ;;
	end) break ;;
	esac
	says='ready 0 more'
	for test in "${order[@]:1}"; do
		[[ $test == */* ]] || continue
		says=more
		echo >>"$results/runs"
		running "$test"
		if ((level >= 17 && $(wc -l <"$results/runs") % 2 == 0)); then BAD; else echo ' 1s'; fi
	done
done
status exit 0
"""
# check ends after the first of two tests.
SHORT = r"""
printf '%s\n' generic/001 generic/002 >$results/rootlet.list
running generic/001
echo ' 1s'
finish 1
"""
FAILS = "echo ' - output mismatch'"


def git(*words):
    done = subprocess.run(["git", "-C", REPOSITORY, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, env=home.environment(), **home.user.switch())
    if done.returncode:
        raise RuntimeError(f"git {words}: {done.stdout}")
    return done.stdout.strip()


def make_repository():
    """Commits 1 to COMMITS, each with its number in the file level."""
    home.write("state/.keep", "")
    home.write("config/git/config", "[user]\nname = A\nemail = a@example.org\n[init]\ndefaultBranch = main\n"
               "[safe]\ndirectory = *\n")
    home.make_dir(REPOSITORY)
    git("init", "-q")
    for number in range(1, COMMITS + 1):
        home.write("linux/level", f"{number:02}\n")
        git("add", "level")
        git("commit", "-q", "-m", f"fs: change {number}\x1b[1m")
    git("branch", "side", "HEAD~3")
    home.write("linux/level", "the user's own work\n")  # not committed


def commit(number):
    return git("rev-parse", f"main~{COMMITS - number}")


def environment(bad=FAILS, before="begin\n", script=TEST):
    os.chmod(home.write("bin/vng", vng.PRELUDE + GUEST + before + script.replace("BAD", bad)), 0o755)
    return {"PATH": f"{home.dir}/bin:/usr/bin:/bin"}


def line(*more, good="main~23", bad="main", words=()):
    return ["bisect", "--tree", REPOSITORY, "--good", good, "--bad", bad, "--make", MAKE, *more, "--",
            "--path", TREE, "--fstests", MINI, *words, "--", "generic/001"]


def unbuildable(*numbers):
    home.write("unbuildable", "".join(f"{number:02}\n" for number in numbers))


def untouched():
    """What must be as before in the user's repository."""
    wrong = []
    with open(f"{REPOSITORY}/level", encoding="utf-8") as file:
        if file.read() != "the user's own work\n":
            wrong.append("the user's file was changed")
    if git("status", "--short") != "M level" or git("rev-parse", "HEAD") != commit(COMMITS):
        wrong.append(git("status"))
    if git("worktree", "list").count("\n"):
        wrong.append(git("worktree", "list"))
    return wrong


def run(what, *more, status=0, env=None, **how):
    """Runs a bisect to its end; returns its result."""
    with Tidy(home) as tidy:
        outcome = home.run(*line("--json", *more, **how), seconds=300, environment=env or environment())
        events, result, wrong = stream("bisect", outcome)
        wrong += tidy.complaints() + untouched()
    told = [event for event in events if event["event"] == "progress"]
    if [event["done"] for event in told] != list(range(len((result or {}).get("steps", ())))) or \
            any(event["done"] >= event["total"] for event in told):
        wrong.append("not each step is told")
    tap.report(outcome.status == status and not wrong and not outcome.err, what, *wrong, outcome)
    return result or {}


def suspects(result):
    return [one["commit"] for one in result.get("suspects", ())]


def steady():
    unbuildable()
    result = run("a test that always fails", "--repeat", "1")
    steps = result.get("steps", [])
    tap.report(suspects(result) == [commit(FIRST_BAD)], "the first bad commit is found", result)
    tap.report(result["suspects"][0]["subject"] == f"fs: change {FIRST_BAD}?[1m", "subjects are cleaned",
               result)
    tap.report(5 + 1 <= len(steps) <= 5 + 2, "no more kernels are tested than necessary", steps)
    tap.report(all(home.run("runs", "show", step["run"]).status == 0 for step in steps),
               "each step is a run that can be shown", steps)
    outcome = home.run(*line("--repeat", "1"), seconds=300, environment=environment())
    tap.report(outcome.status == 0 and
               f"The first bad commit:\n  {commit(FIRST_BAD)} fs: change" in outcome.out and
               re.search(r"step 1 of about 5: [0-9a-f]{12} fs: change \d+\?\[1m\n  (good|bad)",
                         outcome.err), "people see each step and the result", outcome)


def skipped():
    unbuildable(12, 13, 18)
    result = run("kernels that do not build", "--repeat", "1")
    tap.report(suspects(result) == [commit(FIRST_BAD)], "are skipped", result)
    tap.report(any(step["verdict"] == "skipped" and os.path.exists(step["why"].rpartition(" ")[2])
                   for step in result["steps"]), "their log is kept and named", result)
    unbuildable(15, 16, 17)
    result = run("the suspects include kernels that do not build", "--repeat", "1", status=1)
    tap.report(sorted(suspects(result)) == sorted(map(commit, (15, 16, 17, 18))),
               "all of them are named", result)
    unbuildable(*range(FIRST_BAD, COMMITS))
    result = run("no kernel between the ends builds", "--repeat", "1", status=1, good=f"main~{COMMITS - 16}")
    tap.report(sorted(suspects(result)) == sorted(map(commit, range(FIRST_BAD, COMMITS + 1))),
               "any of them may be the one", result)
    unbuildable()
    result = run("kernels that do not boot", "--repeat", "1",
                 env=environment(before="((level < 12 || level > 14)) || exit 1\nbegin\n"))
    tap.report(suspects(result) == [commit(FIRST_BAD)], "are skipped as well", result)


def crashes():
    env = environment("console 'Kernel panic - not syncing: mini'; exit 0")
    result = run("a kernel that crashes is bad if asked for", "--crash", "bad", env=env)
    tap.report(suspects(result) == [commit(FIRST_BAD)] and result["repeats"] == 1,
               "the crash is found", result)


def flaky():
    """5 of 10 trials fail: the lower end of the interval is 23.7 %, and six times 0.763^24 is below 1 %."""
    result = run("a test that fails every second time", env=environment(before="", script=FLAKY))
    ends = result["steps"][:2]
    tap.report(suspects(result) == [commit(FIRST_BAD)] and result["repeats"] == 24,
               "is repeated as often as that requires", result)
    tap.report([(step["failed"], step["tried"]) for step in ends] == [(5, 10), (0, 24)] and
               all(step["failed"] == 1 for step in result["steps"][2:] if step["verdict"] == "bad"),
               "a bad kernel is known after the first failure", *result["steps"])


def interrupted():
    """The first kernel between the ends hangs until this ends it."""
    unbuildable()
    hang = f"[[ ! -e {MINI}/hang || $level = 1 || $level = 24 ]] || sleep 600\nbegin\n"
    env = environment(before=hang)
    home.write("fstests-mini/hang", "")
    for number, says in ((signal.SIGINT, r"to continue: rootlet bisect --resume (\S+)"),
                         (signal.SIGKILL, "")):
        with Tidy(home) as tidy:
            process = home.start(*line("--repeat", "1", "--json"), environment=env)
            steps = wait_for_steps(2)
            busy = home.run("bisect", "--resume", newest(), environment=env)
            tap.report(busy.status == 6 and "in another process" in busy.err,
                       "a bisect that is under way cannot be resumed", busy)
            process.send_signal(number)
            outcome = ended(process)
            wrong = tidy.complaints()
        told = re.search(says, outcome.err)
        tap.report(steps and told and not wrong, f"{number.name} ends all of it", *wrong, outcome)
        if says:
            _, result, wrong = stream("bisect", outcome)
            tap.report(not wrong and result.get("bisect") == told.group(1) == newest() and
                       result["error"]["code"] == "interrupted",
                       "--json names the bisect that can be continued", *wrong, result)
        os.unlink(f"{MINI}/hang")
        resumed = home.run("bisect", "--resume", told.group(1) if says and told else "last", "--json",
                           seconds=300, environment=env)
        _, result, wrong = stream("bisect", resumed)
        tap.report(resumed.status == 0 and suspects(result) == [commit(FIRST_BAD)] and
                   len(result["steps"]) <= 7 and not wrong + untouched(),
                   f"--resume continues after {number.name}, and tests no kernel again",
                   resumed, *wrong, *untouched())
        home.write("fstests-mini/hang", "")
    os.unlink(f"{MINI}/hang")
    again = home.run("bisect", "--resume", newest(), environment=env)
    tap.report(again.status == 2 and "has ended" in again.err, "a bisect that has ended is not resumed",
               again)


def in_the_middle():
    """Something breaks while kernels between the ends are tested: what was tested is not lost."""
    home.write("fstests-mini/break", "")
    words = line("--repeat", "1")
    words[words.index(MAKE)] += f" && case $(cat level) in 01 | 24) ;; *) " \
                                f"! rm {MINI}/break || mv {MINI}/check {MINI}/away ;; esac"
    outcome = home.run(*words, seconds=300, environment=environment())
    os.rename(f"{MINI}/away", f"{MINI}/check")
    tap.report(outcome.status == 2 and "to continue: rootlet bisect --resume" in outcome.err,
               "an fstests that breaks on the way ends a bisect, which can be continued", outcome)
    outcome = home.run("bisect", "--resume", "last", "--json", seconds=300, environment=environment())
    _, result, wrong = stream("bisect", outcome)
    wrong += untouched()
    tap.report(outcome.status == 0 and suspects(result) == [commit(FIRST_BAD)] and
               len(result["steps"]) <= 7 and not wrong,
               "and --resume continues once it is whole again", *wrong, outcome)


def as_tools():
    """The MCP tools: a call is cancelled while a kernel is tested, and another one continues."""
    env = environment(before=f"[[ ! -e {MINI}/hang || $level = 1 || $level = 24 ]] || sleep 600\nbegin\n")
    home.write("fstests-mini/hang", "")
    arguments = {"tree_path": REPOSITORY, "good": "main~23", "bad": "main", "make_command": MAKE, "repeat": 1,
                 "fstests_arguments": ["--path", TREE, "--fstests", MINI, "--", "generic/001"]}

    def progress(token):
        return server.wait_for(lambda m: m.get("params", {}).get("progressToken") == token and
                               "step 1 of" in m["params"]["message"], 120)

    with Tidy(home) as tidy:
        with Server(home, environment=env) as server:
            server.initialize()
            number = server.start_call("fstests_bisect", arguments, token="first")
            first = progress("first")
            server.cancel(number)
            gone = wait_until(lambda: not children(server.process.pid), 60)
            os.unlink(f"{MINI}/hang")
            number = server.start_call("fstests_bisect_resume", {}, token="again")
            again = progress("again")
            answer = (server.answer(number, 300) or {}).get("result", {})
            content = answer.get("structuredContent", {})
        wrong = tidy.complaints() + untouched()
    tap.report(first and gone and again and "Testing kernels 2/7 step 1 of" in first["params"]["message"],
               "each kernel is progress of the call", first, again)
    tap.report(suspects(content) == [commit(FIRST_BAD)] and not answer["isError"] and not wrong and
               f"✓ The first bad commit:\n  {commit(FIRST_BAD)} fs: change" in answer["content"][0]["text"],
               "fstests_bisect_resume continues a call of fstests_bisect that was cancelled", *wrong, answer)


def refused_between():
    """rootlet fstests refuses its command line after the ends were tested: its tree is gone for a while."""
    moved = f"{home.dir}/moved"
    make = f"{MAKE} && if [ -e {home.dir}/move ] && ! grep -qx -e 15 -e 18 level; then mv {MINI} {moved}; fi"
    words = line("--repeat", "1", **NEAR)
    words[words.index("--make") + 1] = make
    home.write("move", "")
    outcome = home.run(*words, seconds=300, environment=environment())
    told = re.search(r"to continue: rootlet bisect --resume (\S+)", outcome.err)
    os.unlink(f"{home.dir}/move")
    os.rename(moved, MINI)
    resumed = home.run("bisect", "--resume", told.group(1) if told else newest(), "--json", seconds=300,
                       environment=environment())
    tap.report(outcome.status == 2 and told and resumed.status == 0 and
               suspects(stream("bisect", resumed)[1]) == [commit(FIRST_BAD)] and
               len(stream("bisect", resumed)[1]["steps"]) <= 5 and not untouched(),
               "a mistake between the ends loses no step", outcome, resumed, *untouched())


def build_ends():
    words = line("--repeat", "1")
    words[words.index("--make") + 1] = f"(sleep 600 & echo >>{home.dir}/building; wait); true"
    for number in signal.SIGTERM, signal.SIGKILL:
        with Tidy(home) as tidy:
            process = home.start(*words, environment=environment())
            building = wait_until(lambda: os.path.exists(f"{home.dir}/building"), 60)
            process.send_signal(number)
            outcome = ended(process)
            wrong = tidy.complaints()
        tap.report(building and not wrong, f"{number.name} ends a build with all its processes", *wrong,
                   outcome)
        os.unlink(f"{home.dir}/building")
        git("worktree", "remove", "--force", home.state(f"bisects/{newest()}/worktree"))


def cut_off():
    """What kill -9 leaves of git: half of another commit's files, and locks; or half of a worktree."""
    unbuildable()
    home.write("fstests-mini/hang", "")
    env = environment(before=f"[[ ! -e {MINI}/hang || $level = 15 || $level = 18 ]] || sleep 600\nbegin\n")
    process = home.start(*line("--repeat", "1", **NEAR), environment=env)
    wait_for_steps(2)
    process.send_signal(signal.SIGKILL)
    ended(process)
    os.unlink(f"{MINI}/hang")
    worktree = home.state(f"bisects/{newest()}/worktree")
    with open(f"{worktree}/level", "w", encoding="utf-8") as file:
        file.write("24\n")
    with open(f"{worktree}/.git", encoding="utf-8") as file:
        home.write(os.path.relpath(f"{file.read().split()[1]}/index.lock", home.dir), "")
    resumed = home.run("bisect", "--resume", newest(), "--json", seconds=300, environment=env)
    tap.report(resumed.status == 0 and suspects(stream("bisect", resumed)[1]) == [commit(FIRST_BAD)] and
               not untouched(), "files of two commits and a lock of git are put in order", resumed)
    outcome = home.run(*line("--repeat", "1", good="main~9", bad="main~8"), seconds=300,
                       environment=environment())
    worktree = home.make_dir(home.state(f"bisects/{newest()}/worktree"))
    resumed = home.run("bisect", "--resume", newest(), seconds=300, environment=environment())
    tap.report(outcome.status == resumed.status == 2 and "passed all tests" in resumed.err and
               not os.path.exists(worktree) and not untouched(), "half of a worktree is made again", resumed)


def ended(process):
    """Waits for the process; returns its Outcome."""
    out, err = process.communicate(timeout=300)
    return Outcome(process.returncode, out.decode(), err.decode(), 0)


def newest():
    return max(os.listdir(home.state("bisects")))


def wait_for_steps(count):
    """Waits until the newest bisect has tested COUNT kernels."""
    before = set(os.listdir(home.state("bisects")))

    def tested():
        made = set(os.listdir(home.state("bisects"))) - before
        path = home.state(f"bisects/{max(made)}/steps.jsonl") if made else ""
        return made and os.path.exists(path) and open(path, encoding="utf-8").read().count("\n") >= count
    return wait_until(tested, 120)


def full_disk():
    words = line("--repeat", "1")
    words[words.index("--make") + 1] = "echo 'ld: final link failed: No space left on device'; exit 2"
    outcome = home.run(*words, seconds=60, environment=environment())
    tap.report(outcome.status == 7 and "to continue: rootlet bisect --resume" in outcome.err,
               "a full disk is no reason to skip a commit", outcome)
    git("worktree", "remove", "--force", home.state(f"bisects/{newest()}/worktree"))


def refused():
    unbuildable()
    other = git("commit-tree", "-m", "other", "HEAD^{tree}")
    bare = ["bisect", "--good", "a", "--bad", "b", "--tree"]
    for what, words, says, *status in (
            ("--good and --bad are swapped", line(good="main", bad="main~23"), "later than --bad .*swap"),
            ("they are the same commit", line(good="main"), "the same commit"),
            ("an unknown commit", line(good="nosuch"), 'has no commit "nosuch"'),
            ("a commit like an option", line(good="--all"), 'has no commit "--all"'),
            ("no common history", line(good=other), "no ancestor of --bad"),
            ("no repository", [*bare, home.dir, "--", "x"], "not a git repository"),
            ("no such directory", [*bare, "/nonexistent", "--", "x"], "--tree /nonexistent: No such file"),
            ("no tests", line()[:9], "the tests are missing"),
            ("--trials 0", line("--trials", "0"), "must be a number from 1"),
            ("a word that is not UTF-8", line(words=["--append", "\udcff"]), "not UTF-8"),
            ("--resume of nothing", ["bisect", "--resume", "nosuch"], "there is no bisect nosuch", 1),
            ("--resume of the last, which has ended", ["bisect", "--resume", "last"], "has ended"),
            ("--resume with a path", ["bisect", "--resume", "../x"], "there is no bisect"),
            ("--resume with --make", ["bisect", "--resume", "x", "--make", "y"], "does not go with --resume"),
            ("an option that fstests does not know", line("--repeat", "1", words=["--nosuch"]), "--nosuch"),
            ("the good end fails", line("--repeat", "1", good="main~2"),
             "--good [0-9a-f]+ is bad: generic/001 failed")):
        refuses(what, words, says, status=status[0] if status else 2)
    refuses("the bad end passes", line("--repeat", "1"), "--bad [0-9a-f]+ passed all tests, 1 of 1",
            "echo ' 1s'")
    refuses("the bad end crashes", line("--repeat", "1"), "cannot be tested: the kernel crashed",
            "console 'Kernel panic - not syncing: mini'; exit 0")
    refuses("the bad end does not reach all tests", [*line("--repeat", "1"), "generic/002"],
            "cannot be tested: not all tests were reached", script=SHORT)


def odd_places():
    """git's variables, and a state directory that is called like the placeholder."""
    outcome = home.run(*line("--repeat", "1", good="main~7", bad="main"), seconds=300, environment={
        **environment(), "GIT_DIR": "/nonexistent", "GIT_INDEX_FILE": f"{home.dir}/x", "GIT_TRACE": "1",
        "XDG_STATE_HOME": home.make_dir(f"{home.dir}/{{}}")})
    tap.report(outcome.status == 2 and "is bad: generic/001 failed" in outcome.err and not untouched(),
               "git's variables and odd paths change nothing", *untouched(), outcome)
    path = home.state(f"bisects/{newest()}/bisect.json")
    for what, text in (("is cut short", "{"), ("lacks its words", "{}")):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        refuses(f"a bisect.json that {what}", ["bisect", "--resume", newest()], "bisect.json is damaged")


def refuses(what, words, says, bad=FAILS, status=2, script=TEST):
    outcome = home.run(*words, seconds=120, environment=environment(bad, script=script))
    tap.report(outcome.status == status and re.search(says, outcome.err) and not untouched(), what,
               *untouched(), outcome)


make_repository()
steady()
skipped()

crashes()
flaky()
interrupted()
in_the_middle()
as_tools()
build_ends()
cut_off()
refused_between()
refused()
full_disk()
odd_places()
tap.done()
