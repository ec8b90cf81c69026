#include "frontend/archive/fetch_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "frontend/archive/fetch_message.h"

#define PUT_AWAY_MS 500

static int leave_parent(pid_t parent, int channel, struct error **err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	/* TLS libraries write to connections that the mirror has closed. */
	signal(SIGPIPE, SIG_IGN);
	setsid();
	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot open /dev/null");
	if (channel > 3)
		close_range(3, (unsigned)channel - 1, 0);
	close_range((unsigned)channel + 1, ~0U, 0);
	if (chdir("/") < 0)
		return error_errno(err, ERR_SYSTEM, "cannot leave the working directory");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return fetch_sandbox_clear_environment(err);
}

/* Its first message says whether it has been confined. */
static _Noreturn void fetch_process_run(const struct fetch_task *task,
					const struct fetch_sandbox *sandbox, pid_t parent,
					int channel)
{
	struct fetch_message ready = { .kind = FETCH_RESULT };
	struct error *err = NULL;
	bool failed = leave_parent(parent, channel, &err) < 0 ||
		      (task->prepare && task->prepare(channel, task->context, &err) < 0) ||
		      fetch_sandbox_enter(sandbox, &err) < 0;

	fetch_message_set_error(&ready, failed, err);
	if (fetch_message_send(channel, &ready, -1, NULL) < 0 || failed)
		_exit(1);
	_exit(task->run(channel, task->context));
}

/* This message can be trusted: the process has downloaded nothing yet. */
static int wait_until_ready(struct fetch_process *process, struct error **err)
{
	struct fetch_message ready;
	int fd, r = fetch_message_receive(process->channel, &ready, &fd, err);

	if (r > 0 && ready.result.code == 0)
		return 0;
	if (r > 0)
		return error_set(err, ready.result.code, "%s", ready.result.text);
	return r < 0 ? -1 : error_set(err, ERR_SYSTEM, "the fetch process did not start");
}

int fetch_process_start(const struct fetch_task *task, const struct fetch_sandbox *sandbox,
			struct fetch_process *process, struct error **err)
{
	sigset_t all, before;
	pid_t us = getpid();
	int ends[2];

	*process = FETCH_PROCESS_NONE;
	if (packet_pair(ends, err) < 0)
		return -1;
	/* Block signals: the child must not run our handlers. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	process->pid = fork();
	if (process->pid == 0)
		fetch_process_run(task, sandbox, us, ends[1]);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(ends[1]);
	process->channel = ends[0];
	if (process->pid < 0)
		error_errno(err, ERR_SYSTEM, "cannot start the fetch process");
	else if (wait_until_ready(process, err) == 0)
		return 0;
	fetch_process_stop(process);
	return -1;
}

int fetch_process_stop(struct fetch_process *process)
{
	struct pollfd ended = { .events = POLLIN };
	int status = -1;

	closep(&process->channel);
	if (process->pid > 0) {
		ended.fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
		if (ended.fd < 0 || poll(&ended, 1, PUT_AWAY_MS) <= 0)
			kill(process->pid, SIGKILL);
		closep(&ended.fd);
		if (RETRY_ON_EINTR(waitpid(process->pid, &status, 0)) < 0)
			status = -1;
	}
	*process = FETCH_PROCESS_NONE;
	return status;
}

int fetch_process_lost(int status, struct error **err)
{
	if (status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return error_set(err, ERR_SYSTEM,
				 "the fetch process exited: it made a system call that is not on "
				 "its seccomp list; see: journalctl -k");
	if (status >= 0 && WIFSIGNALED(status))
		return error_set(err, ERR_SYSTEM,
				 "the fetch process was killed by signal %d (%s); see: "
				 "journalctl -k",
				 WTERMSIG(status), strsignal(WTERMSIG(status)));
	return error_set(err, ERR_SYSTEM, "the fetch process exited without a reply");
}
