#include "frontend/fstests/kernel_traces.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/tree.h"
#include "frontend/fstests/run_directory.h"
#include "lib/cleanup.h"

#define TESTS_NAMED 5
#define KERNEL_MOST (64u << 20)

static const char *kernel_traces_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* "tests" is an object here, so that each test is found at once. */
static void kernel_traces_add_test(json_t *trace, const char *test)
{
	if (*test)
		json_object_set_new(json_object_get(trace, "tests"), test, json_true());
}

static json_t *find_trace(struct kernel_traces *t, const json_t *report)
{
	const char *line = kernel_traces_text(report, "line");
	const char *signature = kernel_traces_text(report, "signature");
	json_t *trace;

	if (!*signature)
		signature = line;
	if (!t->by_signature)
		t->by_signature = json_object();
	trace = json_object_get(t->by_signature, signature);
	if (trace)
		return trace;
	trace = json_pack("{s:s, s:s, s:s, s:s, s:i, s:{}}", "kind",
			  kernel_traces_text(report, "kind"), "signature", signature, "line", line,
			  "trace", kernel_traces_text(report, "trace"), "count", 0, "tests");
	if (*kernel_traces_text(report, "source"))
		json_object_set(trace, "source", json_object_get(report, "source"));
	json_object_set_new(t->by_signature, signature, trace);
	return trace;
}

void kernel_traces_add(struct kernel_traces *t, const json_t *report)
{
	json_int_t count = json_integer_value(json_object_get(report, "count"));
	json_t *trace, *test;
	size_t i;

	if (!*kernel_traces_text(report, "line"))
		return;
	trace = find_trace(t, report);
	json_object_set_new(trace, "count",
			    json_integer(json_integer_value(json_object_get(trace, "count")) +
					 (count > 0 ? count : 1)));
	kernel_traces_add_test(trace, kernel_traces_text(report, "test"));
	json_array_foreach(json_object_get(report, "tests"), i, test) if (json_is_string(test))
		kernel_traces_add_test(trace, json_string_value(test));
}

int kernel_traces_read(struct kernel_traces *t, int directory, struct error **err)
{
	_cleanup_error_ struct error *why = NULL;
	_cleanup_free_ char *text = tree_read(directory, RUN_KERNEL, KERNEL_MOST, NULL, &why);

	if (!text && why && why->code == ERR_MISSING)
		return 0;
	if (!text) {
		*err = STEAL_PTR(why);
		return -1;
	}
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		json_t *report = json_loads(line, 0, NULL);

		/* The last line of a run that was cut off may be incomplete. */
		if (json_is_object(report)) {
			json_clean(report);
			kernel_traces_add(t, report);
		}
		json_decref(report);
	}
	return 0;
}

json_t *kernel_traces_list(const struct kernel_traces *t)
{
	json_t *list = json_array(), *trace;
	const char *signature, *test;

	json_object_foreach(t->by_signature, signature, trace)
	{
		json_t *one = json_copy(trace), *tests = json_array(), *ignored;

		json_object_foreach(json_object_get(trace, "tests"), test, ignored)
			json_array_append_new(tests, json_string(test));
		json_object_set_new(one, "tests", tests);
		json_object_del(one, "trace");
		json_array_append_new(list, one);
	}
	return list;
}

static void kernel_traces_print_tests(FILE *out, json_t *tests)
{
	size_t count = json_object_size(tests), named = 0;
	const char *test;
	json_t *ignored;

	json_object_foreach(tests, test, ignored)
	{
		if (named == TESTS_NAMED)
			break;
		fprintf(out, "%s%s", named++ ? ", " : " in ", test);
	}
	if (count > TESTS_NAMED)
		fprintf(out, " and %zu more", count - TESTS_NAMED);
}

/* SIGNATURE is "KIND WHAT: FUNCTION FUNCTION"; an older version's is the line. */
static void print_functions(FILE *out, const char *signature, const json_t *trace)
{
	const char *line = kernel_traces_text(trace, "line");
	const char *source = kernel_traces_text(trace, "source");
	const char *function = strcmp(signature, line) == 0 ? NULL : strstr(signature, ": ");

	if (!function)
		return;
	for (const char *before = "    at "; *function; before = " < ") {
		function += strspn(function, ": ");
		fprintf(out, "%s%.*s", before, (int)strcspn(function, " "), function);
		if (*source)
			fprintf(out, " (%s)", source);
		source = "";
		function += strcspn(function, " ");
	}
	fputc('\n', out);
}

void kernel_traces_print(FILE *out, const struct kernel_traces *t)
{
	const char *signature, *space = "\n";
	json_t *trace;

	json_object_foreach(t->by_signature, signature, trace)
	{
		json_int_t count = json_integer_value(json_object_get(trace, "count"));

		fprintf(out, "%skernel: %s", space, kernel_traces_text(trace, "kind"));
		space = "";
		kernel_traces_print_tests(out, json_object_get(trace, "tests"));
		if (count > 1)
			fprintf(out, ", %" JSON_INTEGER_FORMAT " times", count);
		fprintf(out, ": %s\n", kernel_traces_text(trace, "line"));
		print_functions(out, signature, trace);
	}
}

void kernel_traces_clear(struct kernel_traces *t)
{
	json_decref(t->by_signature);
	t->by_signature = NULL;
}
