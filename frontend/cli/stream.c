#include "frontend/cli/stream.h"

#include <poll.h>

#include "lib/cleanup.h"

void stream_prepare(const struct stream *s, struct pollfd *polled)
{
	polled->revents = 0;
	polled->fd = s->sent < s->held ? s->to : s->from;
	polled->events = s->sent < s->held ? POLLOUT : POLLIN;
}

void stream_close(struct stream *s)
{
	if (s->close_from)
		closep(&s->from);
	if (s->close_to)
		closep(&s->to);
	s->from = s->to = -1;
	s->held = s->sent = 0;
}

static bool would_wait(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* Returns false if nothing was copied: the stream is closed, or would have to wait. */
static bool move(struct stream *s)
{
	ssize_t size;

	if (s->from < 0)
		return false;
	if (s->sent < s->held) {
		size = write(s->to, s->buffer + s->sent, s->held - s->sent);
		if (size > 0) {
			s->sent += (size_t)size;
		} else if (!would_wait()) {
			s->broken = errno;
			stream_close(s);
		}
		return size > 0;
	}
	size = read(s->from, s->buffer, sizeof(s->buffer));
	if (size > 0) {
		s->held = (size_t)size;
		s->sent = 0;
	} else if (size == 0 || !would_wait()) {
		stream_close(s);
	}
	return size > 0;
}

void stream_serve(struct stream *s, const struct pollfd *polled)
{
	if (!polled->revents || s->from < 0 || !move(s))
		return;
	/* What was just read can usually be written. If TO blocks, wait for its reader. */
	if (s->sent < s->held)
		move(s);
}

void stream_drain(struct stream *s)
{
	while (s->from >= 0) {
		struct pollfd polled;

		stream_prepare(s, &polled);
		if (poll(&polled, 1, s->sent < s->held ? 1000 : 0) <= 0 || !move(s))
			break;
	}
	stream_close(s);
}
