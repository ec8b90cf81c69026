/* Parses a command line by the command's table. Handles --help and --color, and reports unknown
 * options and verbs, wrong values of a choice, and words that are missing or too many. So a command
 * only checks what its table cannot say. */
#pragma once

#include "frontend/commands/option_table.h"

struct parsed_line {
	const char *name; /* the command's */
	const struct command *command;
	int verb;	 /* its code; 0 if the command has no verbs */
	char **operands; /* NULL-terminated; in argv */
	int operand_count;
	struct given_option *given; /* in their order */
	size_t given_count;
};

/* Whether the option was given. */
bool line_has(const struct parsed_line *line, int code);

/* The code of the command's option NAME, for files that serve a command defined elsewhere. */
int line_code(const struct parsed_line *line, const char *name);

/* The value that was given last, or else the default; NULL if there is neither. */
const char *line_value(const struct parsed_line *line, int code);

/* The values of an option that may be repeated, one per call; NULL after the last. *I starts at 0.
 */
const char *line_next(const struct parsed_line *line, int code, size_t *i);

/* The row of the line's option I, and its value or NULL; NULL after the last. */
const struct option_row *line_given(const struct parsed_line *line, size_t i, const char **value);

/* ARGV[0] is the command's name. Returns -1 if the command should run with LINE, which the caller
 * clears; else the exit status. */
int commandline_parse(const struct command *command, int argc, char **argv,
		      struct parsed_line *line);
void parsed_line_clear(struct parsed_line *line);

/* Reads the options before the command, which is then argv[optind]. HELP is rootlet's own. Returns
 * as above. */
int commandline_parse_global(const char *help, int argc, char **argv);
