/* The packages that have the commands of fstests, in Ubuntu and Debian. Used if the release's own
 * index of programs (program_index.h) is unavailable, or names several packages. */
#pragma once

#include <stdbool.h>

struct command_package {
	const char *command, *package;
	bool alternative; /* the command is a link that the package's script makes: in no index */
};

/* NULL if the table does not have COMMAND. */
const struct command_package *command_package(const char *command);
