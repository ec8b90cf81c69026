/* How often each test failed, over many runs. */
#pragma once

#include <stdbool.h>

#include "frontend/fstests/run_index.h"
#include "frontend/fstests/statistics.h"

/* Which runs count: all of those below that are set. */
struct tally_filter {
	const char *fstype; /* as in run.json: "ext4", "ext4,xfs" */
	const char *kernel; /* a pattern, fnmatch(3), for the kernel's version */
	int64_t until;	    /* the last that counts began then; 0: any */
	const char *except; /* the id of one that does not count */
};

/* FLAKY: with one and the same kernel, the test has failed and passed. */
struct test_tally {
	struct trials trials;
	bool flaky;
};

struct run_tally {
	struct test_tally *list; /* of each test of the index */
	size_t runs;		 /* that count */
	size_t running;		 /* that do not count yet */
};

/* Counts the outcomes in INDEX, which has them. A crash and a timeout are failures; a test that did
 * not run has not been tried. */
int tally_runs(const struct run_index *index, const struct tally_filter *filter,
	       struct run_tally *out, struct error **err);
void run_tally_clear(struct run_tally *tally);

/* How often each test of one run was tried: at the position of its first result. NULL if out of
 * memory; the caller frees it. */
struct trials *results_trials(const struct results *results);

/* Whether a test with this result was tried, and whether it failed. */
bool outcome_tried(enum test_status status);
bool outcome_failed(enum test_status status);
