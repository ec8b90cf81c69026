/* The user's configuration file, which sets defaults for options: $XDG_CONFIG_HOME/rootlet/config.
 * A section is named after a command, or [all]; its keys are options without their dashes. An
 * option without a value takes yes or no. Rows marked `once` have no default. */
#pragma once

#include "frontend/cli/word_list.h"
#include "frontend/commands/option_table.h"
#include "lib/error.h"

struct default_value {
	const struct command *command; /* NULL: [all] */
	const char *option;	       /* "--memory" */
	char *value;		       /* "yes" or "no" if the option has none */
	unsigned line;
};

struct defaults {
	char *path;		    /* NULL if it is unknown */
	bool found;		    /* whether the file exists */
	struct default_value *list; /* in the file's order */
	size_t count;
	struct error *error; /* what is wrong with the file, or NULL */
};

/* Reads the file. COMMANDS are all commands. A missing file has no defaults. On failure D has an
 * error, and no defaults. The caller clears D in any case. */
void defaults_read(struct defaults *d, const struct command *const *commands, size_t count);
void defaults_clear(struct defaults *d);

/* The same for TEXT; PATH is for messages. */
void defaults_parse(struct defaults *d, const char *path, const char *text,
		    const struct command *const *commands, size_t count);

/* The values that the file sets for the command's ROW, one per call; NULL after the last. The
 * command's own section replaces [all]. *I starts at 0. */
const struct default_value *defaults_next(const struct defaults *d, const struct command *command,
					  const struct option_row *row, size_t *i);

/* Whether an option of the command can have a default in the file. */
bool defaults_allowed(const struct option_row *row);
bool defaults_apply(const struct command *command);
