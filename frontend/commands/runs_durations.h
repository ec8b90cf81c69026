/* rootlet runs durations: how long tests took, for rootlet fstests --durations. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

/* Prints the durations of the runs RUNS, NULL-terminated, which come first to last; if there are
 * none, of all runs, the newest first. Returns an exit status, or -1 with ERR set. */
int runs_durations(bool json, char *const *runs, struct error **err);
