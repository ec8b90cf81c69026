"""The native engine against debootstrap and mmdebstrap: the same packages make the same tree, file by
file, and the same dpkg database, for every suite that can be had. What may differ stands in a table."""
import os
import shutil
import subprocess

from support import apt, debs, mirror as mirrors, offline, tap, trees
from support.server import Server
from support.world import AS_ROOT, SCRATCH, Home, locked, mirror, shared_cache

LONG = os.environ.get("ROOTLET_TEST_LONG") == "1"

# (path, fields or None for all, why)
EVERYWHERE = [
    (r"/etc/(passwd|group|shadow|gshadow)-", None, "what was there before the last change"),
    (r"/etc/machine-id", None, "random; mmdebstrap empties it"),
    (r"/etc/rootlet(/.*)?|/etc/dpkg/dpkg.cfg.d/(rootlet|99mmdebstrap)", None, "each maker's own"),
    (r"/var/log/.*", None, "times and order of what was done"),
    (r"/var/cache/ldconfig/aux-cache", None, "inode numbers and times"),
    (r"/var/lib/dpkg/(available|cmethopt)", None, "dselect's, written by debootstrap"),
    (r"/var/(lib|cache)/(dpkg|debconf)/.*-old", None, "what was there before the last change"),
    (r"/etc/systemd/system/timers.target.wants/apt-daily(-upgrade)?.timer", {"content"},
     "through /lib or /usr/lib, by whether apt or systemd was configured first"),
]
DEBOOTSTRAP = [
    (r"/dev/.*", None, "debootstrap leaves links in /dev"),
]
MMDEBSTRAP = [
    (r"/dev/null", None, "rootlet leaves a file, mmdebstrap nothing"),
    (r"/etc/(apt/sources.list|hostname|hosts|resolv.conf)", None, "each maker's own"),
    (r"/var/(lib|cache)/apt/.*", None, "traces of apt, which rootlet does not use"),
    (r"/var/lib/dpkg/arch", None, "traces of apt"),
    (r"/var/cache/debconf/tmp.ci", None, "traces of apt's preconfiguring"),
    (r"/run/.*", None, "in rootlet's jail /run is not the tree's"),
]


def packages_of(home, name):
    outcome = home.run("shell", "--name", name, "--", "dpkg-query", "-W", "-f",
                       "${Package} ${Version} ${db:Status-Status}\\n")
    return sorted(outcome.out.splitlines())


def compare(what, home, tree, allowed):
    native = f"{home.store}/native"
    wrong = trees.differences(trees.census(tree), trees.census(native), EVERYWHERE + allowed)
    tap.report(not wrong and len(os.listdir(native)) > 10, f"{what}: the same files", *wrong[:40],
               f"{len(wrong)} in all")


def compare_debootstrap(suite, home, source):
    outcome = home.run("create", *source, "--name", "debootstrap", "--engine", "debootstrap",
                       "--quiet", seconds=1800)
    if not tap.report(outcome.status == 0, f"{suite}: create --engine debootstrap", outcome):
        return
    compare(f"{suite}: native and debootstrap", home, f"{home.store}/debootstrap", DEBOOTSTRAP)
    one, other = packages_of(home, "native"), packages_of(home, "debootstrap")
    tap.report(one == other and len(one) > 60 and all(line.endswith(" installed") for line in one),
               f"{suite}: the same packages, all of them installed", set(one) ^ set(other))


def compare_mmdebstrap(suite, home, cache):
    repository = offline.Repository(f"{home.folder}/repository", cache, f"{home.store}/native")
    # Its namespace's root has no right to what is this user's alone.
    folder = home.make_folder(f"{home.folder}/mmdebstrap")
    os.chmod(folder, 0o777)
    done = subprocess.run(repository.mmdebstrap(f"{folder}/tree"), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, check=False,
                          cwd=folder, timeout=1800, **home.user.switch(),
                          env={**home.environment(), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    if tap.report(done.returncode == 0, f"{suite}: mmdebstrap", done.stdout[-3000:]):
        compare(f"{suite}: native and mmdebstrap", home, f"{folder}/tree", MMDEBSTRAP)


def compare_suite(suite, source, cache=None):
    """SOURCE: what create needs to get at it. No accounts: mmdebstrap makes none."""
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
    tap.report(check.status == 0, f"{suite}: dpkg finds nothing to complain of", check)
    compare_debootstrap(suite, home, source)
    if LONG and cache:
        tap.note("profile fstests has accounts, which mmdebstrap does not make: not compared")
    else:
        compare_mmdebstrap(suite, home, home.cache)
    home.remove()


# What of a package makes dpkg itself unpack it, and what every archive may look like.
DIVERT = "#!/bin/sh\n[ ! -e /usr/share/odd-divert ] || exit 1\n" \
         "dpkg-divert --package odd-divert --add --rename --divert /usr/bin/attr.real /usr/bin/attr\n"
ODD = {
    "odd-plain": {"suffix": "", "entries": [("./usr/share/odd-plain", b"plain")]},
    "odd-gz": {"suffix": "gz", "entries": [("./usr/share/odd-gz", b"gz")]},
    "odd-xz": {"suffix": "xz", "entries": [("./usr/share/odd-xz", b"xz")]},
    "odd-zst": {"suffix": "zst", "entries": [("./usr/share/odd-zst", b"zst"), ("./usr/share/odd-name "
                                              "\u00e9", b"x"), ("./usr/share/odd-twin", "=> ./usr/share/odd-zst")]},
    "odd-divert": {"scripts": {"preinst": DIVERT}, "entries": [("./usr/share/odd-divert", b"x"),
                                                               ("./usr/bin/attr", b"#!/bin/sh\n")]},
    "odd-replaces": {"fields": "Replaces: acl\n", "entries": [("./usr/bin/chacl", b"replaced")]},
    "odd-conffile": {"scripts": {"conffiles": "/etc/odd.conf\n",
                                 "postinst": "#!/bin/sh\nset -e\ntest -f /etc/odd.conf\ncat /etc/odd.conf "
                                             ">/usr/share/odd-seen\n"},
                     "entries": [("./etc/odd.conf", b"odd")]},
    "odd-trigger": {"scripts": {"triggers": "interest-noawait /usr/share/odd-watched\n", "postinst":
                                "#!/bin/sh\necho \"$@\" >>/var/log/odd-trigger\n"}},
}
ODD_SHELL = r"""set -e
for kind in plain gz xz zst; do test "$(cat /usr/share/odd-$kind)" = $kind; done
test "$(stat -c %i /usr/share/odd-twin)" = "$(stat -c %i /usr/share/odd-zst)"
test -f "/usr/share/odd-name é"; dpkg -S "/usr/share/odd-name é"
test "$(cat /usr/bin/attr)" = '#!/bin/sh'; test -x /usr/bin/attr.real; dpkg -S /usr/bin/attr.real
test "$(cat /usr/bin/chacl)" = replaced; dpkg -S /usr/bin/chacl | grep '^odd-replaces: '
test "$(cat /usr/share/odd-seen)" = odd; test ! -e /etc/odd.conf.dpkg-new
dpkg-query -W -f '${Conffiles}' odd-conffile | grep -q '/etc/odd.conf [0-9a-f]\{32\}'
grep -q '^/usr/share/odd-watched odd-trigger/noawait$' /var/lib/dpkg/triggers/File
test "$(cat /var/log/odd-trigger)" = 'configure '
test ! -e /usr/sbin/policy-rc.d; test ! -e /var/lib/dpkg/rootlet; test ! -e /var/lib/dpkg/tmp.ci
test -s /var/lib/dpkg/info/odd-gz.md5sums; test -z "$(dpkg --audit)"; test -z "$(dpkg --verify odd-gz)"
echo all-of-it"""


def odd_packages(at):
    folder = f"{SCRATCH}/{os.getpid()}.odd"
    packed = [debs.make(f"{folder}.debs", name, mirrors.arch(), **how) for name, how in ODD.items()]
    home = Home()
    with Server(f"{folder}/mirror") as server:
        other = at.with_packages(folder, packed)
        outcome = home.create("--include", ",".join(ODD), "--quiet", server=server, at=other)
    if tap.report(outcome.status == 0, "native: packages that are odd in one way each", outcome):
        seen = home.run("shell", "--", "bash", "-xc", ODD_SHELL)
        tap.report(seen.status == 0 and "all-of-it" in seen.out, "native: compressions, a diversion, a shared "
                   "file, a conffile, a trigger: as with dpkg", seen)
    shutil.rmtree(folder, ignore_errors=True)


def main():
    at = mirror()
    odd_packages(at)
    with Server(at.root) as server:
        compare_suite(mirrors.SUITE, ["--mirror", server.url, "--keyring", at.keyring])
    for suite in ("bookworm", "trixie"):
        if apt.host_source(suite):
            with locked("cache-of-engines"):
                compare_suite(suite, [], shared_cache())
        else:
            tap.skip(f"{suite}: the engines", "the host's apt names no mirror for it")


if not AS_ROOT:
    tap.skip("the engines' trees", "needs root, to read another user's files")
elif not shutil.which("mmdebstrap"):
    tap.report(False, "mmdebstrap is there: apt install mmdebstrap")
else:
    main()
tap.done()
