/* One task of a run on a cluster: takes batches and runs them in guests of its own until no batch
 * is left. */
#pragma once

#include "frontend/cli/progress.h"
#include "lib/error.h"

/* Runs the task of a Slurm array that the environment names, for the shared run at PATH. Returns 0,
 * or -1 with ERR set. Either way, batches that it did not finish are back in the queue. */
int array_task_run(const char *path, struct progress *progress, struct error **err);
