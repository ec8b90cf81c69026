/* Summaries of a run, for people and for programs, and comparisons of two runs. */
#include <inttypes.h>
#include <string.h>

#include "frontend/fstests/run_excludes.h"
#include "frontend/fstests/summary.h"
#include "frontend/cli/style.h"
#include "frontend/cli/text.h"
#include "lib/clock.h"

#define DETAIL_LINES 12

const char *fstests_status_name(int status)
{
	switch (status) {
	case FSTESTS_PASSED:
		return "passed";
	case FSTESTS_FAILED:
		return "failed";
	case FSTESTS_CRASHED:
		return "crashed";
	case FSTESTS_TIMED_OUT:
		return "timeout";
	case FSTESTS_INTERRUPTED:
		return "interrupted";
	default:
		return "error";
	}
}

static bool is_bad(enum test_status status)
{
	return status == TEST_FAIL || status == TEST_CRASH || status == TEST_TIMEOUT;
}

static void summary_print_name(FILE *out, const struct test_result *r)
{
	fprintf(out, "%s%s%s", r->section, *r->section ? " " : "", r->name);
}

static void print_detail(FILE *out, const char *detail)
{
	const char *line = detail;

	for (int n = 0; n < DETAIL_LINES && line && *line; n++) {
		const char *end = strchr(line, '\n');
		_cleanup_free_ char *text =
			strndup(line, end ? (size_t)(end - line) : strlen(line));

		for (char *tab = text; tab && (tab = strchr(tab, '\t'));)
			*tab = ' ';
		if (text)
			fprintf(out, "    %s\n", text_clean(text));
		line = end ? end + 1 : NULL;
	}
	if (line && *line)
		style_print(out, STYLE_PLAIN, "    …\n");
}

static void print_bad(FILE *out, const struct results *results)
{
	for (size_t i = 0; i < results->count; i++) {
		const struct test_result *r = &results->list[i];

		if (!is_bad(r->status))
			continue;
		fprintf(out, "\n%s ",
			r->status == TEST_FAIL	  ? "failed:  "
			: r->status == TEST_CRASH ? "crashed: "
						  : "timeout: ");
		summary_print_name(out, r);
		fprintf(out, " (%.0f s)%s%s\n", r->seconds, r->reason ? ": " : "",
			r->reason ? r->reason : "");
		if (r->detail)
			print_detail(out, r->detail);
	}
}

/* Returns the reason of a test with that status, or NULL for any other test. */
static const char *reason_of(const struct test_result *r, enum test_status status)
{
	if (r->status != status)
		return NULL;
	return r->reason ? r->reason : "no reason given";
}

static bool same_reason(const struct test_result *r, enum test_status status, const char *reason)
{
	return reason_of(r, status) && strcmp(reason_of(r, status), reason) == 0;
}

/* Prints each reason for STATUS once, with the tests that have it. */
static void print_reasons(FILE *out, const struct results *results, enum test_status status,
			  const char *what)
{
	const char *space = "\n";

	for (size_t i = 0; i < results->count; i++) {
		const char *reason = reason_of(&results->list[i], status);
		bool told = false;

		for (size_t k = 0; k < i && reason && !told; k++)
			told = same_reason(&results->list[k], status, reason);
		if (!reason || told)
			continue;
		fprintf(out, "%s%s: %s:", space, what, reason);
		space = "";
		for (size_t k = i; k < results->count; k++)
			if (same_reason(&results->list[k], status, reason)) {
				fputc(' ', out);
				summary_print_name(out, &results->list[k]);
			}
		fputc('\n', out);
	}
}

void results_print(FILE *out, const struct results *results)
{
	print_bad(out, results);
	print_reasons(out, results, TEST_NOTRUN, "not run");
	print_reasons(out, results, TEST_EXCLUDED, "excluded");
}

static void print_complaints(FILE *out, const struct fstests_run *run)
{
	for (size_t i = 0; i < run->complaint_count; i++) {
		const struct complaint *c = &run->complaints[i];

		fprintf(out, "%skernel: %s%s%s: %s\n", i ? "" : "\n", c->kind,
			*c->test ? " in " : "", c->test, c->line);
	}
}

void summary_print_counts(const struct results *r, int status)
{
	printf("%s: %zu passed, %zu failed, %zu not run", fstests_status_name(status),
	       results_count(r, TEST_PASS), results_count(r, TEST_FAIL),
	       results_count(r, TEST_NOTRUN));
	for (size_t i = TEST_EXPUNGED; i < TEST_STATUSES; i++)
		if (results_count(r, (enum test_status)i))
			printf(", %zu %s", results_count(r, (enum test_status)i),
			       test_status_name((enum test_status)i));
}

void summary_print(const struct fstests_run *run, int status)
{
	char duration[TEXT_DURATION_LEN];

	results_print(stdout, &run->results);
	print_complaints(stdout, run);
	putchar('\n');
	summary_print_counts(&run->results, status);
	printf(", in %s and %u boot%s\n",
	       text_duration((uint64_t)(clock_precise() - run->began), duration), run->boots,
	       run->boots == 1 ? "" : "s");
	if (run->first_test > 0)
		printf("first test after %s\n",
		       text_duration((uint64_t)(run->first_test - run->commanded), duration));
	printf("run %s: %s\n", run->folder.id, run->folder.path);
}

void summary_add_results(json_t *object, const struct results *results)
{
	json_t *counts = json_object(), *bad = json_array();

	for (size_t i = 0; i < TEST_STATUSES; i++)
		json_object_set_new(
			counts, test_status_name((enum test_status)i),
			json_integer((json_int_t)results_count(results, (enum test_status)i)));
	for (size_t i = 0; i < results->count; i++)
		if (is_bad(results->list[i].status))
			json_array_append_new(bad, result_to_json(&results->list[i]));
	json_object_set_new(object, "counts", counts);
	json_object_set_new(object, "failures", bad);
}

json_t *summary_to_json(const struct fstests_run *run, int status)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:i, s:f, s:i}", "run", run->folder.id,
				   "status", fstests_status_name(status), "results",
				   run->folder.path, "exit_status", status, "seconds",
				   clock_precise() - run->began, "boots", (int)run->boots);
	json_t *kernel = json_array(), *excludes = run_excludes_to_json(run);

	for (size_t i = 0; i < run->complaint_count; i++)
		json_array_append_new(kernel,
				      json_pack("{s:s, s:s, s:s}", "kind", run->complaints[i].kind,
						"test", run->complaints[i].test, "line",
						run->complaints[i].line));
	if (run->first_test > 0)
		json_object_set_new(object, "first_test_seconds",
				    json_real(run->first_test - run->commanded));
	summary_add_results(object, &run->results);
	json_object_set_new(object, "kernel", kernel);
	if (excludes)
		json_object_set_new(object, "excludes", excludes);
	return object;
}

/* --- two runs ------------------------------------------------------------------------------- */

enum change { CHANGE_NONE, CHANGE_BROKEN, CHANGE_FIXED, CHANGE_STILL, CHANGE_EXCLUDED, CHANGES };

static const struct {
	const char *text, *key;
} changes[CHANGES] = {
	[CHANGE_BROKEN] = { "newly fails", "newly_fails" },
	[CHANGE_FIXED] = { "newly passes", "newly_passes" },
	[CHANGE_STILL] = { "still fails", "still_fails" },
	[CHANGE_EXCLUDED] = { "newly excluded", "newly_excluded" },
};

static enum change change_of(const struct test_result *before, const struct test_result *after)
{
	bool was = before && is_bad(before->status);

	if (is_bad(after->status))
		return was ? CHANGE_STILL : CHANGE_BROKEN;
	if (after->status == TEST_EXCLUDED)
		return before && before->status != TEST_EXCLUDED ? CHANGE_EXCLUDED : CHANGE_NONE;
	return was && after->status == TEST_PASS ? CHANGE_FIXED : CHANGE_NONE;
}

static size_t print_changes(FILE *out, const struct results *before, const struct results *after,
			    enum change wanted)
{
	size_t count = 0;

	for (size_t i = 0; i < after->count; i++) {
		const struct test_result *now = &after->list[i];
		const struct test_result *then = results_find(before, now->section, now->name);

		if (change_of(then, now) != wanted)
			continue;
		fprintf(out, "%s: ", changes[wanted].text);
		summary_print_name(out, now);
		fprintf(out, " (%s before, %s now)\n",
			then ? test_status_name(then->status) : "absent",
			test_status_name(now->status));
		count++;
	}
	return count;
}

size_t comparison_print(FILE *out, const struct results *before, const struct results *after)
{
	size_t broken = print_changes(out, before, after, CHANGE_BROKEN);
	size_t fixed = print_changes(out, before, after, CHANGE_FIXED);
	size_t still = print_changes(out, before, after, CHANGE_STILL);
	size_t excluded = print_changes(out, before, after, CHANGE_EXCLUDED);

	fprintf(out, "%zu newly fail, %zu newly pass, %zu still fail", broken, fixed, still);
	if (excluded)
		fprintf(out, ", %zu newly excluded", excluded);
	fputc('\n', out);
	return broken;
}

json_t *comparison_to_json(const struct results *before, const struct results *after)
{
	json_t *object = json_object();

	for (enum change c = CHANGE_BROKEN; c < CHANGES; c++)
		json_object_set_new(object, changes[c].key, json_array());
	for (size_t i = 0; i < after->count; i++) {
		const struct test_result *now = &after->list[i];
		enum change change = change_of(results_find(before, now->section, now->name), now);

		if (change != CHANGE_NONE)
			json_array_append_new(json_object_get(object, changes[change].key),
					      result_to_json(now));
	}
	return object;
}
