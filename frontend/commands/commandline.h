/* Parses a command line by the command's table. Handles --help and --color, and reports unknown
 * options and verbs, wrong values of a choice, and words that are missing or too many. So a command
 * only checks what its table cannot say. */
#pragma once

#include "frontend/commands/defaults.h"

struct parsed_line {
	const char *name; /* the command's */
	const struct command *command;
	int verb;	 /* its code; 0 if the command has no verbs */
	char **operands; /* NULL-terminated; in argv */
	int operand_count;
	struct given_option *given; /* in their order */
	size_t given_count;
	const struct default_value **used; /* of the file: for options that were not given */
	size_t used_count;
	char *origin; /* PATH of the file, for messages */
};

/* Whether the command line has the option; also true for an option without a value that
 * the configuration file sets to yes, unless the line says --no-OPTION. */
bool line_has(const struct parsed_line *line, int code);

/* Whether the option was given or the file sets it. */
bool line_sets(const struct parsed_line *line, int code);

/* Whether it was not given, and the file sets it. */
bool line_is_default(const struct parsed_line *line, int code);

/* The code of the command's option NAME, for files that serve a command defined elsewhere. */
int line_code(const struct parsed_line *line, const char *name);

/* The value that was given last, or else the default, which the file may set; NULL if there is
 * neither. */
const char *line_value(const struct parsed_line *line, int code);

/* The values of an option that may be repeated, one per call; NULL after the last. Those of the
 * file count if none was given. *I starts at 0. */
const char *line_next(const struct parsed_line *line, int code, size_t *i);

/* The row of the line's option I, and its value or NULL; NULL after the last. Those of the file
 * come after those that were given. An option that was turned off is left out. */
const struct option_row *line_given(const struct parsed_line *line, size_t i, const char **value);

/* Refuses operands, and options that are not among the COUNT codes ALLOWED: the command goes on
 * with WHAT ("run"), which keeps its options. */
int line_check_resumed(const struct parsed_line *line, const int *allowed, size_t count,
		       const char *what, struct error **err);

/* ARGV[0] is the command's name. DEFAULTS outlive LINE; NULL: none. Returns -1 if the command
 * should run with LINE, which the caller clears; else the exit status. */
int commandline_parse(const struct command *command, int argc, char **argv,
		      const struct defaults *defaults, struct parsed_line *line);
void parsed_line_clear(struct parsed_line *line);

/* Reads the options before the command, which is then argv[optind]. HELP is rootlet's own. Returns
 * as above. */
int commandline_parse_global(const char *help, int argc, char **argv);
