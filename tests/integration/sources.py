"""Mirrors that do not answer, answer wrongly, or serve altered files: rootlet prints one message, exits with
the documented status, and leaves no rootfs and no other trace."""
import datetime
import fcntl
import hashlib
import os
import re

from support import mirror as mirrors
from support import sums, tap, vng
from support.protocol import opened
from support.server import Fault, Server
from support.world import AS_ROOT, NOBODY, Case, Home, Tidy, judge, mirror

AT = mirror()
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)

TRUST, NETWORK = 3, 4


def altered(data):
    """Changes one byte in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1:]


def release(pocket="", **changes):
    """Returns the pocket's InRelease, with other fields, signed again."""
    return Fault(f"^dists/{mirrors.pocket_suite(pocket)}/InRelease$", "body",
                 AT.inrelease(pocket, **changes))


def unsigned(data):
    text = data.decode()
    start = text.index("\n\n") + 2
    return text[start:text.index("-----BEGIN PGP SIGNATURE")].encode()


def with_text_before(data):
    """Text outside the signed part must not count."""
    return b"Origin: Ubuntu\nSHA256:\n 00 1 main/binary-amd64/Packages\n\n" + data


INRELEASE = r"^dists/jammy/InRelease$"
PACKAGES = r"^dists/jammy/main/binary-\w+/(Packages|by-hash/)"
DEB = r"/attr_[^/]*\.deb$"


class Row:
    def __init__(self, what, status, says, *faults, words=()):
        self.faults, self.words = faults, list(words)
        self.case = Case(what, ["create"], status, says)


ROWS = [
    Row("InRelease: 404", NETWORK, ["404", "InRelease"], Fault("", "status", 404)),
    Row("InRelease: 500", NETWORK, ["500"], Fault("", "status", 500)),
    Row("InRelease: 403", NETWORK, ["403"], Fault("", "status", 403)),
    Row("InRelease: empty", TRUST, "InRelease", Fault(INRELEASE, "body", b"")),
    Row("InRelease: an HTML page", TRUST, "InRelease",
        Fault(INRELEASE, "body", b"<html>Please log in</html>")),
    Row("InRelease: without a signature", TRUST, "signature|signed",
        Fault(INRELEASE, "body", unsigned)),
    Row("InRelease: altered", TRUST, "signature", Fault(INRELEASE, "body", altered)),
    Row("InRelease: truncated", TRUST, "signature|signed",
        Fault(INRELEASE, "body", lambda data: data[:len(data) // 2])),
    Row("InRelease: signed by another key", TRUST, "signature|key", release(key="other")),
    Row("InRelease: text before the signed part", TRUST, "signature|signed|InRelease",
        Fault(INRELEASE, "body", with_text_before)),
    Row("InRelease: 300 MB", TRUST, "InRelease",
        Fault(INRELEASE, "body", lambda data: data + b"\n" * (300 << 20))),
    Row("Release: expired", TRUST, "expired|valid", release(Valid_Until=mirrors.date(NOW - DAY))),
    Row("Release: expired in a pocket", TRUST, "expired|valid",
        release("security", Valid_Until=mirrors.date(NOW - DAY))),
    Row("Release: dated in the future", TRUST, "future|date", release(Date=mirrors.date(NOW + 30 * DAY))),
    Row("Release: for another release", TRUST, "codename|suite|release",
        release(Codename="noble", Suite="noble")),
    Row("Release: a pocket's file instead of the main one", TRUST, "suite|pocket|release",
        Fault(INRELEASE, "body", AT.inrelease("updates", Codename="jammy-updates"))),
    Row("Release: an altered pocket", TRUST, "signature",
        Fault("^dists/jammy-security/InRelease", "body", altered)),
    Row("Release: a missing component", 2, "nosuch", words=["--components", "main,nosuch"]),
    Row("Packages: altered", TRUST, "hash|differ|sha256|size", Fault(PACKAGES, "body", altered)),
    Row("Packages: truncated by the mirror", TRUST, "hash|differ|sha256|size|bytes",
        Fault(PACKAGES, "body", lambda data: data[:-20])),
    Row("Packages: connection breaks", NETWORK, "Packages", Fault(PACKAGES, "truncate", 1000)),
    Row("Packages: 404", NETWORK, ["404", "Packages"], Fault(PACKAGES, "status", 404)),
    Row("Packages: empty", TRUST, "Packages", Fault(PACKAGES, "body", b"")),
    Row(".deb: altered", TRUST, ["attr", "hash|differ|sha256"], Fault(DEB, "body", altered)),
    Row(".deb: truncated by the mirror", TRUST, ["attr", "hash|differ|sha256|size|bytes"],
        Fault(DEB, "body", lambda data: data[:-1])),
    Row(".deb: longer than the index says", TRUST, ["attr", "hash|differ|sha256|size|bytes"],
        Fault(DEB, "body", lambda data: data + b"x")),
    Row(".deb: connection breaks", NETWORK, "attr", Fault(DEB, "truncate", 100)),
    Row(".deb: 404", NETWORK, ["404", "attr"], Fault(DEB, "status", 404)),
    Row("a component that lacks a needed package", 2, "attr", words=["--components", "main"]),
    Row("a package missing from every index", 2, "nosuchpackage", words=["--include", "nosuchpackage"]),
]


def play_row(row, home):
    with Server(AT.root, row.faults) as server, Tidy(home) as tidy:
        outcome = home.create(*row.words, server=server, at=AT, seconds=300)
        wrong = judge(row.case, outcome, home, tidy)
    if os.path.lexists(f"{home.store}/test-rootfs"):
        wrong.append("a rootfs exists")
    tap.report(not wrong, row.case.what, *wrong, outcome)


def check_architectures():
    """An architecture that the host cannot run is refused before any request to the mirror; one that the
    mirror does not have is refused by its index. The entries are binfmt_misc's on such hosts."""
    home = Home()
    enabled = "enabled\ninterpreter /usr/bin/qemu-riscv64-static\nflags: {}\noffset 0\nmagic 7f454c46\n"
    rows = [("that the host cannot run", None, 5, "qemu-user-static"),
            ("that works only in the host's root", enabled.format("OC"), 5, "flag F"),
            ("that is switched off", enabled.format("F").replace("enabled", "disabled"), 5, "enabled"),
            ("that the mirror does not have", enabled.format("OCF"), 2, "riscv64.*--arch")]
    if not AS_ROOT:
        tap.skip("an architecture of another host", "needs root to mount other files over binfmt_misc's")
        return
    for number, (what, entry, status, says) in enumerate(rows):
        directory = home.make_dir(f"{home.dir}/binfmt.{number}")
        if entry:
            home.write(f"binfmt.{number}/qemu-riscv64", entry)
        before = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                  f"mount --bind {directory} /proc/sys/fs/binfmt_misc && "
                  f"exec setpriv --reuid {home.user.uid} "
                  f'--regid {home.user.gid} --clear-groups "$@"', "sh"]
        for more in ([], ["--dry-run"]):
            with Server(AT.root) as server, Tidy(home) as tidy:
                outcome = home.create("--arch", "riscv64", *more, server=server, at=AT, before=before,
                                      **NOBODY)
                wrong = judge(Case("", ["create", *more], status, says), outcome, home, tidy)
            tap.report(not wrong and bool(server.requests) == (status == 2),
                       f"an architecture {what}{': dry run' if more else ''}", *wrong, server.requests,
                       outcome)


def check_no_answer():
    home = Home()
    with Server(AT.root) as server:
        url = server.url
    with Tidy(home) as tidy:
        outcome = home.run("create", "--mirror", url, "--keyring", AT.keyring, "--profile", "test")
        wrong = judge(Case("", ["create"], NETWORK, ["127.0.0.1", "connect|answer"]), outcome, home,
                      tidy)
    tap.report(not wrong, "a mirror that refuses connections", *wrong, outcome)
    outcome = home.run("create", "--mirror", url, "--keyring", AT.keyring, "--profile", "test", "--json")
    told = [line for line in outcome.out.splitlines() if '"progress"' in line]
    tap.report(told and len(told) == len(set(told)),
               "a mirror that refuses connections: no event is told twice", outcome)
    with Tidy(home) as tidy:
        outcome = home.run("create", "--mirror", "http://mirror.invalid/ubuntu", "--keyring",
                           AT.keyring, "--profile", "test")
        wrong = judge(Case("", ["create"], NETWORK, "mirror.invalid"), outcome, home, tidy)
    tap.report(not wrong, "a mirror with an unknown host name", *wrong, outcome)


def check_stall():
    home = Home()
    with Server(AT.root, [Fault(INRELEASE, "stall", 100)]) as server, Tidy(home) as tidy:
        outcome = home.create(server=server, at=AT, seconds=400)
        wrong = judge(Case("", ["create"], NETWORK), outcome, home, tidy)
    tap.report(not wrong, "a mirror that stops sending", *wrong, outcome)


def check_retries():
    """Requests that fail temporarily are retried, and the number of parallel requests is limited."""
    faults = [Fault(INRELEASE, "status", 503, times=1), Fault(PACKAGES, "truncate", 500, times=1),
              Fault(DEB, "status", 500, times=2), Fault(r"/acl_[^/]*\.deb$", "body", altered, times=1)]
    home = Home()
    with Server(AT.root, faults) as server, Tidy(home) as tidy:
        outcome = home.create("--quiet", server=server, at=AT)
        wrong = judge(Case("", ["create"], 0), outcome, home, tidy)
    asked = [path for path in server.requests if "/attr_" in path]
    tap.report(not wrong, "a mirror that fails temporarily", *wrong, outcome)
    tap.report(len(asked) == 3, "a failed download is retried", *asked)
    tap.report(2 <= server.most <= 8, "downloads run in parallel, with a limit per host",
               server.most)
    names = [name for _, _, files in os.walk(f"{home.cache}/rootlet") for name in files
             if re.fullmatch("[0-9a-f]{64}", name)]
    tap.report(len(names) > 50, "the cache stores packages by hash", names[:3])
    for where, _, files in os.walk(f"{home.cache}/rootlet"):
        # Files in solv/ are named after the hash of their source.
        for name in set(files) & set(names) if not where.endswith("/solv") else ():
            with open(f"{where}/{name}", "rb") as file:
                if hashlib.sha256(file.read()).hexdigest() != name:
                    tap.report(False, f"{name} in the cache has another hash")
    spoil_cache(home, names)


def spoil_cache(home, names):
    """Damaged files in the cache are downloaded again."""
    for where, _, files in os.walk(f"{home.cache}/rootlet"):
        for name in set(files) & set(names[::10]):
            with open(f"{where}/{name}", "r+b") as file:
                file.write(b"spoilt")
    with Server(AT.root) as server, Tidy(home) as tidy:
        outcome = home.create("--force", "--quiet", server=server, at=AT)
        wrong = judge(Case("", ["create"], 0), outcome, home, tidy)
    tap.report(not wrong and any(not path.endswith("/InRelease") for path in server.requests),
               "damaged files in the cache are downloaded again", *wrong, server.requests, outcome)


def check_proxy():
    """The mirror's name does not exist, so only the proxy can answer."""
    home = Home()
    with Server(AT.root) as server, Tidy(home) as tidy:
        outcome = home.run("create", "--mirror", "http://mirror.invalid/", "--keyring", AT.keyring,
                           "--profile", "test", "--quiet", environment={"http_proxy": server.url})
        wrong = judge(Case("", ["create"], 0), outcome, home, tidy)
    tap.report(not wrong and server.proxied == len(server.requests) > 50,
               "http_proxy is used for everything", *wrong, server.proxied, outcome)
    with Server(AT.root, [Fault("", "status", 407)]) as server, Tidy(home) as tidy:
        outcome = home.run("create", "--name", "other", "--mirror", "http://mirror.invalid/",
                           "--keyring", AT.keyring, "--profile", "test",
                           environment={"http_proxy": server.url})
        wrong = judge(Case("", ["create"], NETWORK, "proxy"), outcome, home, tidy)
    tap.report(not wrong, "a proxy that requires a password", *wrong, outcome)


def check_proxies_for_others():
    """https_proxy is separate, and hosts in no_proxy use no proxy."""
    home = Home()
    with Server(AT.root) as server, Tidy(home) as tidy:
        outcome = home.run("create", "--mirror", "https://mirror.invalid/", "--keyring", AT.keyring,
                           "--profile", "test", environment={"https_proxy": server.url})
        wrong = judge(Case("", ["create"], NETWORK, "mirror.invalid"), outcome, home, tidy)
    tap.report(not wrong and "mirror.invalid:443" in server.tunnels and not server.requests,
               "https_proxy is asked for a tunnel", *wrong, server.tunnels, outcome)
    with Server(AT.root, [Fault("", "status", 404)]) as server, Tidy(home) as tidy:
        outcome = home.create(server=server, at=AT, environment={
            "http_proxy": "http://127.0.0.1:9/", "no_proxy": "elsewhere.invalid,127.0.0.1"})
        wrong = judge(Case("", ["create"], NETWORK, "404"), outcome, home, tidy)
    tap.report(not wrong and server.requests and not server.proxied, "no_proxy bypasses the proxy", *wrong,
               outcome)


OLDER_WORDS = ["create", "--release", mirrors.SUITE, "--profile", "test", "--keyring", AT.keyring]


def check_older():
    """A release file older than one seen before: requested again, refused, accepted with an option."""
    home, then = Home(), NOW - 3 * DAY
    old = release(Date=mirrors.date(then), Valid_Until=None)
    seen = home.state("releases")
    with Server(AT.root) as server:
        def dry_run(*words, url=server.url, **more):
            return home.run(*OLDER_WORDS, "--dry-run", "--mirror", url, *words, **more)

        first = dry_run()
        tap.report(first.status == 0 and os.stat(seen).st_mode & 0o777 == 0o600,
                   "the newest release files are remembered", first)
        newest = re.search(r"^Date: (.*)$", AT.released(), re.M).group(1)
        server.faults = [old]
        del server.requests[:]
        with Tidy(home) as tidy:
            outcome = home.create(server=server, at=AT)
            wrong = judge(Case("", ["create"], TRUST, [re.escape(mirrors.date(then)), re.escape(newest),
                                                       "--allow-older-release"]), outcome, home, tidy)
        asked = len([path for path in server.requests if re.search(INRELEASE, path)])
        tap.report(not wrong and asked == 3,
                   "an older release file is requested twice more, then refused with both dates", *wrong,
                   asked, outcome)
        again = dry_run(url=f"http://someone:secret@{server.url[7:]}//")
        tap.report(again.status == TRUST, "an older release file is refused however the mirror is spelled",
                   again)
        with open(seen, encoding="ascii") as file:
            tap.report("secret" not in file.read().replace("\0", ""), "passwords are not remembered")
        accepted, after = dry_run("--allow-older-release"), dry_run()
        tap.report(accepted.status == 0 and after.status == TRUST,
                   "an older release file: --allow-older-release accepts it once", accepted, after)
        server.faults = [Fault(INRELEASE, "body", old.argument, times=1)]
        outcome = dry_run()
        tap.report(outcome.status == 0, "an older release file: the next one is current and is accepted",
                   outcome)
        check_memories(home, seen, dry_run)
    with Server(AT.root, [old]) as other:
        outcome = home.run(*OLDER_WORDS, "--dry-run", "--mirror", other.url)
        tap.report(outcome.status == 0, "an older release file: each mirror has its own dates", outcome)


def check_memories(home, seen, dry_run):
    """Problems with the file that stores the dates."""
    with open(seen, "rb") as file:
        data = file.read()
    for what, content, status in (("damaged", b"x" * len(data), 5), ("too long", data + bytes(2 << 20), 5),
                                  ("cut short", data[:len(data) // 2 - 100], 0), ("whole", data, 0)):
        home.write("state/rootlet/releases", content)
        outcome = dry_run()
        tap.report(outcome.status == status and (not status or f"rm {seen}" in outcome.err),
                   f"a release memory that is {what}: exit status {status}", outcome)
    home.write("state/rootlet/releases", data)
    with open(seen, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        outcome = dry_run()
    tap.report(outcome.status == 6 and "locked" in outcome.err,
               "a release memory locked by another process", outcome)
    home.write("elsewhere", data)
    os.unlink(seen)
    os.symlink(f"{home.dir}/elsewhere", seen)
    outcome = home.run(*OLDER_WORDS, "--dry-run", "--mirror", f"file://{AT.root}")
    with open(f"{home.dir}/elsewhere", "rb") as file:
        tap.report(outcome.status == 0 and file.read() == data,
                   "a release memory that is a link is not followed", outcome)
    os.unlink(seen)
    home.write("state/rootlet/releases", data)


def check_back_off():
    """The delays between attempts are 0.5, 1 and 2 seconds, plus up to half a second."""
    home = Home()
    with Server(AT.root, [Fault(INRELEASE, "status", 503)]) as server, Tidy(home) as tidy:
        outcome = home.create(server=server, at=AT)
        wrong = judge(Case("", ["create"], NETWORK, "503"), outcome, home, tidy)
        asked = [when for when, path in zip(server.times, server.requests) if re.search(INRELEASE, path)]
    waits = [later - before for before, later in zip(asked, asked[1:])]
    tap.report(not wrong and len(waits) == 3 and all(wait >= 0.5 * 2 ** i for i, wait in enumerate(waits)),
               "a busy mirror is retried after 0.5, 1 and 2 seconds", *wrong, waits, outcome)


def check_local_words():
    """Wrong --mirror and --keyring."""
    for what, words, status, *says in (
            ("a directory that is not a mirror", ["--mirror", "/var/tmp", "--keyring", AT.keyring], NETWORK,
             "dists and pool"),
            ("ftp", ["--mirror", "ftp://127.0.0.1/x"], 2),
            ("a relative path", ["--mirror", "some/where"], 2, "some/where"),
            ("a query", ["--mirror", "http://127.0.0.1/?x"], 2),
            ("a newline", ["--mirror", "http://127.0.0.1/\nx"], 2),
            ("a missing keyring", ["--keyring", "/no/such"], 2, "/usr/share/keyrings/")):
        home = Home()
        with Tidy(home) as tidy:
            outcome = home.run("create", "--profile", "test", *words)
            wrong = judge(Case("", ["create"], status, says), outcome, home, tidy)
        tap.report(not wrong, f"mirror or keyring: {what}", *wrong, outcome)
    home = Home()
    with Server(AT.root) as server, Tidy(home) as tidy:
        bad = home.write("bad.gpg", "no keyring at all")
        outcome = home.run("create", "--profile", "test", "--mirror", server.url, "--keyring", bad)
        wrong = judge(Case("", ["create"], TRUST), outcome, home, tidy)
    tap.report(not wrong, "a file that is not a keyring", *wrong, outcome)


def check_kernel():
    """The kernel for a rootfs comes from the mirror of that rootfs, but the keys come from the command line:
    programs in the rootfs could have changed what it says about keys."""
    home = Home()
    with Server(AT.root) as server:
        made = home.create(server=server, at=AT)
        words = ["run", "--kernel", "distro", "--quiet"]
        own, others = (home.run(*words, *more, "--", "true") for more in (["--keyring", AT.keyring], []))
        home.write(".cache/rootlet/kernels/1/boot/vmlinuz", "none")
        sums.write(f"{home.cache}/rootlet/kernels/1")
        os.symlink("1", f"{home.cache}/rootlet/kernels/jammy-{mirrors.arch()}")
        fetched, kept = (home.run(*words, *more, "--", "true") for more in (["--keyring", AT.keyring], []))
    # The mirror has no kernel; rootlet notices that only after the signature is verified.
    tap.report(made.status == 0 and own.status and "linux-image-virtual" in own.err and others.status and
               "linux-image-virtual" not in others.err and "key" in others.err,
               "run --kernel distro: signatures are checked against --keyring", made, own, others)
    tap.report("kernels/1/" in kept.err and fetched.status and "linux-image-virtual" in fetched.err,
               "run --kernel distro: a cached kernel is not used with other keys", fetched, kept)


TOY = vng.TOY

KERNEL_DAMAGES = {
    "nothing": lambda at: None,
    "a bit of it": lambda at: sums.flip(f"{at}/boot/vmlinuz"),
    "a bit of a module": lambda at: sums.flip(f"{at}/lib/modules/{TOY}/kernel/toy.ko"),
    "all of its sums": lambda at: os.unlink(f"{at}/.sums"),
    "a link": lambda at: (os.unlink(f"{at}/usr/lib"), os.symlink("../lob", f"{at}/usr/lib")),
}


def check_kernel_again():
    """A damaged kernel in the cache is replaced; a run that uses it keeps the old one."""
    home = Home()
    directory, kernels = f"{home.dir}/at", f"{home.cache}/rootlet/kernels"
    kernel = f"{kernels}/{TOY}_1"
    at = AT.with_packages(directory, vng.toy_packages(f"{directory}.debs"))
    os.chmod(home.write("bin/vng", "#!/bin/sh\necho exit 0 >/mnt/status\n"), 0o755)
    with Server(at.root) as server:
        made = home.create(server=server, at=at)

        def run():
            return home.run("run", "--kernel", "distro", "--keyring", at.keyring, "--root-transport",
                            "image", "--",
                            "true", environment={"PATH": f"{home.dir}/bin:/usr/bin:/bin"})

        first = run()
        kernel = next((f"{kernels}/{name}" for name in os.listdir(kernels) if name.startswith(f"{TOY}_1")),
                      kernel)
        tap.report(made.status == 0 and first.status == 0 and os.path.exists(f"{kernel}/.sums"),
                   "run --kernel distro: a kernel is downloaded and cached with its checksums", made, first,
                   os.listdir(kernels))
        for what, damage in KERNEL_DAMAGES.items():
            with opened(kernel) as (before,):  # while it is open, its inode number is not reused
                damage(kernel)
                outcome, verify = run(), home.run("cache", "verify")
                same = os.path.samestat(os.fstat(before), os.stat(kernel))
            tap.report(outcome.status == verify.status == 0 and (
                       same if what == "nothing" else
                       not same and "the kernel in the cache is damaged, " in outcome.err),
                       f"run --kernel distro: with damage to {what}, the kernel is "
                       + ("used" if what == "nothing" else "replaced"), outcome, verify)
        used = os.open(f"{kernel}/lib", os.O_RDONLY | os.O_DIRECTORY)
        lock = os.open(kernel, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_SH)
        sums.flip(f"{kernel}/boot/vmlinuz")
        outcome = run()
        tap.report(outcome.status == 0 and os.listdir(used) and
                   os.fstat(lock).st_ino != os.stat(kernel).st_ino,
                   "a kernel that is replaced during a run stays for that run", outcome)
        os.close(lock)
        outcome = run()
        tap.report(outcome.status == 0 and not os.listdir(used) and
                   not [name for name in os.listdir(kernels) if name.startswith(".")],
                   "a replaced kernel is removed after the run that used it", outcome, os.listdir(kernels))
        os.close(used)


shared_cache = Home()
for one in ROWS:
    # All share one cache: good files stay, and bad files must never get into it.
    play_row(one, Home(cache=shared_cache.cache))
check_architectures()
check_no_answer()
check_retries()
check_proxy()
check_proxies_for_others()
check_back_off()
check_older()
check_local_words()
check_kernel()
check_kernel_again()
check_stall()
tap.done()
