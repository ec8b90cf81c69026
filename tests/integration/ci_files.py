"""The files in docs/ci: a YAML parser reads them, and their commands run in order on the miniature fstests,
in two shards: GitLab's with a real kernel, GitHub's with a test program instead of vng. This program moves
artifacts and caches as GitLab and GitHub do, and sets the variables that they set. Of the Jenkinsfile, the
commands must be among those that ran."""
import glob
import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as xml
from concurrent.futures import ThreadPoolExecutor

import yaml
from support import tap
from support.guest import PATIENCE, QUICK
from support.mini import SMALL, Mini, StandIn
from support.world import BUILD, SOURCE, Tidy, fstests_rootfs, small_rootfs

CI = f"{SOURCE}/docs/ci"
SHARDS = 2
mini = Mini()
home = mini.home
boot = fstests_rootfs()
APPENDED = [word for words in QUICK[3].split() for word in ("--append", words)]
# What a user sets at the top of each file. One of the tests fails.
SETTINGS = {"KERNEL": "distro", "FSTESTS": mini.tree, "OPTIONS": " ".join([*SMALL, *QUICK[:2], *APPENDED]),
            "TESTS": "generic/001 generic/002"}
USUAL = {"HOME": boot.dir, "PATH": f"{BUILD}/frontend:/usr/local/bin:/usr/bin:/bin"}
stand_in = StandIn("printf '%s\\n' generic/001 generic/002")
# The same settings for it.
WITHOUT_GUESTS = {**SETTINGS, "KERNEL": stand_in.kernel, "FSTESTS": stand_in.tree, "HOME": small_rootfs().dir,
                  "PATH": f"{BUILD}/frontend:{stand_in.environment['PATH']}"}
ran = set()  # all commands, each in one line


def read(name):
    with open(f"{CI}/{name}", encoding="utf-8") as file:
        return file.read()


def in_one_line(command):
    return re.sub(r"\s+", " ", command.replace("\\\n", " ")).strip()


def run(directory, script, environment, shell):
    for line in script:
        ran.add(in_one_line(line))
    script = "\n".join([f"cd {directory}", *script])
    return home.run(*shell, "-c", script, program="bash", seconds=PATIENCE,
                    environment={**USUAL, **environment})


def at_once(run_one, count, name, job):
    """Runs the job's instances, which count from 1; returns a list of results."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda number: run_one(name, job, number), range(1, count + 1)))


def copy(paths, origin, target):
    """Copies the files that match PATHS, below ORIGIN, to the same places below TARGET."""
    found = [path for pattern in paths for path in glob.glob(f"{origin}/{pattern.rstrip('/')}")]
    for path in found:
        home.make_dir(target)
        subprocess.run(["cp", "-a", path, target], check=True)
    return found


def check_results(system, junit, durations, merged):
    suite = xml.parse(junit).getroot()
    suite = suite if suite.tag == "testsuite" else suite.find("testsuite")
    tap.report((suite.get("tests"), suite.get("failures")) == ("2", "1"), f"{system}: JUnit has the results",
               suite.attrib)
    with open(durations, encoding="utf-8") as file:
        text = file.read()
    tap.report(re.search(r"generic/001$", text, re.M) and re.search(r"generic/002$", text, re.M),
               f"{system}: the next run gets durations", text)
    with open(f"{merged}/run.json", encoding="utf-8") as file:
        record = json.load(file)
    tap.report(len(record["shards"]) == SHARDS and record["counts"]["pass"] == record["counts"]["fail"] == 1,
               f"{system}: the merged run has all shards", record)


# --- GitLab ----------------------------------------------------------------------------------------

class GitLab:
    """Runs the jobs of a file. Source: GitLab's reference of its CI/CD YAML."""
    KEYS = {"stage", "tags", "script", "after_script", "cache", "artifacts", "needs", "when", "parallel"}

    def __init__(self, text):
        self.file = yaml.safe_load(text)
        self.top = self.file.pop("variables")
        self.stages = self.file.pop("stages")
        self.at = home.make_dir(f"{home.dir}/gitlab")
        self.outcomes = {}  # job: those of its instances

    def structure(self):
        wrong = [f"{name}: unknown {key}" for name, job in self.file.items() for key in set(job) - self.KEYS]
        wrong += [f"{name}: no such stage" for name, job in self.file.items()
                  if job["stage"] not in self.stages]
        for name, job in self.file.items():
            later = self.stages[self.stages.index(job["stage"]):]
            wrong += [f"{name} needs {other}, which is not in an earlier stage"
                      for other in job.get("needs", ()) if self.file[other]["stage"] in later]
        tap.report(not wrong and list(self.top) == list(SETTINGS), "GitLab: jobs, stages and variables",
                   *wrong, self.top)
        tap.report(self.file["shard"]["parallel"] > 1 and self.file["merge"]["when"] == "always" and
                   self.file["merge"]["artifacts"]["reports"] == {"junit": "junit.xml"},
                   "GitLab: shards run in parallel, and the merge reports", self.file)

    def run_all(self):
        for stage in self.stages:
            for name, job in self.file.items():
                if job["stage"] == stage and self.is_due(job):
                    count = SHARDS if "parallel" in job else 1
                    self.outcomes[name] = at_once(self.run_one, count, name, job)

    def is_due(self, job):
        return job.get("when") == "always" or all(
            outcome.status == 0 for other in job.get("needs", ()) for outcome in self.outcomes[other])

    def run_one(self, name, job, number):
        count = SHARDS if "parallel" in job else 1
        directory = home.make_dir(f"{self.at}/{name}-{number}")
        cache = job.get("cache", {})
        kept = f"{self.at}/cache-{cache.get('key')}"
        if cache and cache["policy"] != "push":
            copy(["*"], kept, directory)
        for other in job.get("needs", ()):
            for artifacts in sorted(glob.glob(f"{self.at}/artifacts-{other}-*")):
                copy(["*"], artifacts, directory)
        environment = {**SETTINGS, "CI": "true"}
        if "parallel" in job:
            environment |= {"CI_NODE_INDEX": str(number), "CI_NODE_TOTAL": str(count)}
        outcome = run(directory, job["script"], environment, ["-eo", "pipefail"])
        if "after_script" in job:
            after = run(directory, job["after_script"], environment, ["-eo", "pipefail"])
            tap.report(after.status == 0, f"GitLab: after_script of {name}", after)
        if cache and cache["policy"] != "pull" and (outcome.status == 0 or cache["when"] == "always"):
            copy(cache["paths"], directory, kept)
        artifacts = job.get("artifacts", {})
        if outcome.status == 0 or artifacts.get("when") == "always":
            copy(artifacts.get("paths", ()), directory, f"{self.at}/artifacts-{name}-{number}")
        return outcome


def gitlab():
    system = GitLab(read("gitlab-ci.yml"))
    system.structure()
    system.run_all()
    status = {name: sorted(outcome.status for outcome in outcomes)
              for name, outcomes in system.outcomes.items()}
    tap.report(status == {"prepare": [0], "shard": [0, 1], "merge": [1]},
               "GitLab: each job ends as it should", status,
               *(outcome for outcomes in system.outcomes.values() for outcome in outcomes))
    durations = f"{system.at}/cache-rootlet-durations/durations"
    check_results("GitLab", f"{system.at}/merge-1/junit.xml", durations,
                  f"{system.at}/artifacts-merge-1/merged")
    return durations


# --- GitHub ----------------------------------------------------------------------------------------

class GitHub:
    """Runs the jobs of a workflow. Sources: GitHub's workflow syntax, and the actions' own documentation."""

    def __init__(self, text, durations):
        self.file = yaml.safe_load(text)
        self.at = home.make_dir(f"{home.dir}/github")
        self.caches = {"rootlet-durations-6-1": home.make_dir(f"{self.at}/cache-rootlet-durations-6-1")}
        copy([os.path.basename(durations)], os.path.dirname(durations), self.caches["rootlet-durations-6-1"])
        self.outcomes = {}

    def structure(self):
        jobs = self.file["jobs"]
        shard = jobs["shard"]["strategy"]["matrix"]["shard"]
        tap.report(list(self.file["env"]) == list(SETTINGS) and list(jobs) == ["prepare", "shard", "merge"],
                   "GitHub: jobs and variables", self.file["env"])
        tap.report(shard == list(range(1, len(shard) + 1)) and len(shard) > 1 and
                   jobs["shard"]["strategy"]["fail-fast"] is False, "GitHub: the matrix", shard)
        steps = [step for job in jobs.values() for step in job["steps"]]
        tap.report(all(("run" in step) != ("uses" in step) and
                       set(step) <= {"name", "run", "uses", "with", "if"} for step in steps),
                   "GitHub: each step runs a command or uses an action", *steps)

    def expand(self, text, matrix):
        known = {"matrix.shard": matrix, "strategy.job-total": SHARDS, "github.run_id": 7,
                 "github.run_attempt": 1}
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda match: str(known[match.group(1)]), str(text))

    def is_due(self, condition, good, directory=""):
        """The conditions that the file has, and no others."""
        if condition is None:
            return good
        words = condition.removeprefix("${{ ").removesuffix(" }}").split(" && ")
        files = [re.fullmatch(r"hashFiles\('(.*)'\)", word) for word in words[1:]]
        assert words[0] == "!cancelled()" and all(files), condition
        return all(os.path.exists(f"{directory}/{match.group(1)}") for match in files)

    def run_all(self):
        good = {}
        for name, job in self.file["jobs"].items():
            needs = [job["needs"]] if "needs" in job else []
            if not self.is_due(job.get("if"), all(good[other] for other in needs)):
                continue
            count = SHARDS if "strategy" in job else 1
            good[name] = all(at_once(self.run_one, count, name, job))

    def run_one(self, name, job, number):
        directory = home.make_dir(f"{self.at}/{name}-{number}")
        environment = {**WITHOUT_GUESTS, "CI": "true", "GITHUB_STEP_SUMMARY": f"{self.at}/summary-{name}"}
        environment |= {key: self.expand(value, number) for key, value in job.get("env", {}).items()}
        good = True
        for step in job["steps"]:
            if not self.is_due(step.get("if"), good, directory):
                continue
            if "run" in step:
                outcome = run(directory, [self.expand(step["run"], number)], environment, ["-e"])
                self.outcomes.setdefault(name, []).append(outcome)
                good = good and outcome.status == 0
            else:
                words = {key: self.expand(value, number) for key, value in step["with"].items()}
                action = step["uses"].partition("@")[0].removeprefix("actions/").replace("/", "_")
                getattr(self, action.replace("-", "_"))(directory, words)
        return good

    def cache_restore(self, directory, words):
        """The entry itself, or the newest one whose key begins like that."""
        found = [key for key in self.caches if key == words["key"] or key.startswith(words["restore-keys"])]
        if found:
            copy([words["path"]], self.caches[found[-1]], directory)

    def cache_save(self, directory, words):
        assert words["key"] not in self.caches
        self.caches[words["key"]] = f"{self.at}/cache-{words['key']}"
        copy([words["path"]], directory, self.caches[words["key"]])

    def upload_artifact(self, directory, words):
        """A single directory is the root of what is uploaded. Modes and links get lost."""
        target, paths = f"{self.at}/artifact-{words['name']}", words["path"].split()
        shutil.rmtree(target, ignore_errors=True)
        if len(paths) == 1 and os.path.isdir(f"{directory}/{paths[0]}"):
            directory, paths = f"{directory}/{paths[0]}", ["*"]
        copy(paths, directory, target)
        subprocess.run(["find", target, "-type", "l", "-delete"], check=True)
        subprocess.run(["chmod", "-R", "u=rwX,go=rX", target], check=True)

    def download_artifact(self, directory, words):
        """A single artifact goes into the directory itself, those of a pattern into one of their own each."""
        for path in sorted(glob.glob(f"{self.at}/artifact-{words.get('name') or words['pattern']}")):
            name = os.path.basename(path).removeprefix("artifact-")
            copy(["*"], path, directory if "name" in words else home.make_dir(f"{directory}/{name}"))


def github(durations):
    system = GitHub(read("github-workflow.yml"), durations)
    system.structure()
    system.run_all()
    status = {name: [outcome.status for outcome in outcomes] for name, outcomes in system.outcomes.items()}
    tap.report(status["prepare"] == [0, 0] and sorted(status["shard"]) == [0, 0, 0, 0, 0, 1] and
               status["merge"] == [0, 1, 0, 0], "GitHub: each step ends as it should", status,
               *(outcome for outcomes in system.outcomes.values() for outcome in outcomes))
    check_results("GitHub", f"{system.at}/artifact-merged/junit.xml",
                  f"{system.caches.get('rootlet-durations-7-1')}/durations",
                  f"{system.at}/artifact-merged/merged")
    with open(f"{system.at}/summary-merge", encoding="utf-8") as file:
        summary = file.read()
    tap.report(summary.startswith("## fstests: ") and "<code>generic/002</code> failed" in summary and
               os.path.exists(f"{system.at}/artifact-merged/report.html"),
               "GitHub: the job summary is Markdown and names the failed test", summary)
    with open(durations, encoding="utf-8") as file:
        known = re.search(r"^(\S+) generic/001$", file.read(), re.M).group(1)
    with open(f"{system.at}/artifact-shard-1/plan", encoding="utf-8") as file:
        plan = file.read()
    tap.report(f" {known} generic/001" in plan, "GitHub: the shards use the last run's durations", known,
               plan)


# --- Jenkins ---------------------------------------------------------------------------------------

def jenkins():
    text = re.sub(r"//.*", "", read("Jenkinsfile"))
    tap.report(text.count("{") == text.count("}") and text.count("(") == text.count(")"),
               "Jenkins: every bracket is closed")
    settings = dict(re.findall(r"^\s+([A-Z]+) = '(.*)'", text, re.M))
    values = re.findall(r"'(\d+)'", re.search(r"values (.*)", text).group(1))
    tap.report(list(settings) == [*SETTINGS, "SHARDS"] and
               values == [str(i + 1) for i in range(int(settings["SHARDS"]))],
               "Jenkins: the variables, and as many shards as the axis has", settings, values)
    commands = [in_one_line(long or short)
                for long, short in re.findall(r"\bsh (?:'''(.*?)'''|'([^']*)')", text, re.S)]
    tap.report(len(commands) == len(re.findall(r"\bsh '", text)) and len(commands) > 4,
               "Jenkins: the commands are found", *commands)
    for command in commands:
        tap.report(command in ran, f"Jenkins: this command ran: {command[:70]}", *sorted(ran))


with Tidy(home) as tidy:
    github(gitlab())
    jenkins()
    wrong = tidy.complaints()
tap.report(not wrong, "nothing is left behind", *wrong)
tap.done()
