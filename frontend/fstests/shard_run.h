/* What --shard and --durations do to a run. */
#pragma once

#include "frontend/fstests/fstests.h"

/* Reads --durations into RUN; notes that it ignores a damaged file. ERR_INPUT if FILE cannot be
 * read. */
int shard_run_read(struct fstests_run *run, struct error **err);

/* Cuts RUN's plan, which is the whole list of tests, down to RUN's part, and keeps the whole plan
 * in the run's directory. */
int shard_run_cut(struct fstests_run *run, struct error **err);

/* For run.json; a new reference. */
json_t *shard_to_json(const struct shard *shard);
