#include "frontend/archive/host_lookup.h"

#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "frontend/cli/interrupt.h"

/* Asks for one socket type, because getaddrinfo(3) lists each address once per type. */
static void look_up(const char *host, uint16_t port, struct fetch_message *answer)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const struct addrinfo numeric = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
	struct addrinfo *list = NULL;
	char service[8];
	int r;

	snprintf(service, sizeof(service), "%u", port);
	r = getaddrinfo(host, service, &numeric, &list);
	if (r != 0)
		r = getaddrinfo(host, service, &hints, &list);
	for (const struct addrinfo *one = list;
	     r == 0 && one && answer->addresses.count < FETCH_ADDRESSES_MAX; one = one->ai_next)
		if (getnameinfo(one->ai_addr, one->ai_addrlen,
				answer->addresses.list[answer->addresses.count], INET6_ADDRSTRLEN,
				NULL, 0, NI_NUMERICHOST) == 0)
			answer->addresses.count++;
	if (answer->addresses.count == 0) {
		answer->addresses.code = ERR_NETWORK;
		snprintf(answer->addresses.why, sizeof(answer->addresses.why), "%s",
			 r ? gai_strerror(r) : "it has no address");
	}
	if (list)
		freeaddrinfo(list);
}

static _Noreturn void lookup_run(const char *host, uint16_t port, int to, pid_t parent)
{
	struct fetch_message answer = { .kind = FETCH_ADDRESSES };
	sigset_t none;
	ssize_t n;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	/* The parent handles Ctrl-C. */
	signal(SIGINT, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	look_up(host, port, &answer);
	n = write(to, &answer, sizeof(answer));
	_exit(n == (ssize_t)sizeof(answer) ? 0 : 1);
}

_Static_assert(sizeof(struct fetch_message) <= PIPE_BUF, "a pipe write must be atomic");

static int wait_for_answer(int from, struct fetch_message *answer, struct error **err)
{
	struct pollfd polled[] = {
		{ .fd = from, .events = POLLIN },
		{ .fd = interrupt_fd(), .events = POLLIN },
	};

	while (poll(polled, 2, -1) < 0 || !polled[0].revents)
		if (interrupt_caught())
			return error_set(err, ERR_INTERRUPTED, "interrupted while downloading");
	if (read(from, answer, sizeof(*answer)) != (ssize_t)sizeof(*answer))
		return error_set(err, ERR_SYSTEM,
				 "cannot look up a host: the lookup process failed");
	return 0;
}

int host_lookup(const char *host, uint16_t port, struct fetch_message *answer, struct error **err)
{
	_cleanup_close_ int from = -1, to = -1;
	sigset_t all, before;
	pid_t us = getpid(), pid;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create a pipe");
	from = ends[0];
	to = ends[1];
	/* Block signals: as with the helper, the child must not run our handlers. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = fork();
	if (pid == 0)
		lookup_run(host, port, to, us);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return error_errno(err, ERR_SYSTEM, "cannot look up a host");
	closep(&to);
	to = -1;
	r = wait_for_answer(from, answer, err);
	if (r < 0)
		kill(pid, SIGKILL);
	RETRY_ON_EINTR(waitpid(pid, NULL, 0));
	return r;
}
