"""rootlet deps: what a small fstests asks for, compared with a rootfs, a kernel, and the Contents indexes of
a signed mirror in both forms: those of Ubuntu and of Debian."""
import glob
import gzip
import json
import os
import shutil
import struct
import time

from support import mirror as mirrors
from support import tap
from support.schemas import document
from support.server import Fault, Server
from support.world import SCRATCH, Home, Tidy, mirror

AT = mirror()
ARCH = mirrors.arch()
ROOTFS = "test-rootfs"
FSTESTS = {
    "check": "",
    "common/config": 'export ATTR_PROG="$(type -P attr)"\nexport LVM_PROG="$(type -P lvm)"\n'
                     'export GETFATTR_PROG="$(type -P getfattr)"\n',
    "common/rc": '_require_command()\n{\n\t[ -x "$1" ] || _notrun "$2 utility required"\n}\n'
                 '_require_attrs()\n{\n\t[ -n "$ATTR_PROG" ] || _notrun "attr command not found"\n}\n'
                 '_require_odd()\n{\n\t_require_command "$(type -P oddtool)" oddtool\n'
                 '\t_require_command "$(type -P nosuchtool)" nosuchtool\n}\n',
    "tests/generic/001": "_require_attrs\n_require_odd\n_require_user fsqa\n_require_user nobody2\n",
    "tests/generic/002": '_require_odd\n_require_command "$LVM_PROG" lvm\n_require_group nobody3\n',
    "tests/generic/003": '_require_command "$(type -P foreigntool)" foreigntool\n'
                         "_require_command /bin/sh\n_require_group fsgqa\n"
                         "_require_kernel_config CONFIG_ONE\n_require_kernel_config CONFIG_TWO\n"
                         "_require_kernel_config CONFIG_THREE\n_require_dm_target flakey\n"
                         "_require_dm_target thin-pool\n_require_dm_target linear\n",
    "tests/xfs/001": '_require_command "$(type -P xtool)" xtool\n'
                     '_require_command "$(type -P lost-file)" lost-file\n',
}
# attr is in the rootfs: it does not have lost-file. Only multiverse has foreigntool.
UBUNTU = ("usr/bin/oddtool  utils/zz-odd,universe/net/oddtool\nusr/sbin/lvm   admin/lvm2\n"
          "usr/bin/foreigntool  multiverse/net/foreign\n" + "x" * 100000 + "\n"
          "usr/bin/xtool\tuniverse/x/xtools\n"
          "usr/bin/lost-file   utils/attr\nusr/share/nosuchtool  utils/share\n")
PACKAGES = {"oddtool": "oddtool", "lvm": "lvm2", "foreigntool": None, "xtool": "xtools", "lost-file": None,
            "nosuchtool": None}
TABLE = {name: "lvm2" if name == "lvm" else None for name in PACKAGES}

home = Home()


def kept():
    """The files that hold lists of programs."""
    return [path for path in glob.glob(f"{home.cache}/rootlet/solv/*")
            if open(path, "rb").read(16) == b"rootlet-programs"]


def forget():
    for path in kept():
        os.unlink(path)


def deps(*words, **more):
    return home.run("deps", "--fstests", "fstests", "--keyring", AT.keyring, "--fstype", "ext4,xfs", *words,
                    **more)


def found(outcome):
    """Returns the document, {name: dependency}, and complaints."""
    shown, wrong = document("deps", outcome)
    return shown, {one["name"]: one for one in (shown or {}).get("dependencies", ())}, wrong


def packages(outcome):
    _, ones, wrong = found(outcome)
    return {name: ones.get(name, {}).get("package") for name in PACKAGES}, wrong


def variant(name, contents, served=None):
    """A mirror whose release file lists CONTENTS; SERVED is what it has in their place."""
    made = AT.with_contents(f"{SCRATCH}/{os.getpid()}.{name}", contents)
    for path, data in (served or {}).items():
        os.unlink(f"{made.root}/dists/{mirrors.SUITE}/{path}")
        with open(f"{made.root}/dists/{mirrors.SUITE}/{path}", "wb") as file:
            file.write(data)
    return made


def check_states(server):
    with Tidy(home) as tidy:
        outcome = deps("--json")
        left = tidy.complaints()
    shown, ones, wrong = found(outcome)
    tap.report(outcome.status == 0 and not wrong and not left, "deps prints a valid document", *wrong, *left,
               outcome)
    rows = [("attr", "present", 1, "any"), ("oddtool", "missing", 2, "any"), ("lvm", "missing", 1, "any"),
            ("xtool", "missing", 1, "xfs"), ("fsqa", "present", 1, "any"), ("nobody2", "missing", 1, "any"),
            ("fsgqa", "present", 1, "any"), ("nobody3", "missing", 1, "any"), ("ONE", "unknown", 1, "any"),
            ("dm-flakey", "unknown", 1, "any")]
    for name, state, tests, filesystem in rows:
        one = ones.get(name, {})
        tap.report((one.get("state"), one.get("tests"), one.get("filesystem")) == (state, tests, filesystem),
                   f"{name} is {state}, and {tests} tests ask for it", one)
    tap.report(ones["oddtool"]["needed_by"] == ["generic/001", "generic/002"] and
               not ones["attr"]["needed_by"], "the tests that need what is missing are named",
               ones["oddtool"], ones["attr"])
    tap.report(shown["tests"] == 4 and shown["packages"] == ["oddtool", "lvm2", "xtools"]
               and shown["index_failure"] is None, "the packages come in the order of tests", shown)
    for name, package in PACKAGES.items():
        tap.report(ones.get(name, {}).get("package") == package, f"{name} is in {package or 'no package'}",
                   ones.get(name))
    before = len(server.requests)
    again = deps("--json")
    tap.report(again.out == outcome.out and len(server.requests) == before,
               "a second run gives the same without the network", again, server.requests[before:])


def check_text():
    outcome = deps("--offline")
    lines = [" ".join(line.split()) for line in outcome.out.splitlines()]
    for line in ("command oddtool 2 any oddtool", "command nosuchtool 2 any no package of jammy",
                 "command xtool 1 xfs xtools", "user nobody2 1 any a profile",
                 "group nobody3 1 any a profile", "rootlet install oddtool lvm2 xtools"):
        tap.report(line in lines, f"the report has: {line}", outcome)
    tap.report(any(line.startswith("6 kernel options and modules were not compared") for line in lines),
               "the report says what was not compared", outcome)
    outcome = deps("--offline", "--fstype", "ext4")
    tap.report("xtool" not in outcome.out and outcome.out.startswith("3 tests "),
               "tests of other filesystems do not count", outcome)


def make_kernel(config):
    """A build directory with what can be read of it: a configuration, and an image with a boot header."""
    image = bytearray(0x400)
    image[0x1fe:0x206] = b"\x55\xaa\x00\x00HdrS"
    struct.pack_into("<H", image, 0x20e, 0x100)
    image[0x300:0x30b] = b"9.9.9-test "
    home.write("kernel/.config", config)
    home.write("kernel/modules.order", "kernel/drivers/md/dm-flakey.ko\n")
    home.write("kernel/arch/x86/boot/bzImage", bytes(image))


def check_kernel():
    make_kernel("CONFIG_ONE=y\n# CONFIG_TWO is not set\nCONFIG_THREE=m\nCONFIG_DM_FLAKEY=m\n"
                "CONFIG_BLK_DEV_DM=y\n")
    outcome = deps("--json", "--offline", "--kernel", "kernel")
    shown, ones, wrong = found(outcome)
    rows = {"ONE": ("present", "ONE"), "TWO": ("missing", "TWO"), "THREE": ("present", "THREE"),
            "dm-flakey": ("present", "DM_FLAKEY"), "dm-linear": ("present", "BLK_DEV_DM"),
            "dm-thin-pool": ("missing", "DM_THIN_PROVISIONING")}
    for name, (state, option) in rows.items():
        one = ones.get(name, {})
        tap.report((one.get("state"), one.get("option")) == (state, option),
                   f"{name} is {state} in the kernel", *wrong, one)
    tap.report(shown["kernel"] == "9.9.9-test", "the kernel's version is shown", shown["kernel"])
    outcome = deps("--offline", "--kernel", "kernel")
    lines = [" ".join(line.split()) for line in outcome.out.splitlines()]
    tap.report("module dm-thin-pool 1 any CONFIG_DM_THIN_PROVISIONING" in lines
               and "option TWO 1 any CONFIG_TWO" in lines, "the report names kernel options", outcome)


def check_age(server):
    """The list in the cache is used for a week; then the release file says whether it has changed."""
    path, = kept()
    with open(path, "rb") as file:
        first = file.read()
    old = time.time() - 8 * 24 * 3600
    os.utime(path, (old, old))
    before = len(server.requests)
    outcome = deps("--json")
    asked = server.requests[before:]
    tap.report(packages(outcome)[0] == PACKAGES and any("InRelease" in one for one in asked)
               and not any("Contents" in one for one in asked) and os.path.getmtime(path) > old + 3600,
               "after a week it is compared with the release file, not downloaded", outcome, *asked)
    os.utime(path, (old, old))
    server.faults = [Fault(r"InRelease$", "status", 404)]
    outcome = deps()
    tap.report(outcome.status == 0 and "using the index fetched earlier" in outcome.err
               and "oddtool" in outcome.out, "without the mirror an older one is used, with a note", outcome)
    server.faults = []
    with open(path, "r+b") as file:
        file.seek(200)
        file.write(b"\xff")
    outcome = home.run("cache", "verify", "--json")
    tap.report(outcome.status == 3 and not os.path.exists(path), "cache verify removes a damaged one",
               outcome)
    with open(path, "wb") as file:
        file.write(first[:200] + b"\xff" + first[201:])
    outcome = deps("--json")
    with open(path, "rb") as file:
        tap.report(packages(outcome)[0] == PACKAGES and file.read() == first,
                   "a damaged one is made again", outcome)


def check_forms(server):
    whole = UBUNTU.encode()
    packed = gzip.compress(whole)
    debian = {f"main/Contents-{ARCH}.gz": gzip.compress(b"usr/sbin/lvm   admin/lvm2\n"),
              "main/Contents-all.gz": gzip.compress(b"usr/bin/oddtool  net/oddtool,utils/zz-odd\n"),
              f"universe/Contents-{ARCH}": b"usr/bin/xtool x/xtools\nusr/bin/lost-file utils/attr\n"}
    name, plain = f"Contents-{ARCH}.gz", f"Contents-{ARCH}"
    other = gzip.compress(b"usr/bin/oddtool  net/of-another-release\n")
    rows = [
        ("indexes of components, as Debian has them", debian, None, PACKAGES, None),
        ("no Contents index in the release file", {}, None, TABLE, "signs no Contents index"),
        ("the index of another release", {name: packed}, {name: other}, TABLE, "Contents-"),
        ("an index that was changed", {name: packed}, {name: packed[:50] + b"?" + packed[51:]}, TABLE,
         "Contents-"),
        ("an index that was cut off", {name: packed}, {name: packed[:50]}, TABLE, "Contents-"),
        ("a signed index that is damaged",
         {name: packed[:60] + b"\0" * 40 + packed[100:], plain: whole}, None, TABLE, "Contents-"),
        ("a signed index that unpacks to another", {name: packed, plain: b"X" + whole[1:]}, None, TABLE,
         "differs from the signed one"),
        ("a signed index that is cut off", {name: packed[:50]}, None, TABLE, "cannot unpack Contents-"),
        ("a signed index that is longer than signed", {name: packed, plain: whole[:-1]}, None, TABLE,
         "longer than the release file says"),
        ("both forms of an index", {name: packed, plain: whole}, None, PACKAGES, None),
        ("an empty index", {name: gzip.compress(b"")}, None, dict.fromkeys(PACKAGES), None),
        ("an index of odd bytes", {name: gzip.compress(bytes(range(256)) * 500 + b"\nusr/bin/oddtool \n")},
         None, dict.fromkeys(PACKAGES), None),
    ]
    for at, (what, contents, served, expected, failure) in enumerate(rows):
        forget()
        server.dir = variant(f"form{at}", contents, served).root
        with Tidy(home) as tidy:
            outcome = deps("--json")
            left = tidy.complaints()
        shown, _, wrong = found(outcome)
        said = (shown or {}).get("index_failure")
        tap.report(outcome.status == 0 and packages(outcome)[0] == expected and not wrong and not left
                   and (failure in (said or "") if failure else said is None), f"{what}", *wrong, *left,
                   outcome)
        if failure:
            tap.report(not kept(), f"{what}: nothing is kept", *kept())


def check_offline(server):
    forget()
    before = len(server.requests)
    outcome = deps("--json", "--offline")
    tap.report(outcome.status == 0 and packages(outcome)[0] == TABLE and len(server.requests) == before
               and "--offline" in json.loads(outcome.out)["index_failure"],
               "--offline without an index uses the table and downloads nothing", outcome)
    outcome = deps("--offline")
    tap.report("The packages come from a built-in table: the cache has no index of jammy" in outcome.out
               and "no package of jammy that is known" in outcome.out, "the report says so", outcome)


def check_refusals():
    home.write("no-tree/tests/generic/001", "")
    rows = [
        ("a directory that is no fstests tree", ["--fstests", "no-tree"], 2, "common"),
        ("a missing directory", ["--fstests", "nosuch"], 2, "nosuch"),
        ("a missing rootfs", ["--fstests", "fstests", "--name", "nosuch"], 1, "nosuch"),
        ("no kernel", ["--fstests", "fstests", "--kernel", "no-tree"], 2, "no kernel has been built"),
        ("a malformed filesystem", ["--fstests", "fstests", "--fstype", "a/b"], 2, "a/b"),
        ("no --fstests", [], 2, "--fstests"),
    ]
    for what, words, status, says in rows:
        outcome = home.run("deps", "--offline", *words)
        tap.report(outcome.status == status and says in outcome.err and not outcome.out,
                   f"{what}: exit status {status}", outcome)
    outcome = home.run("deps", "--fstests", "nosuch", "--json")
    shown, wrong = document("deps", outcome)
    tap.report(not wrong and shown["exit_status"] == 2, "a failure is a valid document", *wrong, outcome)


def main():
    for name, text in FSTESTS.items():
        home.write(f"fstests/{name}", text)
    signed = variant("signed", {f"Contents-{ARCH}.gz": gzip.compress(UBUNTU.encode())})
    with Server(signed.root) as server:
        outcome = home.create("--quiet", server=server, at=AT)
        if not tap.report(outcome.status == 0, "a rootfs is created", outcome):
            return
        check_states(server)
        check_text()
        check_kernel()
        check_age(server)
        check_forms(server)
        check_offline(server)
        check_refusals()
    for directory in glob.glob(f"{SCRATCH}/{os.getpid()}.form*") + [signed.dir]:
        shutil.rmtree(directory)


main()
tap.done()
