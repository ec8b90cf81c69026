#include "frontend/fstests/second_pass.h"

#include "frontend/fstests/run_directory.h"

static bool can_run(const struct test_result *result, void *context)
{
	return not_run_can_run(context, result);
}

int second_pass_plan(struct fstests_run *run, const struct lackings *lackings, struct error **err)
{
	struct results *results = &run->results;

	test_plan_clear(&run->plan);
	for (size_t i = 0; i < results->count; i++)
		if (not_run_can_run(lackings, &results->list[i]) &&
		    !test_plan_add(&run->plan, results->list[i].section, results->list[i].name))
			return error_no_memory(err);
	if (!run->plan.count)
		return 0;
	if (results_drop(results, can_run, (void *)(uintptr_t)lackings, err) < 0 ||
	    results_write(run->folder.fd, RUN_TESTS, results, err) < 0)
		return -1;
	run->second_pass = true;
	run->settled = results->count;
	return (int)run->plan.count;
}
