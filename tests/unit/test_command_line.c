/* frontend/commands: a line parsed by a table of options, and the help composed from it. */
#include <stdlib.h>

#include "frontend/cli/report.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/help_text.h"
#include "tap.h"

#define WORDS_MAX 8

enum { VERB_LIST = OPTION_OWN, VERB_COMPARE, VERB_READ, OPTION_KEEP, OPTION_SIZE, OPTION_HOW };

static const struct option_row rows[] = {
	{ "list", "[FILE…]", VERB_LIST, "list what is there", .preset = true },
	{ "compare", "RUN RUN", VERB_COMPARE, "show what differs" },
	{ "read", "[FILE]", VERB_READ, "read one" },
	{ "--keep", "N", OPTION_KEEP, "how many to keep; the others go", .fallback = "20",
	  .verb = VERB_LIST },
	{ "--size", "SIZE", OPTION_SIZE, "a size, such as 10G; more than one may be needed here",
	  .verb = VERB_READ, .required = true },
	{ "--how", "fast|0700|slow", OPTION_HOW, "fast: at once; slow: with much care, and later",
	  .fallback = "slow", .apart = true },
	{ "--manner", "fast|0700|slow", OPTION_HOW },
	{ NULL },
};

static const struct command with_verbs = {
	.name = "some",
	.about = "Does something that takes more than eighty columns to say, so that the line "
		 "breaks.\n\nAnd more.",
	.statuses = "0 done; 1 failed.",
	.rows = rows,
};
static const struct command bare = { .name = "bare" };
static const struct command runs_another = { .name = "another", .operands = "[-- WORD…]" };

static const struct parse_case {
	const char *what;
	const struct command *command;
	const char *words[WORDS_MAX];
	int status; /* -1: parsed */
	int verb, operands;
	const char *keep, *how;
} cases[] = {
	{ "the verb if none is given", &with_verbs, { NULL }, -1, VERB_LIST, 0, "20", "slow" },
	{ "a verb", &with_verbs, { "compare", "a", "b" }, -1, VERB_COMPARE, 2, "20", "slow" },
	{ "options before a verb",
	  &with_verbs,
	  { "--how=fast", "compare", "a", "b" },
	  -1,
	  VERB_COMPARE,
	  2,
	  "20",
	  "fast" },
	{ "the last value counts",
	  &with_verbs,
	  { "--keep", "1", "--keep=2" },
	  -1,
	  VERB_LIST,
	  0,
	  "2",
	  "slow" },
	{ "another name of an option",
	  &with_verbs,
	  { "--manner", "fast" },
	  -1,
	  VERB_LIST,
	  0,
	  "20",
	  "fast" },
	{ "an abbreviation", &with_verbs, { "--ke", "3" }, -1, VERB_LIST, 0, "3", "slow" },
	{ "a number without its zero",
	  &with_verbs,
	  { "--how", "700" },
	  -1,
	  VERB_LIST,
	  0,
	  "20",
	  "700" },
	{ "operands of the verb that none names",
	  &with_verbs,
	  { "/x", "/y" },
	  -1,
	  VERB_LIST,
	  2,
	  "20",
	  "slow" },
	{ "an operand that may be left out",
	  &with_verbs,
	  { "read", "--size", "1G" },
	  -1,
	  VERB_READ,
	  0,
	  "20",
	  "slow" },
	{ "after --, an option is an operand",
	  &with_verbs,
	  { "list", "--", "--keep" },
	  -1,
	  VERB_LIST,
	  1,
	  "20",
	  "slow" },
	{ "a mistyped verb", &with_verbs, { "compares", "a", "b" }, EXIT_USAGE },
	{ "too few operands", &with_verbs, { "compare", "a" }, EXIT_USAGE },
	{ "too many operands", &with_verbs, { "compare", "a", "b", "c" }, EXIT_USAGE },
	{ "an option of another verb",
	  &with_verbs,
	  { "compare", "a", "b", "--keep", "1" },
	  EXIT_USAGE },
	{ "a required option that is missing", &with_verbs, { "read" }, EXIT_USAGE },
	{ "a value that is no choice", &with_verbs, { "--how", "fas" }, EXIT_USAGE },
	{ "a choice in part", &with_verbs, { "--how", "fast|slow" }, EXIT_USAGE },
	{ "an unknown option", &with_verbs, { "--nosuch" }, EXIT_USAGE },
	{ "a mistyped option", &bare, { "--colour" }, EXIT_USAGE },
	{ "no operands", &bare, { NULL }, -1 },
	{ "an operand too many", &bare, { "x" }, EXIT_USAGE },
	{ "a colour", &bare, { "--color", "never" }, -1 },
	{ "a colour that is none", &bare, { "--color", "blue" }, EXIT_USAGE },
	{ "the options end at another command",
	  &runs_another,
	  { "ls", "--color", "blue" },
	  -1,
	  0,
	  3 },
};

static void check_case(const struct parse_case *c)
{
	char *argv[WORDS_MAX + 2] = { strdup(c->command->name) };
	struct parsed_line line;
	int argc = 1, status;
	bool good;

	for (; c->words[argc - 1]; argc++)
		argv[argc] = strdup(c->words[argc - 1]);
	status = commandline_parse(c->command, argc, argv, NULL, &line);
	good = status == c->status;
	if (good && status < 0)
		good = line.verb == c->verb && line.operand_count == c->operands &&
		       tap_same(line_value(&line, OPTION_KEEP), c->keep) &&
		       tap_same(line_value(&line, OPTION_HOW), c->how);
	tap_check(good, "%s", c->what);
	parsed_line_clear(&line);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
}

static void check_repeated(void)
{
	char name[] = "some", a[] = "--keep=1", b[] = "--how=fast", c[] = "--keep=2";
	char *argv[] = { name, a, b, c, NULL };
	struct parsed_line line;
	size_t i = 0;

	commandline_parse(&with_verbs, 4, argv, NULL, &line);
	tap_check(line_has(&line, OPTION_HOW) && !line_has(&line, OPTION_SIZE),
		  "an option was given or not");
	tap_check(tap_same(line_next(&line, OPTION_KEEP, &i), "1") &&
			  tap_same(line_next(&line, OPTION_KEEP, &i), "2") &&
			  !line_next(&line, OPTION_KEEP, &i),
		  "all values of an option, in order");
	parsed_line_clear(&line);
}

static const char expected[] =
	"usage: rootlet some [list] [FILE…] [--keep N] [--how fast|0700|slow]\n"
	"       rootlet some compare RUN RUN [--how fast|0700|slow]\n"
	"       rootlet some read [FILE] --size SIZE [--how fast|0700|slow]\n"
	"\n"
	"Does something that takes more than eighty columns to say, so that the line\n"
	"breaks.\n"
	"\n"
	"And more.\n"
	"\n"
	"  list [FILE…]     list what is there (default)\n"
	"  compare RUN RUN  show what differs\n"
	"  read [FILE]      read one\n"
	"\n"
	"  --keep N         how many to keep (default: 20); the others go\n"
	"  --size SIZE      a size, such as 10G; more than one may be needed here\n"
	"\n"
	"  --how fast|0700|slow\n"
	"                   fast: at once; slow (default): with much care, and later\n"
	"  --color WHEN     auto (default), always or never\n"
	"  --help           show this help\n"
	"\n"
	"Exit status: 0 done; 1 failed.\n";

static void check_help(void)
{
	char *help = help_compose(&with_verbs);
	bool good = tap_same(help, expected);

	tap_check(good, "the help of a command");
	for (char *rest = help, *text = good ? NULL : strsep(&rest, "\n"); text;
	     text = strsep(&rest, "\n"))
		printf("# %s\n", text);
	free(help);
}

/* What the parser relies on in a table. */
static void check_table(const struct command *c)
{
	const struct option_row *row, *verb;
	const char *wrong = NULL;
	size_t count = 0;

	for (size_t i = 0; (row = option_row_at(c, i)); i++, count++) {
		verb = row->verb ? option_row_coded(c, row->verb) : NULL;
		if (option_row_named(c, row->name) != row)
			wrong = row->name;
		if (row->text && option_row_coded(c, row->code) != row)
			wrong = row->name;
		if (row->verb && (!verb || !option_row_is_verb(verb)))
			wrong = row->name;
		if (row->fallback && (row->required || !row->value))
			wrong = row->name;
		if (row->fallback && option_has_choices(row) &&
		    !option_is_choice(row, row->fallback))
			wrong = row->name;
	}
	tap_check(!wrong && count <= OPTION_ROWS_MAX && c->summary && c->about && c->statuses &&
			  c->run,
		  "the table of %s: %s", c->name, wrong ? wrong : "each row is valid");
}

int main(void)
{
	static const struct command *const all[] = {
		&create_command, &check_command,    &list_command,  &delete_command,
		&shell_command,	 &chroot_command,   &run_command,   &fstests_command,
		&runs_command,	 &profiles_command, &cache_command, &doctor_command,
		&policy_command, &audit_command,    &mcp_command,
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(&cases[i]);
	check_repeated();
	check_help();
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		check_table(all[i]);
	return tap_done();
}
