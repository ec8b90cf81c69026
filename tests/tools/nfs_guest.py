"""integration/cluster_nfs.py runs this in its guest as root: nfs_guest.py SHARE SEED

The guest's kernel exports two directories to two clients, each in a network namespace of its own: an NFS
client has its connection, its superblock and its caches per network namespace, like a machine. Clients have
the default mount options, so they remember names and times for up to a minute."""
import contextlib
import os
import re
import subprocess
import sys
import time

from support import hammer, tap

SHARE, SEED = sys.argv[1], int(sys.argv[2])
HAMMER = f"{SHARE}/claims_hammer"
CLIENTS = ("a", "b")
# The inodes of the second one have no room for more than whole seconds: two changes often have the same time.
EXPORTS = {"fine": [], "coarse": ["-I", "128"]}
# Options, and the root of the paths.
VERSIONS = {"3": ("vers=3,nolock,mountproto=tcp", "/export"), "4.2": ("vers=4.2", "")}
BATCHES = 60


def run(*words, **more):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          **more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit status {done.returncode}: {done.stdout}")
    return done.stdout


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def serve():
    for module in ("loop", "ext4", "nfsd", "nfs", "nfsv3", "nfsv4", "veth", "sch_netem"):
        run("modprobe", module)
    # The root of what version 4 sees: the guest's own root cannot be exported.
    os.makedirs("/export")
    run("mount", "-t", "tmpfs", "tmpfs", "/export")
    lines = ["/export *(ro,no_subtree_check,insecure,fsid=0)\n"]
    for number, (name, words) in enumerate(EXPORTS.items()):
        run("truncate", "-s", "256M", f"/tmp/{name}.img")
        run("mkfs.ext4", "-q", *words, f"/tmp/{name}.img")
        os.makedirs(f"/export/{name}")
        run("mount", "-o", "loop", f"/tmp/{name}.img", f"/export/{name}")
        lines.append(f"/export/{name} *(rw,async,no_root_squash,no_subtree_check,insecure,"
                     f"fsid={number + 1})\n")
    write("/etc/exports", "".join(lines))
    os.makedirs("/run/rpc_pipefs", exist_ok=True)
    run("mount", "-t", "rpc_pipefs", "rpc_pipefs", "/run/rpc_pipefs")
    run("mount", "-t", "nfsd", "nfsd", "/proc/fs/nfsd")
    run("rpcbind", "-w")
    run("nfsdcld")
    write("/proc/fs/nfsd/nfsv4leasetime", "10")
    write("/proc/fs/nfsd/nfsv4gracetime", "10")
    run("exportfs", "-ra")
    run("rpc.nfsd", "4")
    run("rpc.mountd")


def connect():
    for number, name in enumerate(CLIENTS):
        net = f"10.9.{number}"
        run("ip", "netns", "add", name)
        run("ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "address", "add", f"{net}.1/24", "dev", f"to-{name}")
        run("ip", "link", "set", f"to-{name}", "up")
        run("ip", "-n", name, "address", "add", f"{net}.2/24", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        run("ip", "-n", name, "link", "set", "lo", "up")
        for export in EXPORTS:
            for version, (options, root) in VERSIONS.items():
                at = place(name, version, export)
                os.makedirs(at)
                # In this mount namespace, with the network and the host name of the client: version 4
                # servers tell clients apart by their host names.
                run("nsenter", f"--net=/run/netns/{name}", "unshare", "--uts", "sh", "-c",
                    f"hostname client-{name} && mount -t nfs -o {options} {net}.1:{root}/{export} {at}")


def place(client, version, export="fine", *more):
    return "/".join((f"/mnt/{client}-{version}-{export}", *more))


def steps(*words):
    """Returns what a step printed, without the number of renames that missed."""
    return run(HAMMER, *map(str, words)).rpartition("\n")[0].rpartition("\n")[0].strip()


def fresh(name, export):
    os.makedirs(f"/export/{export}/{name}")
    return name


# --- requests that are repeated ------------------------------------------------------------------


@contextlib.contextmanager
def replies_lost():
    """Inside, the clients' requests still arrive, and the replies do not. At the end the server restarts and
    forgets which requests it has seen, and the clients repeat those that have no reply."""
    for client in CLIENTS:
        run("tc", "qdisc", "replace", "dev", f"to-{client}", "root", "netem", "loss", "100%")
    yield
    run("rpc.nfsd", "0")
    # Otherwise the old connection would deliver the replies after all.
    for client in CLIENTS:
        run("ip", "netns", "exec", client, "ss", "-K", "dport", "=", "2049")
        run("tc", "qdisc", "del", "dev", f"to-{client}", "root")
    run("rpc.nfsd", "4")
    # Until then, clients of version 4 may only reclaim what they had. EBUSY: it has ended.
    with contextlib.suppress(OSError):
        write("/proc/fs/nfsd/v4_end_grace", "Y")


def restart():
    with replies_lost():
        time.sleep(0.2)


def wait_for(path):
    """Waits until the server has the file; it is local here."""
    end = time.monotonic() + 10
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.02)


def repeated(version):
    """A move is made, its reply lost, and made again."""
    name = fresh(f"repeated-{version}", "fine")
    server, at = f"/export/fine/{name}", place("a", version, "fine", name)
    run(HAMMER, "make", at)
    for number, (what, words, expected, file) in enumerate((
            ("take", ("take", at, "t"), "0 1 0 t", "claims/000000.g1.l0.t"),
            ("return", ("return", at, 0, 1, 0, "t"), "1", "queue/000000.g2.l0"),
            (None, ("take", at, "u"), None, None),
            ("finish", ("finish", at, 0, 2, 0, "u"), "1", "done/000000.g2.l0.u"),
            ("publish", ("publish", at, "p"), "0", "queue/all"))):
        if not what:
            steps(*words)
            continue
        gate = f"/tmp/gate-{version}-{number}"
        os.makedirs(gate)
        process = subprocess.Popen([HAMMER, *map(str, words)], stdout=subprocess.PIPE, text=True,
                                   env={"HAMMER_GATE": gate})
        wait_for(f"{gate}/here")
        with replies_lost():
            write(f"{gate}/open", "")
            wait_for(f"{server}/{file}")
        said = process.communicate()[0].split("\n")
        tap.report(said[:1] == [expected] and "1 missed" in said,
                   f"version {version}: {what} succeeds, though the repeated rename fails", said)


# --- what clients remember -----------------------------------------------------------------------


def leases(version):
    """A holder may remember the name of its lease for a minute."""
    name = fresh(f"lease-{version}", "fine")
    server, (a, b) = f"/export/fine/{name}", (place(client, version, "fine", name) for client in CLIENTS)
    run(HAMMER, "make", a)

    def abandon():
        one, = (file for file in os.listdir(server) if file.startswith("watcher."))
        os.utime(f"{server}/{one}", (1, 1))

    with subprocess.Popen([HAMMER, "lease", a, "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as holder:
        def renew():
            holder.stdin.write("x")
            holder.stdin.flush()
            return holder.stdout.readline().strip()

        said = holder.stdout.readline().strip()
        tap.report(said.startswith("held: watcher."), f"version {version}: a client takes the lease", said)
        said = renew()
        tap.report(said.startswith("held: watcher."), f"version {version}: it renews the lease", said)
        said = steps("lease", b)
        tap.report(said.startswith("busy: process "), f"version {version}: another client is refused", said)
        abandon()
        taken = steps("lease", b)
        tap.report(taken.startswith("held: "), f"version {version}: it takes a lease that is abandoned",
                   taken)
        said = renew()
        tap.report(said == "busy: another process watches this run now",
                   f"version {version}: the holder learns that at once", said)
        holder.stdin.close()
    wrong = []
    for _ in range(5):
        abandon()
        both = [subprocess.Popen([HAMMER, "lease", at], stdout=subprocess.PIPE, text=True) for at in (a, b)]
        said = [process.communicate()[0].partition(":")[0] for process in both]
        wrong += [said] if sorted(said) != ["busy", "held"] else []
    tap.report(not wrong, f"version {version}: of two clients at once, one takes the lease", *wrong)


def same_second(version):
    """A batch goes back in the second in which the other client has just looked. The guest sets its clock, so
    that this does not take luck."""
    name = fresh(f"second-{version}", "coarse")
    server = f"/export/coarse/{name}"
    a, b = (place(client, version, "coarse", name) for client in CLIENTS)
    run(HAMMER, "make", a)
    second, generation, same, wrong = int(time.time()), 1, 0, []
    while same < 3 and generation < 20:
        steps("take", b, "t")
        second += 10
        time.clock_settime(time.CLOCK_REALTIME, second)
        empty = steps("list", a, 0)
        looked = os.stat(f"{server}/queue").st_ctime
        time.clock_settime(time.CLOCK_REALTIME, second)
        steps("return", b, 0, generation, 0, "t")
        generation += 1
        same += os.stat(f"{server}/queue").st_ctime == looked
        listed = steps("list", a, 0)
        if empty or listed != f"0 {generation} 0":
            wrong.append(f"{empty!r}, then {listed!r}, not generation {generation}")
    tap.report(same == 3 and not wrong,
               f"version {version}: a batch shows that went back in the same second", same, *wrong)


# --- all at once ---------------------------------------------------------------------------------


def storm(version):
    name = fresh(f"storm-{version}", "fine")
    one = hammer.Hammer(HAMMER, f"/export/fine/{name}",
                        [place(client, version, "fine", name) for client in CLIENTS],
                        f"/tmp/logs-{version}", BATCHES, SEED, 3)
    began = time.monotonic()
    wrong = one.run(kills=3, disturb=[restart] * 3)
    tap.note(f"version {version}: {BATCHES} batches in {time.monotonic() - began:.1f} s; "
             f"{one.recovered()} renames had succeeded although they reported ENOENT")
    tap.report(not wrong, f"version {version}: each batch is in one place and finished once",
               f"seed {SEED}", *wrong, *one.said)


def requests(version):
    """Returns how many requests client a has made of its mounts of that version."""
    with open("/proc/self/mountstats", encoding="ascii") as file:
        parts = file.read().split("\ndevice ")
    return sum(int(number) for part in parts if f" mounted on {place('a', version)} " in part
               for number in re.findall(r"^\s+[A-Z_0-9]+: (\d+) ", part, re.M))


def calm(version):
    """What a claim costs: one client, one process, nothing else."""
    name, count = fresh(f"calm-{version}", "fine"), 40
    at = place("a", version, "fine", name)
    run(HAMMER, "make", at)
    os.makedirs("/tmp/logs", exist_ok=True)
    steps("take", at, "t")
    steps("publish", at, *range(1, count + 1))
    steps("finish", at, 0, 1, 0, "t")
    before = requests(version)
    said = run(HAMMER, "work", at, "/tmp/logs", f"calm{version[0]}", str(count), "1", "calm")
    taken, seconds = re.search(r"(\d+) batches in ([\d.]+) s", said).groups()
    tap.note(f"version {version}: {int(taken) / float(seconds):.0f} batches a second, taken and finished, "
             f"with {(requests(version) - before) / count:.1f} requests each")
    tap.report(int(taken) == count and len(os.listdir(f"/export/fine/{name}/done")) == count + 1,
               f"version {version}: a client alone does everything", said)


def main():
    began = time.monotonic()
    serve()
    connect()
    tap.note(f"set up after {time.monotonic() - began:.1f} s")
    for part in (calm, repeated, leases, same_second, storm):
        for version in VERSIONS:
            part(version)
        tap.note(f"{part.__name__}: ended after {time.monotonic() - began:.1f} s")
    tap.done()


if __name__ == "__main__":
    main()
