/* JSON messages, one a line, on standard input and output: the protocol's stdio transport. What is
 * read and what waits to be written is bounded, and neither blocks. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "lib/cleanup.h"

/* Bytes of a message; what is longer is refused as a whole. */
#define MESSAGE_MAX (1024 * 1024)

struct wire {
	char *in, *out;
	size_t in_length, in_start, in_searched;
	size_t out_length, out_sent, out_room;
	bool skipping; /* the rest of a line that is too long */
	bool ended;    /* nothing more comes */
	bool broken;   /* nobody reads any more */
	int error;     /* errno of the write that failed; 0: none did */
};

void wire_clear(struct wire *w);

/* False where so much waits to be written that nothing more should be made. */
bool wire_has_room(const struct wire *w);
bool wire_has_output(const struct wire *w);

/* Reads what is there. */
void wire_read(struct wire *w);

/* The next line: 1 with LINE, good until the next call; 0 where none is whole yet; -1 for one that
 * is too long. */
int wire_next(struct wire *w, const char **line, size_t *length);

/* Queues MESSAGE. Takes it. */
void wire_send(struct wire *w, json_t *message);

/* Writes what can be written at once. */
void wire_write(struct wire *w);
