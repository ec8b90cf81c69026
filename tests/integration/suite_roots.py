"""rootlet fstests and rootlet run on every kind of root: an image, the tree itself, and the host's root."""
import os
import shutil

from support import apt, tap, vng
from support.guest import PATIENCE, QUICK
from support.mini import Mini
from support.world import Case, play

FAILED_VM = 125
mini = Mini()
home = mini.home


def other_roots():
    before = mini.state()
    outcome, seen, last, wrong = mini.run_json("--root-transport", "dir", "--force-9p",
                                               tests=["generic/001", "mini/103", "mini/107"])
    tap.report(outcome.status == 0 and not wrong and last.get("counts", {}).get("pass") == 3,
               "--root-transport dir runs the tests", *wrong, outcome)
    # This test is in no group, and needs no separate guest.
    hostile = [e for e in seen if e.get("event") == "test" and e["name"] == "mini/107"]
    tap.report([e["status"] for e in hostile] == ["pass"], "a hostile guest cannot write to directories "
               "shared read-only or set a setuid bit", *hostile)
    tap.report(mini.state() == before, "--root-transport dir: the fstests tree is unchanged")
    outcome, seen, last, wrong = mini.run_json("--host-root", tests=["generic/001"],
                                               kernel=mini.distribution_kernel())
    tap.report(outcome.status == 0 and not wrong and last.get("counts", {}).get("pass") == 1,
               "--host-root", *wrong, outcome)


def image():
    """An image is built once, rebuilt after the tree changes, and never written to. The rootfs and the cache
    are private to this test. One of the three runs boots a guest; in the others, a fake vng ends the run
    once the image is there."""
    own = {"XDG_CACHE_HOME": home.make_folder(f"{home.folder}/images-of-mine")}
    no_boot = {**vng.stand_in(home)[1], **own}
    images = f"{home.folder}/images-of-mine/rootlet/images"
    made = home.run("create", "--release", apt.host_suite(), "--quiet", seconds=1500)
    tap.report(made.status == 0, "a rootfs for images is created", made)

    def names():
        return {name: os.stat(f"{images}/{name}").st_ino for name in os.listdir(images)}

    def run(environment):
        return home.run("run", "--kernel", mini.distribution_kernel(), "--root-transport", "image", *QUICK,
                        "--",
                        "sh", "-c", "echo changed >/etc/hostname; mount | grep ' / '; cat /etc/of-the-shell",
                        seconds=PATIENCE, environment=environment)

    first = run(no_boot)
    before = names()
    home.run("shell", "--", "sh", "-c", "echo new >/etc/of-the-shell")
    booted = run(own)
    rebuilt = names()
    tap.report("new" in booted.out and "overlay on / type overlay" in booted.out and before and
               rebuilt != before and len(rebuilt) == len(before),
               "the root image is rebuilt after a change and replaces the old one", first, booted)
    again = run(no_boot)
    tap.report(first.status == again.status == FAILED_VM and names() == rebuilt, "the root image is reused",
               first, again)
    tap.report(home.run("shell", "--", "cat", "/etc/hostname").out.strip() == "rootlet",
               "a guest's writes reach neither the image nor the rootfs")
    play(Case("a root image for a kernel known to lack support for it",
              ["run", "--kernel", bare_kernel(), "--root-transport", "image", "--", "true"], 2,
              "no CONFIG_VIRTIO_BLK.*--root-transport dir"), home)


def bare_kernel():
    """The release's kernel with a configuration file that enables nothing."""
    folder = home.make_folder(f"{home.folder}/bare")
    shutil.copy(mini.distribution_kernel(), f"{folder}/vmlinuz")
    home.write("bare/config", "# CONFIG_VIRTIO_BLK is not set\nCONFIG_EXT4_FS=y\n")
    return f"{folder}/vmlinuz"


other_roots()
image()
tap.done()
