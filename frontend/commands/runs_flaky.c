#include "frontend/commands/runs_flaky.h"

#include <fnmatch.h>
#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/run_tally.h"

#define CONFIGURATION_SIZE 256

/* A test in a configuration. */
struct flaky_test {
	const char *fstype, *section, *name;
	struct test_tally tally;
	struct interval interval; /* of its rate */
};

struct flaky_list {
	struct flaky_test *list;
	size_t count;
	size_t runs, running, damaged, newer;
};

static void flaky_list_clear(struct flaky_list *l)
{
	free(l->list);
}

/* "ext4"; "ext4/4k" in a section. */
static const char *flaky_configuration(const struct flaky_test *t,
				       char text[static CONFIGURATION_SIZE])
{
	snprintf(text, CONFIGURATION_SIZE, "%s%s%s", t->fstype ? t->fstype : "-",
		 *t->section ? "/" : "", t->section);
	return text;
}

static bool is_wanted(const struct flaky_test *t, const char *pattern)
{
	char text[CONFIGURATION_SIZE];

	return !pattern || fnmatch(pattern, flaky_configuration(t, text), 0) == 0 ||
	       (*t->section && fnmatch(pattern, t->section, 0) == 0);
}

/* The most certain first. */
static int compare_flaky(const void *a, const void *b)
{
	const struct flaky_test *x = a, *y = b;
	int name;

	if (x->interval.low != y->interval.low)
		return x->interval.low < y->interval.low ? 1 : -1;
	name = strcmp(x->name, y->name);
	return name ? name : strcmp(x->section, y->section);
}

/* Adds the tests that failed in runs on one file system. */
static int flaky_add(struct flaky_list *l, const struct run_index *index,
		     const struct flaky_request *request, const char *fstype, struct error **err)
{
	const struct tally_filter filter = { .fstype = fstype, .kernel = request->kernel };
	_cleanup_(run_tally_clear) struct run_tally tally;

	if (tally_runs(index, &filter, &tally, err) < 0)
		return -1;
	l->runs += tally.runs;
	l->running += tally.running;
	for (size_t i = 0; i < index->test_count; i++) {
		const struct flaky_test test = {
			.fstype = fstype,
			.section = index->tests[i].section,
			.name = index->tests[i].name,
			.tally = tally.list[i],
			.interval = wilson_interval(tally.list[i].trials),
		};
		struct flaky_test *added;

		if (!test.tally.trials.failed || !is_wanted(&test, request->configuration))
			continue;
		added = array_grow(&l->list, l->count, sizeof(*added));
		if (!added)
			return error_no_memory(err);
		*added = test;
		l->count++;
	}
	return 0;
}

/* Whether an earlier run has the same file system. */
static bool fstype_seen(const struct run_index *index, size_t at)
{
	const char *fstype = index->runs[at].fstype;

	for (size_t i = 0; i < at; i++)
		if (index->runs[i].fstype && strcmp(index->runs[i].fstype, fstype) == 0)
			return true;
	return false;
}

static int flaky_collect(struct flaky_list *l, const struct run_index *index,
			 const struct flaky_request *request, struct error **err)
{
	for (size_t i = 0; i < index->run_count; i++) {
		const char *fstype = index->runs[i].fstype;

		l->damaged += index->runs[i].readable == RUN_DAMAGED;
		l->newer += index->runs[i].readable == RUN_NEWER;
		if (!fstype || (request->fstype && strcmp(fstype, request->fstype) != 0) ||
		    fstype_seen(index, i))
			continue;
		if (flaky_add(l, index, request, fstype, err) < 0)
			return -1;
	}
	if (l->count)
		qsort(l->list, l->count, sizeof(*l->list), compare_flaky);
	return 0;
}

/* --- output --------------------------------------------------------------------------------- */

static double flaky_rate(const struct flaky_test *t)
{
	return (double)t->tally.trials.failed / (double)t->tally.trials.total;
}

static json_t *flaky_to_json(const struct flaky_list *l)
{
	json_t *tests = json_array();

	for (size_t i = 0; i < l->count; i++) {
		const struct flaky_test *t = &l->list[i];
		json_t *object = json_pack("{s:o, s:o, s:I, s:I, s:f, s:f, s:f, s:b}", "name",
					   json_text(t->name), "fstype", json_text(t->fstype),
					   "failed", (json_int_t)t->tally.trials.failed, "ran",
					   (json_int_t)t->tally.trials.total, "rate", flaky_rate(t),
					   "low", t->interval.low, "high", t->interval.high,
					   "flaky", t->tally.flaky);

		if (*t->section)
			json_object_set_new(object, "section", json_text(t->section));
		json_array_append_new(tests, object);
	}
	return json_pack("{s:I, s:{s:I, s:I, s:I}, s:o}", "runs", (json_int_t)l->runs, "skipped",
			 "running", (json_int_t)l->running, "damaged", (json_int_t)l->damaged,
			 "newer", (json_int_t)l->newer, "tests", tests);
}

static const char *flaky_word(const struct test_tally *tally)
{
	if (tally->flaky)
		return "flaky";
	return tally->trials.failed == tally->trials.total ? "always fails"
							   : "depends on the kernel";
}

static void flaky_print_skipped(const char *what, size_t count)
{
	if (count)
		printf("not counted: %zu %s %s\n", count, count == 1 ? "run" : "runs", what);
}

static void flaky_print(const struct flaky_list *l)
{
	char text[CONFIGURATION_SIZE];
	size_t flaky = 0;

	if (l->count)
		printf("%-20s %-20s %7s %7s %7s  %-15s\n", "TEST", "CONFIGURATION", "FAILED", "RAN",
		       "RATE", "95 % INTERVAL");
	for (size_t i = 0; i < l->count; i++) {
		const struct flaky_test *t = &l->list[i];

		flaky += t->tally.flaky;
		printf("%-20s %-20s %7zu %7zu %5.1f %%  %4.1f to %5.1f %%  %s\n", t->name,
		       flaky_configuration(t, text), t->tally.trials.failed, t->tally.trials.total,
		       100 * flaky_rate(t), 100 * t->interval.low, 100 * t->interval.high,
		       flaky_word(&t->tally));
	}
	printf("%zu of the tests failed in %zu runs; %zu of them failed and passed with the same "
	       "kernel\n",
	       l->count, l->runs, flaky);
	flaky_print_skipped("in progress", l->running);
	flaky_print_skipped("with a damaged run.json", l->damaged);
	flaky_print_skipped("of a newer rootlet", l->newer);
}

int runs_flaky(const struct flaky_request *request, struct error **err)
{
	_cleanup_(run_index_clear) struct run_index index;
	_cleanup_(flaky_list_clear) struct flaky_list l = { 0 };

	if (run_index_read(true, &index, err) < 0 || flaky_collect(&l, &index, request, err) < 0)
		return -1;
	if (request->json)
		document_print(flaky_to_json(&l));
	else
		flaky_print(&l);
	return EXIT_OK;
}
