"""What `rootlet doctor` reports on hosts that lack something: an old kernel, a full disk, a KVM that does not
run, AppArmor's restriction. hosts.py tests missing programs."""
import contextlib
import errno
import os
import re
import shutil
import subprocess

from support import tap
from support.world import AS_ROOT, BUILD, MOUNTED_BY_TEST, NOBODY, Home, processes_left

home = Home()
APPARMOR = "kernel.apparmor_restrict_unprivileged_userns"


def doctor(what, verdict, row, says, fix="", status=None, **more):
    """Checks that ROW of doctor's table has VERDICT, that its text matches SAYS, and its fix matches FIX."""
    outcome = home.run("doctor", seconds=120, **more)
    mended = rf"\n +fix: .*{fix}" if fix else ""
    good = re.search(rf"^{verdict} +{re.escape(row)} +.*{says}.*{mended}", outcome.out, re.M)
    expected = (verdict == "missing") if status is None else status
    tap.report(bool(good) and outcome.status == expected, f"doctor: {what}", outcome)


def covered(*pairs):
    """Returns a command prefix that runs a command as the user with each SOURCE bind-mounted over its
    PATH."""
    mounts = " && ".join(f"mount --bind {source} {path}" for path, source in pairs)
    return {"before": ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                       f"{mounts} && exec setpriv --reuid {home.user.uid} --regid {home.user.gid} "
                       '--clear-groups "$@"', "sh"], **NOBODY}


@contextlib.contextmanager
def small_disk(size):
    """Yields an environment whose store and cache are on a disk of SIZE."""
    point = home.make_dir(f"{home.dir}/{MOUNTED_BY_TEST}")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", point], check=True)
    try:
        yield {"HOME": point, "XDG_CACHE_HOME": f"{point}/cache"}
    finally:
        subprocess.run(["umount", point], check=True)


def kernels():
    doctor("an old kernel", "missing", "kernel", r"Linux 2\.6\.\d+.*; 5\.15 is needed", "boot a newer kernel",
           before=["setarch", "--uname-2.6"])
    doctor("this kernel", "ok", "kernel", re.escape(f"Linux {os.uname().release}"))


def seal():
    doctor("this host's /proc", "ok", "seal of VMs", "a VM gets a /proc of its own")
    if AS_ROOT:
        doctor("a partly covered /proc", "warning", "seal of VMs",
               "no /proc of its own: Operation not permitted", "--unsealed",
               **covered(("/proc/version", "/dev/null")))


def disks():
    for size, verdict in (("100m", "missing"), ("4g", "warning"), ("8g", "ok")):
        with small_disk(size) as environment:
            for row in ("space for rootfs", "space for packages"):
                doctor(f"{row}: {size} is {verdict}", verdict, row, r"\d[MG] free for .*mounted-by-test",
                       "make room" if verdict != "ok" else "", environment=environment)


def kvm():
    if not os.path.exists("/dev/kvm"):
        tap.skip("doctor: a /dev/kvm that is not KVM", "the host has no /dev/kvm to cover")
        return
    file = home.write("no-kvm", "")
    os.chmod(file, 0o666)
    doctor("a /dev/kvm that opens but is not KVM", "warning", "KVM", "opens but cannot create a VM", status=0,
           **covered(("/dev/kvm", file)))
    # The result is cached for this device and boot.
    hanging = {"LD_PRELOAD": f"{BUILD}/tests/pretend.so", "PRETEND": "kvm-hangs",
               "XDG_CACHE_HOME": f"{home.dir}/other-cache"}
    doctor("a /dev/kvm that opens but never runs a guest", "warning", "KVM", "runs it slower than emulation",
           status=0, environment=hanging, **covered(("/dev/kvm", file)))
    tap.report(not processes_left(10), "doctor: leaves no hung processes behind")
    os.chmod(file, 0)
    doctor("a /dev/kvm that the user may not open", "warning", "KVM", "this user cannot open /dev/kvm",
           f"usermod --append --groups kvm {home.user.name}, as root", status=0,
           **covered(("/dev/kvm", file)))


def emulators():
    """vng starts the emulator of the host's own architecture."""
    program = f"qemu-system-{os.uname().machine}"
    if os.path.exists(f"/usr/bin/{program}"):
        doctor("the emulator of this host", "ok", "qemu", program)
    other = {"LD_PRELOAD": f"{BUILD}/tests/pretend.so", "PRETEND": "aarch64"}
    doctor("the emulator of another host", "missing", "qemu", "qemu-system-aarch64 is not installed",
           "qemu-system-arm", environment=other)


def apparmor():
    """Replaces this kernel's settings with those of one that has AppArmor's restriction."""
    home.write("settings/apparmor_restrict_unprivileged_userns", "1\n")
    host = covered(("/proc/sys/kernel", f"{home.dir}/settings"))
    doctor("AppArmor's restriction is set but does not apply", "ok", "user namespaces", "can be made", **host)
    both = {**host, "before": [*host["before"], f"{BUILD}/tests/deny", str(errno.EPERM)]}
    doctor("AppArmor's restriction without a profile", "missing", "user namespaces",
           f"AppArmor forbids them to programs without a profile .*{APPARMOR}",
           "as root: /.*/share/rootlet/install-helper, or for user mode: apparmor_parser -r "
           f"/.*/rootlet-helper.apparmor .*sysctl -w {APPARMOR}=0",
           **both)
    alone = {"LD_PRELOAD": f"{BUILD}/tests/pretend.so", "PRETEND": "apparmor"}
    doctor("AppArmor's restriction with a profile for the helper only", "ok", "user namespaces",
           "AppArmor lets rootlet's own programs make them", environment=alone, **host)
    doctor("no restriction, but this program cannot create a namespace", "missing", "user namespaces",
           "cannot be made",
           environment=alone)
    doctor("a limit on namespaces is reached", "missing", "user namespaces",
           "a limit on the number of namespaces is reached", "sysctl --all --pattern user.max_",
           before=[f"{BUILD}/tests/deny", str(errno.ENOSPC)])


def namespaces_by_name():
    """Replaces this kernel's settings with the one that Debian kernels have."""
    if not os.path.exists(f"{BUILD}/tests/deny"):
        tap.report(False, "the program deny exists")
        return
    home.write("older/unprivileged_userns_clone", "0\n")
    host = covered(("/proc/sys/kernel", f"{home.dir}/older"))
    doctor("unprivileged_userns_clone is 0 but does not apply", "ok", "user namespaces", "can be made",
           **host)
    both = {**host, "before": [*host["before"], f"{BUILD}/tests/deny", str(errno.EPERM)]}
    doctor("unprivileged_userns_clone is 0", "missing", "user namespaces",
           r"the sysctl kernel\.unprivileged_userns_clone is 0; file capabilities do not help",
           r"sysctl -w kernel\.unprivileged_userns_clone=1", **both)


def landlock():
    for row, says in (("Landlock", "has none"),
                      ("downloads", "no Landlock: .* open your files, .* no program")):
        doctor(f"a kernel without Landlock: {row}", "warning", row, says, "boot with lsm=landlock", status=0,
               before=[f"{BUILD}/tests/deny", "landlock"])
    doctor("this kernel's Landlock", "(ok|warning)", "downloads", "(part of the cache|no Landlock)")


# os-release; what installs gpgv; what installs newuidmap again; what installs setcap.
SYSTEMS = (
    ("ID=debian", "apt install gpgv", "apt install --reinstall uidmap", "apt install libcap2-bin"),
    ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"", "apt install gpgv", "apt install --reinstall uidmap",
     "apt install libcap2-bin"),
    ("ID=fedora", "dnf install gnupg2", "dnf reinstall shadow-utils", "dnf install libcap"),
    ("ID_LIKE=\"rhel centos fedora\"\nID=\"rocky\"", "dnf install gnupg2", "dnf reinstall shadow-utils",
     "dnf install libcap"),
    ("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"", "zypper install gpg2",
     "zypper install --force shadow", "zypper install libcap-progs"),
    ("ID=arch", "pacman -S gnupg", "pacman -S shadow", "pacman -S libcap"),
    ("ID=unheard-of", "apt install gpgv", "apt install --reinstall uidmap", "apt install libcap2-bin"),
)


def systems():
    """doctor, and messages of rootlet-helper, name the host's package manager and its names of packages."""
    home.make_dir(f"{home.dir}/few")
    for name in ("cat", "dirname", "id"):
        os.symlink(shutil.which(name), f"{home.dir}/few/{name}")
    for number, (text, fix, message, setcap) in enumerate(SYSTEMS):
        home.write(f"os-release.{number}", f"{text}\n")
        host = covered(("/etc/os-release", f"{home.dir}/os-release.{number}"),
                       ("/usr/bin/gpgv", "/dev/null"), ("/usr/bin/newuidmap", "/dev/null"))
        name = text.replace("\n", " ")
        doctor(f"install command, {name}", "missing", "signatures", "not installed", f"{fix}$", **host)
        for words in ([], ["--json"]):
            outcome = home.run("create", "--release", "jammy", "--mirror", "http://127.0.0.1:9/", "--keyring",
                               "/etc/hostname", *words, **host)
            tap.report(outcome.status == 5 and re.search(rf"run: {message}(\"|$)", outcome.out + outcome.err,
                                                         re.M),
                       f"{' '.join(['create', *words])}: install command, {name}", outcome)
        outcome = home.run("--helper", "/etc/hostname", program="/bin/sh", before=[
            "unshare", "--mount", "--propagation", "private", "sh", "-c",
            f"mount --bind os-release.{number} /etc/os-release && PATH={home.dir}/few exec /bin/sh "
            f'{BUILD}/policy/rootlet.install-helper "$@"'], **NOBODY)
        tap.report(outcome.status == 1 and outcome.err.endswith(f"setcap is missing; run: {setcap}\n"),
                   f"install-helper: install command, {name}", outcome)


# Its variables; its name; what is added for user namespaces that are forbidden, and for gpgv.
CI_SYSTEMS = (
    ({}, "none known", "", ""),
    ({"GITHUB_ACTIONS": "true"}, "GitHub Actions, by GITHUB_ACTIONS", f"sudo sysctl -w {APPARMOR}=0",
     "step of the workflow.*:\n +sudo apt-get -y install gpgv"),
    ({"GITLAB_CI": "true", "CI_DISPOSABLE_ENVIRONMENT": "true"}, "GitLab CI/CD, in a container",
     r'config.toml:\n +security_opt = \["seccomp=unconfined",',
     "before_script .*\n +apt-get -y install gpgv"),
    ({"GITLAB_CI": "true"}, "GitLab CI/CD, shell executor", f"sudo sysctl -w {APPARMOR}=0",
     "machine, once:\n +sudo apt-get -y install gpgv"),
    ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "Kubernetes, by KUBERNETES_SERVICE_HOST",
     "securityContext:\n +seccompProfile: {type: Unconfined}",
     "image of the pod:\n +apt-get -y install gpgv"),
)


def ci():
    """A host that has neither user namespaces nor gpgv, in each CI system."""
    home.write("os-release", "ID=debian\n")
    host = covered(("/usr/bin/gpgv", "/dev/null"), ("/etc/os-release", f"{home.dir}/os-release"))
    host["before"] = [*host["before"], f"{BUILD}/tests/deny", str(errno.EPERM)]
    for variables, name, namespaces, package in CI_SYSTEMS:
        outcome = home.run("doctor", "--ci", environment=variables, **host)
        said = outcome.out.partition("\nCI system: ")[2]
        tap.report(outcome.status == 1 and said.startswith(name) and
                   (re.search(f"user namespaces: add .*{namespaces}", said, re.S) and
                    re.search(f"signatures: add to .*{package}", said) if package else "add to" not in said),
                   f"doctor --ci: {name}", outcome)
    outcome = home.run("doctor")
    tap.report("CI system" not in outcome.out, "doctor without --ci names no CI system", outcome)


def virtiofsd():
    """qemu's old virtiofsd has a different version string; vng cannot use it."""
    path = {"PATH": f"{home.dir}/bin:/usr/bin:/bin"}
    os.chmod(home.write("bin/virtiofsd", "#!/bin/sh\necho virtiofsd 1.10.0\n"), 0o755)
    doctor("a virtiofsd", "ok", "virtiofsd", "installed: --root-transport dir", environment=path)
    if os.path.exists("/usr/libexec/virtiofsd") or os.path.exists("/usr/lib/virtiofsd"):
        tap.skip("doctor: an old virtiofsd", "the host has a newer one")
        return
    os.chmod(home.write("bin/virtiofsd", "#!/bin/sh\necho virtiofsd version 7.2.0\n"), 0o755)
    doctor("an old virtiofsd", "ok", "virtiofsd", "not installed, and not needed", environment=path)


kernels()
seal()
landlock()
virtiofsd()
emulators()
if AS_ROOT:
    disks()
    kvm()
    apparmor()
    namespaces_by_name()
    systems()
    ci()
else:
    for case in ("space", "KVM", "AppArmor", "unprivileged_userns_clone", "install commands", "--ci"):
        tap.skip(f"doctor: {case}", "needs root to mount other files over the host's")
tap.done()
