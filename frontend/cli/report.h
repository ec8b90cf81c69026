/* Exit statuses, and how an error is shown. */
#pragma once

#include "lib/error.h"

/* `shell` returns the command's own status, `run` the guest command's, or one of the last two. */
enum exit_status {
	EXIT_OK = 0,
	EXIT_FAILED = 1,	/* it did not work; `check`: not ready */
	EXIT_USAGE = 2,		/* the command line or a profile is wrong */
	EXIT_TRUST = 3,		/* a signature, hash or date is wrong */
	EXIT_NETWORK = 4,	/* the mirror does not answer, or wrongly */
	EXIT_HOST = 5,		/* the host lacks something: `rootlet doctor` */
	EXIT_EXISTS = 6,	/* it is there already, or in use */
	EXIT_SPACE = 7,		/* the disk is full */
	EXIT_TIMEOUT = 124,	/* `run`: --timeout passed */
	EXIT_VM = 125,		/* `run`: the VM itself failed */
	EXIT_INTERRUPTED = 130, /* Ctrl-C, SIGTERM or SIGHUP */
};

/* The one table from error codes to exit statuses. */
enum exit_status exit_status_of(enum error_code code);

/* Prints "rootlet COMMAND: message" on standard error and returns the exit status. ERR stays the
 * caller's. */
int report_error(const char *command, const struct error *err);

/* "rootlet COMMAND: message" and a pointer to --help; returns EXIT_USAGE. COMMAND may be NULL:
 * rootlet itself. */
int report_usage(const char *command, const char *format, ...) PRINTF_LIKE(2, 3);

/* The same for WORD, which is none of the words that COMMAND takes first; says which may be meant.
 */
int report_verb(const char *command, const char *word, const char *const *verbs, size_t count);
