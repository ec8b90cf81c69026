/* rootlet runs: the results of `rootlet fstests` in its state directory. */
#include <string.h>
#include <time.h>

#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/cluster/discard.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/runs_durations.h"
#include "frontend/commands/runs_merge.h"
#include "frontend/commands/runs_save.h"
#include "frontend/commands/vm_line.h"
#include "frontend/fstests/fstests.h"
#include "frontend/fstests/summary.h"

#define KEPT_MOST 1000000

enum {
	VERB_LIST = OPTION_OWN,
	VERB_SHOW,
	VERB_COMPARE,
	VERB_DURATIONS,
	VERB_MERGE,
	VERB_SAVE,
	VERB_BASELINES,
	VERB_PRUNE,
	OPTION_KEEP,
	OPTION_RESULTS,
	OPTION_JUNIT,
	OPTION_AS,
};

static const struct option_row runs_rows[] = {
	{ "list", NULL, VERB_LIST, "list all runs and how they ended", .preset = true },
	{ "show", "RUN", VERB_SHOW,
	  "show each test of a run that did not pass, and where the logs are" },
	{ "compare", "RUN RUN", VERB_COMPARE,
	  "show what fails only in the second run, what fails only in the first, and what fails in "
	  "both" },
	{ "durations", "[RUN…]", VERB_DURATIONS,
	  "print how long each test took, for rootlet fstests --durations: in these runs, of which "
	  "the first counts most, or in all, the newest first" },
	{ "merge", "RUN…", VERB_MERGE,
	  "make one run of the parts that rootlet fstests --shard ran, and show it" },
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
	{ "--junit", "FILE", OPTION_JUNIT, "merge: also write the results as JUnit XML",
	  .verb = VERB_MERGE, .once = true },
	{ "--as", "NAME", OPTION_AS, "save: the name, which then works like the id of a run",
	  .verb = VERB_SAVE, .required = true, .once = true },
	JSON_ROW(JSON_BY_VERB),
	{ NULL },
};

struct runs {
	bool json;
	unsigned int keep;
	const char *results, *junit, *name;
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static int count_of(const json_t *record, const char *status)
{
	return (int)json_integer_value(json_object_get(json_object_get(record, "counts"), status));
}

/* "running" if its directory is locked; "cut off" if it is not locked and has no final status. */
static const char *state_of(const struct run_folder *run, const json_t *record)
{
	if (json_object_get(record, "status"))
		return text_of(record, "status");
	return run_folder_busy(run) ? "running" : "cut off";
}

static void runs_print_row(const struct run_folder *run, const json_t *record)
{
	printf("%-28s %-11s %-8s %6d %6d %7d  %s\n", run->id, state_of(run, record),
	       text_of(record, "fstype"), count_of(record, "pass"),
	       count_of(record, "fail") + count_of(record, "crash") + count_of(record, "timeout"),
	       count_of(record, "notrun"), text_of(record, "kernel_version"));
}

static int runs_list_one(const char *id, json_t *all, bool *first)
{
	_cleanup_(run_folder_close) struct run_folder run = RUN_FOLDER_NONE;
	_cleanup_error_ struct error *ignored = NULL;
	json_t *record;

	if (run_folder_open(id, &run, &ignored) < 0)
		return 0;
	record = run_folder_read(&run, &ignored);
	if (!record)
		return 0;
	if (all) {
		json_object_set_new(record, "state", json_string(state_of(&run, record)));
		json_array_append_new(all, record);
		return 0;
	}
	if (*first)
		printf("%-28s %-11s %-8s %6s %6s %7s  %s\n", "RUN", "STATE", "FSTYPE", "PASSED",
		       "FAILED", "NOT RUN", "KERNEL");
	*first = false;
	runs_print_row(&run, record);
	json_decref(record);
	return 0;
}

static int runs_list(const struct runs *r, char **words, struct error **err)
{
	json_t *all = r->json ? json_array() : NULL;
	bool first = true;
	char **ids;
	size_t count;

	(void)words;
	if (run_folder_list(&ids, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		runs_list_one(ids[i], all, &first);
		free(ids[i]);
	}
	free(ids);
	if (r->json)
		document_print(all);
	else if (first)
		puts("no runs yet; see: rootlet fstests --help");
	return EXIT_OK;
}

static json_t *results_to_json(const struct results *results)
{
	json_t *all = json_array();

	for (size_t i = 0; i < results->count; i++)
		json_array_append_new(all, result_to_json(&results->list[i]));
	return all;
}

static void runs_print_one(const struct run_folder *run, const json_t *record,
			   const struct results *results)
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
	printf("\n%zu passed, %zu failed, %zu not run, %zu crashed, %zu timed out",
	       results_count(results, TEST_PASS), results_count(results, TEST_FAIL),
	       results_count(results, TEST_NOTRUN), results_count(results, TEST_CRASH),
	       results_count(results, TEST_TIMEOUT));
	if (results_count(results, TEST_EXCLUDED))
		printf(", %zu excluded", results_count(results, TEST_EXCLUDED));
	putchar('\n');
}

/* A run without results has no file of them, which is no error. */
static int read_run(const char *name, struct run_folder *run, struct results *results,
		    struct error **err)
{
	_cleanup_error_ struct error *missing = NULL;

	if (run_folder_open(name, run, err) < 0)
		return -1;
	if (results_read(run->fd, RUN_TESTS, results, &missing) < 0 && missing &&
	    missing->code != ERR_MISSING) {
		*err = STEAL_PTR(missing);
		return -1;
	}
	return 0;
}

static int runs_show(const struct runs *r, char **words, struct error **err)
{
	_cleanup_(run_folder_close) struct run_folder run = RUN_FOLDER_NONE;
	_cleanup_(results_clear) struct results results = { 0 };
	json_t *record;

	if (read_run(words[0], &run, &results, err) < 0)
		return -1;
	record = run_folder_read(&run, err);
	if (!record)
		return -1;
	if (r->json) {
		json_object_set_new(record, "state", json_string(state_of(&run, record)));
		json_object_set_new(record, "tests_ended", results_to_json(&results));
		document_print(record);
		return EXIT_OK;
	}
	runs_print_one(&run, record, &results);
	json_decref(record);
	return EXIT_OK;
}

static int runs_compare(const struct runs *r, char **words, struct error **err)
{
	_cleanup_(run_folder_close) struct run_folder before_run = RUN_FOLDER_NONE;
	_cleanup_(run_folder_close) struct run_folder after_run = RUN_FOLDER_NONE;
	_cleanup_(results_clear) struct results before = { 0 };
	_cleanup_(results_clear) struct results after = { 0 };
	size_t broken;

	if (read_run(words[0], &before_run, &before, err) < 0 ||
	    read_run(words[1], &after_run, &after, err) < 0)
		return -1;
	if (r->json) {
		json_t *object = comparison_to_json(&before, &after);

		broken = json_array_size(json_object_get(object, "newly_fails"));
		document_print(object);
	} else {
		broken = comparison_print(stdout, &before, &after);
	}
	return broken ? EXIT_FAILED : EXIT_OK;
}

static int runs_print_durations(const struct runs *r, char **words, struct error **err)
{
	return runs_durations(r->json, words, err);
}

static int runs_make_one(const struct runs *r, char **words, struct error **err)
{
	return runs_merge(r->json, words, r->results, r->junit, err);
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
	_cleanup_(run_folder_close) struct run_folder run = RUN_FOLDER_NONE;
	_cleanup_error_ struct error *why = NULL;
	const char *directory;
	json_t *record;
	int result = 0;

	if (run_folder_resume(id, &run, &why) < 0) {
		if (!why || why->code != ERR_BUSY)
			return 0; /* it is damaged */
		*err = STEAL_PTR(why);
		return -1;
	}
	record = run_folder_read(&run, &why);
	directory =
		json_string_value(json_object_get(json_object_get(record, "cluster"), "directory"));
	if (directory && run_folder_is_own(&run))
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
	return run_folder_remove(id, err);
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
	if (run_folder_list(&ids, &count, err) < 0)
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

static int command_runs(const struct parsed_line *line)
{
	static int (*const verbs[])(const struct runs *r, char **words, struct error **err) = {
		[VERB_LIST] = runs_list,       [VERB_SHOW] = runs_show,
		[VERB_COMPARE] = runs_compare, [VERB_DURATIONS] = runs_print_durations,
		[VERB_MERGE] = runs_make_one,  [VERB_PRUNE] = runs_prune,
		[VERB_SAVE] = runs_keep,       [VERB_BASELINES] = runs_list_baselines,
	};
	struct runs runs = {
		.json = line_has(line, OPTION_JSON),
		.results = line_value(line, OPTION_RESULTS),
		.junit = line_value(line, OPTION_JUNIT),
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
	.summary = "show, compare, merge and delete results of fstests",
	.about = "Shows, compares, merges and deletes the results of rootlet fstests. RUN is an id "
		 "that list shows, a name that save gave, a directory made by rootlet fstests "
		 "--results, or the word last.",
	.statuses = "0 done; compare: nothing newly fails; 1 failed, no such run; compare: "
		    "something newly fails; merge: as rootlet fstests; 2 wrong command line; "
		    "6 merge: a run is in progress; prune: a run stays because it is in progress.",
	.rows = runs_rows,
	.run = command_runs,
};
