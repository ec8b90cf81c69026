/* What a person reads of a call. */
#pragma once

#include <jansson.h>

/* What a call's child left. RESULT is the last line of its standard output, or NULL. */
struct call_ending {
	const char *tool;
	const json_t *arguments, *result;
	const char *output;	 /* what the command in the guest said */
	const char *diagnostics; /* what the child said on standard error */
	int status;		 /* the child's exit status, or 128 + the signal that ended it */
};

/* What a person reads of it, the caller's to free. */
char *tool_text(const struct call_ending *e);
