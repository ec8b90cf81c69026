#include "frontend/commands/config_print.h"

#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/commands/defaults.h"

#define BUILT_IN "built-in"

static void config_add(json_t *list, const struct command *command, const struct option_row *row,
		       const char *value, const char *origin)
{
	json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}", "command", command->name,
					      "option", row->name, "value", json_text(value),
					      "origin", json_text(origin)));
}

static void add_option_defaults(json_t *list, const struct defaults *d,
				const struct command *command, const struct option_row *row)
{
	const struct default_value *value;
	bool any = false;

	for (size_t i = 0; (value = defaults_next(d, command, row, &i)); any = true) {
		_cleanup_free_ char *origin = NULL;

		if (asprintf(&origin, "%s:%u", d->path, value->line) < 0)
			origin = NULL;
		config_add(list, command, row, value->value, origin);
	}
	if (!any && row->fallback)
		config_add(list, command, row, row->fallback, BUILT_IN);
}

static json_t *list_defaults(const struct defaults *d, const struct command *const *commands,
			     size_t count)
{
	const struct option_row *row;
	json_t *list = json_array();

	for (size_t c = 0; c < count; c++)
		for (size_t i = 0; (row = option_row_at(commands[c], i)); i++)
			if (row->text && defaults_allowed(row))
				add_option_defaults(list, d, commands[c], row);
	return list;
}

static void config_print_text(const struct defaults *d, const json_t *list)
{
	const json_t *one;
	size_t i;

	if (!d->found)
		printf("There is no %s; all defaults are built in.\n", d->path);
	json_array_foreach(list, i, one)
	{
		_cleanup_free_ char *option = NULL;

		if (asprintf(&option, "%s %s", json_string_value(json_object_get(one, "option")),
			     json_string_value(json_object_get(one, "value"))) < 0)
			option = NULL;
		printf("%-10s %-42s %s\n", json_string_value(json_object_get(one, "command")),
		       option ? text_clean(option) : "?",
		       json_string_value(json_object_get(one, "origin")));
	}
}

int config_print(const struct command *const *commands, size_t count, bool json)
{
	_cleanup_(defaults_clear) struct defaults d = { 0 };
	json_t *list;
	int status;

	defaults_read(&d, commands, count);
	if (d.error) {
		status = report_error("config", d.error);
		return json ? document_failure(d.error, status) : status;
	}
	list = list_defaults(&d, commands, count);
	if (json) {
		document_print(json_pack("{s:o, s:b, s:o}", "file", json_text(d.path), "exists",
					 d.found, "defaults", list));
	} else {
		config_print_text(&d, list);
		json_decref(list);
	}
	return EXIT_OK;
}
