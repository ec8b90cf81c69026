"""The catalogue of configurations, and kconfig: every file, against what kernels and releases have. Boots
nothing; configurations.py runs them all."""
import glob
import json
import os
import re

from support import tap, vng
from support.schemas import document
from support.world import SOURCE, Case, Home, play

RECORDED = f"{SOURCE}/tests/recorded"
AT_LEAST = 40
# In Linux 6.7 and newer only.
NEWER = {"BCACHEFS_FS", "CRYPTO_LIB_BLAKE2B"}
# {package: the releases without it}
LEFT_OUT = {"bcachefs-tools": {"bionic", "focal", "bookworm", "trixie"}}
home = Home()


def recorded(path):
    with open(f"{RECORDED}/{path}", encoding="utf-8") as file:
        return [line.strip() for line in file if line[0] != "#"]


def files():
    rows, wrong = document("configurations-list", home.run("configurations", "--json"))
    bad = [row for row in rows if "error" in row]
    tap.report(not wrong and not bad and len(rows) >= AT_LEAST, f"{len(rows)} configurations are valid",
               *wrong, *bad)
    named = {os.path.basename(path).removesuffix(".conf") for path in
             glob.glob(f"{SOURCE}/frontend/configurations/*.conf")}
    tap.report({row["name"].split("/")[0] for row in rows} == named, "each file has some")
    tap.report(len({row["section"] for row in rows}) == len(rows), "no two have the same section")
    bare = [row["name"] for row in rows if not (row["description"] and row["kernel"] and
                                                (row["packages"] or row["fstype"] in ("tmpfs", "overlay")))]
    tap.report(not bare, "each has a description, kernel options and packages", *bare)
    bare = [f"{row['name']}: {line}" for row in rows for line in row["excludes"]
            if not re.fullmatch(r"[a-z0-9]+/\d{3}( \w+=\S+)*: .{10,}", line)]
    tap.report(not bare, "each excluded test has a reason", *bare)
    return rows


def shown(rows):
    """What show prints is a file again: the first of each filesystem, and those with rare keys."""
    first = {row["fstype"]: row["name"] for row in reversed(rows)}
    for row in rows:
        if row["name"] not in (first[row["fstype"]], "xfs/realtime_logdev", "ext4/bigalloc"):
            continue
        home.write(f"config/rootlet/configurations/{row['fstype']}.conf",
                   home.run("configurations", "show", row["name"]).out)
        name = f"{row['fstype']}/{row['name'].split('/')[1]}"
        again = json.loads(home.run("configurations", "show", name, "--json").out)
        same = {key: value for key, value in row.items() if key not in ("name", "section", "path", "own")}
        tap.report(again.get("own") is True and same.items() <= again.items(),
                   f"{row['name']}: show prints a file", again, row)


def options(rows):
    known = set(recorded("kernel/options.list")) | NEWER
    wrong = [f"{row['name']}: {option}" for row in rows for option in "|".join(row["kernel"]).split("|")
             if option not in known]
    tap.report(not wrong, "kernels have the options of all configurations", *wrong)
    printed = re.findall(r"^CONFIG_(\w+)=y$", home.run("kconfig").out, re.M)
    tap.report(len(printed) > 20 and not set(printed) - known, "and those that kconfig prints",
               set(printed) - known)


def packages(rows):
    choices = {choice for row in rows for choice in row["packages"]}
    for line in recorded("releases/configurations.list"):
        release, _, has = line.partition(": ")
        lacks = {choice for choice in choices if not set(choice.split("|")) & set(has.split())}
        tap.report(lacks == {name for name, without in LEFT_OUT.items() if release in without},
                   f"{release} has the packages of all configurations", lacks)


def own():
    home.write("config/rootlet/configurations/ext4.conf",
               "[4k]\nmkfs = -b 4096 -m 0\n[mine]\nmkfs = -b 1024\n")
    home.write("config/rootlet/configurations/wrong.conf", "[one]\nmkfs = `id`\n")
    home.write("config/rootlet/configurations/Not.conf", "[one]\nmkfs = x\n")
    play(Case("configurations with files of the user's", ["configurations"], 0,
              ["^ext4/4k +yours", "^ext4/mine +yours", "^ext4/1k +built in",
               r"^wrong +invalid: .*wrong\.conf:2: "], ["Not/one"]), home)
    play(Case("a configuration from a file that is not valid", ["configurations", "show", "wrong/one"], 2,
              r"wrong\.conf:2: "), home)
    play(Case("show of two configurations", ["configurations", "show", "ext4/1k,ext4/2k"], 2,
              "more than one"), home)


def kernels():
    config = vng.MAGIC + "CONFIG_EXT4_FS=y\nCONFIG_XFS_FS=m\n"
    small = home.write("kernel", vng.kernel_with(config, "6.1.9"))
    play(Case("kconfig --check", ["kconfig", "-c", "ext4/casefold", "--check", small], 1,
              ["^# ext4/casefold\nCONFIG_UNICODE=y$", "^CONFIG_DM_FLAKEY=y$"],
              ["VIRTIO_BLK", "CONFIG_EXT4_FS="]), home)
    found = home.run("kconfig", "--check", small, "--json")
    value, wrong = document("kconfig", found)
    has = {row["option"]: row["has"] for row in value["options"]}
    tap.report(found.status == 1 and not wrong and has["CONFIG_VIRTIO_BLK"] == "y" and
               has["CONFIG_UNIX"] == "n" and value["missing"] == list(has.values()).count("n"),
               "kconfig --check --json", *wrong, value)
    every = "".join(f"{line}\n" for line in home.run("kconfig", "-c", "xfs/quota").out.splitlines()
                    if line[0] != "#")
    whole = home.write("whole", vng.kernel_with(every, "6.1.9"))
    play(Case("kconfig --check of a kernel that has all options",
              ["kconfig", "-c", "xfs/quota", "--check", whole], 0, "", ["CONFIG_"]), home)
    bare = home.write("bare", vng.kernel_with())
    play(Case("kconfig --check of a kernel without a configuration", ["kconfig", "--check", bare], 1,
              "neither beside it nor in it"), home)
    line = ["fstests", "--host-root", "--fstests", f"{SOURCE}/tests/fstests-mini", "--kernel", small]
    for what, chosen, says in (
            ("that the kernel cannot run", "ext4/casefold,xfs/quota",
             "cannot run ext4/casefold needs .*CONFIG_UNICODE; xfs/quota needs CONFIG_.*leave them out"),
            ("that is newer than the kernel", "xfs/64k", "xfs/64k needs Linux 6.12")):
        play(Case(f"fstests with a configuration {what}", [*line, "-c", chosen], 2, says), home)


catalogue = files()
options(catalogue)
packages(catalogue)
kernels()
shown(catalogue)
own()
tap.done()
