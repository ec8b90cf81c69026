#include "frontend/fstests/kmemleak.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "frontend/fstests/incident.h"
#include "frontend/fstests/trace_signature.h"
#include "lib/cleanup.h"

#define HEAD "unreferenced object "

static const char *kmemleak_next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : line;
}

/* Returns the next object from TEXT on, or its end. */
static const char *find_object(const char *text)
{
	while (*text && !text_has_prefix(text, HEAD))
		text = kmemleak_next_line(text);
	return text;
}

size_t kmemleak_count(const char *text)
{
	size_t count = 0;

	for (const char *at = find_object(text); *at; at = find_object(kmemleak_next_line(at)))
		count++;
	return count;
}

/* The functions follow a dump of the object, which may contain anything. */
static const char *find_backtrace(const char *trace)
{
	const char *found = strstr(trace, "\n  backtrace");

	return found ? found : "";
}

static void kmemleak_add(json_t *by_signature, const char *test, const char *trace)
{
	_cleanup_free_ char *line = strndup(trace, strcspn(trace, ":\n"));
	char signature[SIGNATURE_SIZE];
	const struct incident incident = { .kind = INCIDENT_LEAK,
					   .test = test,
					   .line = line ? line : HEAD,
					   .trace = trace,
					   .signature = signature };
	json_int_t count;
	json_t *report;

	trace_signature(INCIDENT_LEAK, "", find_backtrace(trace), signature);
	report = json_object_get(by_signature, signature);
	count = json_integer_value(json_object_get(report, "count"));
	if (!report) {
		report = incident_to_json(&incident);
		json_object_set_new(by_signature, signature, report);
	}
	json_object_set_new(report, "count", json_integer(count + 1));
}

json_t *kmemleak_reports(const char *text, const char *test)
{
	json_t *by_signature = json_object(), *reports = json_array(), *report;
	const char *signature;

	for (const char *at = find_object(text), *next; *at; at = next) {
		char trace[INCIDENT_TRACE_MAX];
		size_t length;

		next = find_object(kmemleak_next_line(at));
		length = (size_t)(next - at);
		while (length && at[length - 1] == '\n')
			length--;
		snprintf(trace, sizeof(trace), "%.*s", (int)length, at);
		kmemleak_add(by_signature, test, text_clean_lines(trace));
	}
	json_object_foreach(by_signature, signature, report) json_array_append(reports, report);
	json_decref(by_signature);
	return reports;
}
