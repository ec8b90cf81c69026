#include "frontend/mcp/wire.h"

#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#define READ_SIZE 65536
#define IN_ROOM (MESSAGE_MAX + READ_SIZE)

/* With this much queued, the client is not reading. Until it does, read neither its requests nor
 * the output of its calls. */
#define OUT_MAX (4 * MESSAGE_MAX)

void wire_clear(struct wire *w)
{
	free(w->in);
	free(w->out);
}

bool wire_has_room(const struct wire *w)
{
	return w->out_length - w->out_sent < OUT_MAX;
}

bool wire_has_output(const struct wire *w)
{
	return w->out_sent < w->out_length;
}

void wire_read(struct wire *w)
{
	size_t room;
	ssize_t n;

	if (!w->in && !(w->in = malloc(IN_ROOM))) {
		w->ended = true;
		return;
	}
	memmove(w->in, w->in + w->in_start, w->in_length - w->in_start);
	w->in_length -= w->in_start;
	w->in_searched -= w->in_start;
	w->in_start = 0;
	room = IN_ROOM - w->in_length;
	if (room == 0)
		return;
	n = read(STDIN_FILENO, w->in + w->in_length, room);
	if (n > 0)
		w->in_length += (size_t)n;
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		w->ended = true;
}

int wire_next(struct wire *w, const char **line, size_t *length)
{
	char *end;

	if (!w->in)
		return 0;
	end = memchr(w->in + w->in_searched, '\n', w->in_length - w->in_searched);
	if (!end && (w->skipping || w->in_length - w->in_start > MESSAGE_MAX)) {
		bool first = !w->skipping;

		w->skipping = true;
		w->in_start = w->in_searched = w->in_length;
		return first ? -1 : 0;
	}
	if (!end) {
		w->in_searched = w->in_length;
		return 0;
	}
	*line = w->in + w->in_start;
	*length = (size_t)(end - *line);
	w->in_start = w->in_searched = (size_t)(end + 1 - w->in);
	if (!w->skipping)
		return *length > MESSAGE_MAX ? -1 : 1;
	w->skipping = false;
	return wire_next(w, line, length);
}

static bool wire_make_room(struct wire *w, size_t size)
{
	size_t room = w->out_room ? w->out_room : READ_SIZE;
	char *bigger;

	if (w->out_sent)
		memmove(w->out, w->out + w->out_sent, w->out_length - w->out_sent);
	w->out_length -= w->out_sent;
	w->out_sent = 0;
	while (room < w->out_length + size)
		room *= 2;
	if (room == w->out_room)
		return true;
	bigger = realloc(w->out, room);
	if (!bigger)
		return false;
	w->out = bigger;
	w->out_room = room;
	return true;
}

void wire_send(struct wire *w, json_t *message)
{
	_cleanup_free_ char *text = json_dumps(message, JSON_COMPACT);
	size_t size = text ? strlen(text) : 0;

	json_decref(message);
	if (!text || !wire_make_room(w, size + 1)) {
		w->broken = true;
		return;
	}
	memcpy(w->out + w->out_length, text, size);
	w->out[w->out_length + size] = '\n';
	w->out_length += size + 1;
}

/* The flags of standard output are shared with our parent, so it cannot be made non-blocking. A
 * socket takes what it can; a pipe that poll() reports as writable takes PIPE_BUF bytes (pipe(7)).
 */
static ssize_t write_some(const char *data, size_t size)
{
	ssize_t n = send(STDOUT_FILENO, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == ENOTSOCK)
		n = write(STDOUT_FILENO, data, size < PIPE_BUF ? size : PIPE_BUF);
	return n;
}

void wire_write(struct wire *w)
{
	ssize_t n = write_some(w->out + w->out_sent, w->out_length - w->out_sent);

	if (n > 0) {
		w->out_sent += (size_t)n;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		w->broken = true;
		w->error = errno;
		w->out_sent = w->out_length;
	}
}
