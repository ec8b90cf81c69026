"""The manifests of rootlet fstests --cluster kubernetes, and how Kubernetes reads their arguments."""
import re

import yaml

from . import tap

OPTIONS = {"image": "IMAGE", "claim": "fstests", "kvm": "devices.example/kvm", "name": "run"}


def words(*more, directory="/shared", kernel="/shared/bzImage", fstests="xfstests", tasks=3, **options):
    """Returns a command line of rootlet; OPTIONS are --cluster-option words, and None leaves one out."""
    given = {**OPTIONS, **options}
    return ["fstests", "--cluster", "kubernetes", "--cluster-tasks", str(tasks),
            "--cluster-directory", directory, "--kernel", kernel, "--fstests", fstests,
            *[f"--cluster-option={key}={value}" for key, value in given.items() if value], *more]


def manifest(home, *more, **how):
    """Returns the job, the merging job, and the outcome of printing them."""
    outcome = home.run(*words(*more, **how))
    documents = list(yaml.safe_load_all(outcome.out)) if outcome.status == 0 else []
    if len(documents) != 2 or outcome.err:
        tap.report(False, f"a manifest of two documents: {more}", outcome)
        tap.done()
    return *documents, outcome


def expand(text, environment):
    """As the kubelet expands an argument: $(X) if it knows X, and $$ to $."""
    def one(match):
        if match.group(0) == "$$":
            return "$"
        return environment.get(match.group(1), match.group(0))
    return re.sub(r"\$\$|\$\(([^)]*)\)", one, text)


def pod(job):
    return job["spec"]["template"]["spec"]


def container(job, kind="containers"):
    return pod(job)[kind][0]


def arguments(job, kind="containers", index="2"):
    environment = {"JOB_COMPLETION_INDEX": index, "POD_NAME": f"run-{index}-abcde"}
    return [expand(word, environment) for word in container(job, kind)["args"]]


def command(job, kind="containers", index="2"):
    return [*container(job, kind)["command"], *arguments(job, kind, index)]
