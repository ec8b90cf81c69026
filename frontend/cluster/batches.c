#include "frontend/cluster/batches.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/cli/word_list.h"
#include "frontend/fstests/check_output.h"
#include "lib/cleanup.h"

#define BATCH_MOST_SECONDS 60
#define BATCH_MOST_TESTS 8
#define BATCHES_PER_WORKER 8 /* at least, so that all workers end at about the same time */
#define NAME_MOST 128
#define TESTS_MOST 50000 /* twenty sections of all of fstests */

/* --- cutting -------------------------------------------------------------------------------- */

/* Tests that run alone last; long tests first; then by name. */
static int compare_queued(const void *a, const void *b)
{
	const struct queued_test *x = a, *y = b;

	if (x->alone != y->alone)
		return x->alone ? 1 : -1;
	if (x->seconds < y->seconds || x->seconds > y->seconds)
		return x->seconds < y->seconds ? 1 : -1;
	return strcmp(x->section, y->section) ? strcmp(x->section, y->section)
					      : strcmp(x->name, y->name);
}

static struct queued_test *batches_sort(const struct test_plan *plan, const struct durations *d,
					const struct test_groups *groups, double *sum)
{
	struct queued_test *list = calloc(plan->count + 1, sizeof(*list));

	*sum = 0;
	for (size_t i = 0; list && i < plan->count; i++) {
		const struct planned *p = &plan->list[i];

		list[i] = (struct queued_test){
			.section = p->section,
			.name = p->name,
			.seconds = durations_expect(d, groups, p->section, p->name),
			.alone = test_groups_has(groups, p->name, GROUP_ALONE),
		};
		*sum += list[i].seconds;
	}
	if (list)
		qsort(list, plan->count, sizeof(*list), compare_queued);
	return list;
}

static char *batch_text(const struct queued_test *const *tests, size_t count)
{
	json_t *array = json_array();
	char *text;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_pack("{s:s, s:s, s:f, s:b}", "section",
						       tests[i]->section, "name", tests[i]->name,
						       "seconds", tests[i]->seconds, "alone",
						       (int)tests[i]->alone));
	text = json_array_size(array) == count ? json_dumps(array, JSON_COMPACT) : NULL;
	json_decref(array);
	return text;
}

/* Fills a batch with tests of one section, from FIRST on, that are not TAKEN. */
static char *batch_fill(const struct queued_test *list, size_t count, size_t first, double most,
			bool *taken)
{
	const struct queued_test *tests[BATCH_MOST_TESTS];
	double seconds = 0;
	size_t n = 0;

	for (size_t i = first; i < count && n < BATCH_MOST_TESTS; i++) {
		if (taken[i] || list[i].alone != list[first].alone ||
		    strcmp(list[i].section, list[first].section) != 0)
			continue;
		if (n && seconds + list[i].seconds > most)
			break;
		seconds += list[i].seconds;
		taken[i] = true;
		tests[n++] = &list[i];
	}
	return batch_text(tests, n);
}

int batches_cut(const struct test_plan *plan, const struct durations *durations,
		const struct test_groups *groups, unsigned int workers, char ***texts,
		size_t *count, struct error **err)
{
	double sum, most;
	_cleanup_free_ struct queued_test *list = batches_sort(plan, durations, groups, &sum);
	_cleanup_free_ bool *taken = calloc(plan->count + 1, sizeof(*taken));
	size_t next = 0;

	*texts = calloc(plan->count + 1, sizeof(**texts));
	*count = 0;
	if (!list || !taken || !*texts)
		return error_no_memory(err);
	/* A guest may have written the list. */
	if (plan->count > TESTS_MOST)
		return error_set(err, ERR_INPUT, "the list of tests has more than %d", TESTS_MOST);
	most = sum / (workers * BATCHES_PER_WORKER);
	most = most < BATCH_MOST_SECONDS ? most : BATCH_MOST_SECONDS;
	for (; next < plan->count; next++) {
		if (taken[next])
			continue;
		(*texts)[*count] = batch_fill(list, plan->count, next, most, taken);
		if (!(*texts)[*count])
			return error_no_memory(err);
		++*count;
	}
	return 0;
}

/* --- reading -------------------------------------------------------------------------------- */

static bool batch_test_valid(const json_t *test)
{
	const char *section = json_string_value(json_object_get(test, "section"));
	const char *name = json_string_value(json_object_get(test, "name"));
	size_t length = name ? test_name_length(name) : 0;

	return section && strlen(section) < NAME_MOST && length && !name[length] &&
	       length < NAME_MOST && json_is_number(json_object_get(test, "seconds")) &&
	       json_is_boolean(json_object_get(test, "alone"));
}

json_t *batch_parse(const char *text, struct error **err)
{
	json_t *batch = json_loads(text, 0, NULL);
	size_t count = json_is_array(batch) ? json_array_size(batch) : 0;
	bool valid = count > 0;

	for (size_t i = 0; i < count; i++)
		valid = valid && batch_test_valid(json_array_get(batch, i));
	if (valid)
		return batch;
	json_decref(batch);
	error_set(err, ERR_INPUT, "a batch in the shared directory is damaged");
	return NULL;
}

struct queued_test batch_test(const json_t *batch, size_t i)
{
	const json_t *test = json_array_get(batch, i);

	return (struct queued_test){
		.section = json_string_value(json_object_get(test, "section")),
		.name = json_string_value(json_object_get(test, "name")),
		.seconds = json_number_value(json_object_get(test, "seconds")),
		.alone = json_is_true(json_object_get(test, "alone")),
	};
}
