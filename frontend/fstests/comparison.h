/* Compares a run with another one, and with all that ran before: which failures are regressions,
 * and which are known flakes.
 *
 * What counts as earlier: the kept runs on the first run's filesystem that began no later than it.
 * A test that failed is a regression if it fails more often than in those, by Fisher's exact test
 * with a false-discovery rate of 5 % over all tests (statistics.h). If not, and if it has failed
 * and passed with one and the same kernel, it is a known flake. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "frontend/fstests/results.h"
#include "frontend/fstests/run_directory.h"
#include "frontend/fstests/statistics.h"

#define COMPARISON_RATE 0.05

enum change {
	CHANGE_NONE,
	CHANGE_REGRESSION,
	CHANGE_BROKEN, /* fails, unlike in the first run, and nothing says more */
	CHANGE_FLAKE,
	CHANGE_FIXED,
	CHANGE_STILL, /* fails as in the first run */
	CHANGE_EXCLUDED,
	CHANGES,
};

struct compared_test {
	const struct test_result *before; /* in the first run: the worst; NULL if none */
	const struct test_result *now;	  /* in the second run: the worst */
	struct trials earlier, trials;	  /* in the earlier runs, in the second run */
	double p, q;			  /* of Fisher's test */
	enum change change;
	bool flaky; /* failed and passed earlier with one kernel */
};

struct comparison {
	struct compared_test *list;
	size_t count;
	size_t runs; /* earlier ones */
	size_t changes[CHANGES];
};

struct comparison_request {
	/* The first run, and its results, which must outlive the comparison. NULL: none; then all
	 * runs on FSTYPE are earlier. */
	const struct run_dir *first;
	const struct results *before;
	const char *fstype;
	const char *second; /* the id of the second run, which is not earlier than itself */
};

/* Compares AFTER, the results of the second run, which must outlive the comparison. */
int comparison_make(const struct comparison_request *request, const struct results *after,
		    struct comparison *out, struct error **err);
void comparison_clear(struct comparison *c);

/* Whether something is worse: a regression, or a new failure that is no known flake. */
bool comparison_is_worse(const struct comparison *c);

/* Prints what changed, and how sure that is. */
void comparison_print(FILE *out, const struct comparison *c);
json_t *comparison_to_json(const struct comparison *c);
