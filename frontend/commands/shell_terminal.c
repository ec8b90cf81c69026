#include "frontend/commands/shell_terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>

#include "frontend/cli/interrupt.h"

struct terminal {
	bool input;	   /* standard input is a terminal */
	int output;	   /* our standard output or error, which its output goes to */
	int master, slave; /* -1: none of our streams is a terminal */
	int resized;	   /* signalfd of SIGWINCH */
	struct termios saved;
	bool raw;
};

static void copy_size(const struct terminal *t)
{
	struct winsize size;

	if (ioctl(t->output, TIOCGWINSZ, &size) == 0)
		ioctl(t->master, TIOCSWINSZ, &size);
}

/* Passes every key to the command's terminal. There, Ctrl-C becomes a signal. */
static void make_raw(struct terminal *t)
{
	struct termios raw;

	if (!t->input || tcgetattr(STDIN_FILENO, &t->saved) < 0)
		return;
	raw = t->saved;
	cfmakeraw(&raw);
	t->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

static int open_pair(struct terminal *t, struct error **err)
{
	struct termios settings;
	struct winsize size;
	sigset_t winch;
	bool known = tcgetattr(t->input ? STDIN_FILENO : t->output, &settings) == 0;
	bool sized = ioctl(t->output, TIOCGWINSZ, &size) == 0;

	if (openpty(&t->master, &t->slave, NULL, known ? &settings : NULL, sized ? &size : NULL) <
	    0)
		return error_errno(err, ERR_SYSTEM, "cannot make a pseudo-terminal");
	if (fcntl(t->master, F_SETFD, FD_CLOEXEC) < 0 || fcntl(t->slave, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(t->master, F_SETFL, O_NONBLOCK) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot set up a pseudo-terminal");
	sigemptyset(&winch);
	sigaddset(&winch, SIGWINCH);
	sigprocmask(SIG_BLOCK, &winch, NULL);
	t->resized = signalfd(-1, &winch, SFD_CLOEXEC | SFD_NONBLOCK);
	make_raw(t);
	return 0;
}

int terminal_new(struct terminal **out, int streams[static 3], bool *controlling,
		 struct error **err)
{
	_cleanup_(terminal_free) struct terminal *t = calloc(1, sizeof(*t));
	bool any = false;

	if (!t)
		return error_no_memory(err);
	t->master = t->slave = t->resized = -1;
	t->input = isatty(STDIN_FILENO);
	t->output = isatty(STDOUT_FILENO) ? STDOUT_FILENO : STDERR_FILENO;
	for (int i = 0; i < 3; i++)
		any = any || isatty(i);
	if (any && open_pair(t, err) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		streams[i] = isatty(i) ? t->slave : i;
	*controlling = t->input;
	*out = STEAL_PTR(t);
	return 0;
}

static void write_patiently(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd wait = { .fd = fd, .events = POLLOUT };

			/* Drop the rest if the reader takes nothing for a second. */
			if (poll(&wait, 1, 1000) <= 0)
				return;
			continue;
		}
		if (n < 0 && errno == EINTR && !interrupt_caught())
			continue;
		if (n <= 0)
			return;
		data += n;
		size -= (size_t)n;
	}
}

/* Copies one block. False at the end of the input, or after an error. */
static bool pump(int from, int to)
{
	char block[4096];
	ssize_t n = read(from, block, sizeof(block));

	if (n > 0)
		write_patiently(to, block, (size_t)n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Copies what the command wrote before it ended. */
static void terminal_drain(const struct terminal *t)
{
	struct pollfd ready = { .fd = t->master, .events = POLLIN };

	while (t->master >= 0 && poll(&ready, 1, 0) > 0 && (ready.revents & POLLIN))
		if (!pump(t->master, t->output))
			break;
}

static void terminal_serve(struct terminal *t, struct pollfd *fds)
{
	struct signalfd_siginfo info;

	if (fds[1].revents && !pump(t->master, t->output))
		fds[1].fd = -1;
	if (fds[2].revents && !pump(STDIN_FILENO, t->master))
		fds[2].fd = -1;
	if (fds[3].revents && read(t->resized, &info, sizeof(info)) > 0)
		copy_size(t);
}

int terminal_relay(struct terminal *t, struct helper *h, struct answer *answer, struct error **err)
{
	struct pollfd fds[] = {
		{ .fd = helper_channel(h), .events = POLLIN },
		{ .fd = t->master, .events = POLLIN },
		{ .fd = t->input ? STDIN_FILENO : -1, .events = POLLIN },
		{ .fd = t->resized, .events = POLLIN },
		{ .fd = interrupt_fd(), .events = POLLIN },
	};
	int r = 0;

	while (r == 0) {
		if (interrupt_caught())
			return error_set(err, ERR_INTERRUPTED, "interrupted");
		if (poll(fds, sizeof(fds) / sizeof(fds[0]), -1) < 0) {
			if (errno == EINTR)
				continue;
			return error_errno(err, ERR_SYSTEM, "cannot wait for the command");
		}
		terminal_serve(t, fds);
		if (fds[0].revents)
			r = helper_receive(h, answer, err);
	}
	terminal_drain(t);
	return r < 0 ? -1 : 0;
}

void terminal_free(struct terminal **terminal)
{
	struct terminal *t = *terminal;

	if (!t)
		return;
	if (t->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t->saved);
	closep(&t->master);
	closep(&t->slave);
	closep(&t->resized);
	free(t);
	*terminal = NULL;
}
