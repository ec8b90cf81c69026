/* Collects the results of the tasks of a shared run. */
#pragma once

#include <sys/types.h>

#include "frontend/cluster/shared_run.h"

/* Fills RUN's results and its kernels' reports from the finished batches, in the order of its plan.
 * For each batch, only the results of the task that finished it count; tests of unfinished batches
 * become unreached. Text comes from guests and is cleaned. Sets RUN's `crashed` if a kernel crashed
 * between tests. */
int gathering_collect(const struct shared_run *s, struct fstests_run *run, struct error **err);

/* The size of TASK's results so far, which changes when they do; 0 if it has none. */
off_t gathering_task_size(const struct shared_run *s, const char *task);

/* The results that TASK has so far, finished or not, with its name and the image's digest. An empty
 * list if it has none. */
int gathering_read_task(const struct shared_run *s, const char *task, struct results *results,
			struct error **err);
