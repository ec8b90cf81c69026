/* The help of a command, composed from its table: the usage lines, what it does, its verbs and
 * options in aligned columns, and its exit statuses. Lines have at most 80 columns. */
#pragma once

#include "frontend/commands/option_table.h"

/* Returns the text, which the caller frees; NULL if out of memory. */
char *help_compose(const struct command *command);

/* The same for rootlet itself: HEAD, each of COUNT commands with its summary, and TAIL, which the
 * options of every command precede. */
char *help_compose_all(const char *head, const struct command *const *commands, size_t count,
		       const char *tail);
