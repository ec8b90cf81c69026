/* Runs that are kept under a name, to compare others with: $XDG_STATE_HOME/rootlet/baselines/NAME,
 * with run.json and tests.jsonl. run_dir_open() finds them by that name. */
#pragma once

#include <jansson.h>

#include "frontend/fstests/run_directory.h"

/* Keeps RUN, which must have ended, as NAME. Replaces an earlier one. ERR_INPUT if NAME is not
 * usable as a name, or is that of a run; ERR_BUSY if RUN is in progress. */
int baseline_save(const struct run_dir *run, const char *name, struct error **err);

/* All of them by name: {name, run, began, status, fstype, kernel_version, counts}, as far as
 * run.json has it. */
json_t *baselines_list(struct error **err);
