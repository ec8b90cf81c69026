"""rootlet fstests --cluster kubernetes: the manifest, read by a YAML parser and checked against Kubernetes'
published schema, and the words in it after Kubernetes has expanded them. Needs no helper, no rootfs and no
cluster."""
import json
import os
import re
import subprocess

import yaml
from support import manifests, npm, tap
from support.manifests import arguments, command, container, pod
from support.world import Home

home = Home()


def manifest(*more, **how):
    return manifests.manifest(home, *more, **how)


def at(value, path):
    """Returns the value at "spec/template/…", or None."""
    for key in path.split("/"):
        key = int(key) if isinstance(value, list) else key
        try:
            value = value[key]
        except (KeyError, IndexError):
            return None
    return value


# --- what the manifest has -------------------------------------------------------------------------

SPEC = "spec/template/spec"
MAIN = f"{SPEC}/containers/0"
RESULTS = "/shared/run"
# Each row: what, further words, path in the first job, the value there.
ROWS = [
    ("the job is indexed", [], "spec/completionMode", "Indexed"),
    ("each task is a completion", [], "spec/completions", 3),
    ("all tasks run at once", [], "spec/parallelism", 3),
    ("a part is tried once", [], "spec/backoffLimitPerIndex", 0),
    ("a pod never restarts", [], f"{SPEC}/restartPolicy", "Never"),
    ("a lost node does not count", [], "spec/podFailurePolicy/rules/0/onPodConditions/0/type",
     "DisruptionTarget"),
    ("a new pod waits until the old one has ended", [], "spec/podReplacementPolicy", "Failed"),
    ("the job's name", [], "metadata/name", "run"),
    ("no namespace unless given", [], "metadata/namespace", None),
    ("the namespace", ["--cluster-option", "namespace=ci"], "metadata/namespace", "ci"),
    ("the image", [], f"{MAIN}/image", "IMAGE"),
    ("relative paths are on the volume", [], f"{MAIN}/workingDir", "/shared"),
    ("the claim", [], f"{SPEC}/volumes/0/persistentVolumeClaim/claimName", "fstests"),
    ("the volume is mounted", [], f"{MAIN}/volumeMounts/0", {"name": "shared", "mountPath": "/shared"}),
    ("disks are on the node", [], f"{MAIN}/volumeMounts/1", {"name": "scratch", "mountPath": "/var/tmp"}),
    ("the KVM device", [], f"{MAIN}/resources/limits/devices.example~kvm", 1),
    ("one guest of 2 processors", [], f"{MAIN}/resources/requests/cpu", 2),
    ("one guest of 4 GiB", [], f"{MAIN}/resources/limits/memory", "4864Mi"),
    ("three guests of 4 processors", ["--jobs", "3", "--cpus", "4"], f"{MAIN}/resources/requests/cpu", 12),
    ("three guests of 1 GiB", ["--jobs", "3", "--memory", "1G"], f"{MAIN}/resources/limits/memory",
     "4352Mi"),
    ("more memory than this host has", ["--memory", "900T"], f"{MAIN}/resources/requests/memory",
     f"{(900 << 20) + 256 + 512}Mi"),
    ("no limit for disks in memory", ["--device-backing", "tmpfs"], f"{MAIN}/resources/limits/memory", None),
    ("no service account", [], f"{SPEC}/automountServiceAccountToken", False),
    ("a rootfs: the pod's own user namespace", [], f"{SPEC}/hostUsers", False),
    ("a rootfs: an uncovered /proc", [], f"{MAIN}/securityContext/procMount", "Unmasked"),
    ("a rootfs: id maps", [], f"{MAIN}/securityContext/capabilities",
     {"drop": ["ALL"], "add": ["SETFCAP", "SETGID", "SETUID"]}),
    ("a rootfs: the pod's own root", [], f"{SPEC}/securityContext", {"runAsUser": 0}),
    ("a rootfs: no setuid program", [], f"{MAIN}/securityContext/allowPrivilegeEscalation", False),
    ("--host-root: no namespaces", ["--host-root"], f"{SPEC}/hostUsers", None),
    ("--host-root: the image's user", ["--host-root"], f"{SPEC}/securityContext", None),
    ("--host-root: confined", ["--host-root"], f"{MAIN}/securityContext",
     {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
      "seccompProfile": {"type": "RuntimeDefault"}}),
]


def rows():
    for what, more, path, wanted in ROWS:
        job, _, outcome = manifest(*more)
        limits = container(job)["resources"].get("limits", {})
        limits.update({key.replace("/", "~"): value for key, value in list(limits.items())})
        tap.report(at(job, path) == wanted, f"manifest: {what}", at(job, path), outcome)
    job, merge, _ = manifest(kvm="none")
    tap.report("kvm" not in json.dumps(job), "kvm=none asks for no device", job)
    privileged = [each for one in (job, merge) for kind in ("containers", "initContainers")
                  for each in pod(one).get(kind, ()) if each["securityContext"].get("privileged")]
    tap.report(not privileged, "no container is privileged", privileged)
    first = manifest(name=None)[0]["metadata"]["name"]
    tap.report(re.fullmatch(r"fstests-\d{8}-\d{6}", first), "without name=, the name is unique", first)


# --- the command lines -----------------------------------------------------------------------------

def command_lines():
    job, merge, _ = manifest("--build", "--fstype", "xfs", "--jobs=2", "--color", "never", "--results", "all",
                             "--junit", "-j.xml", "--append", "a b", "--append", "c", "--", "-g", "auto",
                             "generic/001")
    tap.report(container(job)["command"] == ["rootlet"] and arguments(job) == [
        "fstests", "--kernel=/shared/bzImage", "--fstests=xfstests", "--build", "--fstype=xfs", "--jobs=2",
        "--append=a b", "--append=c", "--cpus=2", "--memory=4G", "--shard=auto/3",
        f"--results={RESULTS}/shards/2", "--", "-g", "auto", "generic/001"],
        "a pod runs the same command line on its part", arguments(job))
    tap.report(arguments(merge)[1:] == [RESULTS, "--results", "all", "--junit", "-j.xml"],
               "--results and --junit are those of the merged run", arguments(merge))
    tap.report(merge["spec"]["suspend"] is True and merge["metadata"]["name"] == "run-merge",
               "the merge waits for the user", merge["spec"])
    tap.report(arguments(manifest()[1])[1:] == [RESULTS, "--results", f"{RESULTS}/merged"],
               "the merged run is beside the shards")
    tap.report("--" not in arguments(manifest()[0]), "without tests, the pods choose the default")
    given = arguments(manifest("--cpus", "1", "--memory", "1G")[0])
    tap.report(given[3:6] == ["--cpus=1", "--memory=1G", "--shard=auto/3"],
               "--cpus and --memory are passed on once")


def shell_words():
    """Runs what the pods run beside rootlet, on a directory with an awkward name."""
    directory = home.make_dir(f"{home.dir}/a 'b' $(c) \"d\" ü")
    job, merge, _ = manifest(directory=directory)
    program = command(job, "initContainers")
    for what, left in (("at first", []), ("after a lost pod", ["2-run-2-abcde"])):
        outcome = home.run(*program[1:], program=program[0])
        shard = f"{directory}/run/shards/2"
        tap.report(outcome.status == 0 and not os.path.exists(shard) and
                   os.listdir(f"{directory}/run/lost") == left, f"there is room for a pod's results {what}",
                   outcome)
        home.make_dir(shard)
    home.make_dir(f"{directory}/run/shards/10")
    os.chmod(home.write("bin/rootlet", '#!/bin/sh\nprintf "%s\\n" "$@"\n'), 0o755)
    program = command(merge)
    outcome = home.run(*program[1:], program=program[0], environment={"PATH": f"{home.dir}/bin:/bin"})
    tap.report(outcome.out.splitlines() == ["runs", "merge", f"{directory}/run/shards/10",
                                            f"{directory}/run/shards/2",
                                            "--results", f"{directory}/run/merged"],
               "the merge gets all shards", outcome)


# --- words of the user -----------------------------------------------------------------------------

WORDS = {
    "quotes": "a \"b\" 'c' `d`", "backslashes": "\\ \\n \\\\ \\\"", "a newline": "a\nb\n", "a tab": "a\tb",
    "other control characters": "\x01\x1b[2J\x7f\r", "leading dashes": "--x", "one dash": "-",
    "a leading blank": " a", "a trailing blank": "a ", "nothing": "", "an umlaut": "ärger",
    "Chinese": "文件",
    "beyond 16 bits": "\U0001f600\U0010fffd", "C1 characters": "\u0080\u0085\u009f",
    "separators": "a\u2028b\u2029c", "a byte order mark": "\ufeffa", "no characters": "\ufffe\uffff",
    "a variable": "$(JOB_COMPLETION_INDEX)", "an unknown variable": "$(NO_SUCH)", "two dollars": "$$ $$$",
    "an escaped variable": "$$(JOB_COMPLETION_INDEX)", "a dollar at the end": "a$",
    "a variable of the shell": "${HOME} $HOME $(id)", "an unclosed variable": "$(a", "a comment": "a #b",
    "a mapping": "a: b", "a list": "- a", "a flow": "{a: [b, c]}", "a document's end": "...\n---\n",
    "an anchor": "&a *a", "a tag": "!!binary a", "a directive": "%YAML 1.2", "a boolean": "no", "a null": "~",
    "a number": "1e3", "a date": "2026-11-29", "a template": "{{ .Values.x }} ${{ x }}",
    "a folded text": "> a",
    "a long line": "x y " * 1500,
}


def awkward_words():
    for what, word in WORDS.items():
        job, _, outcome = manifest(f"--mount-options={word}")
        tap.report(f"--mount-options={word}" in arguments(job), f"a word with {what} arrives",
                   repr(arguments(job)), outcome)
    for where, how in (("--cluster-directory", lambda word: ["--cluster-directory", f"/{word}"]),
                       ("--results", lambda word: ["--results", word]),
                       ("--junit", lambda word: ["--junit", word])):
        wrong = []
        for what, word in WORDS.items():
            if where == "--cluster-directory" and (":" in word or not word):
                continue
            job, merge, _ = manifest(*how(word))
            given = how(word)[1]
            if where == "--cluster-directory":
                good = f"--results={given}/run/shards/2" in arguments(job) and all(
                    container(one)["workingDir"] == given == container(one)["volumeMounts"][0]["mountPath"]
                    for one in (job, merge))
            else:
                good = given in arguments(merge)
            wrong += [] if good else [what]
        tap.report(not wrong, f"awkward words arrive as {where}", *wrong)
    text = manifest(*[f"--vng-arg={word}" for word in list(WORDS.values())[:30]])[2].out
    quoted = re.findall(r'^ +- (".*")$', text, re.M)
    tap.report(len(quoted) > 30 and all(json.loads(one) == yaml.safe_load(one) for one in quoted),
               "each text is also one of JSON")
    outcome = home.run(*manifests.words("--mount-options=\udcff\udcfe"))  # the bytes ff and fe
    tap.report(outcome.status == 2 and "is not UTF-8" in outcome.err and not outcome.out,
               "a word that is not UTF-8 is refused", outcome)


# --- the schema ------------------------------------------------------------------------------------

def published_schema():
    npm.needs_node(14, "the manifests and Kubernetes' schema")
    directory = npm.installed("kubernetes", "check.js")
    variants = {"a rootfs": [], "--host-root": ["--host-root"],
                "disks in memory": ["--device-backing", "tmpfs"],
                "a namespace and many words": ["--cluster-option", "namespace=x", *[
                    f"--vng-arg={word}" for word in list(WORDS.values())[:30]], "--", "-g", "auto"]}
    objects, names = [], []
    for what, more in variants.items():
        job, merge, _ = manifest(*more)
        objects += [job, merge]
        names += [f"{what}: the job", f"{what}: the merge"]
    job = manifest()[0]
    bad = json.loads(json.dumps(job))
    bad["spec"]["completions"] = "3"
    unknown = json.loads(json.dumps(job))
    pod(unknown)["restartPolice"] = "Never"
    done = subprocess.run(["node", "check.js"], cwd=directory, input=json.dumps([*objects, bad, unknown]),
                          text=True, capture_output=True, check=False)
    if not tap.report(done.returncode == 0, "the schema is there", done.stderr):
        return
    *found, of_bad, of_unknown = json.loads(done.stdout)
    for name, complaints in zip(names, found):
        tap.report(not complaints, f"Kubernetes' schema: {name}", *complaints)
    tap.report(of_bad and of_unknown, "the schema finds a wrong type and an unknown field", of_bad,
               of_unknown)


rows()
command_lines()
shell_words()
awkward_words()
published_schema()
tap.done()
