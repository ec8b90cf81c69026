"""The README's first command: what it does where packages are missing, and all of the main job, with
the rootfs of this host's own release there already."""
import os
import re
import shutil

from support import apt, tap
from support.world import NOBODY, SOURCE, Home, Tidy, fstests_rootfs, shared_cache, without

QUICKSTART = f"{SOURCE}/quickstart"
# A package manager's database in which two packages are not installed.
DPKG_QUERY = """#!/bin/sh
for last; do :; done
case $last in gpgv|uidmap) exit 1 ;; esac
echo installed
"""
NO_SUDO = "#!/bin/sh\nexit 1\n"
# A user's apt-cache reads every package list, which takes more than a second of processor time.
APT_CACHE = "#!/bin/sh\necho \"  Candidate: 1\"\n"


def missing_packages():
    """With neither root nor sudo, quickstart prints the command for an administrator and does nothing."""
    home = Home()
    if home.user.uid in (None, 0) and os.geteuid() == 0:
        tap.skip("quickstart: missing packages", "needs a user who is not root")
        return
    for name, script in (("dpkg-query", DPKG_QUERY), ("sudo", NO_SUDO)):
        os.chmod(home.write(f"bin/{name}", script), 0o755)
    for words in ([], ["--deps-only"], ["--tests", "--deps-only"], ["--tests", "--long"],
                  ["--tests", "--coverage"]):
        with Tidy(home) as tidy:
            if words:  # the first line asks the real one
                os.chmod(home.write("bin/apt-cache", APT_CACHE), 0o755)
            outcome = home.run(*words, program=QUICKSTART, seconds=120, environment={
                "PATH": f"{home.dir}/bin:/usr/bin:/bin"})
            wrong = tidy.complaints()
        more = [word for word in words if word != "--deps-only"]
        line = re.escape(" ".join((f"{QUICKSTART} --deps-only", *more))) + "$"
        tap.report(outcome.status == 1 and re.search(line, outcome.err, re.M) and not wrong and
                   re.search(r"missing: (uidmap gpgv|gpgv uidmap)$", outcome.out, re.M) and
                   not os.path.exists(home.store),
                   f"quickstart {' '.join(words)}: missing packages", *wrong, outcome)


def without_vng():
    """On a host that has all but virtme-ng, that alone is what is missing."""
    home = Home()
    if os.geteuid() != 0 or home.user.uid in (None, 0):
        tap.skip("quickstart: no virtme-ng", "needs root, to hide it, and a user who is not")
        return
    os.chmod(home.write("bin/sudo", NO_SUDO), 0o755)
    outcome = home.run("--deps-only", program=QUICKSTART, seconds=120, before=without(home, "/usr/bin/vng"),
                       environment={"PATH": f"{home.dir}/bin:/usr/bin:/bin"}, **NOBODY)
    tap.report(outcome.status == 1 and re.search(r"missing: virtme-ng$", outcome.out, re.M),
               "quickstart: no virtme-ng", outcome)


def words():
    home = Home()
    for line, status, says in (("--help", 0, "usage: ./quickstart"),
                               ("--nosuch", 2, 'unexpected argument: "--nosuch"\nusage:'),
                               ("word", 2, 'unexpected argument: "word"\nusage:'),
                               ("--release", 2, "--release needs a value: one of jammy"),
                               ("--release bookwrm", 2, 'unknown release "bookwrm"; choose one of: jammy')):
        outcome = home.run(*line.split(), program=QUICKSTART, seconds=60)
        tap.report(outcome.status == status and says in outcome.out + outcome.err,
                   f"quickstart {line}", outcome)
    known = re.search(r"one of (.*)", home.run("--release", program=QUICKSTART).err).group(1)
    tap.report(f"known releases: {known};" in home.run("create", "--release", "bookwrm").err,
               "quickstart knows the releases of rootlet create", known)


def no_apt():
    """A system of another kind: what has to be installed is told."""
    home = Home()
    for name in ("bash", "dirname"):
        home.make_dir(f"{home.dir}/bin")
        os.symlink(shutil.which(name), f"{home.dir}/bin/{name}")
    with open(QUICKSTART, encoding="utf-8") as file:
        script = home.write("quickstart", re.sub(r"(?m)^PATH=\$PATH:.*$", "", file.read()))
    os.symlink(f"{SOURCE}/packaging", f"{home.dir}/packaging")
    outcome = home.run(script, "--deps-only", program=f"{home.dir}/bin/bash", seconds=60,
                       environment={"PATH": f"{home.dir}/bin"})
    tap.report(outcome.status == 1 and
               re.search(r"gcc, .*pkg-config or pkgconf, .*uidmap, .*virtme-ng$", outcome.err),
               "quickstart: no apt-get", outcome)


# Each manager: the packages in $ABSENT are not installed, it cannot find those in $UNKNOWN, and it records
# what it is told to install.
MANAGER = """#!/bin/bash
case "${0##*/} $*" in
rpm\\ *|pacman\\ -T*) [[ " $ABSENT " != *" ${!#} "* ]] ;;
*\\ repoquery*|*\\ search*|*-Sp*) [[ " $UNKNOWN " != *" ${!#} "* ]] && echo "${!#}" ;;
*) echo "${0##*/} $*" >>"$TOLD" ;;
esac
"""
# os-release; the packages that are not installed; what its manager is told.
SYSTEMS = (
    ("ID=fedora", "pkgconfig(libcurl) gnupg2 qemu-system-x86-core",
     "dnf install -y pkgconfig(libcurl) gnupg2 qemu-system-x86-core virtme-ng"),
    ("ID_LIKE=\"rhel centos fedora\"\nID=\"rocky\"", "shadow-utils",
     "dnf install -y shadow-utils virtme-ng"),
    ("ID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"", "ninja shadow",
     "zypper --non-interactive install --no-recommends ninja shadow virtme-ng"),
    ("ID=arch", "curl libsolv xz gnupg", "pacman -S --noconfirm --needed curl libsolv xz gnupg virtme-ng"),
)


def managers():
    """As root on other systems, quickstart tells the system's package manager what to install."""
    home = Home()
    possible = ["/usr/bin/unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                'mount --bind os-release /etc/os-release && exec "$@"', "sh"]
    for name in ("rpm", "dnf", "zypper", "pacman"):
        os.chmod(home.write(f"bin/{name}", MANAGER), 0o755)
    for name in ("bash", "awk", "cat", "dirname", "env", "mount", "sed", "sh"):
        os.symlink(shutil.which(name), f"{home.dir}/bin/{name}")

    def deps(text, *words, **environment):
        told = home.write("told", "")
        home.write("os-release", f"{text}\n")
        outcome = home.run("--deps-only", *words, program=QUICKSTART, before=possible, seconds=60,
                           environment={"PATH": f"{home.dir}/bin", "TOLD": told, **environment})
        with open(told, encoding="utf-8") as file:
            return outcome, file.read()

    for text, absent, wanted in SYSTEMS:
        outcome, told = deps(text, ABSENT=absent)
        tap.report(outcome.status == 0 and told == f"{wanted}\n", f"quickstart: installs on {text!r}", told,
                   outcome)
    outcome, told = deps("ID=arch", UNKNOWN="virtme-ng")
    tap.report(outcome.status == 1 and not told and
               "cannot install virtme-ng: pacman has no such package" in outcome.err,
               "quickstart: a package that the system does not have", told, outcome)
    outcome, told = deps("ID=fedora", "--tests")
    tap.report(outcome.status == 1 and not told and "run them on Debian or Ubuntu" in outcome.err,
               "quickstart --tests: on another system", told, outcome)


def main_job():
    """Everything is installed, the rootfs is there: doctor, check, boot, smoke suite, summary."""
    home = fstests_rootfs()
    inode = os.lstat(f"{home.store}/test-rootfs").st_ino
    with Tidy(home) as tidy:
        outcome = home.run("--release", apt.host_suite(), program=QUICKSTART, seconds=2000)
        wrong = tidy.complaints()
    tap.report(outcome.status == 0 and not wrong, "quickstart does the main job", *wrong, outcome)
    for what, pattern in {
            "says that all packages are there": "all packages are installed",
            "uses the rootfs that is there": "ready: using it",
            "checks it": "✓ Rootfs is configured and ready at",
            "ends with a summary": r"(?s)quickstart: summary\n.*test-rootfs.*time: \d+ s",
            "tells how rootlet is found": r'export PATH="\$PATH:/.*/frontend"\nnext: rootlet run '}.items():
        tap.report(bool(re.search(pattern, outcome.out)), f"quickstart {what}", outcome)
    tap.report(os.lstat(f"{home.store}/test-rootfs").st_ino == inode, "quickstart makes no second one")
    smoke = re.search(r"^smoke suite: (\d+) passed, 0 failed$", outcome.out.replace("\r", ""), re.M)
    tap.report(bool(smoke) and int(smoke.group(1)) > 40, "quickstart: the smoke suite", outcome)
    for good, what, notes in re.findall(r"^(ok|not ok) \d+ - (.*)\n((?:# .*\n)*)",
                                        outcome.out.replace("\r", ""), re.M):
        tap.report(good == "ok", f"smoke: {what}", notes)
    directory = re.search(r'export PATH="\$PATH:(/.*)"', outcome.out)
    page = directory and home.run("-w", "rootlet-create", program="/usr/bin/man", seconds=60,
                               environment={"PATH": f"/usr/bin:/bin:{directory.group(1)}"})
    tap.report(page and page.status == 0 and "rootlet-create.1" in page.out,
               "quickstart: manuals are found as well", page)


def another_release():
    """The rootfs that is there is of another release than is asked for: it stays, and that is told."""
    home = fstests_rootfs()
    there, asked = apt.host_suite(), "noble" if apt.host_suite() != "noble" else "jammy"
    outcome = home.run("--release", asked, program=QUICKSTART, seconds=600)
    tap.report(outcome.status == 1 and home.run("check").status == 0 and
               re.search(rf"test-rootfs is {there}, not {asked}; to replace it, run: "
                         rf".*rootlet create --release {asked} --force$",
                         outcome.err, re.M), "quickstart: another release is there", outcome)


def moved_source():
    """A source directory that was copied or moved with its build directory: that one is made again, as
    meson would go on building the old source. Also where meson's own record has to escape the name."""
    home = Home()
    with open(QUICKSTART, encoding="utf-8") as file:
        script = file.read()
    os.chmod(home.write("one \u00e4/quickstart", re.sub(r"(?m)^main_job$", "build", script)), 0o755)
    home.write("one \u00e4/meson.build", "project('clone')\n"
               "configure_file(input: 'word', output: 'word', copy: true)\n")
    os.symlink(f"{SOURCE}/packaging", f"{home.dir}/one \u00e4/packaging")
    home.write("one \u00e4/word", "one")
    first = home.run(program=f"{home.dir}/one \u00e4/quickstart", seconds=120)
    home.run("-a", "one \u00e4", "two \u00e4", program="/bin/cp")
    home.write("two \u00e4/word", "two")
    shutil.rmtree(f"{home.dir}/one \u00e4")
    second = home.run(program=f"{home.dir}/two \u00e4/quickstart", seconds=120)
    third = home.run(program=f"{home.dir}/two \u00e4/quickstart", seconds=120)
    with open(f"{home.dir}/two \u00e4/build/word", encoding="utf-8") as file:
        word = file.read()
    again = ["rebuilding it" in outcome.out for outcome in (first, second, third)]
    tap.report(word == "two" and again == [False, True, False] and not first.status and not second.status
               and not third.status, "quickstart: the source directory was moved", word,
               str(again), first, second, third)


def no_archive():
    """Ubuntu's archive cannot be reached: a Debian release is tried, unless a release was asked for. From
    here nothing can be reached, so that one fails as well."""
    home = Home(cache=shared_cache())  # which holds the programs that quickstart has built
    dead = {"http_proxy": "http://127.0.0.1:9/", "https_proxy": "http://127.0.0.1:9/"}
    with open("/etc/os-release", encoding="utf-8") as file:
        debian = re.search(r"^ID=debian$", file.read(), re.M)
    fallback = apt.host_suite() if debian else "bookworm"
    for line, tried in (([], ["jammy", fallback]), (["--release", "jammy"], ["jammy"])):
        with Tidy(home) as tidy:
            outcome = home.run(*line, program=QUICKSTART, seconds=900, environment=dead)
            wrong = tidy.complaints()
        said = f"using Debian {fallback} from this host's mirror" in outcome.out
        tap.report(outcome.status == 1 and not wrong and said == (len(tried) > 1) and
                   re.findall(r"^quickstart: creating the rootfs: (\w+)$", outcome.out, re.M) == tried and
                   re.search(r"^quickstart: cannot create the rootfs: .* \(exit status \d\)$",
                             outcome.err, re.M) and
                   not os.path.exists(f"{home.store}/test-rootfs"),
                   f"quickstart {' '.join(line)}: no archive can be reached", *wrong, outcome)


missing_packages()
without_vng()
words()
no_apt()
managers()
moved_source()
main_job()
another_release()
no_archive()
tap.done()
