/* --shard: one part of a run that several machines share without talking to each other. Each of
 * them splits the same list of tests in the same way, so the split depends on nothing but that
 * list, the tests' groups, a file of durations and the number of parts. */
#pragma once

#include "frontend/fstests/durations.h"
#include "frontend/fstests/test_groups.h"
#include "frontend/fstests/test_plan.h"
#include "lib/error.h"
#include "lib/hex.h"

struct shard {
	unsigned int part, parts; /* from 1; PARTS is 0 if the run is not split */
	/* Once the plan is cut: */
	char *text; /* the whole plan, as in the run's file RUN_PLAN; NULL before */
	char hash[2 * SHA256_LEN + 1]; /* of TEXT */
	size_t count, all;	       /* tests of this part, and of all parts */
	double seconds;		       /* expected, of this part */
};

/* Reads "I/N", or, with the part from the environment, "auto" or "auto/N". ERR_INPUT if TEXT or the
 * environment is wrong. Sources: the variables of GitLab's CI/CD, of Kubernetes' indexed jobs and
 * of sbatch(1). */
int shard_parse(const char *text, struct shard *shard, struct error **err);

/* Removes all tests from PLAN that are not in SHARD's part and fills in the rest of SHARD. The
 * parts have about the same expected duration, and also their tests that run alone. DURATIONS and
 * GROUPS may be NULL. */
int shard_cut(struct shard *shard, struct test_plan *plan, const struct test_groups *groups,
	      const struct durations *durations, struct error **err);
void shard_clear(struct shard *shard);

/* Reads a plan's TEXT. PLAN gets all tests, sorted, and PARTS the part of each; the caller clears
 * the one and frees the other. ERR_INPUT if it is malformed. */
int shard_read_plan(const char *text, struct test_plan *plan, unsigned int **parts,
		    struct error **err);
