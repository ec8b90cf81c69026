#include "frontend/fstests/group_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/fstests/test_groups.h"
#include "lib/cleanup.h"

#define NAMES "doc/group-names.txt"
#define NAMES_MOST 65536
#define DESCRIPTION_BYTES 160

/* Adds one test to each of the groups in WORDS, " auto quick ". */
static void count_groups(json_t *counts, const char *words)
{
	_cleanup_free_ char *copy = strdup(words);
	char *rest = NULL;

	for (char *word = copy ? strtok_r(copy, " ", &rest) : NULL; word;
	     word = strtok_r(NULL, " ", &rest))
		json_object_set_new(
			counts, word,
			json_integer(json_integer_value(json_object_get(counts, word)) + 1));
}

/* Takes a line of group-names.txt: a group and its description after tabs, or
 * more of the description above. */
static void take_description(json_t *all, char *line, char *name, size_t size)
{
	size_t length = strcspn(line, " \t");
	const char *text = line + length + strspn(line + length, " \t"), *before;

	if (length && length < size)
		snprintf(name, size, "%.*s", (int)length, line);
	if (!*text || !*name || *line == '=')
		return;
	before = length ? "" : json_string_value(json_object_get(all, name));
	if (before && strlen(before) + strlen(text) < DESCRIPTION_BYTES)
		json_object_set_new(all, name,
				    json_sprintf("%s%s%s", before, *before ? " " : "", text));
}

/* {name: description}; empty if the tree has none. */
static json_t *read_descriptions(const char *tree)
{
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *text = NULL;
	char name[64] = "", *rest = NULL;
	json_t *all = json_object();

	if (asprintf(&path, "%s/" NAMES, tree) < 0) {
		path = NULL;
		return all;
	}
	text = file_read(path, NAMES_MOST, NULL, &ignored);
	if (text)
		text_utf8(text);
	for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line;
	     line = strtok_r(NULL, "\n", &rest))
		take_description(all, line, name, sizeof(name));
	return all;
}

/* The group of COUNTS with most tests, which is removed; NULL if there are no more. */
static json_t *take_largest(json_t *counts, const json_t *descriptions)
{
	const char *name, *largest = NULL;
	json_int_t most = 0;
	json_t *count, *object;

	json_object_foreach(counts, name, count) if (json_integer_value(count) > most)
	{
		most = json_integer_value(count);
		largest = name;
	}
	if (!largest)
		return NULL;
	object = json_pack("{s:o, s:I, s:O?}", "name", json_text(largest), "tests", most,
			   "description", json_object_get(descriptions, largest));
	json_object_del(counts, largest);
	return object;
}

json_t *group_names_list(const char *tree, struct error **err)
{
	_cleanup_(test_groups_free) struct test_groups *groups = NULL;
	json_t *counts, *descriptions, *list, *one;

	if (test_groups_read(tree, &groups, err) < 0)
		return NULL;
	counts = json_object();
	for (size_t i = 0; i < test_groups_count(groups); i++)
		count_groups(counts, test_groups_words(groups, i));
	descriptions = read_descriptions(tree);
	list = json_array();
	while ((one = take_largest(counts, descriptions)))
		json_array_append_new(list, one);
	json_decref(counts);
	json_decref(descriptions);
	return list;
}
