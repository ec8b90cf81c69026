"""rootlet fstests and rootlet run on every kind of root: an image, the tree itself, and the host's root."""
import glob
import os
import re
import shutil
import subprocess

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
    own = {"XDG_CACHE_HOME": home.make_dir(f"{home.dir}/images-of-mine")}
    no_boot = {**vng.stand_in(home)[1], **own}
    images = f"{home.dir}/images-of-mine/rootlet/images"
    made = home.run("create", "--release", apt.host_suite(), "--quiet", seconds=1500)
    tap.report(made.status == 0, "a rootfs for images is created", made)

    def names():
        return {name: os.stat(f"{images}/{name}").st_ino for name in os.listdir(images)}

    def run(environment, *words, more=":"):
        return home.run("run", "--kernel", mini.distribution_kernel(), "--root-transport", "image", *QUICK,
                        *words, "--", "sh", "-c", "echo changed >/etc/hostname; mount | grep ' / '; "
                        f"cat /etc/of-the-shell; {more}", seconds=PATIENCE, environment=environment)

    overlays = [word for number in (1, 2) for word in ("--overlay", overlay(number))]
    first = run(no_boot, *overlays)
    before = names()
    home.run("shell", "--", "sh", "-c", "echo new >/etc/of-the-shell")
    booted = run(own, *overlays, more="stat -c %U:%a /usr/sbin/mine1; mine1; mine2; ours; "
                 "which cat; cat /etc/mine; ldconfig -p")
    rebuilt = names()
    tap.report("new" in booted.out and "overlay on / type overlay" in booted.out and before and
               rebuilt != before and len(rebuilt) == len(before),
               "the root image is rebuilt after a change and replaces the old one", first, booted)
    tap.report("root:4755\n" in booted.out, "files of an overlay belong to root, and keep their modes",
               booted)
    tap.report("run mine1\nrun mine2\nrun ours of 2\n" in booted.out,
               "programs of all overlays are found, those of later ones first", booted)
    tap.report("/usr/bin/cat\n" in booted.out, "an overlay's /sbin does not hide the rootfs's /bin", booted)
    tap.report("\nmine of 1\n" in booted.out, "an overlay's files are in the guest", booted)
    tap.report("libmine.so.1" in booted.out, "an overlay's libraries are found", booted)
    again = run(no_boot)
    tap.report(first.status == again.status == FAILED_VM and names() == rebuilt, "the root image is reused",
               first, again)
    tap.report(home.run("shell", "--", "cat", "/etc/hostname").out.strip() == "rootlet",
               "a guest's writes reach neither the image nor the rootfs")
    play(Case("a root image for a kernel known to lack support for it",
              ["run", "--kernel", bare_kernel(), "--root-transport", "image", "--", "true"], 2,
              "no CONFIG_VIRTIO_BLK.*--root-transport dir"), home)


def overlay(number):
    """Makes an overlay: a program in /usr/sbin, one in /sbin that both overlays have, and in the first a file
    and a library."""
    at = f"overlay{number}"
    os.chmod(home.write(f"{at}/usr/sbin/mine{number}", f"#!/bin/sh\necho run mine{number}\n"), 0o4755)
    os.chmod(home.write(f"{at}/sbin/ours", f"#!/bin/sh\necho run ours of {number}\n"), 0o755)
    if number == 1:
        home.write(f"{at}/etc/mine", "mine of 1\n")
        library = f"{home.dir}/{at}/usr/lib/libmine.so.1"
        os.makedirs(os.path.dirname(library), exist_ok=True)
        subprocess.run(["cc", "-shared", "-nostdlib", "-Wl,-soname,libmine.so.1", "-o", library, "-x", "c",
                        "/dev/null"], check=True)
    return f"{home.dir}/{at}"


def ext4_overlay():
    """mke2fs keeps the owners of files, so rootlet has to change them. Boots no guest."""
    at = home.make_dir(f"{home.dir}/images-of-ext4")
    kernel = home.write("ext4-kernel", vng.kernel_with(vng.MAGIC + vng.EXT4))
    outcome = home.run("run", "--kernel", kernel, *QUICK, "--overlay", overlay(1), "--", "true",
                       environment={**vng.stand_in(home)[1], "XDG_CACHE_HOME": at})

    def ask(image, question):
        return subprocess.run(["/usr/sbin/debugfs", "-R", question, image], capture_output=True, text=True,
                              check=False).stdout

    images = glob.glob(f"{at}/rootlet/images/*.ext4")
    image = [one for one in images if "mine1" in ask(one, "ls /usr/sbin")]
    names = ["usr/sbin/mine1", "sbin/ours", "etc", "usr/lib/libmine.so.1"]
    owners = [owner for name in names for one in image
              for owner in re.findall(r"User: +(\d+) +Group: +(\d+)", ask(one, f"stat /{name}"))]
    tap.report(owners == [("0", "0")] * 4, "in an ext4 image of an overlay everything belongs to root",
               owners, outcome)
    for what, words, says in (
            ("with a tree as root", ["--root-transport", "dir", "--overlay", overlay(1)],
             "--overlay lies on an image: it does not go with --root-transport dir"),
            ("of what is missing", ["--overlay", "/no/such"], "--overlay /no/such: No such file"),
            ("of a file", ["--overlay", kernel], "--overlay .* is not a directory"),
            ("given five times", ["--overlay", "/usr/share/doc"] * 5,
             "--overlay is given more than 4 times")):
        play(Case(f"an overlay {what}", ["run", "--kernel", kernel, *words, "--", "true"], 2, says), home)


def bare_kernel():
    """The release's kernel with a configuration file that enables nothing."""
    directory = home.make_dir(f"{home.dir}/bare")
    shutil.copy(mini.distribution_kernel(), f"{directory}/vmlinuz")
    home.write("bare/config", "# CONFIG_VIRTIO_BLK is not set\nCONFIG_EXT4_FS=y\n")
    return f"{directory}/vmlinuz"


other_roots()
image()
ext4_overlay()
tap.done()
