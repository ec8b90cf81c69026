#include "frontend/commands/runs_merge.h"

#include "frontend/cli/events.h"
#include "frontend/fstests/junit.h"
#include "frontend/fstests/run_merge.h"
#include "frontend/fstests/summary.h"

#define NAMES_MOST 20

/* "no shard has: generic/001, ext4_1k generic/002 and 7 more" */
static void merge_print_missing(const struct run_merge *m)
{
	size_t count = json_array_size(m->missing);

	for (size_t i = 0; i < count && i < NAMES_MOST; i++) {
		const json_t *one = json_array_get(m->missing, i);
		const char *section = json_string_value(json_object_get(one, "section"));

		printf("%s%s%s%s", i ? ", " : "\nno shard has: ", section ? section : "",
		       section ? " " : "", json_string_value(json_object_get(one, "name")));
	}
	if (count > NAMES_MOST)
		printf(" and %zu more", count - NAMES_MOST);
	if (count)
		putchar('\n');
}

static void merge_print(const struct run_merge *m)
{
	results_print(stdout, &m->results);
	merge_print_missing(m);
	kernel_traces_print(stdout, &m->kernel);
	putchar('\n');
	summary_print_counts(&m->results, m->status);
	printf(", in %zu shards\nrun %s: %s\n",
	       json_array_size(json_object_get(m->record, "shards")), m->dir.id, m->dir.path);
}

int runs_merge(bool json, char *const *runs, const char *results, const char *junit,
	       struct error **err)
{
	_cleanup_(run_merge_clear) struct run_merge m;

	if (run_merge(runs, results, &m, err) < 0 ||
	    (junit && junit_write(junit, &m.results, m.dir.id, m.record, err) < 0))
		return -1;
	if (json)
		document_print(json_incref(m.record));
	else
		merge_print(&m);
	return m.status;
}
