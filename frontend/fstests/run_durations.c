#include "frontend/fstests/run_durations.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/fstests/run_index.h"

/* Adds what RUN has of tests that are not in SEEN. */
static int durations_add_run(struct durations *d, const struct run_index *index,
			     const struct indexed_run *run, bool *seen)
{
	for (size_t i = 0; i < run->outcome_count; i++) {
		const struct run_outcome *o = &run->outcomes[i];
		const struct indexed_test *test = &index->tests[o->test];

		if (seen[o->test] || o->status == TEST_UNREACHED || o->status == TEST_EXPUNGED)
			continue;
		seen[o->test] = true;
		if (durations_add(d, test->section, test->name, (double)o->seconds) < 0)
			return -1;
	}
	return 0;
}

int durations_add_runs(struct durations *d, const char *fstype, struct error **err)
{
	_cleanup_(run_index_clear) struct run_index index;
	_cleanup_free_ bool *seen = NULL;
	int result = 0;

	if (run_index_read(true, &index, err) < 0)
		return -1;
	seen = calloc(index.test_count + 1, sizeof(*seen));
	if (!seen)
		return error_no_memory(err);
	for (int same = fstype != NULL; same >= 0; same--)
		for (size_t i = index.run_count; i-- > 0 && result == 0;)
			if (!fstype || (strstr(index.runs[i].id, fstype) != NULL) == same)
				result = durations_add_run(d, &index, &index.runs[i], seen);
	return result < 0 ? error_no_memory(err) : 0;
}
