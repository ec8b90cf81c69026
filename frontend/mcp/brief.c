#include "frontend/mcp/brief.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define BRIEF_BYTES 1200 /* of the structured content; with the text, at most 2 kB */
#define TESTS_NAMED 2
#define REASON_BYTES 120 /* of a test */
#define DETAIL_BYTES 200

static size_t size_of(const json_t *json)
{
	return json_dumpb(json, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
}

static void cut_list(json_t *list, size_t most)
{
	while (json_array_size(list) > most)
		json_array_remove(list, json_array_size(list) - 1);
}

/* What is not missing needs no action, and "tests" says how many need it. */
static void keep_missing(json_t *dependencies)
{
	for (size_t i = json_array_size(dependencies); i-- > 0;) {
		json_t *one = json_array_get(dependencies, i);
		const char *state = json_string_value(json_object_get(one, "state"));

		cut_list(json_object_get(one, "needed_by"), TESTS_NAMED);
		if (state && strcmp(state, "missing") != 0)
			json_array_remove(dependencies, i);
	}
}

/* Keeps the first MOST bytes of a text, and no half of a character. */
static void cut_text(json_t *object, const char *key, size_t most)
{
	const char *text = json_string_value(json_object_get(object, key));
	size_t length = text ? strlen(text) : 0;

	if (length <= most)
		return;
	while (most && ((unsigned char)text[most] & 0xc0) == 0x80)
		most--;
	json_object_set_new(object, key, json_sprintf("%.*s…", (int)most, text));
}

static void visit_to_cut(const char *name, json_t *list, void *context)
{
	json_t *one;
	size_t i;

	(void)name;
	(void)context;
	json_array_foreach(list, i, one)
	{
		cut_text(one, "reason", REASON_BYTES);
		cut_text(one, "detail", DETAIL_BYTES);
	}
}

/* Of the tests that have ended, those that failed are in another list, and those that passed are
 * counted. */
static void keep_unusual(json_t *tests)
{
	static const char *const usual[] = { "pass", "fail", "crash", "timeout" };

	for (size_t i = json_array_size(tests); i-- > 0;) {
		const char *status =
			json_string_value(json_object_get(json_array_get(tests, i), "status"));

		for (size_t k = 0; status && k < sizeof(usual) / sizeof(*usual); k++)
			if (strcmp(status, usual[k]) == 0) {
				json_array_remove(tests, i);
				break;
			}
	}
}

/* Calls VISIT for each list in RESULT and in the objects in it. NAME: "baseline.newly_fails". */
static void visit_lists(json_t *result, const char *above,
			void (*visit)(const char *name, json_t *list, void *context), void *context)
{
	const char *key;
	json_t *value;

	json_object_foreach(result, key, value)
	{
		_cleanup_free_ char *name = NULL;

		if (asprintf(&name, "%s%s%s", above, *above ? "." : "", key) < 0) {
			name = NULL;
			continue;
		}
		if (json_is_array(value))
			visit(name, value, context);
		else if (json_is_object(value) && !*above)
			visit_lists(value, name, visit, context);
	}
}

/* CONTEXT is the longest list so far, in bytes. */
static void visit_longest(const char *name, json_t *list, void *context)
{
	json_t **longest = context;

	(void)name;
	if (json_array_size(list) && (!*longest || size_of(list) > size_of(*longest)))
		*longest = list;
}

static void visit_to_count(const char *name, json_t *list, void *context)
{
	json_object_set_new(context, name, json_integer((json_int_t)json_array_size(list)));
}

/* Removes the counts of lists that are whole from CONTEXT, and subtracts from the others. */
static void visit_whole(const char *name, json_t *list, void *context)
{
	json_int_t missing = json_integer_value(json_object_get(context, name)) -
			     (json_int_t)json_array_size(list);

	if (missing > 0)
		json_object_set_new(context, name, json_integer(missing));
	else
		json_object_del(context, name);
}

/* The limit of TOOL in bytes; 0: none. */
static size_t brief_limit(const json_t *tool)
{
	const json_t *brief = json_object_get(tool, "brief");

	return json_is_integer(brief) ? (size_t)json_integer_value(brief)
	       : json_is_true(brief)  ? BRIEF_BYTES
				      : 0;
}

void brief_make(const json_t *tool, json_t *result)
{
	size_t limit = brief_limit(tool);
	json_t *left_out, *longest;

	if (!limit || !json_is_object(result))
		return;
	left_out = json_object();
	visit_lists(result, "", visit_to_count, left_out);
	keep_missing(json_object_get(result, "dependencies"));
	keep_unusual(json_object_get(result, "tests_ended"));
	visit_lists(result, "", visit_to_cut, NULL);
	while (size_of(result) > limit) {
		longest = NULL;
		visit_lists(result, "", visit_longest, &longest);
		if (!longest)
			break;
		cut_list(longest, json_array_size(longest) / 2);
	}
	visit_lists(result, "", visit_whole, left_out);
	if (json_object_size(left_out))
		json_object_set(result, "left_out", left_out);
	json_decref(left_out);
}
