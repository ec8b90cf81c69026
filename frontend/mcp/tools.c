#include "frontend/mcp/tools.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "frontend/cli/paths.h"
#include "frontend/mcp/schema.h"

/* Declares tools_text: the tools with their output schemas, as JSON. */
#include "tools_json.h"

json_t *tools_load(void)
{
	return json_loads(tools_text, 0, NULL);
}

json_t *tools_publish(const json_t *tools)
{
	json_t *published = json_deep_copy(tools), *tool;
	size_t i;

	json_array_foreach(published, i, tool)
	{
		json_object_del(tool, "command");
		json_object_del(tool, "wrap");
		json_object_del(tool, "brief");
		json_object_del(tool, "vm");
	}
	return published;
}

json_t *tool_find(const json_t *tools, const char *name)
{
	json_t *tool;
	size_t i;

	json_array_foreach(tools, i,
			   tool) if (strcmp(json_string_value(json_object_get(tool, "name")),
					    name) == 0) return tool;
	return NULL;
}

int tool_check(const json_t *tool, json_t *arguments, struct error **err)
{
	return schema_check(json_object_get(tool, "inputSchema"), arguments, "arguments", err);
}

struct tool_words_list {
	char **word;
	size_t count;
	bool failed; /* out of memory */
};

/* Takes ownership of WORD. */
static void tools_add(struct tool_words_list *w, char *word)
{
	char **more = word ? reallocarray(w->word, w->count + 2, sizeof(*more)) : NULL;

	if (!more) {
		free(word);
		w->failed = true;
		return;
	}
	w->word = more;
	more[w->count++] = word;
	more[w->count] = NULL;
}

/* Passes "--option=value" as one word, so that no value is taken for an option. */
static void add_option(struct tool_words_list *w, const char *option, const char *value)
{
	char *word = NULL;

	if (asprintf(&word, "%s=%s", option, value) < 0)
		word = NULL;
	tools_add(w, word);
}

/* Expands "~/", since clients have no shell to do it. */
static char *expand_home(const char *value)
{
	_cleanup_free_ char *home = strncmp(value, "~/", 2) == 0 ? paths_home(NULL) : NULL;
	char *path = NULL;

	if (!home)
		return strdup(value);
	return asprintf(&path, "%s%s", home, value + 1) < 0 ? NULL : path;
}

static void add_scalar(struct tool_words_list *w, const char *option, const json_t *value)
{
	_cleanup_free_ char *text = json_is_string(value) ? expand_home(json_string_value(value))
							  : json_dumps(value, JSON_ENCODE_ANY);

	if (!text)
		w->failed = true;
	else if (json_is_true(value))
		tools_add(w, strdup(option));
	else if (!json_is_false(value))
		add_option(w, option, text);
}

/* HOW is an option, or an object that maps the values of a boolean to options. */
static void add_argument(struct tool_words_list *w, const json_t *how, const json_t *value)
{
	const json_t *item;
	size_t i;

	if (json_is_object(how)) {
		const char *option = json_string_value(
			json_object_get(how, json_is_true(value) ? "true" : "false"));

		if (option)
			tools_add(w, strdup(option));
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, item) add_scalar(w, json_string_value(how), item);
	} else {
		add_scalar(w, json_string_value(how), value);
	}
}

/* Adds what follows "--". Called last, whatever the order of the arguments. */
static void add_operands(struct tool_words_list *w, const json_t *value)
{
	const json_t *item;
	size_t i;

	json_array_foreach(value, i, item) tools_add(w, strdup(json_string_value(item)));
	if (json_is_string(value))
		tools_add(w, strdup(json_string_value(value)));
}

static const json_t *argument_or_default(const json_t *tool, const json_t *arguments,
					 const char *name)
{
	const json_t *given = json_object_get(arguments, name);
	const json_t *properties =
		json_object_get(json_object_get(tool, "inputSchema"), "properties");

	return given ? given : json_object_get(json_object_get(properties, name), "default");
}

int tool_words(const json_t *tool, const json_t *arguments, char ***words, struct error **err)
{
	const json_t *command = json_object_get(tool, "command"), *word;
	json_t *operands = json_array();
	struct tool_words_list w = { 0 };
	bool dashes = false;
	const char *name;
	json_t *how;
	size_t i;

	tools_add(&w, strdup("rootlet"));
	json_array_foreach(json_object_get(command, "words"), i, word)
		tools_add(&w, strdup(json_string_value(word)));
	json_object_foreach(json_object_get(command, "arguments"), name, how)
	{
		const json_t *value = argument_or_default(tool, arguments, name);
		const char *option = json_string_value(how);

		if (value && option && (!*option || strcmp(option, "--") == 0)) {
			json_array_append(operands, (json_t *)(uintptr_t)value);
			dashes = *option;
		} else if (value)
			add_argument(&w, how, value);
	}
	if (dashes)
		tools_add(&w, strdup("--"));
	json_array_foreach(operands, i, word) add_operands(&w, word);
	json_decref(operands);
	if (!w.failed) {
		*words = w.word;
		return 0;
	}
	tool_words_free(&w.word);
	return error_no_memory(err);
}

void tool_words_free(char ***words)
{
	for (char **word = *words; word && *word; word++)
		free(*word);
	free(*words);
	*words = NULL;
}
