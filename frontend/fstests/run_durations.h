/* How long tests took in all runs. */
#pragma once

#include "frontend/fstests/durations.h"

/* Adds the durations of all runs, the newest first: if FSTYPE is not NULL, those of that file
 * system before all others. */
int durations_add_runs(struct durations *d, const char *fstype, struct error **err);
