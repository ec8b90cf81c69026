/* Copies bytes between descriptors in a poll loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* One direction. FROM and TO are -1 once closed. The stream closes those that it owns, see
 * CLOSE_FROM and CLOSE_TO. */
struct stream {
	int from, to;
	bool close_from, close_to;
	int broken;	   /* errno if writing to TO failed; EPIPE: nobody reads it; else 0 */
	size_t held, sent; /* of BUFFER */
	char buffer[8192];
};

struct pollfd;

/* Sets POLLED: to write if there is data, else to read. A closed stream polls nothing. */
void stream_prepare(const struct stream *s, struct pollfd *polled);

/* Copies what can be copied now. Closes both at the end of FROM, or if writing to TO fails. */
void stream_serve(struct stream *s, const struct pollfd *polled);

/* Copies all that can be read without waiting for more, and closes. */
void stream_drain(struct stream *s);
void stream_close(struct stream *s);
