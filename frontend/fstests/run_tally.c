#include "frontend/fstests/run_tally.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* What a test did with the kernel whose runs are being counted. */
struct kernel_mark {
	size_t kernel; /* its number, from 1 */
	bool failed, passed;
};

bool outcome_failed(enum test_status status)
{
	return status == TEST_FAIL || status == TEST_CRASH || status == TEST_TIMEOUT;
}

bool outcome_tried(enum test_status status)
{
	return status == TEST_PASS || outcome_failed(status);
}

void run_tally_clear(struct run_tally *tally)
{
	free(tally->list);
	*tally = (struct run_tally){ 0 };
}

static bool text_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool filter_passes(const struct tally_filter *filter, const struct indexed_run *run)
{
	return run->readable == RUN_READABLE &&
	       (!filter->except || strcmp(run->id, filter->except) != 0) &&
	       (!filter->fstype || text_same(filter->fstype, run->fstype)) &&
	       (!filter->kernel ||
		(run->kernel_version && fnmatch(filter->kernel, run->kernel_version, 0) == 0)) &&
	       (!filter->until || run->began <= filter->until);
}

static int compare_kernels(const void *a, const void *b)
{
	const struct indexed_run *x = *(const struct indexed_run *const *)a;
	const struct indexed_run *y = *(const struct indexed_run *const *)b;

	return strcmp(x->kernel ? x->kernel : "", y->kernel ? y->kernel : "");
}

/* Lists the runs that count, those of one kernel together. */
static void choose_runs(const struct run_index *index, const struct tally_filter *filter,
			const struct indexed_run **chosen, struct run_tally *out)
{
	for (size_t i = 0; i < index->run_count; i++) {
		const struct indexed_run *run = &index->runs[i];

		if (!filter_passes(filter, run))
			continue;
		if (indexed_run_busy(run))
			out->running++;
		else
			chosen[out->runs++] = run;
	}
	if (out->runs)
		qsort(chosen, out->runs, sizeof(struct indexed_run *), compare_kernels);
}

static void count_run(const struct indexed_run *run, size_t kernel, struct kernel_mark *marks,
		      struct test_tally *list)
{
	for (size_t i = 0; i < run->outcome_count; i++) {
		enum test_status status = (enum test_status)run->outcomes[i].status;
		struct kernel_mark *mark = &marks[run->outcomes[i].test];
		struct test_tally *tally = &list[run->outcomes[i].test];

		if (!outcome_tried(status))
			continue;
		if (mark->kernel != kernel)
			*mark = (struct kernel_mark){ .kernel = kernel };
		tally->trials.total++;
		tally->trials.failed += outcome_failed(status);
		mark->failed = mark->failed || outcome_failed(status);
		mark->passed = mark->passed || status == TEST_PASS;
		tally->flaky = tally->flaky || (mark->failed && mark->passed);
	}
}

int tally_runs(const struct run_index *index, const struct tally_filter *filter,
	       struct run_tally *out, struct error **err)
{
	_cleanup_free_ const struct indexed_run **chosen =
		calloc(index->run_count + 1, sizeof(struct indexed_run *));
	_cleanup_free_ struct kernel_mark *marks = calloc(index->test_count + 1, sizeof(*marks));
	size_t kernel = 0;

	*out = (struct run_tally){ .list = calloc(index->test_count + 1, sizeof(*out->list)) };
	if (!chosen || !marks || !out->list)
		return error_no_memory(err);
	choose_runs(index, filter, chosen, out);
	for (size_t i = 0; i < out->runs; i++) {
		if (!i || compare_kernels(&chosen[i - 1], &chosen[i]) != 0)
			kernel++;
		count_run(chosen[i], kernel, marks, out->list);
	}
	return 0;
}

struct trials *results_trials(const struct results *results)
{
	struct trials *list = calloc(results->count + 1, sizeof(*list));

	for (size_t i = 0; list && i < results->count; i++) {
		const struct test_result *r = &results->list[i];
		struct trials *t =
			&list[results_find(results, r->section, r->name) - results->list];

		t->total += outcome_tried(r->status);
		t->failed += outcome_failed(r->status);
	}
	return list;
}
