/* JSON messages, one per line, on standard input and output: the protocol's stdio transport. Input
 * and output buffers are bounded, and nothing blocks. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "lib/cleanup.h"

/* Bytes of a message. Longer ones are refused. */
#define MESSAGE_MAX (1024 * 1024)

struct wire {
	char *in, *out;
	size_t in_length, in_start, in_searched;
	size_t out_length, out_sent, out_room;
	bool skipping; /* the rest of an overlong line */
	bool ended;    /* end of input */
	bool broken;   /* the client stopped reading */
	int error;     /* errno of a failed write, or 0 */
};

void wire_clear(struct wire *w);

/* False if so much output is queued that no more should be produced. */
bool wire_has_room(const struct wire *w);
bool wire_has_output(const struct wire *w);

/* Reads the available input. */
void wire_read(struct wire *w);

/* Returns 1 and sets LINE, which is valid until the next call; 0 if no line is complete yet; -1 if
 * the line is too long. */
int wire_next(struct wire *w, const char **line, size_t *length);

/* Queues MESSAGE, and takes ownership of it. */
void wire_send(struct wire *w, json_t *message);

/* Writes what can be written at once. */
void wire_write(struct wire *w);
