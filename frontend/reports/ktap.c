/* Format: version 1 of Documentation/dev-tools/ktap.rst in Linux. */
#include "frontend/reports/ktap.h"

#include <string.h>

#include "frontend/cli/text.h"

#define DIAGNOSTICS_MOST 4096

static const char ktap_indent[] = "      ";

/* Two blanks for each level. */
static void ktap_begin_line(FILE *out, int level)
{
	fputs(ktap_indent + sizeof(ktap_indent) - 1 - 2 * (size_t)level, out);
}

/* Prints TEXT on one line; '#' would begin a directive. */
static void ktap_text(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc(*text == '#' ? '?' : *text == '\n' || *text == '\t' ? ' ' : *text, out);
}

/* Diagnostic lines come before the result that they belong to. */
static void ktap_diagnostics(FILE *out, int level, const char *text)
{
	size_t left = DIAGNOSTICS_MOST;

	while (text && *text && left) {
		size_t whole = strcspn(text, "\n");
		size_t length = text_fitting(text, whole < left ? whole : left);

		ktap_begin_line(out, level);
		fprintf(out, "# %.*s\n", (int)length, text);
		left -= length < left ? length + 1 : left;
		text += length;
		text += *text == '\n';
	}
}

static void ktap_head(FILE *out, int level, const char *name, size_t count)
{
	ktap_begin_line(out, level);
	fputs("KTAP version 1\n", out);
	if (name) {
		ktap_begin_line(out, level);
		fputs("# Subtest: ", out);
		ktap_text(out, name);
		fputc('\n', out);
	}
	ktap_begin_line(out, level);
	fprintf(out, "1..%zu\n", count);
}

static void ktap_result(FILE *out, int level, bool good, size_t number, const char *name)
{
	ktap_begin_line(out, level);
	fprintf(out, "%s %zu ", good ? "ok" : "not ok", number);
	ktap_text(out, name);
}

/* An excused failure must not fail the run either. */
static bool ktap_is_good(const struct test_result *result)
{
	return !report_is_bad(result->status) || report_is_excused(result);
}

static void ktap_test(FILE *out, int level, size_t number, const struct test_result *result)
{
	static const char *const directives[TEST_STATUSES] = {
		[TEST_NOTRUN] = "SKIP",	   [TEST_EXPUNGED] = "SKIP", [TEST_EXCLUDED] = "SKIP",
		[TEST_UNREACHED] = "SKIP", [TEST_CRASH] = "ERROR",   [TEST_TIMEOUT] = "TIMEOUT",
	};
	const char *directive = report_is_excused(result) ? "XFAIL" : directives[result->status];

	if (report_is_bad(result->status))
		ktap_diagnostics(out, level, result->detail);
	ktap_result(out, level, ktap_is_good(result), number, result->name);
	if (directive || result->reason)
		fprintf(out, " # %s%s", directive ? directive : "",
			directive && result->reason ? " " : "");
	if (report_is_excused(result))
		fprintf(out, "%s%s", test_excuse_text(result->excuse), result->reason ? ": " : "");
	if (result->reason)
		ktap_text(out, result->reason);
	else if (directive)
		fputs(result->status == TEST_CRASH ? " crashed" : "", out);
	fputc('\n', out);
}

/* The result at AT if it is the first of its section, or NULL. */
static const struct test_result *ktap_first_of_section(const struct results *results, size_t at)
{
	if (!results->list)
		return NULL;
	for (size_t i = 0; i < at; i++)
		if (strcmp(results->list[i].section, results->list[at].section) == 0)
			return NULL;
	return &results->list[at];
}

/* Prints the tests of SECTION. Returns whether none of them failed. */
static bool ktap_section(FILE *out, int level, const struct results *results, const char *section,
			 const char *name)
{
	size_t count = 0, number = 0;
	bool good = true;

	for (size_t i = 0; i < results->count; i++)
		count += strcmp(results->list[i].section, section) == 0;
	ktap_head(out, level, name, count);
	for (size_t i = 0; i < results->count; i++) {
		if (strcmp(results->list[i].section, section) != 0)
			continue;
		ktap_test(out, level, ++number, &results->list[i]);
		good = good && ktap_is_good(&results->list[i]);
	}
	return good;
}

static bool ktap_run(FILE *out, const struct report_run *run)
{
	const struct results *results = &run->results;
	size_t sections = 0, number = 0;
	bool good = true;

	for (size_t i = 0; i < results->count; i++)
		sections += ktap_first_of_section(results, i) != NULL;
	if (sections == 0 || (sections == 1 && !*results->list[0].section))
		return ktap_section(out, 1, results, "", run->dir.id);
	ktap_head(out, 1, run->dir.id, sections);
	for (size_t i = 0; i < results->count; i++) {
		const struct test_result *first = ktap_first_of_section(results, i);
		const char *name;
		bool passed;

		if (!first)
			continue;
		name = report_configuration(run, first);
		passed = ktap_section(out, 2, results, first->section, name);
		ktap_result(out, 1, passed, ++number, name);
		fputc('\n', out);
		good = good && passed;
	}
	return good;
}

void ktap_print(FILE *out, const struct report *r)
{
	ktap_head(out, 0, NULL, r->count);
	for (size_t i = 0; i < r->count; i++) {
		/* Tests are missing in a run that ended early, or that goes on. */
		bool whole = strcmp(r->runs[i].state, "passed") == 0 ||
			     strcmp(r->runs[i].state, "failed") == 0;
		bool good = ktap_run(out, &r->runs[i]);

		ktap_result(out, 0, good && whole, i + 1, r->runs[i].dir.id);
		fputs(whole ? "" : " # ", out);
		ktap_text(out, whole ? "" : r->runs[i].state);
		fputc('\n', out);
	}
}
