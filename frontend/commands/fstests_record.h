/* The directory of a run of rootlet fstests: what is written before it starts, and its outcome. */
#pragma once

#include "frontend/commands/fstests_job.h"

/* Makes the run's directory with all that the guests read, and writes its parameters, so that a run
 * that is cut off has them too. RECORD: run.json, a new reference. */
int fstests_open_run(struct fstests_job *j, json_t **record, struct error **err);

/* Sets what rootlet runs merge compares. */
int fstests_describe_identity(const struct fstests_job *j, json_t *record, struct error **err);

/* Stores and prints the outcome of the run. WHY: why the tests could not be run, or NULL. */
int fstests_finish(struct fstests_job *j, json_t *record, int status, const struct error *why,
		   struct error **err);
