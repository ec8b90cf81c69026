/* rootlet runs: the results of `rootlet fstests` in its state directory. */
#include <string.h>
#include <time.h>

#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/cluster/discard.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/runs_archive.h"
#include "frontend/commands/runs_durations.h"
#include "frontend/commands/runs_flaky.h"
#include "frontend/commands/runs_list.h"
#include "frontend/commands/runs_merge.h"
#include "frontend/commands/runs_report.h"
#include "frontend/commands/runs_save.h"
#include "frontend/commands/vm_line.h"
#include "frontend/fstests/comparison.h"
#include "frontend/fstests/fstests.h"
#include "frontend/fstests/summary.h"

#define KEPT_MOST 1000000

enum {
	VERB_LIST = OPTION_OWN,
	VERB_SHOW,
	VERB_COMPARE,
	VERB_DURATIONS,
	VERB_FLAKY,
	VERB_MERGE,
	VERB_REPORT,
	VERB_ARCHIVE,
	VERB_SAVE,
	VERB_BASELINES,
	VERB_PRUNE,
	OPTION_KEEP,
	OPTION_RESULTS,
	OPTION_JUNIT,
	OPTION_HTML,
	OPTION_MARKDOWN,
	OPTION_KTAP,
	OPTION_KCIDB,
	OPTION_ORIGIN,
	OPTION_BUILD_ID,
	OPTION_OUTPUT,
	OPTION_ONLY_FSTYPE,
	OPTION_ONLY_CONFIGURATION,
	OPTION_ONLY_KERNEL,
	OPTION_AS,
};

static const struct option_row runs_rows[] = {
	{ "list", NULL, VERB_LIST, "list all runs and how they ended", .preset = true },
	{ "show", "RUN", VERB_SHOW,
	  "show each test of a run that did not pass, and where the logs are" },
	{ "compare", "RUN RUN", VERB_COMPARE,
	  "show what fails only in the second run, what fails only in the first, and what fails in "
	  "both; tell regressions from known flakes by all that ran before" },
	{ "durations", "[RUN…]", VERB_DURATIONS,
	  "print how long each test took, for rootlet fstests --durations: in these runs, of which "
	  "the first counts most, or in all, the newest first" },
	{ "flaky", NULL, VERB_FLAKY,
	  "show how often each test failed over all runs, with a 95 % interval of its rate, and "
	  "which tests failed and passed with the same kernel" },
	{ "merge", "RUN…", VERB_MERGE,
	  "make one run of the parts that rootlet fstests --shard ran, and show it" },
	{ "report", "RUN…", VERB_REPORT,
	  "write reports of runs: for a browser, a CI system, a mail" },
	{ "archive", "RUN", VERB_ARCHIVE,
	  "pack a run for an issue tracker, without host names and paths" },
	{ "save", "RUN", VERB_SAVE,
	  "keep the results of a run under a name, to compare others with; prune does not remove "
	  "them" },
	{ "baselines", NULL, VERB_BASELINES, "list what save has kept" },
	{ "prune", NULL, VERB_PRUNE,
	  "delete all but the newest runs; keeps those made with --results" },
	{ "--keep", "N", OPTION_KEEP, "how many runs prune keeps", .fallback = "20",
	  .verb = VERB_PRUNE },
	{ "--results", "DIR", OPTION_RESULTS,
	  "directory for what merge makes, not ~/.local/state/rootlet/runs/RUN", .verb = VERB_MERGE,
	  .once = true },
	{ "--junit", "FILE", OPTION_JUNIT, "merge and report: write the results as JUnit XML",
	  .verb = VERB_MERGE, .also = VERB_REPORT, .once = true },
	{ "--html", "FILE", OPTION_HTML,
	  "report: write one HTML file, with a matrix of all tests and what those that failed "
	  "printed",
	  .verb = VERB_REPORT, .once = true },
	{ "--markdown", NULL, OPTION_MARKDOWN,
	  "report: print a summary as Markdown, or append it to the file that $GITHUB_STEP_SUMMARY "
	  "names",
	  .verb = VERB_REPORT, .once = true },
	{ "--ktap", NULL, OPTION_KTAP, "report: print the results as KTAP", .verb = VERB_REPORT,
	  .once = true },
	{ "--kcidb", NULL, OPTION_KCIDB, "report: print the results as JSON for KCIDB",
	  .verb = VERB_REPORT, .once = true },
	{ "--origin", "NAME", OPTION_ORIGIN, "the name of your CI system at KCIDB, for --kcidb",
	  .fallback = "rootlet", .verb = VERB_REPORT },
	{ "--build-id", "ID", OPTION_BUILD_ID,
	  "the kernel's build at KCIDB, for --kcidb; without it, the report describes one",
	  .verb = VERB_REPORT, .once = true },
	{ "--output", "FILE", OPTION_OUTPUT,
	  "archive: the file to write, not RUN.tar.gz; report: the file for --markdown, --ktap or "
	  "--kcidb",
	  .verb = VERB_ARCHIVE, .also = VERB_REPORT, .once = true },
	{ "--fstype", "TYPE", OPTION_ONLY_FSTYPE, "flaky: only runs on this filesystem",
	  .verb = VERB_FLAKY },
	{ "--configuration", "PATTERN", OPTION_ONLY_CONFIGURATION,
	  "flaky: only tests in these sections of a configuration, such as 4k or 'ext4/*'",
	  .verb = VERB_FLAKY },
	{ "--kernel", "PATTERN", OPTION_ONLY_KERNEL,
	  "flaky: only runs of these kernel versions, such as '6.12*'", .verb = VERB_FLAKY },
	{ "--as", "NAME", OPTION_AS, "save: the name, which then works like the id of a run",
	  .verb = VERB_SAVE, .required = true, .once = true },
	JSON_ROW(JSON_BY_VERB),
	{ NULL },
};

struct runs {
	bool json;
	unsigned int keep;
	const char *results, *junit, *output, *name;
	struct report_options report;
	struct flaky_request flaky;
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

/* "running" if its directory is locked; "cut off" if it is not locked and has no final status. */
static const char *state_of(const struct run_dir *run, const json_t *record)
{
	if (json_object_get(record, "status"))
		return text_of(record, "status");
	return run_dir_busy(run) ? "running" : "cut off";
}

static int runs_show_list(const struct runs *r, char **words, struct error **err)
{
	(void)words;
	return runs_list(r->json, err);
}

static json_t *results_to_json(const struct results *results)
{
	json_t *all = json_array();

	for (size_t i = 0; i < results->count; i++)
		json_array_append_new(all, result_to_json(&results->list[i]));
	return all;
}

static void runs_print_one(const struct run_dir *run, const json_t *record,
			   const struct results *results, const struct kernel_traces *kernel)
{
	json_int_t generation = json_integer_value(json_object_get(record, "generation"));

	printf("run %s: %s\n", run->id, state_of(run, record));
	printf("  kernel   %s (%s)\n", text_of(record, "kernel_version"),
	       text_of(record, "kernel"));
	printf("  rootfs   %s, as %s", text_of(record, "rootfs"), text_of(record, "root"));
	if (generation)
		printf(", generation %" JSON_INTEGER_FORMAT, generation);
	putchar('\n');
	printf("  fstests  %s on %s\n", text_of(record, "fstests"), text_of(record, "fstype"));
	printf("  logs     %s (%s, results/)\n", run->path,
	       faccessat(run->fd, RUN_OUTPUT, F_OK, 0) == 0 ? "check.out, console.log"
							    : "check-N.out, console-N.log");
	results_print(stdout, results);
	kernel_traces_print(stdout, kernel);
	printf("\n%zu passed, %zu failed, %zu not run, %zu crashed, %zu timed out",
	       results_count(results, TEST_PASS), results_count(results, TEST_FAIL),
	       results_count(results, TEST_NOTRUN), results_count(results, TEST_CRASH),
	       results_count(results, TEST_TIMEOUT));
	if (results_count(results, TEST_EXCLUDED))
		printf(", %zu excluded", results_count(results, TEST_EXCLUDED));
	putchar('\n');
}

/* A run without results has no file of them, which is no error. */
static int read_run(const char *name, struct run_dir *run, struct results *results,
		    struct error **err)
{
	_cleanup_error_ struct error *missing = NULL;

	if (run_dir_open(name, run, err) < 0 || run_dir_check_record(run, err) < 0)
		return -1;
	if (results_read(run->fd, RUN_TESTS, results, &missing) < 0 && missing &&
	    missing->code != ERR_MISSING) {
		*err = STEAL_PTR(missing);
		return -1;
	}
	if (results->unread)
		fprintf(stderr, "rootlet runs: %zu %s of %s/" RUN_TESTS " cannot be read\n",
			results->unread, results->unread == 1 ? "line" : "lines", run->path);
	return 0;
}

/* Until a run ends, "kernel" is its kernel's path. */
static int read_traces(const struct run_dir *run, const json_t *record,
		       struct kernel_traces *traces, struct error **err)
{
	const json_t *list = json_object_get(record, "kernel"), *trace;
	size_t i;

	if (!json_is_array(list))
		return kernel_traces_read(traces, run->fd, err);
	json_array_foreach(list, i, trace) kernel_traces_add(traces, trace);
	return 0;
}

static int runs_show(const struct runs *r, char **words, struct error **err)
{
	_cleanup_(run_dir_close) struct run_dir run = RUN_DIR_NONE;
	_cleanup_(results_clear) struct results results = { 0 };
	_cleanup_(kernel_traces_clear) struct kernel_traces kernel = { NULL };
	json_t *record;

	if (read_run(words[0], &run, &results, err) < 0)
		return -1;
	record = run_dir_read(&run, err);
	if (!record || read_traces(&run, record, &kernel, err) < 0) {
		json_decref(record);
		return -1;
	}
	if (r->json) {
		json_object_set_new(record, "state", json_string(state_of(&run, record)));
		json_object_set_new(record, "tests_ended", results_to_json(&results));
		document_print(record);
		return EXIT_OK;
	}
	runs_print_one(&run, record, &results, &kernel);
	json_decref(record);
	return EXIT_OK;
}

static int runs_compare(const struct runs *r, char **words, struct error **err)
{
	_cleanup_(run_dir_close) struct run_dir before_run = RUN_DIR_NONE;
	_cleanup_(run_dir_close) struct run_dir after_run = RUN_DIR_NONE;
	_cleanup_(results_clear) struct results before = { 0 };
	_cleanup_(results_clear) struct results after = { 0 };
	_cleanup_(comparison_clear) struct comparison comparison = { 0 };
	struct comparison_request request = { .first = &before_run, .before = &before };

	if (read_run(words[0], &before_run, &before, err) < 0 ||
	    read_run(words[1], &after_run, &after, err) < 0)
		return -1;
	request.second = after_run.id;
	if (comparison_make(&request, &after, &comparison, err) < 0)
		return -1;
	if (r->json)
		document_print(comparison_to_json(&comparison));
	else
		comparison_print(stdout, &comparison);
	return comparison_is_worse(&comparison) ? EXIT_FAILED : EXIT_OK;
}

static int runs_print_durations(const struct runs *r, char **words, struct error **err)
{
	return runs_durations(r->json, words, err);
}

static int runs_show_flaky(const struct runs *r, char **words, struct error **err)
{
	(void)words;
	return runs_flaky(&r->flaky, err);
}

static int runs_make_one(const struct runs *r, char **words, struct error **err)
{
	return runs_merge(r->json, words, r->results, r->junit, err);
}

static int runs_write_reports(const struct runs *r, char **words, struct error **err)
{
	return runs_report(&r->report, words, err);
}

static int runs_pack(const struct runs *r, char **words, struct error **err)
{
	return runs_archive(r->json, words[0], r->output, err);
}

static int runs_keep(const struct runs *r, char **words, struct error **err)
{
	return runs_save(r->json, words, r->name, err);
}

static int runs_list_baselines(const struct runs *r, char **words, struct error **err)
{
	(void)words;
	return runs_baselines(r->json, err);
}

/* Discards what the run has in a directory that machines share, while nobody can resume it. A run
 * made with --results stays, and can be resumed. */
static int runs_discard_shared(const char *id, struct error **err)
{
	_cleanup_(run_dir_close) struct run_dir run = RUN_DIR_NONE;
	_cleanup_error_ struct error *why = NULL;
	const char *directory;
	json_t *record;
	int result = 0;

	if (run_dir_resume(id, &run, &why) < 0) {
		if (!why || why->code != ERR_BUSY)
			return 0; /* it is damaged */
		*err = STEAL_PTR(why);
		return -1;
	}
	record = run_dir_read(&run, &why);
	directory =
		json_string_value(json_object_get(json_object_get(record, "cluster"), "directory"));
	if (directory && run_dir_is_own(&run))
		result = shared_run_discard(directory, &run, err);
	json_decref(record);
	return result;
}

static int runs_remove(const char *id, struct error **err)
{
	_cleanup_error_ struct error *why = NULL;

	if (runs_discard_shared(id, &why) < 0) {
		if (why && why->code != ERR_MISSING) {
			*err = STEAL_PTR(why);
			return -1;
		}
		/* This machine does not see it, and may never do so again. */
		report_error("runs", why);
	}
	return run_dir_remove(id, err);
}

/* Removes one run, or adds it to FAILED. A failure counts more than a run in progress. */
static void runs_prune_one(const char *id, json_t *removed, json_t *failed, int *status)
{
	_cleanup_error_ struct error *why = NULL;

	if (runs_remove(id, &why) == 0) {
		json_array_append_new(removed, json_text(id));
		return;
	}
	report_error("runs", why);
	json_array_append_new(failed, json_pack("{s:o, s:o}", "run", json_text(id), "message",
						json_text(error_text(why))));
	if (!why || why->code != ERR_BUSY)
		*status = EXIT_FAILED;
	else if (*status == EXIT_OK)
		*status = EXIT_EXISTS;
}

static int runs_prune(const struct runs *r, char **words, struct error **err)
{
	json_t *removed, *failed;
	int status = EXIT_OK;
	size_t count, gone;
	char **ids;

	(void)words;
	if (run_dir_list(&ids, &count, err) < 0)
		return -1;
	removed = json_array();
	failed = json_array();
	for (size_t i = 0; i < count; i++) {
		if (i + r->keep < count)
			runs_prune_one(ids[i], removed, failed, &status);
		free(ids[i]);
	}
	free(ids);
	gone = json_array_size(removed);
	if (r->json) {
		document_print(json_pack("{s:o, s:o, s:I}", "removed", removed, "failed", failed,
					 "left", (json_int_t)(count - gone)));
		return status;
	}
	printf("removed %zu of %zu runs\n", gone, count);
	json_decref(removed);
	json_decref(failed);
	return status;
}

/* Defaults of the configuration file for options of these names are about what to run. */
static const char *line_filter(const struct parsed_line *line, int code)
{
	return line_is_default(line, code) ? NULL : line_value(line, code);
}

static int command_runs(const struct parsed_line *line)
{
	static int (*const verbs[])(const struct runs *r, char **words, struct error **err) = {
		[VERB_LIST] = runs_show_list,
		[VERB_SHOW] = runs_show,
		[VERB_COMPARE] = runs_compare,
		[VERB_DURATIONS] = runs_print_durations,
		[VERB_FLAKY] = runs_show_flaky,
		[VERB_MERGE] = runs_make_one,
		[VERB_REPORT] = runs_write_reports,
		[VERB_ARCHIVE] = runs_pack,
		[VERB_PRUNE] = runs_prune,
		[VERB_SAVE] = runs_keep,
		[VERB_BASELINES] = runs_list_baselines,
	};
	struct runs runs = {
		.json = line_has(line, OPTION_JSON),
		.results = line_value(line, OPTION_RESULTS),
		.junit = line_value(line, OPTION_JUNIT),
		.output = line_value(line, OPTION_OUTPUT),
		.report = { .json = line_has(line, OPTION_JSON),
			    .html = line_value(line, OPTION_HTML),
			    .junit = line_value(line, OPTION_JUNIT),
			    .markdown = line_has(line, OPTION_MARKDOWN),
			    .ktap = line_has(line, OPTION_KTAP),
			    .kcidb = line_has(line, OPTION_KCIDB),
			    .output = line_value(line, OPTION_OUTPUT),
			    .origin = line_value(line, OPTION_ORIGIN),
			    .build = line_value(line, OPTION_BUILD_ID) },
		.flaky = {
			.fstype = line_filter(line, OPTION_ONLY_FSTYPE),
			.configuration = line_filter(line, OPTION_ONLY_CONFIGURATION),
			.kernel = line_filter(line, OPTION_ONLY_KERNEL),
			.json = line_has(line, OPTION_JSON),
		},
		.name = line_value(line, OPTION_AS),
	};
	_cleanup_error_ struct error *err = NULL;
	int status;

	if (line_number(line, OPTION_KEEP, KEPT_MOST, &runs.keep, &err) < 0)
		return report_usage(line->name, "%s", err->message);
	status = verbs[line->verb](&runs, line->operands, &err);
	if (status >= 0)
		return status;
	status = report_error(line->name, err);
	return runs.json ? document_failure(err, status) : status;
}

const struct command runs_command = {
	.name = "runs",
	.summary = "show, compare, merge, report and delete results of fstests",
	.about =
		"Shows, compares, merges and deletes the results of rootlet fstests, and writes "
		"reports of them. RUN is an id that list shows, a name that save gave, a directory "
		"made by rootlet fstests "
		"--results, or the word last.",
	.statuses = "0 done; compare: nothing newly fails; 1 failed, no such run; compare: "
		    "a regression, or something newly fails; merge: as rootlet fstests; 2 wrong "
		    "command line; 6 merge, archive: a run is in progress; prune: a run stays "
		    "because it is in progress.",
	.rows = runs_rows,
	.run = command_runs,
};
