#include "frontend/mcp/brief.h"

#include <string.h>

#define BRIEF_BYTES 1200 /* of the structured content; with the text, at most 2 kB */
#define TESTS_NAMED 2

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

/* The longest list of RESULT, in bytes. NULL if all are empty. */
static json_t *find_longest(json_t *result)
{
	json_t *longest = NULL, *value;
	const char *key;

	json_object_foreach(result, key, value) if (json_array_size(value) &&
						    (!longest || size_of(value) > size_of(longest)))
		longest = value;
	return longest;
}

static json_t *count_items(json_t *result)
{
	json_t *counts = json_object();
	const char *key;
	json_t *value;

	json_object_foreach(result, key, value) if (json_is_array(value))
		json_object_set_new(counts, key, json_integer((json_int_t)json_array_size(value)));
	return counts;
}

static void note_left_out(json_t *result, json_t *before)
{
	json_t *left_out = json_object();
	const char *key;
	json_t *count;

	json_object_foreach(before, key, count)
	{
		json_int_t missing = json_integer_value(count) -
				     (json_int_t)json_array_size(json_object_get(result, key));

		if (missing > 0)
			json_object_set_new(left_out, key, json_integer(missing));
	}
	if (json_object_size(left_out))
		json_object_set(result, "left_out", left_out);
	json_decref(left_out);
}

void brief_make(const json_t *tool, json_t *result)
{
	json_t *before, *longest;

	if (!json_is_true(json_object_get(tool, "brief")) || !json_is_object(result))
		return;
	before = count_items(result);
	keep_missing(json_object_get(result, "dependencies"));
	while (size_of(result) > BRIEF_BYTES && (longest = find_longest(result)))
		cut_list(longest, json_array_size(longest) / 2);
	note_left_out(result, before);
	json_decref(before);
}
