/* Format: GitHub Flavored Markdown; code spans and fences are those of CommonMark. */
#include "frontend/reports/markdown.h"

#include <string.h>

#include "frontend/cli/text.h"

/* GitHub shows a job summary of at most 1 MiB for each step. */
#define MARKDOWN_MOST (900L << 10)
#define DETAIL_SHOWN 4096
#define REASONS_SHOWN 30

/* The longest run of backticks in TEXT. */
static int markdown_backticks(const char *text)
{
	int longest = 0, run = 0;

	for (; *text; text++) {
		run = *text == '`' ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

static void markdown_fence(FILE *out, int count)
{
	while (count-- > 0)
		fputc('`', out);
}

/* Prints TEXT as a code span of one line, which may be in a table. */
static void markdown_code(FILE *out, const char *text)
{
	int fence = text ? markdown_backticks(text) + 1 : 0;
	bool padded = fence > 1;

	if (!text || !text[strspn(text, " \n\t")]) {
		fputs("–", out);
		return;
	}
	markdown_fence(out, fence);
	fputs(padded ? " " : "", out);
	for (; *text; text++)
		if (*text == '|')
			fputs("\\|", out);
		else
			fputc(*text == '\n' || *text == '\t' ? ' ' : *text, out);
	fputs(padded ? " " : "", out);
	markdown_fence(out, fence);
}

/* Prints TEXT as a code block. check indents a diff, and only without that it gets its colors. */
static void markdown_block(FILE *out, const char *text)
{
	const char *indent = strstr(text, "    +++ ") ? "    " : "";
	int fence = markdown_backticks(text) + 1;
	size_t left = DETAIL_SHOWN;

	fence = fence < 3 ? 3 : fence;
	markdown_fence(out, fence);
	fprintf(out, "%s\n", *indent ? "diff" : "");
	while (*text && left) {
		size_t length;

		text += text_has_prefix(text, indent) ? strlen(indent) : 0;
		length =
			text_fitting(text, strcspn(text, "\n") < left ? strcspn(text, "\n") : left);
		fprintf(out, "%.*s\n", (int)length, text);
		left -= length < left ? length + 1 : left;
		text += length;
		text += *text == '\n';
	}
	fputs(*text ? "…\n" : "", out);
	markdown_fence(out, fence);
	fputc('\n', out);
}

/* Prints TEXT for HTML, on one line. */
static void markdown_html(FILE *out, const char *text)
{
	for (; *text; text++)
		if (strchr("<>&\"", *text))
			fprintf(out, "&#%d;", *text);
		else
			fputc(*text == '\n' || *text == '\t' ? ' ' : *text, out);
}

static size_t markdown_bad(const struct results *results)
{
	return results_count(results, TEST_FAIL) + results_count(results, TEST_CRASH) +
	       results_count(results, TEST_TIMEOUT);
}

static void markdown_verdict(FILE *out, const struct report *r)
{
	size_t bad = 0, ran = 0, excused = 0;

	for (size_t i = 0; i < r->count; i++) {
		const struct results *results = &r->runs[i].results;

		excused += results_count(results, TEST_FAIL) - results_unexcused(results);
		bad += markdown_bad(&r->runs[i].results);
		ran += markdown_bad(&r->runs[i].results) +
		       results_count(&r->runs[i].results, TEST_PASS);
	}
	if (!ran)
		fputs("## fstests: no test ran", out);
	else if (bad)
		fprintf(out, "## fstests: %zu of %zu tests failed", bad, ran);
	else
		fprintf(out, "## fstests: all %zu tests passed", ran);
	if (excused)
		fprintf(out, ", %zu of them excused", excused);
	fputs("\n\n", out);
}

static void markdown_runs(FILE *out, const struct report *r)
{
	static const enum test_status counted[] = { TEST_PASS, TEST_FAIL, TEST_CRASH, TEST_TIMEOUT,
						    TEST_NOTRUN };

	fputs("| run | state | kernel | filesystem | passed | failed | crashed | timed out | not "
	      "run "
	      "|\n|---|---|---|---|--:|--:|--:|--:|--:|\n",
	      out);
	for (size_t i = 0; i < r->count; i++) {
		const struct report_run *run = &r->runs[i];
		const char *const cells[] = { run->dir.id, run->state,
					      report_text(run, "kernel_version"),
					      report_text(run, "fstype") };

		for (size_t k = 0; k < sizeof(cells) / sizeof(*cells); k++) {
			fputs("| ", out);
			markdown_code(out, cells[k]);
			fputc(' ', out);
		}
		for (size_t k = 0; k < sizeof(counted) / sizeof(*counted); k++)
			fprintf(out, "| %zu ", results_count(&run->results, counted[k]));
		fputs("|\n", out);
		if (run->unread)
			fprintf(out,
				"\n%zu lines of this run could not be read: damaged, or written by "
				"a newer "
				"rootlet.\n",
				run->unread);
	}
	fputc('\n', out);
}

static void markdown_failure(FILE *out, const struct report_run *run,
			     const struct test_result *result)
{
	fputs("<details><summary><code>", out);
	markdown_html(out, result->name);
	fprintf(out, "</code> %s%s%s (<code>", report_word(result->status),
		result->excuse ? ", " : "", test_excuse_text(result->excuse));
	markdown_html(out, report_configuration(run, result));
	fprintf(out, "</code>, %.1f s)", result->seconds);
	if (result->reason) {
		fputs(": <code>", out);
		markdown_html(out, result->reason);
		fputs("</code>", out);
	}
	fputs("</summary>\n\n", out);
	if (result->detail)
		markdown_block(out, result->detail);
	fputs("\n</details>\n", out);
}

static void markdown_failures(FILE *out, const struct report *r, const struct report_run *run)
{
	size_t left = markdown_bad(&run->results);

	if (!left)
		return;
	fputs("### Failed", out);
	if (r->count > 1) {
		fputs(" in ", out);
		markdown_code(out, run->dir.id);
	}
	fputs("\n\n", out);
	for (size_t i = 0; i < run->results.count && ftell(out) < MARKDOWN_MOST; i++)
		if (report_is_bad(run->results.list[i].status)) {
			markdown_failure(out, run, &run->results.list[i]);
			left--;
		}
	if (left)
		fprintf(out, "\nand %zu more.\n", left);
	fputc('\n', out);
}

static void markdown_kernel(FILE *out, const struct report *r)
{
	const char *title = "### Kernel messages\n\n";
	json_t *one;
	size_t at;

	for (size_t i = 0; i < r->count; i++)
		json_array_foreach(r->runs[i].kernel, at, one)
		{
			if (ftell(out) > MARKDOWN_MOST)
				return;
			fputs(title, out);
			title = "";
			fputs("- ", out);
			markdown_code(out, json_string_value(json_object_get(one, "line")));
			fputs(", test ", out);
			markdown_code(out, json_string_value(json_object_get(one, "test")));
			fputc('\n', out);
		}
	fputs(*title ? "" : "\n", out);
}

struct markdown_reason {
	const char *text;
	size_t tests;
};

static int markdown_compare_reasons(const void *a, const void *b)
{
	const struct markdown_reason *one = a, *other = b;

	if (one->tests != other->tests)
		return one->tests > other->tests ? -1 : 1;
	return strcmp(one->text, other->text);
}

/* Counts the reasons of tests that did not run. Returns how many LIST has. */
static size_t markdown_count_reasons(const struct report *r, struct markdown_reason *list)
{
	size_t count = 0, at;

	for (size_t i = 0; i < r->count; i++)
		for (size_t k = 0; k < r->runs[i].results.count; k++) {
			const struct test_result *result = &r->runs[i].results.list[k];
			const char *reason = result->reason ? result->reason : "no reason given";

			if (result->status != TEST_NOTRUN)
				continue;
			for (at = 0; at < count && strcmp(list[at].text, reason) != 0;)
				at++;
			list[at].text = reason;
			list[at].tests++;
			count += at == count;
		}
	return count;
}

static void markdown_reasons(FILE *out, const struct report *r)
{
	_cleanup_free_ struct markdown_reason *list = NULL;
	size_t total = 0, count;

	for (size_t i = 0; i < r->count; i++)
		total += results_count(&r->runs[i].results, TEST_NOTRUN);
	list = calloc(total + 1, sizeof(*list));
	if (!total || !list)
		return;
	count = markdown_count_reasons(r, list);
	qsort(list, count, sizeof(*list), markdown_compare_reasons);
	fprintf(out, "<details><summary>%zu test%s did not run</summary>\n\n", total,
		total == 1 ? "" : "s");
	for (size_t i = 0; i < count && i < REASONS_SHOWN; i++) {
		fprintf(out, "- %zu: ", list[i].tests);
		markdown_code(out, list[i].text);
		fputc('\n', out);
	}
	if (count > REASONS_SHOWN)
		fprintf(out, "- and %zu more reasons\n", count - REASONS_SHOWN);
	fputs("\n</details>\n", out);
}

void markdown_print(FILE *out, const struct report *r)
{
	markdown_verdict(out, r);
	markdown_runs(out, r);
	for (size_t i = r->count; i-- > 0;)
		markdown_failures(out, r, &r->runs[i]);
	markdown_kernel(out, r);
	markdown_reasons(out, r);
}
