/* Parses INI files, such as profiles, from memory with inih. Errors name file and line. The policy
 * has a stricter parser of its own. */
#pragma once

#include <ini.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

struct ini_text {
	const char *path;    /* for messages */
	const char *text;    /* the rest of the text */
	ini_handler handler; /* gets each key; 1: good; 0 (ini_complain()): stop */
	void *context;	     /* of HANDLER */
	struct error *error; /* the first complaint */
	unsigned line;
	unsigned section_line;	/* of the current section's header */
	unsigned empty_section; /* the line of a header without a key so far, or 0 */
};

/* Passes every key of T->text to T's handler. Returns 0, or -1 with ERR_INPUT set. */
int ini_text_parse(struct ini_text *t, struct error **err);

static inline int ini_complained(int result)
{
	(void)result;
	return 0;
}

/* Sets T's error to "PATH:LINE: message", unless it is set already. FORMAT is a literal. Returns
 * 0. */
#define ini_complain(t, format, ...)                                                               \
	ini_complained(error_set(&(t)->error, ERR_INPUT, "%s:%u: " format, (t)->path, (t)->line,   \
				 ##__VA_ARGS__))
