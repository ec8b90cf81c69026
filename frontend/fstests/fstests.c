#include "frontend/fstests/fstests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/fstests/configuration_plan.h"
#include "lib/cleanup.h"

bool fstests_repeats(const struct fstests_options *options)
{
	return options->again || options->until_failure || options->retry_failed;
}

/* Whether the tree certainly has no test of exactly this name. check then runs one whose name it
 * begins: "generic/107-quota" for "generic/107". */
static bool fstests_lacks_test(const char *tree, const char *name)
{
	_cleanup_free_ char *tests = NULL;
	_cleanup_free_ char *path = NULL;

	return asprintf(&tests, "%s/tests", tree) >= 0 &&
	       asprintf(&path, "%s/%s", tests, name) >= 0 && access(tests, F_OK) == 0 &&
	       access(path, F_OK) < 0;
}

bool fstests_run_knows_plan(const struct fstests_run *run, struct test_plan *plan)
{
	_cleanup_(test_plan_clear) struct test_plan names = { 0 };
	bool known = !run->options->config && /* whose sections only check knows */
		     test_plan_of_words(run->words, run->word_count, &names);

	*plan = (struct test_plan){ 0 };
	for (size_t i = 0; known && run->tree && i < names.count; i++)
		known = !fstests_lacks_test(run->tree, names.list[i].name);
	if (known && !run->configurations.count) {
		*plan = names;
		names = (struct test_plan){ 0 };
	} else if (known) {
		known = configurations_plan(&run->configurations, &names, plan);
	}
	if (!known)
		test_plan_clear(plan);
	return known;
}

struct vm_disk fstests_device(const struct fstests_options *options, unsigned int number)
{
	struct vm_disk disk = { .size = options->device_size, .memory = options->device_memory };

	snprintf(disk.name, sizeof(disk.name), "device%u", number);
	return disk;
}

enum fstests_exit fstests_run_conclude(const struct fstests_run *run)
{
	const struct results *r = &run->results;

	if (run->crashed || results_count(r, TEST_CRASH))
		return FSTESTS_CRASHED;
	if (run->exhausted || results_count(r, TEST_TIMEOUT))
		return FSTESTS_TIMED_OUT;
	if (*run->refusal)
		return FSTESTS_NOT_RUN;
	return results_unexcused(r) || results_count(r, TEST_UNREACHED) ? FSTESTS_FAILED
									: FSTESTS_PASSED;
}

void fstests_run_clear(struct fstests_run *run)
{
	test_plan_clear(&run->plan);
	configurations_clear(&run->configurations);
	free(run->config);
	results_clear(&run->results);
	durations_free(&run->durations);
	durations_free(&run->given);
	test_groups_free(&run->groups);
	shard_clear(&run->shard);
	kernel_traces_clear(&run->kernel);
	excludes_clear(&run->excludes.all);
}
