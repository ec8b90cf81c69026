"""The native engine against debootstrap and mmdebstrap: the same packages give the same tree, file by file,
and the same dpkg database, for every available suite. A table lists the allowed differences.

With --long, the packages of profile fstests are also compared, but only with debootstrap: mmdebstrap does not
create the profile's accounts. The small set is compared with both."""
import json
import os
import re
import shutil
import subprocess
import threading
import urllib.error
import urllib.request

from support import apt, debs, mirror as mirrors, offline, tap, trees
from support.server import Fault, Server
from support.trees import DEBOOTSTRAP, EVERYWHERE
from support.world import (AS_ROOT, PROFILE, SCRATCH, Home, children, locked, mirror, shared_cache,
                           wait_until)

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"

MMDEBSTRAP = [
    (r"/dev/null", None, "rootlet leaves a file, mmdebstrap does not"),
    (r"/etc/(apt/sources.list|hostname|hosts|resolv.conf)", None, "differ for each engine"),
    (r"/var/(lib|cache)/apt/.*", None, "traces of apt, which rootlet does not use"),
    (r"/var/lib/dpkg/arch", None, "traces of apt"),
    (r"/var/cache/debconf/tmp.ci", None, "traces of apt's preconfiguring"),
    (r"/run/.*", None, "in rootlet's jail, /run is not part of the tree"),
]


def packages_of(tree):
    done = subprocess.run(["dpkg-query", f"--admindir={trees.inside(tree)}/var/lib/dpkg", "-W", "-f",
                           "${Package} ${Version} ${db:Status-Status}\\n"], stdout=subprocess.PIPE,
                          text=True, check=False)
    return sorted(done.stdout.splitlines())


def compare_packages(what, home, tree):
    one, other = packages_of(f"{home.store}/native"), packages_of(tree)
    tap.report(one == other and len(one) > 60 and all(line.endswith(" installed") for line in one),
               f"{what}: the same packages are installed", set(one) ^ set(other))


def compare(what, native, tree, allowed):
    """NATIVE: the census of the native engine's tree."""
    wrong = trees.differences(trees.census(tree), native, EVERYWHERE + allowed)
    tap.report(not wrong and len(native) > 1000, f"{what} give the same files", *wrong[:40],
               f"{len(wrong)} differences")


def compare_debootstrap(suite, home, source, native):
    outcome = home.run("create", *source, "--name", "debootstrap", "--engine", "debootstrap",
                       "--quiet", seconds=1800)
    if not tap.report(outcome.status == 0, f"{suite}: create --engine debootstrap", outcome):
        return
    compare(f"{suite}: native and debootstrap", native, f"{home.store}/debootstrap", DEBOOTSTRAP)
    compare_packages(f"{suite}: native and debootstrap", home, f"{home.store}/debootstrap")


def compare_mmdebstrap(suite, home, cache, native):
    repository = offline.Repository(f"{home.dir}/repository", cache, f"{home.store}/native")
    # Root in its namespace cannot access files private to this user.
    directory = home.make_dir(f"{home.dir}/mmdebstrap")
    os.chmod(directory, 0o777)
    done = subprocess.run(repository.mmdebstrap(f"{directory}/tree"), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, check=False,
                          cwd=directory, timeout=1800, **home.user.switch(),
                          env={**home.environment(), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    if tap.report(done.returncode == 0, f"{suite}: mmdebstrap", done.stdout[-3000:]):
        compare(f"{suite}: native and mmdebstrap", native, f"{directory}/tree", MMDEBSTRAP)
        compare_packages(f"{suite}: native and mmdebstrap", home, f"{directory}/tree")


def compare_suite(suite, source, cache=None, attributed=()):
    """SOURCE: create's options for the archive. The profile has no accounts: mmdebstrap creates none.
    ATTRIBUTED: files that must have extended attributes, so that these are compared."""
    home = Home(cache=cache)
    home.write("config/rootlet/profiles/plain.conf", "[packages]\nall = attr acl\n[files]\n"
               "path-exclude = /usr/share/doc/* /usr/share/man/*\n"
               "path-include = /usr/share/doc/*/copyright\n")
    source = [*source, "--release", suite, "--profile", "fstests" if LONG and cache else "plain"]
    outcome = home.run("create", *source, "--name", "native", "--engine", "native", "--quiet",
                       seconds=1800)
    if not tap.report(outcome.status == 0, f"{suite}: create --engine native", outcome):
        return
    check = home.run("check", "--deep", "--name", "native")
    tap.report(check.status == 0, f"{suite}: dpkg finds no problems", check)
    native = trees.census(f"{home.store}/native")
    has = trees.attributed(native)
    tap.report(set(has) >= set(attributed), f"{suite}: extended attributes are present", has)
    compare_debootstrap(suite, home, source, native)
    if LONG and cache:
        tap.note(f"{suite}: profile fstests is only compared with debootstrap, see above")
    else:
        compare_mmdebstrap(suite, home, home.cache, native)
    home.remove()


# Package features that require dpkg itself to unpack, and the variants of archives.
DIVERT = "#!/bin/sh\n[ ! -e /usr/share/odd-divert ] || exit 1\n" \
         "dpkg-divert --package odd-divert --add --rename --divert /usr/bin/attr.real /usr/bin/attr\n"
# Services must not be started, and no questions may be asked.
ASKS = "#!/bin/sh\ncode=0; /usr/sbin/policy-rc.d odd start || code=$?\n" \
       "echo \"$code $DEBIAN_FRONTEND\" >/usr/share/odd-asked\n"
ODD = {
    "odd-plain": {"suffix": "", "entries": [("./usr/share/odd-plain", b"plain")]},
    "odd-gz": {"suffix": "gz", "entries": [("./usr/share/odd-gz", b"gz")]},
    "odd-xz": {"suffix": "xz", "entries": [("./usr/share/odd-xz", b"xz")]},
    "odd-zst": {"suffix": "zst", "entries": [("./usr/share/odd-zst", b"zst"), ("./usr/share/odd-name "
                                              "\u00e9", b"x"),
                                             ("./usr/share/odd-twin", "=> ./usr/share/odd-zst")]},
    "odd-divert": {"scripts": {"preinst": DIVERT}, "entries": [("./usr/share/odd-divert", b"x"),
                                                               ("./usr/bin/attr", b"#!/bin/sh\n")]},
    "odd-replaces": {"fields": "Replaces: acl\n", "entries": [("./usr/bin/chacl", b"replaced")]},
    "odd-conffile": {"scripts": {"conffiles": "/etc/odd.conf\n",
                                 "postinst": "#!/bin/sh\nset -e\ntest -f /etc/odd.conf\nhostname --fqdn "
                                             ">/usr/share/odd-host\ncat /etc/odd.conf "
                                             ">/usr/share/odd-seen\n"},
                     "entries": [("./etc/odd.conf", b"odd")]},
    "odd-asks": {"scripts": {"postinst": ASKS}},
    # A trigger activated three times, by scripts and by a file that dpkg unpacks, runs once, at the end.
    "odd-trigger": {"scripts": {"triggers": "interest-noawait /usr/share/odd-watched\n"
                                            "interest-noawait odd-ring\n",
                                "postinst": "#!/bin/sh\necho \"$@\" >>/var/log/odd-trigger\n"}},
    "odd-rings": {"fields": "Depends: odd-trigger\n", "scripts": {"triggers": "activate-noawait odd-ring\n"}},
    "odd-rings-too": {"fields": "Depends: odd-rings\n",
                      "scripts": {"triggers": "activate-noawait odd-ring\n"}},
    "odd-drops": {"fields": "Pre-Depends: odd-trigger\n", "scripts": {"preinst": "#!/bin/sh\n:\n"},
                  "entries": [("./usr/share/odd-watched/", "dir"), ("./usr/share/odd-watched/drop", b"x"),
                              ("./usr/share/doc/odd-drops/", "dir"),
                              ("./usr/share/doc/odd-drops/README", b"x")]},
}
# A preinst written only by debhelper is run without dpkg unpacking the package; others need dpkg.
ADDED = "# Automatically added by {}/13.1\necho $1 $2 $DPKG_MAINTSCRIPT_PACKAGE >>/var/log/odd-added\n" \
        "# End automatically added section\n"
for odd, script in {"odd-idle": "set -e\n\n# of debhelper\n" + ADDED.format("dh_installdeb") +
                                ADDED.format("dh_installinit") + "exit 0\n",
                    "odd-statement": ADDED.format("dh_installdeb") + ":\n",
                    "odd-nul": ADDED.format("dh_installdeb") + "\0\n",
                    "odd-part": ADDED.format("dh_of-somebody"),
                    "odd-open": ADDED.format("dh_installsystemd").replace("# End", "# No end")}.items():
    ODD[odd] = {"scripts": {"preinst": "#!/bin/sh\n" + script}, "entries": [(f"./usr/share/{odd}", b"x")]}
FILTERS = "[files]\npath-exclude = /usr/share/doc/*\npath-include = /usr/share/doc/*/copyright\n"
LATER = {"entries": [("./usr/share/doc/odd-later/", "dir"), ("./usr/share/doc/odd-later/README", b"x"),
                     ("./usr/share/doc/odd-later/copyright", b"x"), ("./usr/share/odd-later", b"x")]}
ODD_SHELL = r"""set -e
cat /var/log/odd-trigger
for kind in plain gz xz zst; do test "$(cat /usr/share/odd-$kind)" = $kind; done
test "$(stat -c %i /usr/share/odd-twin)" = "$(stat -c %i /usr/share/odd-zst)"
test -f "/usr/share/odd-name é"; dpkg -S "/usr/share/odd-name é"
test "$(cat /usr/bin/attr)" = '#!/bin/sh'; test -x /usr/bin/attr.real; dpkg -S /usr/bin/attr.real
test "$(cat /usr/bin/chacl)" = replaced; dpkg -S /usr/bin/chacl | grep '^odd-replaces: '
test "$(cat /usr/share/odd-host)" = rootlet.localdomain
test "$(cat /usr/share/odd-seen)" = odd; test ! -e /etc/odd.conf.dpkg-new
dpkg-query -W -f '${Conffiles}' odd-conffile | grep -q '/etc/odd.conf [0-9a-f]\{32\}'
grep -q '^/usr/share/odd-watched odd-trigger/noawait$' /var/lib/dpkg/triggers/File
test "$(cat /usr/share/odd-asked)" = '101 noninteractive'
test "$(sed -n 1p /var/log/odd-trigger)" = 'configure '; test "$(wc -l </var/log/odd-trigger)" = 2
grep -q '^triggered .*odd-ring' /var/log/odd-trigger
grep -q '^triggered .*/usr/share/odd-watched' /var/log/odd-trigger
test "$(grep -c '^install odd-idle$' /var/log/odd-added)" = 2; test -e /usr/share/odd-idle
! grep -q ' install odd-idle:' /var/log/dpkg.log
for odd in statement nul part open; do grep -q "^install odd-$odd$" /var/log/odd-added
  grep -q " install odd-$odd:" /var/log/dpkg.log; done
test ! -e /usr/share/doc/odd-drops/README; test -z "$(ls /usr/share/doc/coreutils | grep -v copyright)"
test ! -e /usr/sbin/policy-rc.d; test ! -e /var/lib/dpkg/rootlet; test ! -e /var/lib/dpkg/tmp.ci
test -s /var/lib/dpkg/info/odd-gz.md5sums; test -z "$(dpkg --audit)"; test -z "$(dpkg --verify odd-gz)"
echo all-of-it"""


def workers_of(pid):
    """Returns the largest number of childless children of any helper process."""
    below = children(pid)
    leaves = {one: [other for other in children(one) if not children(other)] for one in below}
    return max((len(some) for one, some in leaves.items() if len(some) == len(children(one))), default=0)


def watch(home, process, gate):
    """Checks this while the last package is still downloading."""
    tree = f"{home.store}/.rootlet-staging.test-rootfs/tree"
    there = wait_until(lambda: os.path.exists(f"{tree}/usr/share/odd-gz") or process.poll() is not None, 120)
    tap.report(there and process.poll() is None,
               "native: unpacks packages while others are still downloading",
               os.listdir(home.store) if os.path.isdir(home.store) else "")
    most = min(len(os.sched_getaffinity(0)), 8)
    seen = workers_of(process.pid)
    tap.report(seen >= most, f"native: unpacks in {most} processes", seen)
    gate.set()


def odd_packages(at):
    directory, gate = f"{SCRATCH}/{os.getpid()}.odd", threading.Event()
    packed = [debs.make(f"{directory}.debs", name, mirrors.arch(), **how) for name, how in ODD.items()]
    later = debs.make(f"{directory}.debs", "odd-later", mirrors.arch(), **LATER)
    home = Home()
    home.write("config/rootlet/profiles/test.conf", PROFILE + FILTERS)
    held = Fault(r"/odd-plain_", "body", lambda body: body if gate.wait(120) else b"")
    with Server(f"{directory}/mirror", [held]) as server:
        other = at.with_packages(directory, packed)
        process = home.start("create", "--release", mirrors.SUITE, "--profile", "test", "--mirror",
                             server.url, "--keyring", other.keyring, "--fresh", "--quiet", "--include",
                             ",".join(ODD))
        watch(home, process, gate)
        err = process.communicate(timeout=600)[1].decode()
    if tap.report(process.returncode == 0, "native: installs packages that are each unusual in one way", err):
        seen = home.run("shell", "--", "bash", "-xc", ODD_SHELL)
        tap.report(seen.status == 0 and "all-of-it" in seen.out,
                   "native: handles compressions, a diversion, a shared "
                   "file, a conffile, triggers and filters as dpkg does", seen)
        with open(later, "rb") as deb:
            seen = home.run("shell", "--", "sh", "-ec", "cat >/tmp/x.deb; dpkg -i /tmp/x.deb; cd /usr/share; "
                            "cat odd-later doc/odd-later/copyright; test ! -e doc/odd-later/README",
                            stdin=deb)
        tap.report(seen.status == 0 and "xx" in seen.out, "native: packages installed later follow the "
                   "profile's filters too", seen)
    shutil.rmtree(directory, ignore_errors=True)


# The real one would refuse a tree whose /usr is not merged.
UNMERGED = {"usr-is-merged": {"fields": "Multi-Arch: foreign\n"},
            "odd-bin": {"entries": [("./bin/odd-bin", b"#!/bin/sh\n"), ("./usr/bin/odd-usr", b"x")]}}


def unmerged(at):
    """An old release: /bin and /usr/bin are separate directories. Needs packages from before base-files
    shipped the links."""
    what = "native: a release whose /usr is not merged"
    if apt.host_suite() not in ("bookworm", "bullseye", "jammy"):
        tap.skip(what, "this host's packages are too new")
        return
    directory = f"{SCRATCH}/{os.getpid()}.unmerged"
    other = at.with_packages(directory, [debs.make(f"{directory}.debs", name, mirrors.arch(), **how)
                                      for name, how in UNMERGED.items()], without=["usr-is-merged"])
    dists = f"{other.root}/dists"
    signed = other.inrelease(Codename="bionic", Suite="bionic")
    os.unlink(f"{dists}/{mirrors.SUITE}/InRelease")
    os.rename(f"{dists}/{mirrors.SUITE}", f"{dists}/bionic")
    with open(f"{dists}/bionic/InRelease", "wb") as file:
        file.write(signed)
    home = Home()
    with Server(other.root) as server:
        outcome = home.create("--release", "bionic", "--include", "odd-bin", "--quiet", server=server,
                              at=other)
    seen = home.run("shell", "--", "sh", "-xec", "test ! -L /bin; test ! -L /lib; test ! -e /bin/odd-usr; "
                    "test -x /bin/odd-bin; test ! -e /usr/bin/odd-bin; test -z \"$(dpkg --audit)\"; "
                    "dpkg --verify odd-bin; echo all-of-it")
    tap.report(outcome.status == 0 and seen.status == 0 and "all-of-it" in seen.out, what, outcome, seen)
    shutil.rmtree(directory, ignore_errors=True)
    home.remove()


def _divert_aliases(tree):
    """Creates a `base-files` like noble's, which diverts the links into /usr."""
    with open(f"{tree}/DEBIAN/preinst", "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nset -e\nfor d in bin lib sbin lib32; do dpkg-divert --package base-files "
                   "--add "
                   "--no-rename --divert /$d.usr-is-merged /$d; done\n")
    os.chmod(f"{tree}/DEBIAN/preinst", 0o755)


ALIASES = {"odd-bin": {"entries": [("./bin/", "dir", (0, 0), 0o755), ("./bin/odd-bin", b"#!/bin/sh\n")]},
           "odd-lib32": {"entries": [("./lib32/", "dir", (0, 0), 0o711)]}}


def diverted(at):
    """After base-files diverts /bin, dpkg creates a package's ./bin/ as the directory that the diversion
    names. The result must not depend on which unpacker process had the package, or when."""
    directory = f"{SCRATCH}/{os.getpid()}.diverted"
    os.makedirs(f"{directory}.debs")
    base = mirrors.repack(f"{at.root}/{at.deb_of('base-files')}", f"{directory}.debs", _divert_aliases)
    other = at.with_packages(directory, [base, *(debs.make(f"{directory}.debs", name, mirrors.arch(), **how)
                                              for name, how in ALIASES.items())], without=["base-files"])
    home = Home()
    with Server(other.root) as server:
        outcome = home.create("--include", ",".join(ALIASES), "--quiet", server=server, at=other)
    check = home.run("check", "--deep")
    seen = home.run("shell", "--", "sh", "-xec", "for d in bin lib sbin; do test -d /$d.usr-is-merged; "
                    "test -L /$d; done; test -x /usr/bin/odd-bin; test \"$(stat -c %a "
                    "/lib32.usr-is-merged)\" = 711; "
                    "dpkg -S /bin.usr-is-merged; echo all-of-it")
    tap.report(outcome.status == 0 and check.status == 0 and seen.status == 0 and "all-of-it" in seen.out,
               "native: creates directories whose names base-files diverts as dpkg does", outcome, check,
               seen)
    shutil.rmtree(directory, ignore_errors=True)
    shutil.rmtree(f"{directory}.debs", ignore_errors=True)
    home.remove()


def failing(at):
    """The message, an event and a file name a failed script and its last output."""
    directory = f"{SCRATCH}/{os.getpid()}.failing"
    script = "#!/bin/sh\nfor i in 1 2 3 4 5 6 7; do echo odd word $i; done\n" \
        "printf '\\033[2Jno such thing\\n' >&2\nexit 3\n"
    made = [debs.make(f"{directory}.debs", "odd-fails", mirrors.arch(), {"postinst": script}),
            debs.make(f"{directory}.debs", "odd-waits", mirrors.arch(), {}, fields="Depends: odd-fails\n")]
    other, home = at.with_packages(directory, made), Home()
    log = f"{home.dir}/state/rootlet/logs/create-test-rootfs.log"
    with Server(other.root) as server:
        for engine in ("native", "debootstrap"):
            outcome = home.create("--include", "odd-waits", "--json", "--engine", engine, server=server,
                                  at=other)
            events = [json.loads(line) for line in outcome.out.splitlines()]
            script = next((event for event in events if event["event"] == "script"), {})
            result = events[-1].get("error", {}).get("message", "") if events else ""
            text = open(log, encoding="utf-8").read() if os.path.exists(log) else ""
            tap.report(outcome.status == 1 and
                       re.search(r"^package odd-fails: .*exit status 3; its last output: "
                       rf"odd word 3; .*no such thing; all output: {log}$", result),
                       f"{engine}: a script that fails: "
                       "the message has its last output", outcome)
            tap.report(script.get("package") == "odd-fails" and script.get("log") == log and
                       script.get("output", [])[-2:] == ["odd word 7", "?[2Jno such thing"],
                       f"{engine}: a script that fails: an event reports it", script)
            tap.report("odd word 1\n" in text and "\033" not in text and not home.leftovers(),
                       f"{engine}: a script that fails: only a log file is left", text[-2000:])
            if os.path.exists(log):
                os.unlink(log)
    shutil.rmtree(directory, ignore_errors=True)
    shutil.rmtree(f"{directory}.debs", ignore_errors=True)
    home.remove()


DEBIAN = ("bookworm", "trixie")


def real_source(suite):
    """Returns create's options for SUITE, or None if no mirror in the host's apt configuration has it. An
    unreachable mirror does not count as lacking it: then create fails, and so does the test."""
    if apt.host_source(suite):
        return []
    for other in filter(apt.host_source, DEBIAN):
        uri = apt.host_source(other)[0].rstrip("/")
        try:
            urllib.request.urlopen(f"{uri}/dists/{suite}/InRelease", timeout=60).close()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                continue
        except OSError:
            pass
        return ["--mirror", uri]
    return None


def main():
    at = mirror()
    odd_packages(at)
    unmerged(at)
    diverted(at)
    failing(at)
    directory = f"{SCRATCH}/{os.getpid()}.asks"
    asking = at.with_packages(directory, [debs.make(f"{directory}.debs", "odd-asks", mirrors.arch(),
                                                 **ODD["odd-asks"]),
                                       debs.capable(f"{directory}.debs", mirrors.arch())])
    with Server(asking.root) as server:
        compare_suite(mirrors.SUITE, ["--mirror", server.url, "--keyring", at.keyring, "--include",
                                      "odd-asks,odd-capable"], attributed=debs.CAPABLE)
    for suite in DEBIAN:
        source = real_source(suite)
        if source is None:
            what, why = f"{suite}: the engines", "no mirror that the host's apt names has it"
            # Debian's main mirror has them all.
            if apt.os_release()["ID"] == "debian":
                tap.report(False, what, why)
            else:
                tap.skip(what, why)
            continue
        with locked("cache-of-engines"):
            compare_suite(suite, source, shared_cache())


if not AS_ROOT:
    tap.skip("the engines' trees", "needs root to read another user's files")
elif not shutil.which("mmdebstrap"):
    tap.report(False, "mmdebstrap is installed; fix: apt install mmdebstrap")
else:
    main()
tap.done()
