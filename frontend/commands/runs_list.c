#include "frontend/commands/runs_list.h"

#include "frontend/cli/events.h"
#include "frontend/cli/report.h"
#include "frontend/fstests/run_directory.h"
#include "frontend/fstests/run_index.h"

static const char *or_dash(const char *text)
{
	return text ? text : "-";
}

static void runs_print_row(const struct indexed_run *run)
{
	const unsigned int *counts = run->counts;

	printf("%-28s %-12s %-8s %6u %6u %7u  %s\n", run->id, indexed_run_state(run),
	       or_dash(run->fstype), counts[TEST_PASS],
	       counts[TEST_FAIL] + counts[TEST_CRASH] + counts[TEST_TIMEOUT], counts[TEST_NOTRUN],
	       or_dash(run->kernel_version));
}

/* The run's own record, which has more than the index. NULL if it has become unreadable. */
static json_t *list_read_record(const struct indexed_run *run)
{
	_cleanup_(run_dir_close) struct run_dir dir = RUN_DIR_NONE;
	json_t *record = NULL;

	if (run->readable != RUN_READABLE)
		record = json_pack("{s:o}", "run", json_text(run->id));
	else if (run_dir_open(run->id, &dir, NULL) == 0)
		record = run_dir_read(&dir, NULL);
	if (record)
		json_object_set_new(record, "state", json_string(indexed_run_state(run)));
	return record;
}

int runs_list(bool json, struct error **err)
{
	_cleanup_(run_index_clear) struct run_index index;
	json_t *all = json ? json_array() : NULL;

	if (run_index_read(false, &index, err) < 0) {
		json_decref(all);
		return -1;
	}
	if (!json && index.run_count)
		printf("%-28s %-12s %-8s %6s %6s %7s  %s\n", "RUN", "STATE", "FSTYPE", "PASSED",
		       "FAILED", "NOT RUN", "KERNEL");
	for (size_t i = 0; i < index.run_count; i++) {
		json_t *record = json ? list_read_record(&index.runs[i]) : NULL;

		if (!json)
			runs_print_row(&index.runs[i]);
		else if (record)
			json_array_append_new(all, record);
	}
	if (json)
		document_print(all);
	else if (!index.run_count)
		puts("no runs yet; see: rootlet fstests --help");
	return EXIT_OK;
}
