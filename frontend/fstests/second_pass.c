#include "frontend/fstests/second_pass.h"

#include "frontend/fstests/run_directory.h"

int second_pass_plan(struct fstests_run *run, const struct lackings *lackings, struct error **err)
{
	_cleanup_(results_clear) struct results settled = { 0 };
	struct results before = run->results;

	test_plan_clear(&run->plan);
	for (size_t i = 0; i < before.count; i++) {
		const struct test_result *result = &before.list[i];

		if (!not_run_can_run(lackings, result)) {
			if (results_add(&settled, result, err) < 0)
				return -1;
		} else if (!test_plan_add(&run->plan, result->section, result->name)) {
			return error_no_memory(err);
		}
	}
	if (!run->plan.count)
		return 0;
	run->results = settled;
	settled = before;
	if (results_write(run->dir.fd, RUN_TESTS, &run->results, err) < 0)
		return -1;
	run->second_pass = true;
	run->settled = run->results.count;
	return (int)run->plan.count;
}
