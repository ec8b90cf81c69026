/* The commands: a row for each (the table is in main.c). argv[0] is the command's name;
 * getopt_long() reads the rest. */
#pragma once

#include <getopt.h>
#include <stdbool.h>

#include "frontend/cli/report.h"

/* The help is the command's specification: a line of it that begins with two spaces names an option
 * and the kind of its value ("  --name NAME  …") or a word that is given ("  show PROFILE  …").
 * Completion reads these lines, and a test holds the manual to them. */
struct command {
	const char *name;
	const char *summary;
	int (*main)(int argc, char **argv);
	const char *help;
	const struct option *options; /* what MAIN hands getopt_long() */
	bool runs_command;	      /* from its first word on, the line is another command's */
	/* What it prints is about its work, not the work: a standard output that was closed when it
	 * started is no failure. */
	bool acts;
};

#define COMMAND_DECLARE(name)                                                                      \
	int command_##name(int argc, char **argv);                                                 \
	extern const char name##_help[];                                                           \
	extern const struct option name##_options[]

COMMAND_DECLARE(create);
COMMAND_DECLARE(check);
COMMAND_DECLARE(list);
COMMAND_DECLARE(delete);
COMMAND_DECLARE(shell);
COMMAND_DECLARE(run);
COMMAND_DECLARE(fstests);
COMMAND_DECLARE(runs);
COMMAND_DECLARE(profiles);
COMMAND_DECLARE(cache);
COMMAND_DECLARE(doctor);
COMMAND_DECLARE(policy);
COMMAND_DECLARE(audit);
COMMAND_DECLARE(mcp);
