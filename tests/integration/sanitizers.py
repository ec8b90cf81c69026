"""Sanitizer findings in every process of the helper are reported, although most of these processes cannot
open files and may make only a few system calls."""
import contextlib
import subprocess

from support import sanitizers, tap
from support.lists import expected
from support.world import AS_ROOT, BUILD, HELPER, children, command_of, plain_user, small_rootfs, wait_until

FAULTS = ("heap-buffer-overflow", "heap-use-after-free", "double-free", "stack-buffer-overflow",
          "signed integer overflow", "SEGV")
USER = plain_user()


def mistake(name, fault):
    done = subprocess.run(["unshare", "--user", "--map-root-user", f"{BUILD}/tests/faulty", name, fault],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, cwd="/",
                          **USER.switch())
    lines = sanitizers.reports()
    # A report ends with its summary.
    tap.report(done.returncode == 1 and any(fault in line for line in lines) and
               any("faulty.c:" in line for line in lines) and
               any(line.startswith("SUMMARY: ") for line in lines),
               f"{name}: {fault} is reported", f"exit status {done.returncode}", *lines, done.stderr)


def mapped():
    """The processes that rootlet starts have the report file."""
    if not AS_ROOT:
        tap.skip("each process of rootlet-helper has the file for reports", "needs root to inspect them")
        return
    home = small_rootfs()
    process = home.start("shell", "--", "sleep", "600")
    asleep = wait_until(lambda: any(command_of(pid).startswith("sleep") for pid in children(process.pid)))
    path = sanitizers.environment()["ROOTLET_REPORTS"]
    without, seen = [], 0
    for pid in children(process.pid):
        maps = ""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                open(f"/proc/{pid}/maps", encoding="utf-8") as file:
            maps = file.read()
        if HELPER in maps:
            seen += 1
            without += [] if path in maps else [f"{pid} {command_of(pid)}"]
    process.terminate()
    process.communicate()
    tap.report(asleep and seen >= 4 and not without,
               "each process of rootlet-helper has the file for reports",
               seen, *without)


for one in expected():
    for what in FAULTS:
        mistake(one, what)
mapped()
tap.done()
