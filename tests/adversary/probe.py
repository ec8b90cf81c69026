#!/usr/bin/python3
"""What a caller tries on processes of rootlet-helper; run as the caller: probe.py PID…
Prints "PID ATTEMPT ERROR" for each attempt; ERROR is "0" if it succeeded."""
import ctypes
import errno
import os
import resource
import signal
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17


def attempt(pid, what, function):
    try:
        function()
        print(pid, what, "0", flush=True)
    except OSError as error:
        print(pid, what, errno.errorcode.get(error.errno, str(error.errno)), flush=True)


def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")


def seize(pid):
    call(LIBC.ptrace(PTRACE_SEIZE, pid, None, None))
    LIBC.ptrace(PTRACE_DETACH, pid, None, None)


def enter(pid, kind):
    fd = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
    call(LIBC.setns(fd, 0))


def read_memory(pid):
    class Part(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
    buffer = ctypes.create_string_buffer(8)
    mine, its = Part(ctypes.addressof(buffer), 8), Part(0x1000, 8)
    result = LIBC.process_vm_readv(pid, ctypes.byref(mine), 1, ctypes.byref(its), 1, 0)
    if result < 0 and ctypes.get_errno() != errno.EFAULT:
        call(result)


def take_descriptor(pid):
    call(LIBC.syscall(438, LIBC.syscall(434, pid, 0), 3, 0))  # pidfd_getfd of pidfd_open


for word in sys.argv[1:]:
    number = int(word)
    attempt(number, "ptrace", lambda: seize(number))
    attempt(number, "memory", lambda: read_memory(number))
    attempt(number, "mem", lambda: os.open(f"/proc/{number}/mem", os.O_RDWR))
    attempt(number, "environ", lambda: os.open(f"/proc/{number}/environ", os.O_RDONLY))
    attempt(number, "descriptors", lambda: os.open(f"/proc/{number}/fd/3", os.O_RDONLY))
    attempt(number, "descriptor", lambda: take_descriptor(number))
    attempt(number, "root", lambda: os.listdir(f"/proc/{number}/root/"))
    attempt(number, "exe", lambda: os.open(f"/proc/{number}/exe", os.O_RDWR))
    attempt(number, "uid_map", lambda: os.write(os.open(f"/proc/{number}/uid_map", os.O_WRONLY),
                                                b"0 0 1\n"))
    attempt(number, "limits", lambda: resource.prlimit(number, resource.RLIMIT_FSIZE, (0, 0)))
    for name in ("oom_score_adj", "oom_adj", "coredump_filter", "clear_refs", "gid_map", "setgroups",
                 "projid_map"):
        attempt(number, name, lambda n=name: os.open(f"/proc/{number}/{n}", os.O_WRONLY))
    for kind in ("user", "mnt", "pid", "net"):
        attempt(number, f"setns-{kind}", lambda k=kind: enter(number, k))
for word in sys.argv[1:]:
    attempt(int(word), "stop", lambda: os.kill(int(word), signal.SIGSTOP))
    attempt(int(word), "continue", lambda: os.kill(int(word), signal.SIGCONT))
