/* Summaries of a run, for people and for programs. */
#include <inttypes.h>
#include <string.h>

#include "frontend/fstests/run_excludes.h"
#include "frontend/fstests/summary.h"
#include "frontend/cli/style.h"
#include "frontend/cli/text.h"
#include "frontend/fstests/run_tally.h"
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
	_cleanup_free_ bool *seen = calloc(results->count + 1, sizeof(*seen));

	for (size_t i = 0; i < results->count; i++) {
		const struct test_result *r = &results->list[i];
		size_t first = (size_t)(results_find(results, r->section, r->name) - results->list);

		if (!outcome_failed(r->status))
			continue;
		/* Of a test that failed several times, once says enough. */
		if (seen && seen[first])
			continue;
		if (seen)
			seen[first] = true;
		fprintf(out, "\n%s ",
			r->status == TEST_FAIL	  ? "failed:  "
			: r->status == TEST_CRASH ? "crashed: "
						  : "timeout: ");
		summary_print_name(out, r);
		fprintf(out, " (%.0f s)%s%s%s%s\n", r->seconds, r->excuse ? ", " : "",
			test_excuse_text(r->excuse), r->reason ? ": " : "",
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

/* Prints how often each test failed that ran several times, and failed at all. */
static void print_repeated(FILE *out, const struct results *results)
{
	_cleanup_free_ struct trials *trials = results_trials(results);
	const char *space = "\n";

	for (size_t i = 0; trials && i < results->count; i++) {
		const struct interval rate = wilson_interval(trials[i]);

		if (trials[i].total < 2 || !trials[i].failed)
			continue;
		fprintf(out, "%sfailed %zu of %zu times: ", space, trials[i].failed,
			trials[i].total);
		summary_print_name(out, &results->list[i]);
		fprintf(out, " (%.1f %%; 95 %% interval %.1f to %.1f %%)\n",
			100.0 * (double)trials[i].failed / (double)trials[i].total, 100 * rate.low,
			100 * rate.high);
		space = "";
	}
}

void results_print(FILE *out, const struct results *results)
{
	print_bad(out, results);
	print_repeated(out, results);
	print_reasons(out, results, TEST_NOTRUN, "not run");
	print_reasons(out, results, TEST_EXCLUDED, "excluded");
}

void summary_print_counts(const struct results *r, int status)
{
	size_t failed = results_count(r, TEST_FAIL), excused = failed - results_unexcused(r);

	printf("%s: %zu passed, %zu failed", fstests_status_name(status),
	       results_count(r, TEST_PASS), failed);
	if (excused)
		printf(" (%zu of them excused)", excused);
	printf(", %zu not run", results_count(r, TEST_NOTRUN));
	for (size_t i = TEST_EXPUNGED; i < TEST_STATUSES; i++)
		if (results_count(r, (enum test_status)i))
			printf(", %zu %s", results_count(r, (enum test_status)i),
			       test_status_name((enum test_status)i));
}

static void summary_print_dump(const struct fstests_run *run)
{
	_cleanup_free_ char *vmlinux = run->dump.bytes ? kernel_vmlinux(run->vm.kernel) : NULL;
	char size[TEXT_SIZE_LEN];

	if (run->dump.bytes)
		printf("memory of the first kernel that crashed: %s; open it with: "
		       "crash %s %s/" VM_DUMP_NAME "\n",
		       text_size(run->dump.bytes, size), vmlinux ? vmlinux : "VMLINUX",
		       run->dir.path);
	else if (*run->dump.failure)
		printf("the kernel's memory was not kept: %s\n", run->dump.failure);
}

static void print_coverage(const struct fstests_run *run)
{
	if (run->coverage.info)
		printf("coverage: run: genhtml -o coverage %s/gcov.info\n", run->dir.path);
	else
		for (unsigned int i = 1; i <= run->coverage.tars; i++)
			printf("coverage, for gcov: %s/gcov-%u.tar\n", run->dir.path, i);
}

void summary_print(const struct fstests_run *run, int status)
{
	char duration[TEXT_DURATION_LEN];

	results_print(stdout, &run->results);
	kernel_traces_print(stdout, &run->kernel);
	putchar('\n');
	summary_print_counts(&run->results, status);
	printf(", in %s and %u boot%s\n",
	       text_duration((uint64_t)(clock_precise() - run->began), duration), run->boots,
	       run->boots == 1 ? "" : "s");
	if (run->first_test > 0)
		printf("first test after %s\n",
		       text_duration((uint64_t)(run->first_test - run->commanded), duration));
	summary_print_dump(run);
	print_coverage(run);
	printf("run %s: %s\n", run->dir.id, run->dir.path);
}

void summary_add_results(json_t *object, const struct results *results)
{
	json_t *counts = json_object(), *bad = json_array();

	for (size_t i = 0; i < TEST_STATUSES; i++)
		json_object_set_new(
			counts, test_status_name((enum test_status)i),
			json_integer((json_int_t)results_count(results, (enum test_status)i)));
	for (size_t i = 0; i < results->count; i++)
		if (outcome_failed(results->list[i].status))
			json_array_append_new(bad, result_to_json(&results->list[i]));
	json_object_set_new(object, "counts", counts);
	json_object_set_new(object, "failures", bad);
}

static json_t *summary_dump_to_json(const struct fstests_run *run)
{
	return run->dump.bytes ? json_pack("{s:s, s:I}", "file", VM_DUMP_NAME, "bytes",
					   (json_int_t)run->dump.bytes)
			       : json_pack("{s:n, s:s}", "file", "failure", run->dump.failure);
}

json_t *summary_to_json(const struct fstests_run *run, int status)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:i, s:f, s:i}", "run", run->dir.id, "status",
				   fstests_status_name(status), "results", run->dir.path,
				   "exit_status", status, "seconds", clock_precise() - run->began,
				   "boots", (int)run->boots);
	json_t *excludes = run_excludes_to_json(run);

	if (run->first_test > 0)
		json_object_set_new(object, "first_test_seconds",
				    json_real(run->first_test - run->commanded));
	summary_add_results(object, &run->results);
	json_object_set_new(object, "kernel", kernel_traces_list(&run->kernel));
	if (excludes)
		json_object_set_new(object, "excludes", excludes);
	if (run->options->gcov)
		json_object_set_new(object, "gcov",
				    json_pack("{s:i, s:s?}", "archives", (int)run->coverage.tars,
					      "lcov", run->coverage.info ? "gcov.info" : NULL));
	if (run->dump.bytes || *run->dump.failure)
		json_object_set_new(object, "dump", summary_dump_to_json(run));
	return object;
}
