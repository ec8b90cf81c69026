/* Commands that tests did not find, by the reasons that they gave for not running. The text comes
 * from the guest, so it is untrusted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "frontend/archive/program_index.h"
#include "frontend/fstests/results.h"

#define COMMAND_SIZE 129 /* see program_name_is_valid() */

/* NAME becomes the command that REASON says is missing. False if it is about something else. Source
 * of the texts: common/rc and tests of fstests. */
bool not_run_command(const char *reason, char name[static COMMAND_SIZE]);

/* A command that tests did not find. */
struct lacking {
	char command[COMMAND_SIZE];
	char package[PACKAGE_NAME_MAX + 1]; /* that has it; "": unknown */
	size_t tests;			    /* that need it */
	bool installed;
};

struct lackings {
	struct lacking *list; /* those of most tests first */
	size_t count;
	char *why; /* why packages were not installed; NULL: they were, or none is known */
};

/* Collects the commands that the tests of RESULTS which did not run ask for. Returns 0, or -1 if
 * out of memory. */
int not_run_collect(const struct results *results, struct lackings *lackings);
void lackings_clear(struct lackings *lackings);

/* Whether a test that did not run waits for a command whose package is installed now. */
bool not_run_can_run(const struct lackings *lackings, const struct test_result *result);
