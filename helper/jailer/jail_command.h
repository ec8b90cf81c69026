/* What the program of a jail does. All of this runs in the jail, with the rights of that program.
 */
#pragma once

#include "helper/jailer/jail_spec.h"
#include "proto/validate.h"

struct jail_command {
	const char *argv[ARGV_MAX + 1]; /* argv[0] is looked up in PATH */
	size_t argc;
	char text[2][64], groups[GROUPS_MAX * (ACCOUNT_NAME_MAX + 2)];
};

/* Fills C, which is empty, with the command of SPEC. Returns 0, or -1 after a message on standard
 * error. */
int jail_command_make(struct jail_command *c, const struct jail_spec *spec);
