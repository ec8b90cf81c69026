/* Errors are values: a typed code, the errno behind it (0 if none) and a message of the form "what
 * failed, on what: why; how to fix it". They travel in a Result message unchanged. */
#pragma once

#include "lib/cleanup.h"

enum error_code {
	ERR_NONE = 0,
	ERR_INPUT = 1,	      /* the request is malformed */
	ERR_REFUSED = 2,      /* well-formed, but not allowed or out of order */
	ERR_TRUST = 3,	      /* signature, hash or expiry */
	ERR_EXISTS = 4,	      /* the destination exists already */
	ERR_BUSY = 5,	      /* somebody else is using it */
	ERR_MISSING = 6,      /* a required file, program or rootfs is missing */
	ERR_SPACE = 7,	      /* disk or memory full */
	ERR_NETWORK = 8,      /* the mirror does not answer, or answers wrongly */
	ERR_SYSTEM = 9,	      /* a system call failed */
	ERR_PACKAGE = 10,     /* a program that ran in the tree failed */
	ERR_INTERRUPTED = 11, /* Ctrl-C or a time limit */
	ERR_HOST = 12,	      /* the host lacks what rootlet needs: see `rootlet doctor` */
	ERR_LAST = ERR_HOST,
};

struct error {
	enum error_code code;
	int number; /* errno, or 0 */
	char *message;
};

/* Sets *ERR (freed by error_free()) unless ERR is NULL or *ERR is set already. NUMBER is an errno,
 * or 0. If memory runs out, the message is missing. Always returns -1. */
int error_put(struct error **err, enum error_code code, int number, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* Tells compilers and analyzers that these return -1. Otherwise they follow paths on which a
 * function fails and its caller goes on. */
static inline int error_returned(int result)
{
	(void)result;
	return -1;
}

/* So that callers can write `return error_set(err, code, format, ...)`. */
#define error_set(err, code, ...) error_returned(error_put(err, code, 0, __VA_ARGS__))

/* Like error_set(), with ": strerror(errno)" appended to FORMAT, a literal, and errno preserved.
 * ENOSPC and EDQUOT become ERR_SPACE, whatever CODE is. */
#define error_errno(err, code, format, ...)                                                        \
	error_returned(error_put(err, code, errno, format ": %m", ##__VA_ARGS__))

#define error_no_memory(err) error_set(err, ERR_SPACE, "out of memory")

/* The message of ERROR, never NULL: an error, or its message, is missing if memory ran out. */
const char *error_text(const struct error *error);

void error_free(struct error **err);

/* The code's stable name ("trust", "busy"), for --json and logs. */
const char *error_code_name(enum error_code code);

#define _cleanup_error_ _cleanup_(error_free)
