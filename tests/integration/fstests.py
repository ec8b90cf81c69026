"""The main use case with real packages from the host's mirror: profile fstests for this host's release."""
import json
import os

from support import apt, tap, trees
from support.world import Case, fstests_rootfs, play

home = fstests_rootfs()
TREE = f"{home.store}/test-rootfs"
INSIDE = trees.inside(TREE)
RELEASE = apt.os_release()

# Programs that the profile installs to run fstests and to boot.
PROGRAMS = """bash ls mount ps sudo getfacl setfacl getfattr quota setquota mkfs.xfs xfs_io mkfs.ext4
e2fsck tune2fs mkfs.btrfs btrfs modprobe udevadm ip poweroff perl gawk bc python3 fio killall file
keyctl capsh dmsetup dbench duperemove mkfs.f2fs fsverity xfsdump xfsrestore dump uuidgen parted
useradd su""".split()

USERS = {
    "fsqa": r"uid=1000\(fsqa\) gid=1000\(fsqa\) groups=1000\(fsqa\),1002\(fsgqa\)",
    "fsgqa2": r"uid=1001\(fsgqa2\) gid=1001\(fsgqa2\) groups=1001\(fsgqa2\)",
    "fsgqa": r"uid=1002\(fsgqa\) gid=1002\(fsgqa\) groups=1002\(fsgqa\)",
    "123456-fsgqa": r"uid=1003\(123456-fsgqa\) gid=1003\(123456-fsgqa\)",
}


def case(what, words, status, says=(), silent=()):
    play(Case(what, words, status, says, silent), home)


case("check", ["check"], 0, [rf"\A✓ Rootfs is configured and ready at {TREE}\n\nSize: [\d.]+[MG]\n"
                             rf"{RELEASE['ID'].title()}: {RELEASE['VERSION_CODENAME']}\n"
                             r"Test users: fsqa, fsgqa2\n", "fsgqa, 123456-fsgqa"])
case("check --deep", ["check", "--deep"], 0, "✓")
case("list", ["list"], 0, rf"^test-rootfs +\S+ +{RELEASE['VERSION_CODENAME']} ")
for user, says in USERS.items():
    case(f"user {user}", ["shell", "--", "id", user], 0, says)
    case(f"user {user}: home, shell and locked password",
         ["shell", "--user", user, "--", "sh", "-c", "cd && touch x && rm x && pwd"], 0,
         f"^/home/{user}$")
outcome = home.run("shell", "--", "sh", "-c", f"for p in {' '.join(PROGRAMS)}; do "
                   "PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v $p >/dev/null || echo $p; done")
tap.report(outcome.status == 0 and not outcome.out.strip(), "every program of the profile is installed",
           outcome)
case("dpkg --audit finds nothing", ["shell", "--", "dpkg", "--audit"], 0, (), ["."])
case("the group fsgqa has its gid and member", ["shell", "--", "getent", "group", "fsgqa"], 0,
     r"^fsgqa:x:1002:.*fsqa")
case("sudo is setuid root inside the rootfs", ["shell", "--", "sh", "-c", "stat -c %u:%a $(which sudo)"],
     0, "^0:4755$")
with open(f"{INSIDE}/etc/rootlet/manifest.json", encoding="utf-8") as file:
    manifest = json.load(file)
tap.report(len(manifest["packages"]) > 150 and manifest["profile"] in ("fstests", {"name": "fstests"})
           or "fstests" in json.dumps(manifest["profile"]), "the manifest is complete",
           manifest.get("profile"), len(manifest["packages"]))
tap.report(not os.listdir(f"{INSIDE}/dev") or os.path.exists(f"{INSIDE}/dev/null"),
           "the tree's own /dev holds at least null", os.listdir(f"{INSIDE}/dev"))
# dpkg keeps links: one could point to a directory with a copyright file.
documents = [path for where, _, names in os.walk(f"{INSIDE}/usr/share/doc") for name in names
             if not os.path.islink(path := f"{where}/{name}")]
others = [path for path in documents if os.path.basename(path) != "copyright"]
tap.report(len(documents) > 100 and not others, "copyright files are the only documentation unpacked",
           len(documents),
           *others[:20])
with open(f"{home.dir}/made", encoding="utf-8") as file:
    tap.note(f"create took {float(file.read()):.0f} s, {len(manifest['packages'])} packages")
tap.done()
