#include "frontend/commands/runs_durations.h"

#include "frontend/cli/events.h"
#include "frontend/cli/report.h"
#include "frontend/fstests/run_directory.h"
#include "frontend/fstests/run_durations.h"

static int durations_of_run(const char *name, struct durations *d, struct error **err)
{
	_cleanup_(run_dir_close) struct run_dir run = RUN_DIR_NONE;
	_cleanup_(results_clear) struct results results = { 0 };

	if (run_dir_open(name, &run, err) < 0 || run_dir_check_record(&run, err) < 0 ||
	    results_read(run.fd, RUN_TESTS, &results, err) < 0)
		return -1;
	return durations_add_results(d, &results) < 0 ? error_no_memory(err) : 0;
}

static json_t *durations_to_json(const struct durations *d)
{
	json_t *all = json_array();

	for (size_t i = 0; i < durations_count(d); i++) {
		const struct duration one = durations_at(d, i);
		json_t *object = json_pack("{s:o, s:f}", "name", json_text(one.name), "seconds",
					   one.seconds);

		if (*one.section)
			json_object_set_new(object, "section", json_text(one.section));
		json_array_append_new(all, object);
	}
	return json_pack("{s:o}", "durations", all);
}

int runs_durations(bool json, char *const *runs, struct error **err)
{
	_cleanup_(durations_free) struct durations *d = durations_new();

	if (!d)
		return error_no_memory(err);
	if (!*runs && durations_add_runs(d, NULL, err) < 0)
		return -1;
	for (; *runs; runs++)
		if (durations_of_run(*runs, d, err) < 0)
			return -1;
	if (durations_count(d) == 0)
		return error_set(err, ERR_MISSING,
				 "no test has a duration yet; see: rootlet fstests --help");
	if (json)
		document_print(durations_to_json(d));
	else if (durations_write(stdout, d) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write the durations");
	return EXIT_OK;
}
