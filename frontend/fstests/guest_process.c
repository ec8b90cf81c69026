#include "frontend/fstests/guest_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "frontend/cli/interrupt.h"
#include "lib/clock.h"
#include "lib/write_all.h"

#define DATA_SIZE 4096
#define ORDERS_SIZE (1 << 18) /* bytes: the names of all tests fit */
#define STOP_MS 200	      /* how often the child looks whether its parent wants the end */
#define END_MS 10000	      /* for a child that was asked to stop */

enum packet_kind { PACKET_OUTPUT, PACKET_CONSOLE, PACKET_AGAIN, PACKET_DEBUGGER, PACKET_ENDED };

struct vm_end {
	struct vm_result result;
	int status;
	enum error_code code;
	char message[1024]; /* "" if STATUS is 0 */
};

struct guest_packet {
	enum packet_kind kind;
	size_t size; /* of the data */
	union {
		char data[DATA_SIZE];
		struct vm_end end;
		struct {
			enum vm_debugger state;
			char socket[128];
		} debugger;
	};
};

/* --- the child ------------------------------------------------------------------------------ */

static void packet_out(int socket, enum packet_kind kind, const char *data, size_t size)
{
	struct guest_packet p = { .kind = kind };

	while (size > 0) {
		p.size = size < sizeof(p.data) ? size : sizeof(p.data);
		memcpy(p.data, data, p.size);
		/* Without a reader, child_watch() ends the VM. */
		if (RETRY_ON_EINTR(send(socket, &p, sizeof(p), MSG_NOSIGNAL)) < 0)
			return;
		data += p.size;
		size -= p.size;
	}
}

static void child_output(int fd, const char *data, size_t size, void *context)
{
	(void)fd;
	packet_out(*(int *)context, PACKET_OUTPUT, data, size);
}

static void child_console(const char *data, size_t size, void *context)
{
	packet_out(*(int *)context, PACKET_CONSOLE, data, size);
}

static void child_again(const char *why, void *context)
{
	packet_out(*(int *)context, PACKET_AGAIN, why, strlen(why));
}

static void child_debugger(enum vm_debugger state, const char *socket, void *context)
{
	struct guest_packet p = { .kind = PACKET_DEBUGGER, .debugger.state = state };

	snprintf(p.debugger.socket, sizeof(p.debugger.socket), "%s", socket);
	RETRY_ON_EINTR(send(*(int *)context, &p, sizeof(p), MSG_NOSIGNAL));
}

/* A byte, or the end of the parent, ends the VM. */
static int child_watch(void *context)
{
	char byte;
	ssize_t n = recv(*(int *)context, &byte, 1, MSG_DONTWAIT);

	return n >= 0 || (errno != EAGAIN && errno != EINTR) ? 0 : STOP_MS;
}

static _Noreturn void child_main(const struct vm_config *given, int socket, int orders)
{
	_cleanup_error_ struct error *err = NULL;
	struct vm_config config = *given;
	struct guest_packet p = { .kind = PACKET_ENDED };

	interrupt_forget();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(orders, STDIN_FILENO) < 0)
		_exit(1);
	config.input = true;
	config.output = child_output;
	config.console = child_console;
	config.again = child_again;
	config.debugger = child_debugger;
	config.watch = child_watch;
	config.context = &socket;
	p.end.status = vm_run(&config, &p.end.result, &err);
	if (err) {
		p.end.code = err->code;
		snprintf(p.end.message, sizeof(p.end.message), "%s", err->message);
	}
	RETRY_ON_EINTR(send(socket, &p, sizeof(p), MSG_NOSIGNAL));
	_exit(0);
}

/* --- its parent ----------------------------------------------------------------------------- */

int guest_process_start(const struct vm_config *config, struct guest_process *g, struct error **err)
{
	int sockets[2] = { -1, -1 }, pipes[2] = { -1, -1 };

	*g = GUEST_PROCESS_NONE;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0 &&
	    pipe2(pipes, O_CLOEXEC) == 0 && fcntl(pipes[1], F_SETFL, O_NONBLOCK) == 0)
		g->pid = fork();
	else
		g->pid = -1;
	if (g->pid == 0) {
		close(sockets[0]);
		close(pipes[1]);
		child_main(config, sockets[1], pipes[0]);
	}
	if (g->pid < 0) {
		error_errno(err, ERR_SYSTEM, "cannot start a process for the VM");
		g->pid = 0;
	} else {
		g->socket = sockets[0];
		g->orders = pipes[1];
		/* If that is not allowed, 64 KiB still hold the names of 4,000 tests. */
		fcntl(g->orders, F_SETPIPE_SZ, ORDERS_SIZE);
		sockets[0] = pipes[1] = -1;
	}
	for (int i = 0; i < 2; i++) {
		closep(&sockets[i]);
		closep(&pipes[i]);
	}
	return g->pid > 0 ? 0 : -1;
}

int guest_process_serve(struct guest_process *g, const struct vm_config *config,
			struct vm_result *result, int *status, struct error **why)
{
	static struct guest_packet p;
	ssize_t n = RETRY_ON_EINTR(recv(g->socket, &p, sizeof(p), 0));

	if (n != (ssize_t)sizeof(p) || (p.kind != PACKET_ENDED && p.size > sizeof(p.data))) {
		*result = (struct vm_result){ 0 };
		*status = error_set(why, ERR_SYSTEM, "the process of the VM ended unexpectedly");
		return 1;
	}
	switch (p.kind) {
	case PACKET_OUTPUT:
		config->output(STDOUT_FILENO, p.data, p.size, config->context);
		return 0;
	case PACKET_CONSOLE:
		config->console(p.data, p.size, config->context);
		return 0;
	case PACKET_AGAIN: {
		char text[DATA_SIZE + 1];

		memcpy(text, p.data, p.size);
		text[p.size] = '\0';
		config->again(text, config->context);
		return 0;
	}
	case PACKET_DEBUGGER:
		config->debugger(p.debugger.state, p.debugger.socket, config->context);
		return 0;
	case PACKET_ENDED:
		break;
	}
	*result = p.end.result;
	*status = p.end.status;
	if (*p.end.message)
		error_set(why, p.end.code, "%s", p.end.message);
	return 1;
}

int guest_process_order(const struct guest_process *g, const char *line, struct error **err)
{
	/* The packets of a guest that is gone say why. */
	if (write_all(g->orders, line, strlen(line)) < 0 && errno != EPIPE)
		return error_errno(err, ERR_SYSTEM, "cannot send tests to the guest");
	return 0;
}

void guest_process_stop(const struct guest_process *g)
{
	RETRY_ON_EINTR(send(g->socket, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
}

void guest_process_end(struct guest_process *g)
{
	struct pollfd gone = { .fd = g->socket, .events = POLLIN };
	int64_t deadline = clock_milliseconds() + END_MS;
	static struct guest_packet p;

	if (g->pid > 0) {
		guest_process_stop(g);
		/* Discard what it still sends: it may wait for a reader. */
		while (clock_milliseconds() < deadline && poll(&gone, 1, END_MS) != 0 &&
		       RETRY_ON_EINTR(recv(g->socket, &p, sizeof(p), 0)) > 0)
			;
		if (clock_milliseconds() >= deadline)
			kill(g->pid, SIGKILL);
		RETRY_ON_EINTR(waitpid(g->pid, NULL, 0));
	}
	closep(&g->socket);
	closep(&g->orders);
	*g = GUEST_PROCESS_NONE;
}
