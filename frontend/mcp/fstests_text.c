#include "frontend/mcp/fstests_text.h"

#include <stdint.h>
#include <string.h>

#define SHOWN_FAILURES 10
#define SHOWN_REASON 120 /* bytes */

static void print_counts(FILE *out, const json_t *counts)
{
	const char *name, *separator = "";
	const json_t *count;

	json_object_foreach((json_t *)(uintptr_t)counts, name, count)
	{
		fprintf(out, "%s%" JSON_INTEGER_FORMAT " %s", separator, json_integer_value(count),
			name);
		separator = ", ";
	}
	if (*separator)
		fputc('\n', out);
}

/* Prints the beginning of a test's reason, and no half of a character. */
static void print_reason(FILE *out, const json_t *test)
{
	const char *reason = tool_result_string(test, "reason");
	size_t length = strlen(reason), shown = length < SHOWN_REASON ? length : SHOWN_REASON;

	while (shown && ((unsigned char)reason[shown] & 0xc0) == 0x80)
		shown--;
	if (shown)
		fprintf(out, "     %.*s%s\n", (int)shown, reason, shown < length ? "…" : "");
}

/* A failure is the name of a test, or an object with the name. */
static void print_failed_tests(FILE *out, const json_t *failures)
{
	const json_t *test;
	size_t i, count = json_array_size(failures);

	if (count)
		fprintf(out, "\nFailed Tests (%zu):\n", count);
	json_array_foreach(failures, i, test)
	{
		const char *name = json_string_value(test);

		if (i == SHOWN_FAILURES)
			break;
		fprintf(out, "  %zu. %s\n", i + 1, name ? name : tool_result_string(test, "name"));
		print_reason(out, test);
	}
	if (count > SHOWN_FAILURES)
		fprintf(out, "  ... and %zu more failures\n", count - SHOWN_FAILURES);
}

void fstests_text_run(FILE *out, const struct call_ending *e)
{
	const char *status = tool_result_string(e->result, "status");

	/* A run that is in progress or was cut off has no status. */
	status = *status ? status : tool_result_string(e->result, "state");
	fprintf(out, "=== fstests Results ===\n\n%s Run %s: %s\n",
		strcmp(status, "passed") == 0 ? "✓" : "✗", tool_result_string(e->result, "run"),
		status);
	print_counts(out, json_object_get(e->result, "counts"));
	print_failed_tests(out, json_object_get(e->result, "failures"));
	if (*tool_result_string(e->result, "results"))
		fprintf(out, "\nFull results: %s, as resources: rootlet://runs/%s\n",
			tool_result_string(e->result, "results"),
			tool_result_string(e->result, "run"));
}

void fstests_text_groups(FILE *out, const struct call_ending *e)
{
	const json_t *group, *groups = json_object_get(e->result, "groups");
	size_t i;

	json_array_foreach(groups, i, group) if (i < SHOWN_FAILURES) fprintf(
		out, "%s: %" JSON_INTEGER_FORMAT " tests%s%s\n", tool_result_string(group, "name"),
		json_integer_value(json_object_get(group, "tests")),
		*tool_result_string(group, "description") ? ": " : "",
		tool_result_string(group, "description"));
	if (json_array_size(groups) > SHOWN_FAILURES)
		fprintf(out, "... and %zu more\n", json_array_size(groups) - SHOWN_FAILURES);
}

void fstests_text_saved(FILE *out, const struct call_ending *e)
{
	fprintf(out, "✓ Saved run %s as baseline %s\n", tool_result_string(e->result, "run"),
		tool_result_string(e->result, "baseline"));
}

void fstests_text_baselines(FILE *out, const struct call_ending *e)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(e->result, "baselines"), i, one) fprintf(
		out, "%s: run %s, %s on %s, kernel %s\n", tool_result_string(one, "name"),
		tool_result_string(one, "run"), tool_result_string(one, "status"),
		tool_result_string(one, "fstype"), tool_result_string(one, "kernel_version"));
	if (!i)
		fputs("There is no baseline yet. Save one with: fstests_baseline_save\n", out);
}

/* "newly_fails (2): generic/001, generic/002", for each list of tests. */
void fstests_text_comparison(FILE *out, const struct call_ending *e)
{
	const char *key;
	json_t *list;

	json_object_foreach((json_t *)(uintptr_t)e->result, key, list)
	{
		const json_t *test;
		size_t i;

		if (!json_is_array(list))
			continue;
		fprintf(out, "%s (%zu)%s", key, json_array_size(list),
			json_array_size(list) ? ":" : "");
		json_array_foreach(list, i, test) if (i < SHOWN_FAILURES)
			fprintf(out, "%s %s", i ? "," : "", tool_result_string(test, "name"));
		fputs(json_array_size(list) > SHOWN_FAILURES ? " ...\n" : "\n", out);
	}
}

static void print_rate(FILE *out, const json_t *test)
{
	const char *section = tool_result_string(test, "section");

	fprintf(out,
		"%s on %s%s%s: failed %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
		" times, %.1f %% (%.1f to %.1f %%)%s\n",
		tool_result_string(test, "name"), tool_result_string(test, "fstype"),
		*section ? "/" : "", section, tool_result_number(test, "failed"),
		tool_result_number(test, "ran"),
		100 * json_real_value(json_object_get(test, "rate")),
		100 * json_real_value(json_object_get(test, "low")),
		100 * json_real_value(json_object_get(test, "high")),
		json_is_true(json_object_get(test, "flaky")) ? ", flaky" : "");
}

void fstests_text_flaky(FILE *out, const struct call_ending *e)
{
	const json_t *test, *tests = json_object_get(e->result, "tests");
	json_int_t runs = tool_result_number(e->result, "runs");
	size_t i, count = json_array_size(tests);

	fprintf(out, "%zu test%s failed in %" JSON_INTEGER_FORMAT " run%s\n", count,
		count == 1 ? "" : "s", runs, runs == 1 ? "" : "s");
	json_array_foreach(tests, i, test) if (i < SHOWN_FAILURES) print_rate(out, test);
	if (count > SHOWN_FAILURES)
		fprintf(out, "... and %zu more\n", count - SHOWN_FAILURES);
}

void fstests_text_report(FILE *out, const struct call_ending *e)
{
	const json_t *file;
	size_t i;

	json_array_foreach(json_object_get(e->result, "files"), i, file)
		fprintf(out, "✓ Wrote %s\n", json_string_value(file));
}

void fstests_text_bisect(FILE *out, const struct call_ending *e)
{
	const json_t *one, *suspects = json_object_get(e->result, "suspects");
	size_t i, count = json_array_size(suspects);

	if (count == 1)
		fputs("✓ The first bad commit:\n", out);
	else
		fprintf(out,
			"⚠ One of these %zu commits is the first bad one. No kernel between them "
			"could be tested:\n",
			count);
	json_array_foreach(suspects, i, one) if (i < SHOWN_FAILURES)
		fprintf(out, "  %s %s\n", tool_result_string(one, "commit"),
			tool_result_string(one, "subject"));
	if (count > SHOWN_FAILURES)
		fprintf(out, "  ... and %zu more\n", count - SHOWN_FAILURES);
	fprintf(out, "\n%zu kernels were tested\n",
		json_array_size(json_object_get(e->result, "steps")));
}
