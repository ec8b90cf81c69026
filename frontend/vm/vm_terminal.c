#include "frontend/vm/vm_terminal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/cleanup.h"

bool vm_terminal_find(struct vm_terminal *terminal, bool command)
{
	const char *type = getenv("TERM");
	struct winsize size = { 0 };

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
	    (command && (!isatty(STDERR_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp())))
		return false;
	ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
	snprintf(terminal->type, sizeof(terminal->type), "%s", type && *type ? type : "dumb");
	terminal->rows = size.ws_row;
	terminal->columns = size.ws_col;
	return true;
}

int vm_screen_begin(struct vm_screen *s, int sizes, struct error **err)
{
	sigset_t winch;

	sigemptyset(&winch);
	sigaddset(&winch, SIGWINCH);
	sigprocmask(SIG_BLOCK, &winch, NULL);
	s->resized = signalfd(-1, &winch, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->resized < 0)
		return error_errno(err, ERR_SYSTEM, "cannot watch the terminal's size");
	s->sizes = sizes;
	vm_screen_resize(s);
	return 0;
}

/* Write errors are ignored: a guest that reads no sizes has worse problems. */
void vm_screen_resize(struct vm_screen *s)
{
	struct signalfd_siginfo info;
	struct winsize size;

	while (read(s->resized, &info, sizeof(info)) > 0)
		;
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		dprintf(s->sizes, "%u %u\n", size.ws_row, size.ws_col);
}

/* TCSADRAIN keeps keys typed earlier: the guest gets them. */
void vm_screen_make_raw(struct vm_screen *s)
{
	struct termios raw;

	if (s->raw || tcgetattr(STDIN_FILENO, &s->saved) < 0)
		return;
	raw = s->saved;
	cfmakeraw(&raw);
	s->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

void vm_screen_end(struct vm_screen *s)
{
	if (s->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &s->saved);
	s->raw = false;
	closep(&s->resized);
	s->resized = -1;
}

size_t vm_keys_filter(struct vm_keys *keys, const char *data, size_t size, char *out, bool *end)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++) {
		if (keys->tilde && data[i] == '.') {
			*end = true;
			return count;
		}
		if (!keys->in_line && !keys->tilde && data[i] == '~') {
			keys->tilde = true;
			continue;
		}
		if (keys->tilde && data[i] != '~')
			out[count++] = '~';
		keys->tilde = false;
		keys->in_line = data[i] != '\r' && data[i] != '\n';
		out[count++] = data[i];
	}
	return count;
}

bool vm_screen_read_keys(struct vm_screen *screen, struct stream *s, const struct pollfd *polled)
{
	char keys[sizeof(s->buffer) - 1];
	bool end = false;
	ssize_t size;

	if (!polled->revents || s->from < 0 || s->sent < s->held)
		return true;
	size = read(s->from, keys, sizeof(keys));
	if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
		stream_close(s);
	if (size <= 0)
		return true;
	s->sent = 0;
	s->held = vm_keys_filter(&screen->keys, keys, (size_t)size, s->buffer, &end);
	return !end;
}
