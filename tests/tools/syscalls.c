/* Makes system calls and prints "NAME ERROR" for each: 0 if it succeeded, otherwise errno's name.
 * With arguments: makes the calls with these numbers, each in a child, with meaningless arguments,
 * and prints "NUMBER ERROR". The child hands the call to a tracer that does not exist: ENOSYS means
 * that the jail's list allows it or the kernel does not know it, and EPERM is the list's refusal,
 * never the kernel's own for lack of a capability.
 *
 * Runs inside the jail: static, so that it needs nothing from the rootfs. If a call is allowed, its
 * arguments make it fail or do no harm anywhere: missing paths, closed descriptors. */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/btrfs.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_A_CALL 9999 /* newer than any list */
#define NOWHERE "/no/such/directory"

static void tell(const char *name, long result)
{
	const char *error = result == -1 ? strerrorname_np(errno) : "0";

	printf("%s %s\n", name, error ? error : "?");
}

/* A child created with FLAGS, if the kernel and the list allow it, exits at once. */
static void tell_clone(const char *name, unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	tell(name, pid == -1 ? -1 : 0);
}

static void forbidden_calls(void)
{
	struct perf_event_attr event = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(event) };
	union bpf_attr map = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};
	char params[256] = { 0 };

	tell("mount", syscall(SYS_mount, "none", NOWHERE, "tmpfs", 0, NULL));
	tell("umount2", syscall(SYS_umount2, NOWHERE, MNT_DETACH));
	tell("pivot_root", syscall(SYS_pivot_root, NOWHERE, NOWHERE));
	tell("open_tree", syscall(SYS_open_tree, -100, "/", 1));
	tell("move_mount", syscall(SYS_move_mount, -1, "", -1, "", 0));
	tell("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
	tell("unshare", syscall(SYS_unshare, CLONE_NEWUSER));
	tell("setns", syscall(SYS_setns, -1, 0));
	tell_clone("clone-newuser", CLONE_NEWUSER);
	tell_clone("clone-newns", CLONE_NEWNS);
	tell("ptrace", syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0));
	tell("process_vm_readv", syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0));
	tell("bpf", syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map)));
	tell("keyctl", syscall(SYS_keyctl, 0, -3, 0));
	tell("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -3));
	tell("request_key", syscall(SYS_request_key, "user", "x", NULL, 0));
	tell("io_uring_setup", syscall(SYS_io_uring_setup, 1, params));
	tell("init_module", syscall(SYS_init_module, "", 0, ""));
	tell("finit_module", syscall(SYS_finit_module, 0, "", 0));
	tell("delete_module", syscall(SYS_delete_module, "x", 0));
	tell("userfaultfd", syscall(SYS_userfaultfd, 1));
	tell("perf_event_open", syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
	tell("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0));
	tell("reboot", syscall(SYS_reboot, 0, 0, 0, NULL));
	tell("swapon", syscall(SYS_swapon, NOWHERE, 0));
	tell("acct", syscall(SYS_acct, NOWHERE));
	tell("quotactl", syscall(SYS_quotactl, 0, NOWHERE, 0, NULL));
	tell("open_by_handle_at", syscall(SYS_open_by_handle_at, -1, NULL, 0));
}

/* Calls that are allowed, but not with these arguments. */
static void forbidden_arguments(void)
{
	char letter = 'x';
	int pair[2];

	tell_clone("clone-newpid", CLONE_NEWPID);
	tell_clone("clone-newnet", CLONE_NEWNET);
	tell_clone("clone-newipc", CLONE_NEWIPC);
	tell_clone("clone-newuts", CLONE_NEWUTS);
	tell_clone("clone-newcgroup", CLONE_NEWCGROUP);
	tell("socket-inet", syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
	tell("socket-inet6", syscall(SYS_socket, AF_INET6, SOCK_DGRAM, 0));
	tell("socket-raw", syscall(SYS_socket, AF_INET, SOCK_RAW, 1));
	tell("socket-netlink", syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0));
	tell("socket-packet", syscall(SYS_socket, AF_PACKET, SOCK_RAW, 0));
	/* No namespace separates these from the host. */
	tell("socket-vsock", syscall(SYS_socket, AF_VSOCK, SOCK_STREAM, 0));
	tell("socket-alg", syscall(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0));
	tell("socketpair-inet", syscall(SYS_socketpair, AF_INET, SOCK_STREAM, 0, pair));
	tell("socketpair-netlink", syscall(SYS_socketpair, AF_NETLINK, SOCK_RAW, 0, pair));
	tell("socketpair-vsock", syscall(SYS_socketpair, AF_VSOCK, SOCK_STREAM, 0, pair));
	tell("socketpair-tipc", syscall(SYS_socketpair, AF_TIPC, SOCK_STREAM, 0, pair));
	tell("personality-exec", syscall(SYS_personality, READ_IMPLIES_EXEC));
	tell("personality-zero-page", syscall(SYS_personality, MMAP_PAGE_ZERO));
	tell("prctl-set-mm", syscall(SYS_prctl, PR_SET_MM, PR_SET_MM_ARG_START, pair, 0, 0));
	tell("prctl-ptracer", syscall(SYS_prctl, PR_SET_PTRACER, -1L, 0, 0, 0));
	tell("ioctl-tiocsetd", syscall(SYS_ioctl, -1, TIOCSETD, pair));
	tell("ioctl-siocgifconf", syscall(SYS_ioctl, -1, SIOCGIFCONF, pair));
	tell("mknod-whiteout", syscall(SYS_mknodat, -1, NOWHERE, S_IFCHR, 0));
	tell("ioctl-tiocsti", syscall(SYS_ioctl, -1, TIOCSTI, &letter));
	tell("ioctl-tioclinux", syscall(SYS_ioctl, -1, TIOCLINUX, &letter));
	tell("ioctl-subvolume", syscall(SYS_ioctl, -1, BTRFS_IOC_SUBVOL_CREATE, NOWHERE));
	tell("ioctl-subvolume-v2", syscall(SYS_ioctl, -1, BTRFS_IOC_SUBVOL_CREATE_V2, NOWHERE));
	tell("ioctl-snapshot", syscall(SYS_ioctl, -1, BTRFS_IOC_SNAP_CREATE, NOWHERE));
	tell("ioctl-snapshot-v2", syscall(SYS_ioctl, -1, BTRFS_IOC_SNAP_CREATE_V2, NOWHERE));
	tell("ioctl-subvolume-flags", syscall(SYS_ioctl, -1, BTRFS_IOC_SUBVOL_SETFLAGS, NOWHERE));
	/* The kernel looks at the lower half only. */
	tell("ioctl-tiocsti-high", syscall(SYS_ioctl, -1, TIOCSTI | 1UL << 32, &letter));
}

/* Other syscall ABIs: a filter that only checks numbers would mistake these for other calls. */
static void other_tables(void)
{
#ifdef __x86_64__
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		long number = 20; /* getpid of i386 */

		__asm__ volatile("int $0x80" : "+a"(number) : : "memory", "r8", "r9", "r10", "r11");
		_exit(number > 0 ? 0 : 1);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid)
		printf("i386 %s\n", WIFSIGNALED(status)	       ? "SIG"
				    : WEXITSTATUS(status) == 0 ? "0"
							       : "ENOSYS");
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(syscall(0x40000000 | SYS_getpid) > 0 ? 0 : 1);
	if (pid > 0 && waitpid(pid, &status, 0) == pid)
		printf("x32 %s\n", WIFSIGNALED(status)	      ? "SIG"
				   : WEXITSTATUS(status) == 0 ? "0"
							      : "ENOSYS");
#endif
}

/* A closed descriptor: only a call that does nothing succeeds on it. */
static void sync_calls(void)
{
	syscall(SYS_sync);
	tell("sync", 0);
	tell("syncfs", syscall(SYS_syncfs, -1));
	tell("fsync", syscall(SYS_fsync, -1));
	tell("fdatasync", syscall(SYS_fdatasync, -1));
	tell("sync_file_range", syscall(SYS_sync_file_range, -1, 0L, 0L, 0));
	tell("msync", syscall(SYS_msync, 1, 1, 0x7fff));
}

/* Another filter's EPERM takes precedence over this one's answer, which comes before the call
 * itself. */
static int load_trace(long number)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = { sizeof(steps) / sizeof(*steps), steps };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

/* A call that is not refused may end the child or block forever. */
static void try_number(const char *number)
{
	long call = atol(number), result;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		alarm(2);
		if (load_trace(call) < 0)
			_exit(1);
		result = syscall(call, -1L, -1L, -1L, -1L, -1L, -1L);
		tell(number, result == -1 ? -1 : 0);
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		printf("%s untried\n", number);
	else if (WIFSIGNALED(status))
		printf("%s SIG%s\n", number, sigabbrev_np(WTERMSIG(status)));
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		try_number(argv[i]);
	if (argc > 1)
		return 0;
	printf("unknown-call ");
	printf("%s\n", syscall(NOT_A_CALL) == -1 ? strerrorname_np(errno) : "0");
	sync_calls();
	forbidden_calls();
	forbidden_arguments();
	other_tables();
	return 0;
}
