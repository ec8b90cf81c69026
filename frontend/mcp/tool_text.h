/* The text of a call's result, for people. */
#pragma once

#include <jansson.h>

/* How a call's child ended. RESULT is the last line of its standard output, or NULL. */
struct call_ending {
	const char *tool;
	const json_t *arguments, *result;
	const char *output;	 /* of the command in the guest */
	const char *diagnostics; /* standard error of the child */
	int status;		 /* the child's exit status, or 128 + the signal that ended it */
};

/* Composes the text. The caller frees it. NULL if out of memory. */
char *tool_text(const struct call_ending *e);
