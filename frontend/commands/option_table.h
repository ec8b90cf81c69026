/* What a command's line may contain: one table of rows. The parser, --help, completion and the test
 * of the manual (tests/integration/manuals.py) all read it. To add an option, add a row, and ask
 * for it with line_has() or line_value(). Every command has --color and --help besides. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define OPTION_ROWS_MAX 64 /* of a command */

struct parsed_line;

/* An option ("--keep", or "-k", which is another name of one) or, without dashes, a verb ("prune").
 */
struct option_row {
	const char *name;
	/* The kind of its value, "NAME" or "image|dir", where one of the words must be given; of a
	 * verb's arguments, "RUN RUN" or "[FILE…]". NULL: none. */
	const char *value;
	int code;
	const char *text;     /* NULL: another name of a row, which is neither shown nor offered */
	const char *fallback; /* the value if none is given; the help says so */
	int verb;	      /* code of the only verb that takes this option; 0: all do */
	short also;	      /* code of another verb that takes it; 0: none */
	short unless;	      /* code of the option with which it is not required; 0: none */
	bool required : 1;    /* by the command, or by VERB */
	bool or_next : 1;     /* at most one of this option and the next */
	bool preset : 1;      /* the verb if none is given */
	bool apart : 1;	      /* begins a group in the help, after an empty line */
	bool once : 1;	      /* of one call: cannot have a default in the configuration file */
};

/* A command. main.c lists them. */
struct command {
	const char *name, *summary;
	const char *about;	       /* what it does, for the help, which breaks the lines */
	const char *statuses;	       /* the exit statuses: "0 done; 1 failed." */
	const struct option_row *rows; /* the last one has no name */
	/* What follows the options: "[COMMAND]"; NULL: nothing, or what a verb takes. If it begins
	 * with "[-- ", everything from the first operand on is another command line. */
	const char *operands;
	int (*run)(const struct parsed_line *line); /* returns the exit status */
	/* Its output only reports its work, so it does not fail if standard output was closed from
	 * the start. */
	bool acts;
};

/* Codes of the options that several commands have. The command's own begin at OPTION_OWN. */
enum {
	OPTION_HELP = 256,
	OPTION_COLOR,
	OPTION_NAME,
	OPTION_PATH,
	OPTION_QUIET,
	OPTION_JSON,
	OPTION_MIRROR,
	OPTION_KEYRING,
	OPTION_ALLOW_OLDER,
	OPTION_COMPONENTS,
	OPTION_REPOSITORY,
	OPTION_OWN,
};

/* Needs frontend/rootfs/store.h. */
#define ROOTFS_ROWS                                                                                \
	{ "--name",	   "NAME",                                                                 \
	  OPTION_NAME,	   "name in ~/" STORE_DIR " (default: " STORE_DEFAULT_NAME ")",            \
	  .or_next = true, .once = true },                                                         \
	{                                                                                          \
		"--path", "DIR", OPTION_PATH, "path of a rootfs elsewhere", .once = true           \
	}
#define QUIET_ROW                                                                                  \
	{                                                                                          \
		"--quiet", NULL, OPTION_QUIET, "no progress output"                                \
	}
#define JSON_ROW(what)                                                                             \
	{                                                                                          \
		"--json", NULL, OPTION_JSON, what, .once = true                                    \
	}
#define JSON_EVENTS "JSON events, one per line: progress, log, and finally result"
#define JSON_FINDINGS "print the findings as a JSON object"
#define JSON_BY_VERB "JSON output: an array for list, otherwise an object"

/* Has only the rows that every command has. */
extern const struct command command_without_rows;

/* The command's row I, then those of every command; NULL after the last. */
const struct option_row *option_row_at(const struct command *command, size_t i);

/* The row called NAME, "--keep" or "prune", or NULL. */
const struct option_row *option_row_named(const struct command *command, const char *name);

/* The first row with CODE, or NULL. */
const struct option_row *option_row_coded(const struct command *command, int code);

bool option_row_is_verb(const struct option_row *row);
bool option_row_is_short(const struct option_row *row);

/* Whether the verb with code VERB takes the option. */
bool option_row_is_for(const struct option_row *row, int verb);

/* How many words FORM stands for, at least and at most: "RUN RUN", "[FILE…]". NULL: none. */
void operands_count(const char *form, int *least, int *most);

/* Whether the command's operands are another command line. */
bool command_runs_another(const struct command *command);

/* Whether the row's value, or what the user gave, is one of "image|dir". A number may lack its
 * leading zero. */
bool option_has_choices(const struct option_row *row);
bool option_is_choice(const struct option_row *row, const char *word);

/* "must be image or dir; did you mean: image"; the caller frees it. NULL if out of memory. */
char *option_explain_choices(const struct option_row *row, const char *word);

/* The beginning of the row's text, up to the first of "(;:". Returns OUT. */
const char *option_gist(const struct option_row *row, char *out, size_t size);
