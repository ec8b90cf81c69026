/* lists SET CALL:ARGUMENT...: tries every system call from 0 to 1023, each in a child, under SET of
 * policy/privilege_sets.c. Prints "NUMBER NAME WITHOUT WITH" for each: its name, "?" if libseccomp
 * does not know it (newer calls), and the result without the set and under it: errno's name, "0",
 * "SIGNAL" or "waits".
 *
 * Named calls are never really made. The child's own filter hands them to a tracer, which does not
 * exist: that gives ENOSYS; but another filter's EPERM, success or kill takes precedence. So ENOSYS
 * means that the set allows the call, and WITHOUT is "-". Calls that a set answers with ENOSYS
 * itself, clone3 and unnamed ones, are made with meaningless arguments, without the set and under
 * it.
 *
 * Then the values of each CALL:ARGUMENT are tried one by one: prints "@ CALL ARGUMENT ANSWER COUNT
 * VALUE..." for each answer, with as many values as fit. Without a SET: prints everything that can
 * be tried. Runs as root of a user namespace.
 *
 * A value that a set kills for takes a process of its own, 0.4 ms of processor time. So if there
 * are many values, all are tried under the set's own programs with one change: they give an error
 * instead of killing. Under the unchanged programs, only those that pass, their neighbors, and
 * every SAMPLED-th of the others are tried; an answer of these replaces the first one. */
#include <errno.h>
#include <linux/btrfs.h>
#include <linux/fiemap.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <linux/random.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/jailer/landlock.h"

#define NUMBERS 1024
#define PATIENCE 400	/* milliseconds */
#define MARK 0x5eedcafe /* the last argument: distinguishes the tried call from the set's own */

#define MANY 1024 /* values of an argument */
#define SAMPLED 61
#define SPARED 4000 /* an errno that no call has: the set would have killed */

static bool spares; /* in a child: load_spared() instead of loading a filter as it is */

/* Loads FILTER with each kill replaced by the errno SPARED. */
static int load_spared(const struct sock_fprog *filter)
{
	static struct sock_filter steps[BPF_MAXINSNS];
	const struct sock_fprog spared = { filter->len, steps };

	if (filter->len > BPF_MAXINSNS)
		return -1;
	memcpy(steps, filter->filter, filter->len * sizeof(*steps));
	for (size_t i = 0; i < filter->len; i++) {
		if (steps[i].code == (BPF_RET | BPF_K) && (steps[i].k == SECCOMP_RET_KILL_PROCESS ||
							   steps[i].k == SECCOMP_RET_KILL_THREAD))
			steps[i].k = SECCOMP_RET_ERRNO | SPARED;
	}
	return (int)syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &spared, 0L, 0L);
}

/* Takes the place of the C library's function, for helper/starter/privileges.c as well. */
int prctl(int option, ...)
{
	unsigned long a[4];
	va_list rest;

	va_start(rest, option);
	for (size_t i = 0; i < 4; i++)
		a[i] = va_arg(rest, unsigned long);
	va_end(rest);
	if (spares && option == PR_SET_SECCOMP && a[0] == SECCOMP_MODE_FILTER)
		return load_spared((const struct sock_fprog *)a[1]);
	return (int)syscall(SYS_prctl, option, a[0], a[1], a[2], a[3]);
}

static volatile long *result; /* shared with the child, which may be unable to write */

/* Hands the call NUMBER to a tracer if its last argument is MARK. */
static int load_trace(int number)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MARK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = { sizeof(steps) / sizeof(*steps), steps };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

/* Makes one call under SET, or without a set if it is negative. */
struct attempt {
	int number, set;
	bool traced;
	long first, second;
};

static void make_call(const struct attempt *a)
{
	if (a->traced && load_trace(a->number) < 0)
		_exit(98);
	/* The parser's filter follows the jailer's, and its securebits are already locked. */
	if (a->set >= 0 && landlock_drop_privileges((enum privilege_set)a->set, -1, NULL) < 0)
		_exit(99);
	*result = -10000;
	*result = syscall(a->number, a->first, a->second, -1L, -1L, -1L,
			  a->traced ? (long)MARK : -1L) == -1
			  ? -errno
			  : 0;
	/* All six, because MARK may still be in the last register. */
	syscall(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

static const char *outcome(const struct attempt *a)
{
	int status = 0, fd;
	siginfo_t info = { 0 };
	struct pollfd polled;
	pid_t pid;

	*result = -20000;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		make_call(a);
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	polled = (struct pollfd){ .fd = fd, .events = POLLIN };
	if (poll(&polled, 1, *result == -20000 ? 20 * PATIENCE : PATIENCE) == 0 &&
	    *result == -10000) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		close(fd);
		return "waits";
	}
	kill(pid, SIGKILL);
	if (waitid(P_PID, (id_t)pid, &info, WEXITED) == 0)
		status = info.si_status;
	close(fd);
	if (*result == -20000)
		return "undone";
	if (*result == -10000 && info.si_code == CLD_EXITED)
		return "exits";
	if (*result == -10000)
		return strsignal(status) && sigabbrev_np(status) ? sigabbrev_np(status) : "SIGNAL";
	return *result == 0 ? "0" : strerrorname_np((int)-*result);
}

static void try_number(int number, int set)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
	struct attempt a = { number, -1, name && strcmp(name, "clone3") != 0, -1, -1 };
	const char *without, *with;

	/* Arguments that no set refuses: those have separate rows. */
	if (a.traced)
		a.first = a.second = AF_UNIX;
	without = a.traced ? "-" : outcome(&a);
	a.set = set;
	with = outcome(&a);
	printf("%d %s %s %s\n", number, name ? name : "?", without, with);
	free(name);
}

/* The values from FIRST to LAST, or each of the bits from bit FIRST to bit LAST, and some MORE. */
static const struct sweep {
	const char *call;
	int number, argument;
	bool bits;
	long first, last;
	long more[12];
	long others[6]; /* the other arguments */
} sweeps[] = {
	{ "socket",
	  SYS_socket,
	  0,
	  false,
	  0,
	  63,
	  { AF_UNIX | 1L << 32, AF_INET | 1L << 32 },
	  { 0 } },
	/* See family_of(). */
	{ "socket",
	  SYS_socket,
	  1,
	  true,
	  0,
	  31,
	  { 0, SOCK_STREAM | SOCK_CLOEXEC, SOCK_DGRAM | SOCK_CLOEXEC, SOCK_RAW },
	  { 0 } },
	{ "socketpair", SYS_socketpair, 0, false, 0, 63, { AF_INET | 1L << 32 }, { 0 } },
	{ "personality",
	  SYS_personality,
	  0,
	  true,
	  0,
	  31,
	  { 0, 8, 0x40008, 0x20008, 0xffffffff, 0x440000 },
	  { 0 } },
	{ "prctl", SYS_prctl, 0, false, 0, 127, { 0x53564d41, 0x59616d61, 1L << 32 | 35 }, { 0 } },
#ifdef __x86_64__
	{ "arch_prctl", SYS_arch_prctl, 0, false, 0, 0x5fff, { 0 }, { 0 } },
#endif
	/* TIOCSTI and TIOCLINUX with an upper half, which the kernel ignores; of Btrfs, of block
	 * devices, of network interfaces; and long ones that are allowed. */
	{ "ioctl",
	  SYS_ioctl,
	  1,
	  false,
	  0,
	  0xffff,
	  { TIOCSTI | 1L << 32, TIOCLINUX | 1L << 32, BTRFS_IOC_SUBVOL_CREATE,
	    BTRFS_IOC_SUBVOL_CREATE_V2, BTRFS_IOC_SNAP_CREATE, BTRFS_IOC_SNAP_CREATE_V2,
	    BTRFS_IOC_SUBVOL_SETFLAGS, FS_IOC_FSSETXATTR, 0x40806685 /* FS_IOC_ENABLE_VERITY */,
	    FIFREEZE, TIOCGPTPEER, LOOP_CTL_GET_FREE },
	  { 0 } },
	{ "ioctl",
	  SYS_ioctl,
	  1,
	  false,
	  1,
	  1,
	  { TIOCGPTN, FICLONE, FICLONERANGE, FIDEDUPERANGE, FS_IOC_FIEMAP, FS_IOC_GETFLAGS,
	    FS_IOC_SETFLAGS, FS_IOC_GETVERSION, FS_IOC_FSGETXATTR, FS_IOC_GETFSLABEL, RNDGETENTCNT,
	    0x802c542a },
	  { 0 } },
	{ "clone", SYS_clone, 0, true, 0, 31, { SIGCHLD, SIGCHLD | 1L << 32 }, { 0 } },
	{ "mmap", SYS_mmap, 2, true, 0, 31, { PROT_READ | PROT_EXEC }, { 0 } },
	{ "mprotect", SYS_mprotect, 2, true, 0, 31, { PROT_READ | PROT_EXEC }, { 0 } },
	{ "mknod", SYS_mknod, 1, true, 0, 15, { 0, S_IFBLK | 0600, S_IFSOCK | 0777 }, { 0 } },
	{ "mknodat", SYS_mknodat, 2, true, 0, 15, { 0, S_IFBLK | 0600, S_IFSOCK | 0777 }, { 0 } },
	{ "getsockopt", SYS_getsockopt, 1, false, 0, 299, { 0 }, { 0 } },
	{ "setsockopt", SYS_setsockopt, 1, false, 0, 299, { 0 }, { 0, 0, SO_REUSEADDR } },
	{ "setsockopt", SYS_setsockopt, 2, false, 0, 99, { 0 }, { 0, SOL_SOCKET, 0 } },
	{ "sched_setscheduler", SYS_sched_setscheduler, 1, false, 0, 15, { 0x40000000 }, { 0 } },
	{ "setrlimit", SYS_setrlimit, 0, false, 0, 15, { RLIMIT_CORE | 1L << 32 }, { 0 } },
	/* Set; set and get; get. */
	{ "prlimit64", SYS_prlimit64, 1, false, 0, 15, { 0 }, { 0, 0, 1L << 40, 0 } },
	{ "prlimit64", SYS_prlimit64, 1, false, 0, 15, { 0 }, { 0, 0, 1, 1L << 40 } },
	{ "prlimit64", SYS_prlimit64, 1, false, 0, 15, { 0 }, { 0, 0, 0, 1 } },
	{ "prlimit64", SYS_prlimit64, 0, false, 0, 15, { 1L << 32 }, { 0, RLIMIT_NOFILE } },
	{ "execveat", SYS_execveat, 4, true, 0, 31, { 0 }, { -1 } },
	{ "mount", SYS_mount, 3, true, 0, 31, { 0, MS_REC | MS_PRIVATE }, { 0 } },
	{ "unshare", SYS_unshare, 0, true, 0, 31, { 0 }, { 0 } },
	{ "openat", SYS_openat, 2, true, 0, 31, { 0 }, { -1 } },
	{ "write", SYS_write, 0, false, 0, 63, { 2 | 1L << 32 }, { 0 } },
	{ "umount2", SYS_umount2, 1, true, 0, 31, { 0 }, { 0 } },
	{ "open_tree", SYS_open_tree, 2, true, 0, 31, { 0 }, { 0 } },
	{ "fsopen", SYS_fsopen, 1, true, 0, 31, { 0 }, { 0 } },
	{ "fsconfig", SYS_fsconfig, 1, false, 0, 31, { 0 }, { 0 } },
	{ "fsmount", SYS_fsmount, 1, true, 0, 31, { 0 }, { 0 } },
	{ "fsmount", SYS_fsmount, 2, true, 0, 31, { 0 }, { 0, FSMOUNT_CLOEXEC } },
	{ "move_mount", SYS_move_mount, 4, true, 0, 31, { 0 }, { 0 } },
	{ "mount_setattr", SYS_mount_setattr, 2, true, 0, 31, { 0 }, { 0 } },
};

#define VALUES 0x10100
#define SHOWN 128
#define KILLED 10001
#define UNTRIED 10002

/* Results of a sweep, shared with the children. */
static struct answers {
	int of[VALUES]; /* an errno, KILLED or UNTRIED */
	size_t next;
} * answers;

static bool chosen[VALUES]; /* what make_sweep() tries */

static size_t list_values(const struct sweep *s, long values[static VALUES])
{
	size_t count = 0;

	for (long v = s->first; v <= s->last; v++)
		values[count++] = s->bits ? 1L << v : v;
	/* The first may be 0; a later 0 ends them. */
	for (size_t i = 0; i < 12 && (i == 0 || s->more[i]); i++)
		values[count++] = s->more[i];
	return count;
}

/* A family that SET allows: the type is varied. */
static long family_of(int set)
{
	return set == PRIVILEGES_FETCH ? AF_INET : AF_UNIX;
}

static _Noreturn void try_values(const struct sweep *s, int set, const long *values, size_t count)
{
	long a[6];

	if (load_trace(s->number) < 0 ||
	    landlock_drop_privileges((enum privilege_set)set, -1, NULL) < 0)
		_exit(99);
	memcpy(a, s->others, sizeof(a));
	if (s->number == SYS_socket && s->argument == 1)
		a[0] = family_of(set);
	a[5] = MARK;
	for (; answers->next < count; answers->next++) {
		int *answer = &answers->of[answers->next];

		if (!chosen[answers->next])
			continue;
		a[s->argument] = values[answers->next];
		*answer = KILLED;
		*answer = syscall(s->number, a[0], a[1], a[2], a[3], a[4], a[5]) == -1 ? errno : 0;
		if (*answer == SPARED)
			*answer = KILLED;
	}
	syscall(SYS_exit_group, 0, 0, 0, 0, 0, 0);
	__builtin_unreachable();
}

/* Tries the chosen values. The next child skips a value that killed the previous one. */
static void make_sweep(const struct sweep *s, int set, const long *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (chosen[i])
			answers->of[i] = UNTRIED;
	}
	answers->next = 0;
	fflush(stdout);
	while (answers->next < count) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			try_values(s, set, values, count);
		if (pid < 0 || waitpid(pid, &status, 0) != pid ||
		    answers->of[answers->next] == UNTRIED)
			break;
		if (answers->next < count)
			answers->next++;
	}
}

/* Chooses those that pass, their neighbors, and a sample. */
static void choose_values(size_t count)
{
	for (size_t i = 0; i < count; i++)
		chosen[i] = i % SAMPLED == 0;
	for (size_t i = 0; i < count; i++) {
		if (answers->of[i] == KILLED)
			continue;
		chosen[i] = true;
		if (i > 0)
			chosen[i - 1] = true;
		if (i + 1 < count)
			chosen[i + 1] = true;
	}
}

static void make_sweeps(const struct sweep *s, int set, const long *values, size_t count)
{
	memset(chosen, true, sizeof(chosen));
	if (count > MANY) {
		spares = true;
		make_sweep(s, set, values, count);
		spares = false;
		choose_values(count);
	}
	make_sweep(s, set, values, count);
}

static void print_sweep(const struct sweep *s, const long *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int answer = answers->of[i];
		size_t found = 0;

		if (answer < 0)
			continue;
		for (size_t k = i; k < count; k++)
			found += answers->of[k] == answer;
		printf("@ %s %d %s %zu", s->call, s->argument,
		       answer == KILLED	   ? "SYS"
		       : answer == UNTRIED ? "untried"
		       : answer		   ? strerrorname_np(answer)
					   : "0",
		       found);
		for (size_t k = i, shown = 0; k < count; k++) {
			if (answers->of[k] != answer)
				continue;
			if (shown++ < SHOWN)
				printf(" %#lx", values[k]);
			answers->of[k] = -1;
		}
		printf("\n");
	}
}

static void try_arguments(int set, const char *name)
{
	static long values[VALUES];
	char own[32];

	for (const struct sweep *s = sweeps; s < sweeps + sizeof(sweeps) / sizeof(*sweeps); s++) {
		size_t count;

		snprintf(own, sizeof(own), "%s:%d", s->call, s->argument);
		if (name && strcmp(own, name) != 0)
			continue;
		if (!name) {
			printf("%s\n", own);
			continue;
		}
		count = list_values(s, values);
		make_sweeps(s, set, values, count);
		print_sweep(s, values, count);
	}
}

static void *share(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int main(int argc, char **argv)
{
	int set = -1;

	if (argc == 1)
		try_arguments(-1, NULL);
	for (int i = 0; argc > 1 && i < PRIVILEGES_COUNT; i++)
		if (strcmp(privilege_sets[i].name, argv[1]) == 0)
			set = i;
	result = share(sizeof(*result));
	answers = share(sizeof(*answers));
	if (set < 0 || !result || !answers)
		return argc == 1 ? 0 : 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int number = 0; number < NUMBERS; number++)
		try_number(number, set);
	for (int i = 2; i < argc; i++)
		try_arguments(set, argv[i]);
	return 0;
}
