#include "frontend/cli/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "frontend/cli/interrupt.h"

#define SYSTEM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Runs between fork and exec. */
static _Noreturn void child_become(const char *const *argv, const int stdio[3],
				   int (*prepare)(const void *context), const void *context,
				   pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), kept[3];
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
		_exit(126);
	/* Duplicate them first: a dup2() below may overwrite one of them. */
	for (int i = 0; i < 3; i++)
		kept[i] = fcntl(stdio[i] < 0 ? null : stdio[i], F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < 3; i++)
		if (kept[i] < 0 || dup2(kept[i], i) < 0)
			_exit(126);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prepare && prepare(context) != 0)
		_exit(126);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(errno == ENOENT ? 127 : 126);
}

/* The PATH of ordinary users often has no sbin. */
static void extend_path(void)
{
	const char *own = getenv("PATH");
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s%s" SYSTEM_PATH, own ? own : "", own ? ":" : "") >= 0)
		setenv("PATH", path, 1);
}

int child_start_prepared(const char *const *argv, const int stdio[3],
			 int (*prepare)(const void *context), const void *context, pid_t *pid,
			 struct error **err)
{
	pid_t us = getpid();

	*pid = fork();
	if (*pid == 0) {
		extend_path();
		child_become(argv, stdio, prepare, context, us);
	}
	if (*pid < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start %s", argv[0]);
	return 0;
}

int child_start(const char *const *argv, const int stdio[3], pid_t *pid, struct error **err)
{
	return child_start_prepared(argv, stdio, NULL, NULL, pid, err);
}

/* Returns whether this process got a signal. Ctrl-C may have ended the child first. */
static bool child_wait_for_end(pid_t pid)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd polled[2] = { { .fd = pidfd, .events = POLLIN },
				    { .fd = interrupt_fd(), .events = POLLIN } };

	while (pidfd >= 0 && !interrupt_caught())
		if (poll(polled, 2, -1) > 0 && polled[0].revents)
			break;
	return interrupt_caught();
}

int child_wait_out(pid_t pid, struct error **err)
{
	int status;

	if (RETRY_ON_EINTR(waitpid(pid, &status, 0)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot wait for a program");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int child_wait(pid_t pid, struct error **err)
{
	bool interrupted = child_wait_for_end(pid);
	int status;

	if (interrupted)
		kill(pid, SIGTERM);
	status = child_wait_out(pid, err);
	if (interrupted && status >= 0)
		return error_set(err, ERR_INTERRUPTED, "interrupted");
	return status;
}

int child_run(const char *const *argv, const int stdio[3], const char *name, struct error **err)
{
	pid_t pid;
	int status;

	if (child_start(argv, stdio, &pid, err) < 0)
		return -1;
	status = child_wait(pid, err);
	if (status == 127)
		return error_set(err, ERR_HOST, "cannot %s: %s is not installed; install it", name,
				 argv[0]);
	if (status > 0)
		return error_set(err, ERR_SYSTEM, "cannot %s: %s failed with status %d", name,
				 argv[0], status);
	return status;
}
