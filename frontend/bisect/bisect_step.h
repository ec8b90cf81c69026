/* Builds and tests the commit that is checked out in a bisect's worktree. */
#pragma once

#include "frontend/bisect/bisect_state.h"
#include "frontend/cli/progress.h"
#include "frontend/fstests/statistics.h"

#define REASON_SIZE 256

enum bisect_verdict { BISECT_GOOD, BISECT_BAD, BISECT_SKIP };

struct bisect_step {
	enum bisect_verdict verdict;
	bool crashed;	       /* the kernel crashed or hung: the trials say nothing of how often */
	struct trials trials;  /* of the test that failed most often */
	char why[REASON_SIZE]; /* why it is bad, or skipped */
};

const char *bisect_verdict_name(enum bisect_verdict verdict);

/* Builds the kernel, runs the tests REPEATS times, or only until one fails (UNTIL_FAILURE), and
 * adds the step to steps.jsonl. LABEL is for the user: "step 3 of about 7". MODE says
 * whether the step is reported as text, as events or not at all. Returns 0, or -1 with ERR set if
 * the bisect cannot go on: ERR_INTERRUPTED, or ERR_INPUT if rootlet fstests refuses the command
 * line. */
int bisect_step_run(const struct bisect_state *s, const char *label, unsigned int repeats,
		    bool until_failure, enum progress_mode mode, struct bisect_step *step,
		    struct error **err);
