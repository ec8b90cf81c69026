/* Reads what most lines of a run's list of results (results.h) say, several times as fast as a
 * reader of any JSON: the index of 10,000 runs has millions of lines. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct line_text {
	const char *start; /* not NUL-terminated; NULL if missing */
	size_t length;
};

struct result_line {
	struct line_text section, name, status;
	double seconds;
};

/* Returns false if LINE, without its newline, is no JSON object or needs a full reader: because it
 * has anything but strings and numbers in ASCII, or escapes in the strings that count. */
bool result_line_read(const char *line, size_t length, struct result_line *out);
