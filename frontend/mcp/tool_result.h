/* How the call of a tool ended, and values in its result. */
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

/* A member of an object; "" or 0 if it is missing or of another type. */
const char *tool_result_string(const json_t *object, const char *key);
json_int_t tool_result_number(const json_t *object, const char *key);
