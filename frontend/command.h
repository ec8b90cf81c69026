/* One row per command (the table is in main.c) and what all commands share: exit statuses and the
 * way an error is shown. argv[0] is the command's name; getopt_long() reads the rest. */
#pragma once

#include "proto/error.h"

struct command {
	const char *name;
	const char *summary;
	int (*main)(int argc, char **argv);
};

int command_create(int argc, char **argv);
int command_check(int argc, char **argv);
int command_list(int argc, char **argv);
int command_delete(int argc, char **argv);
int command_shell(int argc, char **argv);
int command_run(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_policy(int argc, char **argv);
int command_audit(int argc, char **argv);

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

/* "rootlet COMMAND: message" and a pointer to --help; returns EXIT_USAGE. */
int report_usage(const char *command, const char *format, ...) PRINTF_LIKE(2, 3);

/* For getopt_long() in a command whose short options begin with ":" or that sees '?': says which
 * word was wrong. OPTION is what getopt_long() returned. Returns EXIT_USAGE. */
int report_option(const char *command, int option, char **argv);
