"""The Debian packages: built twice, checked by lintian, and installed, upgraded and purged in a copy of this
host's root directory (support/host_copy.py). An ordinary user then makes a rootfs with the installed
programs."""
import glob
import hashlib
import os
import re
import shutil
import subprocess

from support import tap
from support import mirror as mirrors
from support.host_copy import HostCopy
from support.server import Server
from support.world import AS_ROOT, PROFILE, SCRATCH, SOURCE, mirror

HELPER = "/usr/libexec/rootlet-privileged/rootlet-helper"
POLICY, LOG, KEY = "/etc/rootlet/policy.conf", "/var/log/rootlet/audit.log", "/etc/rootlet/snapshot.key"
WORK = f"{SCRATCH}/{os.getpid()}.packages"
MEMBER = "rootlet-member"
QUESTION = "rootlet-privileged rootlet-privileged/remove-audit-log boolean"

# What each package has, apart from manuals, documents, profiles and schemas: path, mode, owner.
PROGRAM, SCRIPT, DATA = "-rwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"
CONTENT = {
    "rootlet": {
        "usr/bin/rootlet": PROGRAM,
        **{f"usr/libexec/rootlet/rootlet-{name}": PROGRAM for name in ("helper", "userns", "worker")},
        "usr/share/bash-completion/completions/rootlet": DATA,
        "usr/share/fish/vendor_completions.d/rootlet.fish": DATA,
        "usr/share/zsh/vendor-completions/_rootlet": DATA,
        **{f"usr/share/rootlet/apparmor/rootlet-{name}.apparmor": DATA for name in ("helper", "userns")},
        "usr/share/rootlet/policy.conf.example": DATA,
        **{f"usr/share/rootlet/configurations/{name}": DATA
           for name in os.listdir(f"{SOURCE}/frontend/configurations")},
        **{f"usr/share/rootlet/guest/{name}": DATA if name == "command.sh" else SCRIPT
           for name in os.listdir(f"{SOURCE}/frontend/guest")},
        **{f"usr/share/rootlet/profiles/{name}": DATA for name in os.listdir(f"{SOURCE}/frontend/profiles")},
        "usr/share/lintian/overrides/rootlet": DATA,
    },
    "rootlet-privileged": {
        "etc/logrotate.d/rootlet-privileged": DATA,
        "etc/rootlet/policy.conf": DATA,
        "usr/lib/sysusers.d/rootlet-privileged.conf": DATA,
        f"{HELPER[1:]}": "-rwxr-x---",
        "usr/libexec/rootlet-privileged/rootlet-userns": "-rwxr-x---",
        "usr/libexec/rootlet-privileged/rootlet-worker": PROGRAM,
        **{f"usr/share/rootlet-privileged/apparmor/rootlet-privileged-{name}.apparmor": DATA
           for name in ("helper", "userns")},
        "usr/share/rootlet-privileged/install-helper": SCRIPT,
        "usr/share/lintian/overrides/rootlet-privileged": DATA,
    },
}
UNLISTED = re.compile(r"usr/share/(man|doc|rootlet/schemas)/")
PAGES = len(glob.glob(f"{SOURCE}/docs/man/rootlet*.scd")) + 2  # two commands share another's page


def run(*words, **more):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          stdin=subprocess.DEVNULL, **more)


def build(place, *words, **environment):
    """Copies the source below PLACE and builds the packages there; returns {package: path of its .deb}."""
    source = f"{WORK}/{place}/rootlet"
    shutil.copytree(SOURCE, source, symlinks=True, ignore=lambda directory, names: [
        name for name in names if name in (".git", "__pycache__", "node_modules") or
        directory == SOURCE and name.startswith("build")])
    done = run("nice", "dpkg-buildpackage", "-us", "-uc", *words, cwd=source,
               env={"PATH": os.environ["PATH"], "DEB_BUILD_OPTIONS": "nocheck", **environment})
    tap.report(done.returncode == 0, f"the packages are built in {place}", done.stdout[-5000:])
    return {os.path.basename(path).partition("_")[0]: path for path in glob.glob(f"{WORK}/{place}/*.deb")}


def content():
    for package, wanted in CONTENT.items():
        done = run("dpkg-deb", "--contents", DEBS[package])
        rows = [line.split(None, 5) for line in done.stdout.splitlines()]
        files = {row[5].removeprefix("./"): row[0] for row in rows if not row[0].startswith(("d", "l"))}
        pages = {row[5] for row in rows if "/man/man" in row[5] and not row[0].startswith("d")}
        files = {path: mode for path, mode in files.items() if not UNLISTED.match(path)}
        tap.report(files == wanted, f"{package}: its files and their modes",
                   *sorted(set(files.items()) ^ set(wanted.items())))
        others = [row[5] for row in rows if row[1] != "root/root" or re.search("[sStT]", row[0])]
        tap.report(rows and not others, f"{package}: all belongs to root, without setuid bits", *others)
        tap.report(len(pages) == (PAGES if package == "rootlet" else 0), f"{package}: manual pages", pages)
    conffiles = run("dpkg-deb", "--info", DEBS["rootlet-privileged"], "conffiles").stdout.split()
    tap.report(conffiles == ["/etc/logrotate.d/rootlet-privileged", POLICY],
               "rootlet-privileged: the policy is a configuration file", conffiles)


def same_bytes():
    # Another path, time zone, language and home.
    again = build("a-second-directory", "-b", TZ="Asia/Tokyo", LC_ALL="C.UTF-8", HOME=WORK)
    for package, path in sorted(DEBS.items()):
        hashes = []
        for deb in (path, again.get(package)):
            with open(deb or os.devnull, "rb") as file:
                hashes.append(hashlib.sha256(file.read()).hexdigest())
        tap.report(hashes[0] == hashes[1], f"{package}: a second build has the same bytes", *hashes)


def lintian():
    changes = glob.glob(f"{WORK}/first/*.changes")
    done = run("lintian", "--allow-root", "--fail-on", "error,warning", *changes)
    tap.report(len(changes) == 1 and done.returncode == 0 and not re.search("^[EW]:", done.stdout, re.M),
               "lintian finds no errors and no warnings", done.stdout)


def newer(package):
    """Returns PACKAGE as a build of a later version."""
    tree, version = f"{WORK}/newer/{package}", "9.0"
    os.makedirs(os.path.dirname(tree), exist_ok=True)
    run("dpkg-deb", "-R", DEBS[package], tree).check_returncode()
    with open(f"{tree}/DEBIAN/control", encoding="utf-8") as file:
        text = file.read()
    old = re.search("^Version: (.*)$", text, re.M).group(1)
    with open(f"{tree}/DEBIAN/control", "w", encoding="utf-8") as file:
        file.write(text.replace(f"Version: {old}\n", f"Version: {version}\n").replace(
            f"rootlet (= {old})", f"rootlet (= {version})"))
    run("dpkg-deb", "-b", tree, f"{tree}.deb").check_returncode()
    return f"{tree}.deb"


def has_capabilities(host, what, group="rootlet"):
    done = host.shell(f"stat -c %U:%G:%a {HELPER}; getcap {HELPER}")
    tap.report(done.stdout.split() == [f"root:{group}:750", HELPER, "cap_setgid,cap_setuid=p"],
               f"{what}: the helper has its group, mode and capabilities", done.stdout)


def installs(host):
    done = host.run("dpkg", "--install", DEBS["rootlet"], DEBS["rootlet-privileged"])
    tap.report(done.returncode == 0, "both packages are installed", done.stdout)
    has_capabilities(host, "installed")
    done = host.shell(f"getent group rootlet; stat -c %U:%a {KEY} /var/log/rootlet /var/lib/rootlet {POLICY}")
    tap.report(done.stdout.splitlines()[1:] == ["root:400", "root:700", "root:700", "root:644"],
               "the group, the snapshot key and the directories exist", done.stdout)
    done = host.run("man", "--where", "rootlet-create")
    tap.report(done.returncode == 0, "the manual is found", done.stdout)
    # A host that gives ranges to new users.
    host.shell(f"useradd --create-home {MEMBER}; sed -i '/^{MEMBER}:/d' /etc/subuid /etc/subgid; "
               f"install -D /dev/stdin /home/{MEMBER}/.config/rootlet/profiles/test.conf",
               text=PROFILE).check_returncode()


def as_member(host, *words):
    return host.run("runuser", "--user", MEMBER, "--", "env", f"HOME=/home/{MEMBER}", "rootlet", *words)


def create(host, server, *words):
    at = mirror()
    return as_member(host, "create", "--quiet", "--release", mirrors.SUITE, "--profile", "test", "--mirror",
                     server.url, "--keyring", at.keyring, *words)


def uses(host, server):
    done = as_member(host, "doctor")
    tap.report(re.search(rf"^warning +rootlet-helper .*\n +fix: usermod --append --groups rootlet {MEMBER}",
                         done.stdout, re.M),
               "doctor tells a user who is not in the group how to get there", done.stdout)
    host.shell(f"usermod --append --groups rootlet {MEMBER}").check_returncode()
    done = create(host, server)
    tap.report(done.returncode != 0 and POLICY in done.stdout, "the packaged policy allows nothing",
               done.stdout)
    done = host.shell(f"rootlet policy check && printf '[allow members]\\ngroups = rootlet\\nkeyrings = *\\n'"
                      f" >>{POLICY} && rootlet policy check")
    tap.report(done.returncode == 0, "the packaged policy is valid, and so is a section added to it",
               done.stdout)
    done = create(host, server)
    tap.report(done.returncode == 0, "a member without a range creates a rootfs", done.stdout)
    owner = host.shell(f"stat -c %u /home/{MEMBER}/.kerneldev-mcp/test-rootfs; id -u {MEMBER}").stdout.split()
    tap.report(int(owner[0]) == 1879048192 + 65536 * (int(owner[1]) - 1000),
               "it belongs to the range that the policy gives them", *owner)
    done = as_member(host, "check")
    tap.report(done.returncode == 0, "check finds it ready", done.stdout)
    done = host.run("rootlet", "audit")
    tap.report(re.search(rf"{MEMBER}.*Publish", done.stdout), "the audit log has it", done.stdout[-2000:])


def upgrades(host):
    before = host.shell(f"sha256sum {POLICY} {LOG} {KEY}").stdout
    done = host.run("dpkg", "--install", DEBS["rootlet"])
    tap.report(done.returncode == 0, "package rootlet is installed again", done.stdout)
    has_capabilities(host, "package rootlet installed again")
    done = host.run("dpkg", "--install", newer("rootlet"), newer("rootlet-privileged"))
    tap.report(done.returncode == 0 and "onfiguration file" not in done.stdout,
               "both packages are upgraded without a question", done.stdout)
    has_capabilities(host, "upgraded")
    tap.report(host.shell(f"sha256sum {POLICY} {LOG} {KEY}").stdout == before,
               "an upgrade keeps the policy, the audit log and the snapshot key", before)
    done = as_member(host, "delete", "--yes")
    tap.report(done.returncode == 0, "the upgraded helper deletes the rootfs", done.stdout)


def is_left(host, *paths):
    return host.shell('for path; do [ ! -e "$path" ] || echo "$path"; done', *paths).stdout.split()


def removes(host):
    done = host.run("dpkg", "--remove", "rootlet-privileged")
    tap.report(done.returncode == 0 and is_left(host, HELPER, POLICY, LOG, KEY) == [POLICY, LOG, KEY],
               "removal keeps the policy, the audit log and the snapshot key", done.stdout)
    done = host.run("dpkg", "--purge", "rootlet-privileged")
    tap.report(done.returncode == 0 and is_left(host, POLICY, LOG, KEY, "/var/lib/rootlet") == [LOG],
               "purge keeps the audit log and nothing else", done.stdout)
    done = host.run("dpkg", "--install", DEBS["rootlet"], DEBS["rootlet-privileged"])
    tap.report(done.returncode == 0 and is_left(host, LOG) == [LOG] and
               host.run("rootlet", "audit", "verify").returncode == 0,
               "a new installation goes on with that audit log", done.stdout)
    host.shell("debconf-set-selections", text=f"{QUESTION} true\n").check_returncode()
    done = host.run("dpkg", "--purge", "rootlet-privileged", "rootlet")
    left = is_left(host, "/etc/rootlet", "/var/log/rootlet", "/var/lib/rootlet", "/usr/libexec/rootlet",
                   "/usr/share/rootlet")
    tap.report(done.returncode == 0 and not left,
               "purge removes the audit log if debconf was told so", *left, done.stdout)


def other_group(host):
    """An administrator has chosen another group."""
    host.shell(f"groupadd --system kernel-lab; dpkg-statoverride --add root kernel-lab 0750 {HELPER}")
    done = host.run("dpkg", "--install", DEBS["rootlet"], DEBS["rootlet-privileged"])
    tap.report(done.returncode == 0, "installed with another group", done.stdout)
    has_capabilities(host, "dpkg-statoverride", "kernel-lab")


def autopkgtest(host):
    done = host.run("autopkgtest", "--no-built-binaries", *(DEBS[name] for name in CONTENT),
                    f"{WORK}/first/rootlet/", "--", "null", seconds=1200)
    for name in ("user", "privileged"):
        tap.report(re.search(rf"^(autopkgtest \[.*\]: test )?{name} +PASS$", done.stdout, re.M),
                   f"autopkgtest: {name}", done.stdout[-6000:])


def rpm():
    """As far as Debian's rpm gets: it parses the file, and builds with what Debian has installed."""
    spec = f"{SOURCE}/packaging/rpm/rootlet.spec"
    done = run("rpmspec", "--parse", spec)
    tap.report(done.returncode == 0, "rpm: the spec file is parsed", done.stdout)
    top = f"{WORK}/rpm"
    os.makedirs(f"{top}/SOURCES")
    version = re.search(r"^Version: +(\S+)$", done.stdout, re.M).group(1)
    shutil.copytree(f"{WORK}/first/rootlet", f"{top}/rootlet-{version}", symlinks=True,
                    ignore=lambda directory, names: [name for name in names if name.startswith("obj-")])
    run("tar", "--create", "--gzip", "--file", f"{top}/SOURCES/rootlet-{version}.tar.gz", "--directory", top,
        f"rootlet-{version}").check_returncode()
    done = run("nice", "rpmbuild", "-bb", "--nodeps", "--define", f"_topdir {top}",
               "--define", "debug_package %nil", spec, env={"PATH": os.environ["PATH"], "HOME": WORK})
    rpms = {os.path.basename(path).rpartition(f"-{version}-")[0]: path
            for path in glob.glob(f"{top}/RPMS/*/*.rpm")}
    tap.report(done.returncode == 0 and set(rpms) == set(CONTENT), "rpm: both packages are built",
               done.stdout[-4000:])
    rows = run("rpm", "--query", "--dump", "--package", rpms.get("rootlet-privileged", "missing")).stdout
    tap.report(re.search(rf"^{HELPER} .* 0100750 root rootlet ", rows, re.M) and
               re.search(rf"^{POLICY} .* 0100644 root root 1 ", rows, re.M),
               "rpm: the helper is for the group; the policy is a configuration file", rows)


if not AS_ROOT:
    tap.skip("the Debian packages", "only root can install packages in a copy of the host")
    tap.done()
os.makedirs(WORK)
DEBS = build("first")
content()
lintian()
same_bytes()
copy = HostCopy(f"{WORK}/host")
with Server(mirror().root) as archive:
    installs(copy)
    uses(copy, archive)
upgrades(copy)
removes(copy)
other_group(copy)
autopkgtest(HostCopy(f"{WORK}/clean"))
rpm()
shutil.rmtree(WORK, ignore_errors=True)
tap.done()
