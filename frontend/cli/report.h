/* Exit statuses, and how errors are printed. */
#pragma once

#include "lib/error.h"

/* `shell` returns the status of its command, `run` that of the guest's, EXIT_TIMEOUT or EXIT_VM. */
enum exit_status {
	EXIT_OK = 0,
	EXIT_FAILED = 1,	/* failed; `check`: not ready */
	EXIT_USAGE = 2,		/* the command line or a profile is wrong */
	EXIT_TRUST = 3,		/* a signature, hash or date is wrong */
	EXIT_NETWORK = 4,	/* the mirror does not answer, or sends something wrong */
	EXIT_HOST = 5,		/* the host lacks something: `rootlet doctor` */
	EXIT_EXISTS = 6,	/* it already exists, or is in use */
	EXIT_SPACE = 7,		/* the disk is full */
	EXIT_TIMEOUT = 124,	/* `run`: --timeout expired */
	EXIT_VM = 125,		/* `run`: the VM itself failed */
	EXIT_INTERRUPTED = 130, /* Ctrl-C, SIGTERM or SIGHUP */
};

/* The only mapping from error codes to exit statuses. */
enum exit_status exit_status_of(enum error_code code);

/* Prints "rootlet COMMAND: message" on standard error and returns the exit status. The caller keeps
 * ERR. */
int report_error(const char *command, const struct error *err);

/* Prints "rootlet COMMAND: message" and a pointer to --help. Returns EXIT_USAGE. COMMAND may be
 * NULL for rootlet itself. */
int report_usage(const char *command, const char *format, ...) PRINTF_LIKE(2, 3);

/* The same for WORD, which is not a verb of COMMAND; NULL if it is missing. Suggests the closest of
 * VERBS. */
int report_verb(const char *command, const char *word, const char *const *verbs, size_t count);

/* NOTE(message, context) returns what to print after a message about wrong input, or NULL; it is
 * freed here. NULL: none. */
void report_set_note(char *(*note)(const char *message, const void *context), const void *context);
