"""The front end's fetch process: name lookups by its parent, redirects, proxies, https, local mirrors, and
its death at any moment. Each ends with one message and the documented exit status, and leaves nothing
behind."""
import os
import re
import signal
import subprocess

from support import mirror as mirrors
from support import tap, vng
from support.server import Fault, Server
from support.world import (AS_ROOT, BUILD, NOBODY, SCRATCH, Case, Home, Tidy, children, judge, kill, mirror,
                           processes_left, traced, wait_until)

AT = mirror()
FAILED, NETWORK, INTERRUPTED = 1, 4, 130
HIDES = "elsewhere.invalid"  # does not resolve


def create(home, server, *words, what="", status=0, says=(), **more):
    """Runs create from SERVER; returns complaints and the outcome."""
    with Tidy(home) as tidy:
        outcome = home.create("--quiet", *words, server=server, at=AT, **more)
        wrong = judge(Case(what, ["create"], status, says), outcome, home, tidy)
    return wrong, outcome


def hosts_file(home, *names):
    """Returns a command prefix for rootlet under which NAMES resolve to the server's address."""
    home.write("hosts", "127.0.0.1 localhost " + " ".join(names) + "\n")
    return {"before": ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                       f"mount --bind {home.dir}/hosts /etc/hosts && exec setpriv --reuid {home.user.uid} "
                       f'--regid {home.user.gid} --clear-groups "$@"', "sh"], **NOBODY}


def redirects():
    """The parent looks up each new host, and refuses ports that no mirror uses."""
    rows = [
        ("to another name", "localhost", None, 0, []),
        ("to a name in /etc/hosts", "mirror.test", None, 0, []),
        ("to an unknown name", lambda path: f"http://{HIDES}/{path}", None, NETWORK, [HIDES, "resolve"]),
        ("to a port that no mirror uses", "127.0.0.1", 9, NETWORK, ["port 9 of 127.0.0.1"]),
        ("to an invalid name", lambda path: f"http://a%20b/{path}", None, NETWORK, ["malformed"]),
        ("to another scheme", lambda path: f"ftp://127.0.0.1/{path}", None, NETWORK,
         ["neither http nor https"]),
        ("to a local file", lambda path: f"file://{AT.root}/{path}", None, NETWORK,
         ["neither http nor https"]),
        ("to itself", lambda path: f"/{path}", None, NETWORK, ["redirects more than 5 times"]),
        ("to nowhere", lambda path: None, None, NETWORK, ["302"]),
    ]
    for what, to, port, status, says in rows:
        if to == "mirror.test" and not AS_ROOT:
            tap.skip(f"a redirect {what}", "needs root to mount another file over /etc/hosts")
            continue
        home = Home()
        # The other server is the same one under another name: only its port belongs to a mirror.
        with Server(AT.root, [Fault(r"InRelease$|attr_", "redirect", None)]) as server:
            own = server.server_address[1]
            fault = server.faults[0]
            fault.argument = to if callable(to) else once(server, to, port or own)
            wrong, outcome = create(home, server, what=what, status=status, says=says,
                                    **(hosts_file(home, "mirror.test") if to == "mirror.test" else {}))
            there = isinstance(to, str) and f"{to}:{own}" in server.hosts
        tap.report(not wrong and (status or there), f"a redirect {what}: exit status {status}", *wrong,
                   outcome,
                   server.hosts)


def once(server, host, port):
    """Redirects each path to HOST once, where it is served normally."""
    led = set()

    def lead(path):
        led.add(path)
        server.faults = [Fault(f"^(?!{'|'.join(map(re.escape, led))}).*(InRelease$|attr_)", "redirect", lead)]
        return f"http://{host}:{port}/{path}"
    return lead


def proxies():
    """The parent looks up the proxy's name instead of the mirror's."""
    if not AS_ROOT:
        tap.skip("a proxy by its name", "needs root to mount another file over /etc/hosts")
    for name, status, says in (("proxy.test", 0, []), (HIDES, NETWORK, [f"resolve proxy: {HIDES}"])):
        if not AS_ROOT:
            break
        home = Home()
        with Server(AT.root) as server, Tidy(home) as tidy:
            outcome = home.run("create", "--mirror", "http://mirror.invalid/", "--keyring", AT.keyring,
                               "--profile", "test",
                               "--release", mirrors.SUITE, "--fresh", "--quiet",
                               environment={"http_proxy": f"http://{name}:{server.server_address[1]}"},
                               **hosts_file(home, "proxy.test"))
            wrong = judge(Case("", ["create"], status, says), outcome, home, tidy)
        tap.report(not wrong and (status or server.proxied > 50), f"the proxy {name}: exit status {status}",
                   *wrong, outcome)
    home = Home()
    with Server(AT.root) as server:
        wrong, outcome = create(home, server, status=NETWORK, says=["proxy", "malformed"],
                                environment={"all_proxy": "http://[::1"})
    tap.report(not wrong and not server.requests, "a malformed proxy", *wrong, outcome)


def certificate(directory, *more):
    path = f"{directory}/server.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path, "-out",
                    f"{path}.crt",
                    "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", *more],
                   check=True,
                   stderr=subprocess.DEVNULL)
    with open(path, "a", encoding="ascii") as to, open(f"{path}.crt", encoding="ascii") as crt:
        to.write(crt.read())
    os.chmod(f"{path}.crt", 0o644)
    return path


def https():
    """Only the certificates that the environment names are trusted, and the process can read them."""
    home = Home()
    pem = certificate(home.dir)
    for what, environment, status in (("SSL_CERT_FILE", {"SSL_CERT_FILE": f"{pem}.crt"}, 0),
                                      ("CURL_CA_BUNDLE", {"CURL_CA_BUNDLE": f"{pem}.crt"}, 0),
                                      ("the system's certificates", {}, NETWORK)):
        own = Home()
        with Server(AT.root, certificate=pem) as server:
            wrong, outcome = create(own, server, status=status, says=["certificate"] if status else [],
                                    environment=environment)
        tap.report(not wrong, f"https with {what}: exit status {status}", *wrong, outcome)


def local_mirrors():
    """A directory, one reached through links, and one with a space in its name."""
    for name in ("mirror", "a mirror"):
        home = Home()
        directory = home.make_dir(f"{home.dir}/{name}")
        for part in os.listdir(AT.root):
            os.symlink(f"{AT.root}/{part}", f"{directory}/{part}")
        with Tidy(home) as tidy:
            outcome = home.run("create", "--mirror", directory, "--keyring", AT.keyring, "--profile", "test",
                               "--fresh",
                               "--release", mirrors.SUITE, "--quiet")
            wrong = judge(Case("", ["create"], 0), outcome, home, tidy)
        tap.report(not wrong, f'a local mirror "{name}" with links', *wrong, outcome)


def without_landlock():
    if not AS_ROOT:
        tap.skip("create works on a kernel without Landlock",
                 "needs root: newuidmap's setuid bit is ignored under another user's filter")
        return
    home = Home()
    with Server(AT.root) as server:
        wrong, outcome = create(home, server, before=[f"{BUILD}/tests/deny", "landlock", "setpriv",
                                                      "--reuid", home.user.name,
                                                      "--regid", str(home.user.gid), "--clear-groups"],
                                **NOBODY)
    tap.report(not wrong, "create works on a kernel without Landlock", *wrong, outcome)


def fetch_process(front):
    """Returns the front end's child that is not a helper."""
    def find():
        for pid in children(front.pid):
            try:
                if os.readlink(f"/proc/{pid}/exe").endswith("/rootlet") and parent_of(pid) == front.pid:
                    return pid
            except OSError:
                continue
        return None
    return wait_until(find, 10)


def parent_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[1])


STAGES = {
    "asking for InRelease": Fault("InRelease$", "stall", 10),
    "downloading package lists": Fault("(Packages|by-hash)", "stall", 10),
    "downloading packages": Fault(r"/dpkg_[^/]*\.deb$", "stall", 1000),
}
ENDS = {
    "kill -9 of the fetch process":
        (lambda front, fetch: kill(fetch), FAILED, ["fetch process was killed", "signal 9"]),
    "kill -9 of the front end": (lambda front, fetch: kill(front.pid), -signal.SIGKILL, []),
    "Ctrl-C": (lambda front, fetch: kill(front.pid, signal.SIGINT), INTERRUPTED, ["interrupted"]),
    "Ctrl-C of the whole terminal":
        (lambda front, fetch: os.killpg(front.pid, signal.SIGINT), INTERRUPTED, ["interrupted"]),
}


def ends():
    if not AS_ROOT:
        tap.skip("death of the fetch process", "needs root to inspect a process that is not dumpable")
        return
    for stage, fault in STAGES.items():
        for what, (strike, status, says) in ENDS.items():
            home = Home()
            with Server(AT.root, [fault]) as server, Tidy(home) as tidy:
                front = home.start("create", "--fresh", "--release", mirrors.SUITE, "--profile", "test",
                                   "--mirror",
                                   server.url, "--keyring", AT.keyring, "--quiet", start_new_session=True)
                reached = server.wait_for(fault.pattern)
                fetch = fetch_process(front)
                if fetch and reached:
                    strike(front, fetch)
                else:
                    front.kill()
                _, err = front.communicate(timeout=60)
                err = err.decode(errors="replace")
                wrong = [f"does not say: {pattern}" for pattern in says if not re.search(pattern, err)]
                wrong += [f"still runs: {line}" for line in processes_left(60)]
                if status == -signal.SIGKILL:
                    home.run("list")
                wrong += tidy.complaints()
                names = os.listdir(home.store) if os.path.isdir(home.store) else []
                parts = [name for where, _, files in os.walk(f"{home.cache}/rootlet") for name in files
                         if re.fullmatch(r"\.\w{6}\.part", name)]
            tap.report(fetch and reached and front.returncode == status and not wrong and not names and
                       (not parts or "kill" in what), f"{what} while {stage}: exit status {status}", *wrong,
                       front.returncode,
                       err, names, parts)


def kernel_seen():
    """The process that unpacks a kernel has never talked to the mirror."""
    if not AS_ROOT:
        tap.skip("strace of unpacking a kernel",
                 "needs root: newuidmap's setuid bit is ignored under another user's strace")
        return
    home, path = Home(), f"{SCRATCH}/{os.getpid()}.kernel-trace"
    directory = f"{home.dir}/at"
    at = AT.with_packages(directory, vng.toy_packages(f"{directory}.debs"))
    os.chmod(home.write("bin/vng", "#!/bin/sh\necho exit 0 >/mnt/status\n"), 0o755)
    with Server(at.root) as server:
        made = home.create("--quiet", server=server, at=at)
        outcome = home.run("run", "--kernel", "distro", "--keyring", at.keyring, "--root-transport", "image",
                           "--", "true",
                           **traced(home, "-o", path, "-e", "trace=connect,openat,mkdirat"),
                           environment={"PATH": f"{home.dir}/bin:/usr/bin:/bin"})
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = [line.split(None, 1) for line in file]
    connects = {pid for pid, call in lines if call.startswith("connect(") and "AF_INET" in call}
    unpacks = {pid for pid, call in lines if re.match(r'openat\(\d+, "vmlinuz", .*O_CREAT', call)}
    tap.report(made.status == outcome.status == 0 and len(connects) == len(unpacks) == 1 and
               not connects & unpacks,
               "the process that unpacks a kernel has never talked to the mirror", outcome, connects, unpacks)


redirects()
proxies()
https()
local_mirrors()
without_landlock()
ends()
kernel_seen()
tap.done()
