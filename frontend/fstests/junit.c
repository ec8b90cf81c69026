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

static void write_case(FILE *out, const struct test_result *r)
{
	fputs("  <testcase classname=\"fstests", out);
	fputs(*r->section ? "." : "", out);
	escape(out, r->section);
	fputs("\" name=\"", out);
	escape(out, r->name);
	fprintf(out, "\" time=\"%.1f\">\n", r->seconds);
	switch (r->status) {
	case TEST_FAIL:
		write_element(out, "failure", r);
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
	fputs("  </testcase>\n", out);
}

static void write_property(FILE *out, const char *prefix, const char *name, const json_t *value)
{
	if (!json_is_string(value))
		return;
	fprintf(out, "    <property name=\"%s%s\" value=\"", prefix, name);
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

static void write_suite(FILE *out, const struct results *results, const char *suite,
			const json_t *record)
{
	size_t skipped =
		results_count(results, TEST_NOTRUN) + results_count(results, TEST_EXPUNGED) +
		results_count(results, TEST_EXCLUDED) + results_count(results, TEST_UNREACHED);

	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"", out);
	escape(out, suite);
	fprintf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n",
		results->count, results_count(results, TEST_FAIL),
		results_count(results, TEST_CRASH) + results_count(results, TEST_TIMEOUT), skipped);
	if (record)
		write_properties(out, record);
	for (size_t i = 0; i < results->count; i++)
		write_case(out, &results->list[i]);
	fputs("</testsuite>\n", out);
}

int junit_write(const char *path, const struct results *results, const char *suite,
		const json_t *record, struct error **err)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out)
		write_suite(out, results, suite, record);
	if (!out || fclose(out) != 0)
		return error_no_memory(err);
	return output_write(path, text, err);
}
