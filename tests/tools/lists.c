/* lists SET: asks for every system call from 0 to 1023, each in a child of its own, what SET of
 * policy/privilege_sets.c says of it. Prints "NUMBER NAME LISTED WITHOUT WITH" for each: its name,
 * "?" where libseccomp knows none, as of calls that are newer; whether the set's lists have it; and
 * what became of it without the set and under it: errno's name, "0", "SIGNAL" or "waits".
 *
 * No call that has a name is made. A filter of the child's own hands it to a tracer, and where
 * there is none that is ENOSYS; but a filter's EPERM, success or kill comes before that. So ENOSYS
 * is what the set allows, and WITHOUT is "-". Calls whose very answer is ENOSYS under a set, clone3
 * and those without a name, are made with senseless arguments, without the set and under it.
 *
 * Then a line each for calls that look at an argument: "NUMBER NAME:ARGUMENT LISTED - WITH".
 * Runs as root of a user namespace. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/privileges.h"

#define NUMBERS 1024
#define FAMILIES 64
#define PATIENCE 400	/* milliseconds */
#define MARK 0x5eedcafe /* the last argument: the set's own calls are not meant */

static volatile long *result; /* shared with the child, which may not be able to write */

/* Hands the call NUMBER to a tracer, where its last argument is MARK. */
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

/* One call under SET, or under none where that is below 0. */
struct attempt {
	int number, set;
	bool traced;
	long first, second;
};

static void make_call(const struct attempt *a)
{
	if (a->traced && load_trace(a->number) < 0)
		_exit(98);
	/* The parser's filter follows the jailer's, and its securebits are locked by then. */
	if (a->set >= 0 && privileges_drop((enum privilege_set)a->set, -1, NULL) < 0)
		_exit(99);
	*result = -10000;
	*result = syscall(a->number, a->first, a->second, -1L, -1L, -1L,
			  a->traced ? (long)MARK : -1L) == -1
			  ? -errno
			  : 0;
	syscall(SYS_exit_group, 0);
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

	/* No argument that a set refuses: there are lines of their own for those. */
	if (a.traced)
		a.first = a.second = AF_UNIX;
	without = a.traced ? "-" : outcome(&a);
	a.set = set;
	with = outcome(&a);
	printf("%d %s %d %s %s\n", number, name ? name : "?",
	       name && privileges_list(&privilege_sets[set], name), without, with);
	free(name);
}

static void try_argument(int number, const char *name, int set, long first, long second, long told)
{
	struct attempt a = { number, set, true, first, second };

	printf("%d %s:%#lx %d - %s\n", number, name, told,
	       privileges_list(&privilege_sets[set], name), outcome(&a));
}

static void try_arguments(int set)
{
	static const long namespaces[] = { CLONE_NEWUSER,  CLONE_NEWNS,	 CLONE_NEWPID,
					   CLONE_NEWNET,   CLONE_NEWIPC, CLONE_NEWUTS,
					   CLONE_NEWCGROUP };
	/* The kernel looks at the lower half only. */
	static const long ioctls[] = { TCGETS, TIOCSTI, TIOCLINUX, TIOCSTI | 1L << 32,
				       TIOCLINUX | 1L << 32 };

	try_argument(SYS_clone, "clone", set, SIGCHLD, 0, 0);
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(*namespaces); i++)
		try_argument(SYS_clone, "clone", set, namespaces[i] | SIGCHLD, 0, namespaces[i]);
	for (size_t i = 0; i < sizeof(ioctls) / sizeof(*ioctls); i++)
		try_argument(SYS_ioctl, "ioctl", set, 0, ioctls[i], ioctls[i]);
	for (long family = 0; family < FAMILIES; family++)
		try_argument(SYS_socket, "socket", set, family, SOCK_STREAM, family);
}

int main(int argc, char **argv)
{
	int set = -1;

	for (int i = 0; argc > 1 && i < PRIVILEGES_COUNT; i++)
		if (strcmp(privilege_sets[i].name, argv[1]) == 0)
			set = i;
	result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (set < 0 || result == MAP_FAILED)
		return 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int number = 0; number < NUMBERS; number++)
		try_number(number, set);
	try_arguments(set);
	return 0;
}
