/* Failures that do not fail a run of rootlet fstests: --retry-failed and --quarantine. */
#pragma once

#include "frontend/commands/fstests_job.h"

/* Compares the run, which ended with STATUS, with earlier ones if that was asked for, and excuses
 * failures. Returns the status with these excuses, or -1 with ERR set. */
int fstests_excuse(struct fstests_job *j, int status, struct error **err);
