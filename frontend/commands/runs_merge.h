/* rootlet runs merge: one run of the shards that several machines ran. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

/* Merges RUNS, NULL-terminated; RESULTS, JUNIT: where to, or NULL. Prints the summary. Returns the
 * run's exit status (enum fstests_exit), or -1 with ERR set. */
int runs_merge(bool json, char *const *runs, const char *results, const char *junit,
	       struct error **err);
