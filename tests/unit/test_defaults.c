/* frontend/commands/defaults.c: the configuration file, and the line that it completes. */
#include <stdlib.h>
#include <string.h>

#include "frontend/commands/commandline.h"
#include "tap.h"

#define WORDS_MAX 8

enum { VERB_SHOW = OPTION_OWN, VERB_PRUNE, OPTION_KEEP, OPTION_SIZE, OPTION_HOW, OPTION_BUILD };

static const struct option_row first_rows[] = {
	{ "show", NULL, VERB_SHOW, "show", .preset = true },
	{ "prune", NULL, VERB_PRUNE, "prune" },
	{ "--keep", "N", OPTION_KEEP, "how many", .fallback = "20", .verb = VERB_PRUNE },
	{ "--size", "SIZE", OPTION_SIZE, "a size; may be repeated" },
	{ "--how", "fast|slow", OPTION_HOW, "how", .fallback = "slow" },
	{ "--manner", "fast|slow", OPTION_HOW },
	{ "--build", NULL, OPTION_BUILD, "build" },
	{ "--yes", NULL, OPTION_OWN + 10, "do not ask", .once = true },
	{ "--to", "DIR", OPTION_OWN + 11, "a directory" },
	{ NULL },
};
static const struct option_row second_rows[] = {
	{ "--size", "SIZE", OPTION_OWN, "a size", .required = true },
	{ NULL },
};
static const struct command first = { .name = "first", .rows = first_rows };
static const struct command second = { .name = "second", .rows = second_rows };
static const struct command bare = { .name = "bare" };
static const struct command *const commands[] = { &first, &second, &bare };

static const struct file_case {
	const char *what, *text, *error; /* ERROR: NULL if the file is right */
} files[] = {
	{ "nothing", "", NULL },
	{ "comments only", "; x\n# y\n\n", NULL },
	{ "values", "[first]\nsize = 1G\nsize = 2G\nhow = fast\nbuild = yes\n", NULL },
	{ "another name of an option", "[first]\nmanner = fast\n", NULL },
	{ "an option of all", "[all]\nsize = 1G\n", NULL },
	{ "an unknown section", "\n[firzt]\nsize = 1G\n",
	  "F:2: unknown section [firzt]: must be a command, or [all]; did you mean: [first]" },
	{ "a section like nothing else", "[zzzzzzzz]\nsize = 1G\n",
	  "F:1: unknown section [zzzzzzzz]: must be a command, or [all]" },
	{ "a key before a section", "size = 1G\n", "F:1: a key before the first [section]" },
	{ "a section without a key", "[first]\n", "F:1: a section without a key" },
	{ "a line that is no key", "[first]\nsize\n", "F:2: neither [section] nor key = value" },
	{ "an unknown key", "[first]\nsizes = 1G\n",
	  "F:2: rootlet first has no option \"sizes\"; did you mean: size" },
	{ "a key with dashes", "[first]\n--size = 1G\n",
	  "F:2: rootlet first has no option \"--size\"; did you mean: size" },
	{ "a key of another command", "[second]\nhow = fast\n",
	  "F:2: rootlet second has no option \"how\"" },
	{ "a key that no command has", "[all]\nhwo = fast\n",
	  "F:2: no command has an option \"hwo\"; did you mean: how" },
	{ "a verb", "[first]\nprune = yes\n", "F:2: rootlet first has no option \"prune\"" },
	{ "a value that is not offered", "[first]\nhow = fats\n",
	  "F:2: how = fats: must be fast or slow; did you mean: fast" },
	{ "the same for all", "[all]\nhow = x\n", "F:2: how = x: must be fast or slow" },
	{ "a value for an option without one", "[first]\nbuild = 1\n",
	  "F:2: build = 1: must be yes or no" },
	{ "an option that cannot have a default", "[first]\nyes = yes\n",
	  "F:2: --yes cannot have a default: give it on the command line" },
	{ "an option of every command", "[first]\ncolor = never\n",
	  "F:2: --color cannot have a default: give it on the command line" },
	{ "only the first mistake", "[first]\nyes = no\nsizes = 1\n",
	  "F:2: --yes cannot have a default: give it on the command line" },
};

static void check_file(const struct file_case *c)
{
	struct defaults d = { 0 };

	defaults_parse(&d, "F", c->text, commands, 3);
	tap_check(c->error ? d.error && !d.count && tap_same(error_text(d.error), c->error)
			   : !d.error,
		  "a file with %s: %s", c->what, d.error ? error_text(d.error) : "right");
	defaults_clear(&d);
}

static const struct line_case {
	const char *what, *text;
	const struct command *command;
	const char *words[WORDS_MAX];
	const char *sizes, *how, *keep; /* SIZES: joined by spaces */
	bool build, has_size, sets_size;
} lines[] = {
	{ "no file", "", &first, { NULL }, "", "slow", "20", .build = false },
	{ "the file's values",
	  "[first]\nsize = 1G\nsize = 2G\nhow = fast\nbuild = yes\n",
	  &first,
	  { NULL },
	  "1G 2G",
	  "fast",
	  "20",
	  true,
	  false,
	  true },
	{ "the last of two values counts",
	  "[first]\nhow = fast\nhow = slow\n",
	  &first,
	  { NULL },
	  "",
	  "slow",
	  "20" },
	{ "the command line replaces all values",
	  "[first]\nsize = 1G\nsize = 2G\n",
	  &first,
	  { "--size", "3G" },
	  "3G",
	  "slow",
	  "20",
	  false,
	  true,
	  true },
	{ "another name replaces them, too",
	  "[first]\nhow = fast\n",
	  &first,
	  { "--manner=slow" },
	  "",
	  "slow",
	  "20" },
	{ "--no-build turns the file's build off",
	  "[first]\nbuild = yes\n",
	  &first,
	  { "--no-build" },
	  "",
	  "slow",
	  "20" },
	{ "the last of --no-build and --build counts",
	  "[first]\nbuild = no\n",
	  &first,
	  { "--no-build", "--build" },
	  "",
	  "slow",
	  "20",
	  true },
	{ "build = no", "[first]\nbuild = no\n", &first, { NULL }, "", "slow", "20" },
	{ "--no-build without a file", "", &first, { "--no-build" }, "", "slow", "20" },
	{ "[all]",
	  "[all]\nsize = 1G\nhow = fast\n",
	  &first,
	  { NULL },
	  "1G",
	  "fast",
	  "20",
	  .sets_size = true },
	{ "a command's section replaces [all], after it or before",
	  "[all]\nsize = 1G\nsize = 2G\n"
	  "[first]\nsize = 3G\n[all]\nsize = 4G\n",
	  &first,
	  { NULL },
	  "3G",
	  "slow",
	  "20",
	  .sets_size = true },
	{ "another command's section",
	  "[second]\nsize = 1G\n",
	  &first,
	  { NULL },
	  "",
	  "slow",
	  "20" },
	{ "an option of a verb", "[first]\nkeep = 3\n", &first, { "prune" }, "", "slow", "3" },
	{ "an option of another verb",
	  "[first]\nkeep = 3\n",
	  &first,
	  { "show" },
	  "",
	  "slow",
	  "20" },
};

static void check_line(const struct line_case *c)
{
	char *argv[WORDS_MAX + 2] = { strdup(c->command->name) };
	char sizes[64] = "";
	const char *value;
	struct defaults d = { 0 };
	struct parsed_line line;
	int argc = 1, status;
	size_t i = 0;

	for (; c->words[argc - 1]; argc++)
		argv[argc] = strdup(c->words[argc - 1]);
	defaults_parse(&d, "F", c->text, commands, 3);
	status = commandline_parse(c->command, argc, argv, &d, &line);
	while (status < 0 && (value = line_next(&line, OPTION_SIZE, &i)))
		snprintf(sizes + strlen(sizes), sizeof(sizes) - strlen(sizes), "%s%s",
			 *sizes ? " " : "", value);
	tap_check(status < 0 && !d.error && tap_same(sizes, c->sizes) &&
			  tap_same(line_value(&line, OPTION_HOW), c->how) &&
			  tap_same(line_value(&line, OPTION_KEEP), c->keep) &&
			  line_has(&line, OPTION_BUILD) == c->build &&
			  line_has(&line, OPTION_SIZE) == c->has_size &&
			  line_sets(&line, OPTION_SIZE) == c->sets_size,
		  "a line with %s: sizes \"%s\"", c->what, sizes);
	parsed_line_clear(&line);
	defaults_clear(&d);
	for (int k = 0; k < argc; k++)
		free(argv[k]);
}

/* What a pod's command line gets: given options first, nothing that was turned off. */
static void check_effective(void)
{
	char name[] = "first", size[] = "--size=3G", off[] = "--no-build";
	char *argv[] = { name, size, off, NULL };
	const struct option_row *row;
	const char *value;
	char all[64] = "";
	struct defaults d = { 0 };
	struct parsed_line line;

	defaults_parse(&d, "F", "[first]\nsize = 1G\nhow = fast\nbuild = yes\nto = /x\n", commands,
		       3);
	commandline_parse(&first, 3, argv, &d, &line);
	for (size_t i = 0; (row = line_given(&line, i, &value)); i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s=%s ", row->name,
			 value ? value : "");
	tap_check(tap_same(all, "--size=3G --how=fast --to=/x "), "all options in effect: %s", all);
	parsed_line_clear(&line);
	defaults_clear(&d);
}

static void check_required(void)
{
	char name[] = "second";
	char *argv[] = { name, NULL };
	struct defaults d = { 0 };
	struct parsed_line line;

	tap_check(commandline_parse(&second, 1, argv, &d, &line) == 2,
		  "a required option is missing");
	parsed_line_clear(&line);
	defaults_parse(&d, "F", "[second]\nsize = 1G\n", commands, 3);
	tap_check(commandline_parse(&second, 1, argv, &d, &line) == -1, "the file has it");
	parsed_line_clear(&line);
	defaults_clear(&d);
	defaults_parse(&d, "F", "[third]\nx = 1\n", commands, 3);
	tap_check(commandline_parse(&second, 1, argv, &d, &line) == 2, "the file is wrong");
	parsed_line_clear(&line);
	argv[0][0] = 'b';
	tap_check(commandline_parse(&bare, 1, argv, &d, &line) == -1,
		  "a command without options to set does not mind");
	parsed_line_clear(&line);
	defaults_clear(&d);
}

static void check_home(void)
{
	struct defaults d = { 0 };

	setenv("HOME", "/home/me", 1);
	defaults_parse(&d, "F", "[first]\nto = ~/x\nsize = ~/y\nto = ~z\n", commands, 3);
	tap_check(d.count == 3 && tap_same(d.list[0].value, "/home/me/x") &&
			  tap_same(d.list[1].value, "~/y") && tap_same(d.list[2].value, "~z"),
		  "~/ is the home directory in paths only");
	defaults_clear(&d);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		check_file(&files[i]);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		check_line(&lines[i]);
	check_effective();
	check_required();
	check_home();
	return tap_done();
}
