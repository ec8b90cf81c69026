/* The search itself, with git bisect in the bisect's worktree. */
#pragma once

#include "frontend/bisect/bisect_state.h"
#include "frontend/cli/progress.h"

struct bisect_search {
	struct bisect_state *state;
	enum progress_mode mode; /* how each step is reported */
};

/* Makes the worktree, or puts in order what an interruption left of it. */
int bisect_prepare(const struct bisect_search *b, struct error **err);

/* Tests both ends: how often the bad one fails decides how often each kernel is tested. Does
 * nothing if that is known already. ERR_INPUT if the ends do not differ. */
int bisect_ends(const struct bisect_search *b, struct error **err);

bool bisect_ends_tested(const struct bisect_search *b);

/* Tests kernels until one commit is left, or only commits that cannot be tested. Can be called
 * again after an interruption, and goes on where it was. */
int bisect_between(const struct bisect_search *b, struct error **err);

/* The commits that may be the first bad one: objects with commit and subject; one if it was found.
 * A new reference; NULL with ERR set. */
json_t *bisect_suspects(const struct bisect_search *b, struct error **err);

/* Removes the worktree, and what the user's repository knows of it. */
int bisect_finish(const struct bisect_search *b, struct error **err);
