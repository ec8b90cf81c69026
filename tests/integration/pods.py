"""The pods of rootlet fstests --cluster kubernetes, in containers that tests/tools/container.py makes as the
manifest says: user, user namespace, capabilities, /proc. They run the manifest's commands on a shared
directory, with real guests. There is no Kubernetes here."""
import json
import os
import shutil
import subprocess

from support import manifests, tap
from support import mirror as mirrors
from support.guest import PATIENCE, QUICK
from support.manifests import command, container, pod
from support.mini import SMALL, Mini
from support.server import Server
from support.world import AS_ROOT, BUILD, NOBODY, SOURCE, Tidy, mirror

if not AS_ROOT:
    tap.skip("the pods of a manifest", "only root can make a container with a range of ids")
    tap.done()
KERNEL = "kernel/boot/vmlinuz"  # in the volume
FIRST_ID = 1500000000  # of the pod's user namespace, on the host
mini = Mini()
home = mini.home
volume = home.make_dir(f"{home.dir}/volume")
scratch = home.make_dir(f"{home.dir}/scratch")
os.chmod(scratch, 0o1777)
ranges = home.write("ranges", "root:65536:65536\n")


def fill_volume():
    """The kernel with its modules, and the miniature fstests."""
    kernel = os.path.dirname(os.path.dirname(os.path.realpath(mini.distribution_kernel())))
    subprocess.run(["cp", "-a", kernel, f"{volume}/kernel"], check=True)
    shutil.copytree(mini.tree, f"{volume}/mini")


def own_volume(owner):
    subprocess.run(["chown", "-R", f"{owner}:{owner}", volume], check=True)
    subprocess.run(["chmod", "-R", "u+rwX,go+rX", volume], check=True)


def run(job, words, kind="containers", directory=volume):
    """Runs WORDS as the container would, with what it has of its security context."""
    rules, whole = container(job, kind)["securityContext"], pod(job)
    own_namespace = whole.get("hostUsers") is False
    user = whole.get("securityContext", {}).get("runAsUser")
    spec = {"first_id": FIRST_ID if own_namespace else None,
            "user": list(home.user.ids()) if user is None else [user, user],
            "masked": rules.get("procMount") != "Unmasked",
            "capabilities": rules["capabilities"].get("add", []),
            "escalation": rules["allowPrivilegeEscalation"],
            "binds": [[ranges, "/etc/subuid"], [ranges, "/etc/subgid"]] if own_namespace else []}
    # The runtime's profile forbids user namespaces to those that may not mount.
    denied = [f"{BUILD}/tests/deny", "1"] if rules["seccompProfile"]["type"] == "RuntimeDefault" else []
    environment = {"HOME": f"{directory}/home" if own_namespace else "/nonexistent", "TMPDIR": scratch,
                   "XDG_STATE_HOME": f"{scratch}/state-{user}", "JOB_COMPLETION_INDEX": "0",
                   "PATH": f"{BUILD}/frontend:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
    environment["XDG_CACHE_HOME"] = f"{environment['HOME']}/.cache"
    return home.run(f"{SOURCE}/tests/tools/container.py", json.dumps(spec), *denied, "sh", "-c",
                    'cd "$0" && exec "$@"', container(job, kind)["workingDir"], *words,
                    program="/usr/bin/python3", seconds=PATIENCE, environment=environment, **NOBODY)


def host_root():
    """Runs the containers of both jobs in their order."""
    own_volume(home.user.ids()[0])
    job, merge, _ = manifests.manifest(home, *SMALL, *QUICK, "--host-root", "--", "generic/001",
                                       directory=volume, kernel=KERNEL, fstests="mini", tasks=1)
    outcome = run(job, command(job, "initContainers", index="0"), "initContainers")
    tap.report(outcome.status == 0 and not outcome.err, "--host-root: the results get a directory", outcome)
    outcome = run(job, command(job, index="0"))
    tap.report(outcome.status == 0 and "1 passed" in outcome.out, "--host-root: the test passes in a guest",
               outcome)
    outcome = run(merge, command(merge))
    tap.report(outcome.status == 0 and os.path.exists(f"{volume}/run/merged/run.json"),
               "--host-root: the parts are merged", outcome)


def rootfs():
    """The rootfs is made in the same container, because it belongs to the range of the pod's root. It is too
    small for fstests, which needs a kmod that loads filesystems."""
    own_volume(FIRST_ID)
    job = manifests.manifest(home, directory=volume)[0]
    at = mirror()
    with Server(at.root) as server:
        outcome = run(job, ["rootlet", "create", "--quiet", "--fresh", "--release", mirrors.SUITE,
                            "--profile", "test", "--mirror", server.url, "--keyring", at.keyring,
                            "--path", "rootfs"])
    if tap.report(outcome.status == 0, "a rootfs: it can be created in the pod", outcome):
        outcome = run(job, ["rootlet", "run", "--kernel", KERNEL, "--path", "rootfs", *SMALL[:2], *QUICK,
                            "--rwdir", volume, "--", "cp", "/proc/version", f"{volume}/version"])
        tap.report(outcome.status == 0 and os.stat(f"{volume}/version").st_uid == FIRST_ID,
                   "a rootfs: a sealed guest boots and writes as the pod's root", outcome)
    outcome = run(job, ["rootlet", "delete", "--yes", "--path", "rootfs"])
    tap.report(outcome.status == 0, "a rootfs: it can be deleted in the pod", outcome)


with Tidy(home) as tidy:
    fill_volume()
    host_root()
    rootfs()
    wrong = tidy.complaints()
tap.report(not wrong, "nothing is left behind", *wrong)
tap.done()
