/* lists SET: makes every system call from 0 to 1023, each in a child of its own, once as it is and
 * once under SET of policy/privilege_sets.c, with senseless arguments. Prints "NUMBER NAME LISTED
 * WITHOUT WITH" for each: its name, "?" where libseccomp knows none, as of calls that are newer;
 * whether the set's lists have it; and what became of it: errno's name, "0", "SIGNAL" or "waits".
 * Runs as root of a user namespace. */
#include <errno.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/privileges.h"

#define NUMBERS 1024
#define PATIENCE 400 /* milliseconds */

static volatile long *result; /* shared with the child, which may not be able to write */

static void make_call(int number, int set)
{
	/* The parser's filter follows the jailer's, and its securebits are locked by then. */
	if (set >= 0 && privileges_drop((enum privilege_set)set, -1, NULL) < 0)
		_exit(99);
	*result = -10000;
	*result = syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) == -1 ? -errno : 0;
	syscall(SYS_exit_group, 0);
}

static const char *outcome(int number, int set)
{
	int status = 0, fd;
	siginfo_t info = { 0 };
	struct pollfd polled;
	pid_t pid;

	*result = -20000;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		make_call(number, set);
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
	for (int number = 0; number < NUMBERS; number++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
		const char *without, *with;

		without = outcome(number, -1);
		with = outcome(number, set);
		printf("%d %s %d %s %s\n", number, name ? name : "?",
		       name && privileges_list(&privilege_sets[set], name), without, with);
		free(name);
	}
	return 0;
}
