/* Results as JUnit XML, which CI systems display. Format: the schema of the Jenkins xUnit plug-in.
 */
#include "frontend/fstests/junit.h"

#include <stdio.h>
#include <string.h>

#include "frontend/cli/directory.h"

/* Replaces control characters that XML 1.0 forbids, and everything that is not ASCII, with '?'. */
static void escape(FILE *out, const char *text)
{
	for (; text && *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '<')
			fputs("&lt;", out);
		else if (c == '>')
			fputs("&gt;", out);
		else if (c == '&')
			fputs("&amp;", out);
		else if (c == '"')
			fputs("&quot;", out);
		else
			fputc((c < ' ' && c != '\n' && c != '\t') || c >= 0x7f ? '?' : c, out);
	}
}

static void write_element(FILE *out, const char *element, const struct test_result *r)
{
	fprintf(out, "    <%s message=\"", element);
	escape(out, r->reason ? r->reason : test_status_name(r->status));
	fprintf(out, "\" type=\"%s\">", test_status_name(r->status));
	escape(out, r->detail);
	fprintf(out, "</%s>\n", element);
}

static const char *junit_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* What the kernel reported in each test: an array of the run's traces by the test's name. */
static json_t *traces_by_test(const json_t *record)
{
	json_t *by_test = json_object(), *trace, *test;
	size_t i, k;

	json_array_foreach(json_object_get(record, "kernel"), i, trace)
	{
		json_array_foreach(json_object_get(trace, "tests"), k, test)
		{
			const char *name = json_string_value(test);
			json_t *traces = name ? json_object_get(by_test, name) : NULL;

			if (name && !traces) {
				traces = json_array();
				json_object_set_new(by_test, name, traces);
			}
			json_array_append(traces, trace);
		}
	}
	return by_test;
}

static void write_traces(FILE *out, const json_t *traces)
{
	const json_t *trace;
	size_t i;

	if (!json_array_size(traces))
		return;
	fputs("    <system-err>", out);
	json_array_foreach(traces, i, trace)
	{
		fputs("kernel: ", out);
		escape(out, junit_text(trace, "kind"));
		fputs(": ", out);
		escape(out, junit_text(trace, "line"));
		fputc('\n', out);
	}
	fputs("</system-err>\n", out);
}

static void write_case(FILE *out, const struct test_result *r, const json_t *traces)
{
	fputs("  <testcase classname=\"fstests", out);
	fputs(*r->section ? "." : "", out);
	escape(out, r->section);
	fputs("\" name=\"", out);
	escape(out, r->name);
	if (r->repetition > 1)
		fprintf(out, " (%u)", r->repetition);
	fprintf(out, "\" time=\"%.1f\">\n", r->seconds);
	switch (r->status) {
	case TEST_FAIL:
		/* An excused failure must not fail the pipeline either. */
		write_element(out, r->excuse ? "skipped" : "failure", r);
		break;
	case TEST_CRASH:
	case TEST_TIMEOUT:
		write_element(out, "error", r);
		break;
	case TEST_NOTRUN:
	case TEST_EXPUNGED:
	case TEST_EXCLUDED:
	case TEST_UNREACHED:
		write_element(out, "skipped", r);
		break;
	default:
		break;
	}
	write_traces(out, traces);
	fputs("  </testcase>\n", out);
}

static void write_property(FILE *out, const char *prefix, const char *name, const json_t *value)
{
	if (!json_is_string(value))
		return;
	fprintf(out, "    <property name=\"%s", prefix);
	escape(out, name);
	fputs("\" value=\"", out);
	escape(out, json_string_value(value));
	fputs("\"/>\n", out);
}

static void write_properties(FILE *out, const json_t *record)
{
	static const char *const names[] = { "run",	"kernel_version", "boot", "fstype",
					     "fstests", "rootfs",	  "root" };
	const char *name;
	json_t *hash;

	fputs("  <properties>\n", out);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		write_property(out, "", names[i], json_object_get(record, names[i]));
	write_property(out, "sha256.", "image", json_object_get(record, "image"));
	json_object_foreach(json_object_get(record, "identity"), name, hash)
		write_property(out, "sha256.", name, hash);
	fputs("  </properties>\n", out);
}

static void write_suite(FILE *out, const struct junit_suite *suite)
{
	const struct results *results = suite->results;
	size_t failed = results_unexcused(results);
	size_t skipped =
		results_count(results, TEST_FAIL) - failed + results_count(results, TEST_NOTRUN) +
		results_count(results, TEST_EXPUNGED) + results_count(results, TEST_EXCLUDED) +
		results_count(results, TEST_UNREACHED);
	json_t *traces = traces_by_test(suite->record);

	fputs("<testsuite name=\"", out);
	escape(out, suite->name);
	fprintf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n",
		results->count, failed,
		results_count(results, TEST_CRASH) + results_count(results, TEST_TIMEOUT), skipped);
	if (suite->record)
		write_properties(out, suite->record);
	for (size_t i = 0; i < results->count; i++)
		write_case(out, &results->list[i], json_object_get(traces, results->list[i].name));
	fputs("</testsuite>\n", out);
	json_decref(traces);
}

int junit_write_suites(const char *path, const struct junit_suite *suites, size_t count,
		       struct error **err)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return error_no_memory(err);
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
	fputs(count == 1 ? "" : "<testsuites>\n", out);
	for (size_t i = 0; i < count; i++)
		write_suite(out, &suites[i]);
	fputs(count == 1 ? "" : "</testsuites>\n", out);
	if (fclose(out) != 0)
		return error_no_memory(err);
	return output_write(path, text, err);
}

int junit_write(const char *path, const struct results *results, const char *suite,
		const json_t *record, struct error **err)
{
	return junit_write_suites(path, &(struct junit_suite){ suite, results, record }, 1, err);
}
