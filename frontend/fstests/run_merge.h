/* Makes one run of the shards of a run, whose directories may come from other machines. Nothing in
 * them is trusted: sizes are bounded, and text is cleaned before it is shown. */
#pragma once

#include <jansson.h>

#include "frontend/fstests/kernel_traces.h"
#include "frontend/fstests/results.h"
#include "frontend/fstests/run_directory.h"

struct run_merge {
	struct run_dir dir;	/* of the new run */
	json_t *record;		/* its run.json */
	struct results results; /* a result for each planned test, in the plan's order */
	json_t *missing;	/* the names of tests that no shard has */
	struct kernel_traces kernel;
	int status; /* enum fstests_exit */
};

/* Merges the runs NAMES, NULL-terminated, into a new run in the directory RESULTS, or, if that is
 * NULL, below the state directory. ERR_INPUT if they are no shards of one run, ERR_BUSY if one is
 * in progress. Tests that no shard has become unreached. The caller clears OUT. */
int run_merge(char *const *names, const char *results, struct run_merge *out, struct error **err);
void run_merge_clear(struct run_merge *m);
