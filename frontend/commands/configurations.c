/* rootlet configurations: shows the catalogue for rootlet fstests --configuration. */
#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/style.h"
#include "frontend/cli/word_list.h"
#include "frontend/commands/commands.h"
#include "frontend/fstests/configuration_catalogue.h"
#include "frontend/fstests/configuration_text.h"

enum { VERB_LIST = OPTION_OWN, VERB_SHOW };

static const struct option_row configurations_rows[] = {
	{ "list", NULL, VERB_LIST, "list all configurations", .preset = true },
	{ "show", "FS/NAME", VERB_SHOW, "show one configuration" },
	JSON_ROW(JSON_BY_VERB),
	{ NULL },
};

static json_t *configuration_name(const struct test_configuration *c)
{
	char name[CONFIGURATION_SIZE];

	return json_text(configuration_title(c, name));
}

static json_t *configuration_since(const struct test_configuration *c)
{
	return c->since ? json_sprintf("%u.%u", c->since / 1000, c->since % 1000) : json_null();
}

static json_t *configuration_devices(const struct test_configuration *c)
{
	json_t *array = json_array();

	if (c->log)
		json_array_append_new(array, json_string("log"));
	if (c->realtime)
		json_array_append_new(array, json_string("realtime"));
	return array;
}

static json_t *configuration_describe(const struct test_configuration *c)
{
	char section[CONFIGURATION_SIZE];

	return json_pack(
		"{s:o, s:s, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:o, s:o}",
		"name", configuration_name(c), "section", configuration_section(c, section),
		"description", json_text(c->description), "path", json_text(c->path), "own",
		(int)c->own, "fstype", json_text(c->fstype), "base", json_text(c->base), "mkfs",
		json_text(c->mkfs), "mount", json_text(c->mount), "set", json_words(c->variables),
		"external", configuration_devices(c), "since", configuration_since(c), "kernel",
		json_words(c->kernel), "tools", json_words(c->tools), "packages",
		json_words(c->packages), "excludes", json_words(c->excludes));
}

/* --- list ----------------------------------------------------------------------------------- */

static void list_filesystem(const char *fs, json_t *array)
{
	_cleanup_(configurations_clear) struct configurations c = { 0 };
	_cleanup_error_ struct error *err = NULL;
	bool bad = catalogue_read(fs, &c, &err) < 0;

	for (size_t i = 0; !bad && i < c.count; i++) {
		char name[CONFIGURATION_SIZE];

		if (array) {
			json_array_append_new(array, configuration_describe(&c.list[i]));
			continue;
		}
		printf("%-24s %-9s %s\n", configuration_title(&c.list[i], name),
		       c.list[i].own ? "yours" : "built in",
		       c.list[i].description ? c.list[i].description : "");
	}
	if (bad && array)
		json_array_append_new(array, json_pack("{s:s, s:o}", "name", fs, "error",
						       json_text(error_text(err))));
	else if (bad)
		style_print(stdout, STYLE_BAD, "%-24s invalid: %s\n", fs, error_text(err));
}

static int configurations_list(bool json, struct error **err)
{
	json_t *array = json ? json_array() : NULL;
	char **names = NULL;
	int r = catalogue_filesystems(&names, err);

	if (!json && r == 0)
		style_print(stdout, STYLE_HEADING, "%-24s %-9s %s\n", "CONFIGURATION", "ORIGIN",
			    "DESCRIPTION");
	for (size_t i = 0; names && names[i]; i++)
		list_filesystem(names[i], array);
	words_free(names);
	if (r == 0 && json)
		document_print(json_incref(array));
	json_decref(array);
	return r;
}

/* --- show ----------------------------------------------------------------------------------- */

static void print_row(const char *key, char *const *words)
{
	if (!words || !*words)
		return;
	printf("%s =", key);
	for (; *words; words++)
		printf(" %s", *words);
	putchar('\n');
}

/* Prints a section that can be put into a file of the user's. */
static void print_configuration(const struct test_configuration *c)
{
	printf("; %s\n[%s]\n", c->path, c->name);
	if (c->description)
		printf("description = %s\n", c->description);
	printf("type = %s\n", c->fstype);
	if (c->base)
		printf("base = %s\n", c->base);
	if (c->mkfs)
		printf("mkfs = %s\n", c->mkfs);
	if (c->mount)
		printf("mount = %s\n", c->mount);
	for (char **one = c->variables; one && *one; one++)
		printf("set = %s\n", *one);
	if (c->log || c->realtime)
		printf("external =%s%s\n", c->log ? " log" : "", c->realtime ? " realtime" : "");
	if (c->since)
		printf("since = %u.%u\n", c->since / 1000, c->since % 1000);
	print_row("kernel", c->kernel);
	print_row("tools", c->tools);
	print_row("packages", c->packages);
	for (char **one = c->excludes; one && *one; one++)
		printf("exclude = %s\n", *one);
}

static int configurations_show(const char *name, bool json, struct error **err)
{
	_cleanup_(configurations_clear) struct configurations c = { 0 };

	if (catalogue_choose(name, &c, err) < 0)
		return -1;
	if (c.count > 1)
		return error_set(err, ERR_INPUT, "\"%s\" is more than one configuration", name);
	if (json)
		document_print(configuration_describe(&c.list[0]));
	else
		print_configuration(&c.list[0]);
	return 0;
}

static int command_configurations(const struct parsed_line *line)
{
	_cleanup_error_ struct error *err = NULL;
	bool json = line_has(line, OPTION_JSON);
	int status;

	if ((line->verb == VERB_SHOW ? configurations_show(line->operands[0], json, &err)
				     : configurations_list(json, &err)) == 0)
		return EXIT_OK;
	status = report_error(line->name, err);
	return json ? document_failure(err, status) : status;
}

const struct command configurations_command = {
	.name = "configurations",
	.summary = "show the configurations that filesystems are tested in",
	.about =
		"Shows the configurations for rootlet fstests --configuration: options of mkfs and "
		"mount, and what they need of the kernel and the rootfs. Your own are in "
		"~/.config/rootlet/configurations/FS.conf: see man rootlet-configuration.",
	.statuses = "0 shown; 2 wrong command line, no such configuration, or a file is not valid.",
	.rows = configurations_rows,
	.run = command_configurations,
};
