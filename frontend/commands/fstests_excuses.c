#include "frontend/commands/fstests_excuses.h"

#include <string.h>

/* A test that failed, and passed when it ran again, has a pass as its last result. */
static bool excuse_retried(struct results *results)
{
	bool excused = false;

	for (size_t i = 0; i < results->count; i++) {
		struct test_result *r = &results->list[i];
		bool passed = false;

		if (r->status != TEST_FAIL)
			continue;
		for (size_t k = i + 1; k < results->count && !passed; k++)
			passed = results->list[k].status == TEST_PASS &&
				 strcmp(results->list[k].name, r->name) == 0 &&
				 strcmp(results->list[k].section, r->section) == 0;
		if (passed)
			r->excuse = EXCUSE_RETRIED;
		excused = excused || passed;
	}
	return excused;
}

static bool is_known_flake(const struct comparison *c, const struct test_result *r)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->list[i].change == CHANGE_FLAKE &&
		    strcmp(c->list[i].now->name, r->name) == 0 &&
		    strcmp(c->list[i].now->section, r->section) == 0)
			return true;
	return false;
}

static bool excuse_flakes(const struct comparison *c, struct results *results)
{
	bool excused = false;

	for (size_t i = 0; i < results->count; i++) {
		struct test_result *r = &results->list[i];

		if (r->status != TEST_FAIL || r->excuse || !is_known_flake(c, r))
			continue;
		r->excuse = EXCUSE_QUARANTINED;
		excused = true;
	}
	return excused;
}

int fstests_excuse(struct fstests_job *j, int status, struct error **err)
{
	const struct comparison_request request = {
		.first = j->options.baseline ? &j->first : NULL,
		.before = j->options.baseline ? &j->baseline : NULL,
		.fstype = j->tested,
		.second = j->run.dir.id,
	};
	struct results *results = &j->run.results;
	bool excused = j->options.retry_failed && excuse_retried(results);

	if ((j->options.baseline || j->options.quarantine) &&
	    comparison_make(&request, results, &j->comparison, err) < 0)
		return -1;
	if (j->options.quarantine && excuse_flakes(&j->comparison, results))
		excused = true;
	if (!excused)
		return status;
	if (results_write(j->run.dir.fd, RUN_TESTS, results, err) < 0)
		return -1;
	/* Whatever is worse than a failed test has no excuse. */
	return status == FSTESTS_FAILED ? (int)fstests_run_conclude(&j->run) : status;
}
