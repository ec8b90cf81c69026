/* The output of a program, line by line, and its last lines for an error message. The text is not
 * trusted: control characters become "?". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define OUTPUT_LINE 1024
#define OUTPUT_KEPT 6

struct output {
	void (*line)(const char *line, void *context); /* or NULL */
	void *context;
	char current[OUTPUT_LINE];
	size_t length;
	char kept[OUTPUT_KEPT][160];
	size_t count;
	bool full; /* a line said that the disk is full (strerror(ENOSPC)) */
};

void output_feed(struct output *o, const char *data, size_t size);

/* The last lines, joined by "; ". INTO has SIZE bytes. */
void output_tail(const struct output *o, char *into, size_t size);
