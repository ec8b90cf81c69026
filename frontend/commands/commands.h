/* The commands. The table in main.c has a row for each. argv[0] is the command's name;
 * getopt_long() reads the rest. */
#pragma once

#include <getopt.h>
#include <stdbool.h>

#include "frontend/cli/report.h"

/* The help text is parsed: a line that begins with two spaces names an option and the kind of its
 * value ("  --name NAME  …"), or a subcommand ("  show PROFILE  …"). Completion reads these lines,
 * and a test compares the manual with them. */
struct command {
	const char *name;
	const char *summary;
	int (*main)(int argc, char **argv);
	const char *help;
	const struct option *options; /* what MAIN passes to getopt_long() */
	bool runs_command; /* from the first non-option on, the line is another command */
	/* Its output only reports its work, so it does not fail if standard output was closed from
	 * the start. */
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
