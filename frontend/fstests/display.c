/* The display of a run: lines and a progress line for people, or one JSON object per line for
 * programs. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "frontend/fstests/display.h"
#include "frontend/cli/events.h"
#include "frontend/cli/text.h"

/* How many results there will be; 0 if that is unknown. */
static size_t results_total(const struct fstests_run *run)
{
	const struct fstests_options *o = run->options;

	return o->until_failure || o->retry_failed ? 0 : run->plan.count * (1 + (size_t)o->again);
}

/* Estimates the time for the remaining tests: each one's duration in an earlier run, or else the
 * average of this run. Returns -1 if unknown. */
static double seconds_left(const struct fstests_run *run)
{
	size_t known = 0, unknown = 0, ran = 0;
	double left = 0, spent = 0, longest = 0;

	for (size_t i = 0; i < run->results.count; i++) {
		spent += run->results.list[i].seconds;
		ran += run->results.list[i].status != TEST_EXCLUDED;
	}
	for (size_t i = 0; i < run->plan.count; i++) {
		const struct planned *test = &run->plan.list[i];
		double seconds;

		if (results_find(&run->results, test->section, test->name))
			continue;
		if (!durations_has(run->durations, test->name)) {
			unknown++;
			continue;
		}
		seconds = durations_expect(run->durations, run->groups, test->section, test->name);
		longest = seconds > longest ? seconds : longest;
		left += seconds;
		known++;
	}
	if (unknown && ran)
		left += (double)unknown * spent / (double)ran;
	left /= run->options->jobs;
	left = left < longest ? longest : left;
	return known || ran ? left : -1;
}

static void display_compose(const struct fstests_run *run, const char *running, unsigned int count,
			    char *text, size_t size)
{
	const struct results *r = &run->results;
	size_t failed = results_count(r, TEST_FAIL) + results_count(r, TEST_CRASH) +
			results_count(r, TEST_TIMEOUT);
	char duration[TEXT_DURATION_LEN];
	double left = fstests_repeats(run->options) ? -1 : seconds_left(run);
	size_t used = 0, total = results_total(run);

	if (total)
		used += (size_t)snprintf(text, size, "%zu/%zu  ", r->count - run->settled + count,
					 total);
	if (*running)
		used += (size_t)snprintf(text + used, size - used, "%s  ", running);
	used += (size_t)snprintf(text + used, size - used, "%zu passed, %zu failed, %zu not run",
				 results_count(r, TEST_PASS), failed,
				 results_count(r, TEST_NOTRUN));
	if (run->plan.count && left >= 0 && used < size)
		snprintf(text + used, size - used, "  %s left",
			 text_duration((uint64_t)left, duration));
}

static void add_guest(json_t *event, unsigned int guest)
{
	if (guest)
		json_object_set_new(event, "guest", json_integer(guest));
}

void display_begin(const struct fstests_run *run)
{
	if (run->options->json)
		event_print("begin", json_pack("{s:s, s:o}", "run", run->dir.id, "directory",
					       json_text(run->dir.path)));
	progress_stage(run->progress, "Booting");
}

void display_tick(const struct fstests_run *run, const char *running, unsigned int count)
{
	char text[512] = "";

	if (!count && !run->results.count)
		return;
	display_compose(run, running, count, text, sizeof(text));
	progress_status(run->progress, text);
}

void display_started(const struct fstests_run *run, unsigned int guest, const char *section,
		     const char *name)
{
	json_t *event;

	if (!run->options->json) {
		progress_stage(run->progress, "Testing");
		return;
	}
	progress_end(run->progress);
	event = json_pack("{s:s, s:o, s:o, s:I}", "stage", "Testing", "section", json_text(section),
			  "name", json_text(name), "done",
			  (json_int_t)(run->results.count - run->settled));
	/* Omit the total if it is unknown. */
	if (results_total(run))
		json_object_set_new(event, "total", json_integer((json_int_t)results_total(run)));
	add_guest(event, guest);
	event_print("progress", event);
}

void display_ended(const struct fstests_run *run, const struct test_result *result)
{
	const char *space = *result->section ? " " : "";

	if (run->options->json)
		event_print("test", result_to_json(result));
	if (run->options->json || result->status == TEST_UNREACHED)
		return;
	progress_note(run->progress, "%s%s%-14s %-8s %4.0f s%s%s", result->section, space,
		      result->name, test_status_name(result->status), result->seconds,
		      result->reason ? "  " : "", result->reason ? result->reason : "");
}

void display_kernel(const struct fstests_run *run, json_t *report)
{
	const char *test = json_string_value(json_object_get(report, "test"));
	json_int_t count = json_integer_value(json_object_get(report, "count"));
	char times[32] = "";

	if (run->options->json) {
		event_print("kernel", json_copy(report));
		return;
	}
	if (count > 1)
		snprintf(times, sizeof(times), ", %" JSON_INTEGER_FORMAT " times", count);
	progress_note(run->progress, "kernel, %s%s%s: %s", *test ? "in " : "between tests", test,
		      times, json_string_value(json_object_get(report, "line")));
}

void display_boot(const struct fstests_run *run, unsigned int guest, const char *why)
{
	json_t *event;
	char who[32] = "";

	if (run->options->json) {
		event = json_pack("{s:o}", "reason", json_text(why));
		add_guest(event, guest);
		event_print("boot", event);
		return;
	}
	if (guest)
		snprintf(who, sizeof(who), "guest %u: ", guest);
	progress_note(run->progress, "%scontinuing in a new VM%s%s", who, why ? " after: " : "",
		      why ? why : "");
}

void display_retired(const struct fstests_run *run, unsigned int guest, const char *why)
{
	if (guest)
		progress_note(run->progress, "going on without guest %u: %s", guest, why);
	else
		display_boot(run, guest, why);
}

void display_complaint(const struct fstests_run *run, const char *line)
{
	progress_note(run->progress, "check says: %s", line);
}

void display_corrected(const struct fstests_run *run, int count)
{
	progress_note(run->progress,
		      "%d test%s passed according to the output but failed according to check.log",
		      count, count == 1 ? "" : "s");
}
