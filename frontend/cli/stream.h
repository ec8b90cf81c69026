/* Moves bytes between descriptors in a poll loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* One direction. FROM and TO are -1 once closed; both belong to the stream if OWNED says so. */
struct stream {
	int from, to;
	bool close_from, close_to;
	int broken;	   /* errno of TO, which took no more; EPIPE: nobody reads it; else 0 */
	size_t held, sent; /* of BUFFER */
	char buffer[8192];
};

struct pollfd;

/* What to poll: reading while there is nothing to send, writing else. A closed one polls nothing.
 */
void stream_prepare(const struct stream *s, struct pollfd *polled);

/* Moves what can be moved now. At the end of FROM, or when TO breaks, both are closed. */
void stream_serve(struct stream *s, const struct pollfd *polled);

/* Moves all that is there to be read, without waiting for more, and closes. */
void stream_drain(struct stream *s);
void stream_close(struct stream *s);
