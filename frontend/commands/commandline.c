#include "frontend/commands/commandline.h"

#include <ctype.h>
#include <getopt.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/report.h"
#include "frontend/cli/style.h"
#include "frontend/cli/suggest.h"
#include "frontend/cli/text.h"
#include "frontend/commands/help_text.h"
#include "proto/channel.h"

#define OPTION_VERSION 'V'

#define NAMING_VALUE 4 /* shorter values are found in any message */
#define NEGATION "no-"
#define NEGATION_SIZE 48
#define SHORT_SIZE 32			  /* of the string for getopt(3) */
#define OPTIONS_MAX (2 * OPTION_ROWS_MAX) /* with --no-OPTION */

struct given_option {
	int code;
	const char *value;
	bool off; /* as --no-OPTION */
};

/* --- what was given --- */

static const struct given_option *last_given(const struct parsed_line *line, int code)
{
	for (size_t i = line->given_count; i-- > 0;)
		if (line->given[i].code == code)
			return &line->given[i];
	return NULL;
}

/* The file's last value for the option, or NULL. */
static const struct default_value *last_used(const struct parsed_line *line, int code)
{
	for (size_t i = line->used_count; i-- > 0;)
		if (option_row_named(line->command, line->used[i]->option)->code == code)
			return line->used[i];
	return NULL;
}

static bool is_yes(const struct default_value *value)
{
	return value && strcmp(value->value, "yes") == 0;
}

bool line_has(const struct parsed_line *line, int code)
{
	const struct option_row *row = option_row_coded(line->command, code);
	const struct given_option *given = last_given(line, code);

	if (given)
		return !given->off;
	return row && !row->value && is_yes(last_used(line, code));
}

bool line_sets(const struct parsed_line *line, int code)
{
	return line_has(line, code) || line_is_default(line, code);
}

bool line_is_default(const struct parsed_line *line, int code)
{
	return last_used(line, code);
}

const char *line_value(const struct parsed_line *line, int code)
{
	const struct given_option *given = last_given(line, code);
	const struct default_value *used = given ? NULL : last_used(line, code);
	const struct option_row *row = option_row_coded(line->command, code);

	if (given)
		return given->value;
	return used ? used->value : row ? row->fallback : NULL;
}

const char *line_next(const struct parsed_line *line, int code, size_t *i)
{
	for (; *i < line->given_count; (*i)++)
		if (line->given[*i].code == code)
			return line->given[(*i)++].value;
	for (; *i - line->given_count < line->used_count; (*i)++) {
		const struct default_value *used = line->used[*i - line->given_count];

		if (option_row_named(line->command, used->option)->code == code) {
			(*i)++;
			return used->value;
		}
	}
	return NULL;
}

int line_code(const struct parsed_line *line, const char *name)
{
	return option_row_named(line->command, name)->code;
}

const struct option_row *line_given(const struct parsed_line *line, size_t i, const char **value)
{
	const struct option_row *row;
	size_t at = 0;

	for (size_t k = 0; k < line->given_count; k++)
		if (!line->given[k].off && at++ == i) {
			*value = line->given[k].value;
			return option_row_coded(line->command, line->given[k].code);
		}
	for (size_t k = 0; k < line->used_count; k++) {
		row = option_row_named(line->command, line->used[k]->option);
		if ((row->value || is_yes(line->used[k])) && at++ == i) {
			*value = row->value ? line->used[k]->value : NULL;
			return option_row_coded(line->command, row->code);
		}
	}
	return NULL;
}

int line_check_resumed(const struct parsed_line *line, const int *allowed, size_t count,
		       const char *what, struct error **err)
{
	const struct option_row *row;
	const char *value;

	if (line->operand_count)
		return error_set(err, ERR_INPUT, "--resume does not go with tests");
	for (size_t i = 0; (row = line_given(line, i, &value)); i++) {
		bool good = line_is_default(line, row->code);

		for (size_t k = 0; k < count; k++)
			good = good || row->code == allowed[k];
		if (!good)
			return error_set(err, ERR_INPUT,
					 "%s does not go with --resume: the %s keeps its options",
					 row->name, what);
	}
	return 0;
}

void parsed_line_clear(struct parsed_line *line)
{
	report_set_note(NULL, NULL);
	free(line->given);
	free(line->used);
	*line = (struct parsed_line){ 0 };
}

/* --- defaults --- */

static bool is_inside_word(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("-_./", c));
}

/* Whether MESSAGE has WORD, and not as a part of a longer one. */
static bool is_about(const char *message, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = message; (at = strstr(at, word)); at++)
		if (!is_inside_word(at[length]) && (at == message || !is_inside_word(at[-1])))
			return true;
	return false;
}

/* Where the file sets what MESSAGE is about; the caller frees it. NULL: nowhere. */
static char *note_origin(const char *message, const void *context)
{
	const struct parsed_line *line = context;
	char *note = NULL;

	for (size_t i = 0; i < line->used_count && !note; i++) {
		const struct default_value *used = line->used[i];

		if ((is_about(message, used->option) ||
		     (strlen(used->value) >= NAMING_VALUE && is_about(message, used->value))) &&
		    asprintf(&note, " (%s:%u sets %s)", line->origin, used->line, used->option) < 0)
			note = NULL;
	}
	return note;
}

/* Takes the defaults of options that were not given and that the verb has. -1 if that worked. */
static int take_defaults(struct parsed_line *line, const struct defaults *d)
{
	const struct default_value *value;
	const struct option_row *row;

	if (!d || !defaults_apply(line->command))
		return -1;
	if (d->error)
		return report_error(line->name, d->error);
	line->used = calloc(d->count + 1, sizeof(const struct default_value *));
	if (!line->used)
		return report_error(line->name, NULL);
	for (size_t r = 0, i = 0; (row = option_row_at(line->command, r)); r++, i = 0)
		while (row->text && !last_given(line, row->code) &&
		       option_row_is_for(row, line->verb) &&
		       (value = defaults_next(d, line->command, row, &i)))
			line->used[line->used_count++] = value;
	line->origin = d->path;
	report_set_note(note_origin, line);
	return -1;
}

/* --- wrong options --- */

/* Counts the options whose names begin with NAME, up to its "=". */
static size_t count_matches(const struct option *options, const char *name)
{
	size_t length = strcspn(name, "="), count = 0;

	for (; options->name; options++)
		count += strncmp(options->name, name, length) == 0;
	return count;
}

static int report_unknown(const char *command, const char *word, const struct option *options)
{
	_cleanup_free_ char *name = strndup(word + 2, strcspn(word + 2, "="));
	const char *names[OPTIONS_MAX], *hint;
	size_t count = 0;

	if (name && *name && count_matches(options, name) > 1)
		return report_usage(command, "option \"%s\" is ambiguous", word);
	for (; count < OPTIONS_MAX && options[count].name; count++)
		names[count] = options[count].name;
	hint = name ? suggest(name, names, count) : NULL;
	if (hint)
		return report_usage(command, "option \"%s\" is unknown; did you mean: --%s", word,
				    hint);
	return report_usage(command, "option \"%s\" is unknown", word);
}

/* RESULT is what getopt_long() returned, '?' or ':'. It has stepped past the word by then, unless
 * that is a group of short options. */
static int report_wrong(const char *command, int result, char **argv, const struct option *options)
{
	const char *word = optind > 1 && argv[optind - 1] ? argv[optind - 1] : "";
	char letter[3] = { '-', (char)optopt, '\0' };

	if (result == ':')
		return report_usage(command, "option \"%s\" needs a value", word);
	if (strncmp(word, "--", 2) != 0)
		return report_usage(command, "option \"%s\" is unknown",
				    optopt > ' ' && optopt < 0x7f ? letter : word);
	if (optopt)
		return report_usage(command, "option \"%.*s\" takes no value",
				    (int)strcspn(word, "="), word);
	return report_unknown(command, word, options);
}

/* -1 if the value is valid. */
static int take_color(const char *command)
{
	if (style_set_color(optarg))
		return -1;
	return report_usage(command, "--color %s: must be auto, always or never", optarg);
}

static int report_choice(const char *command, const struct option_row *row, const char *word)
{
	_cleanup_free_ char *choices = option_explain_choices(row, word);

	if (!choices)
		return report_usage(command, "out of memory");
	return report_usage(command, "%s %s: %s", row->name, word, choices);
}

/* --- options --- */

/* The table for getopt_long(), and memory for its names. */
struct option_list {
	struct option list[OPTIONS_MAX + 1];
	char negations[OPTION_ROWS_MAX][NEGATION_SIZE];
};

/* A value of struct option is the place of its row, from OPTION_OWN on, so that it differs from '?'
 * and ':'. Those of --no-OPTION come after them. */
static void list_options(const struct command *command, struct option_list *out)
{
	const struct option_row *row;
	size_t count = 0;

	for (size_t i = 0; i < OPTION_ROWS_MAX && (row = option_row_at(command, i)); i++) {
		const char *name = row->name + strlen("--");

		if (option_row_is_verb(row) || option_row_is_short(row))
			continue;
		out->list[count++] =
			(struct option){ name, row->value ? required_argument : no_argument, NULL,
					 OPTION_OWN + (int)i };
		if (row->value || row->once)
			continue;
		snprintf(out->negations[i], NEGATION_SIZE, NEGATION "%s", name);
		out->list[count++] = (struct option){ out->negations[i], no_argument, NULL,
						      OPTION_OWN + OPTION_ROWS_MAX + (int)i };
	}
	out->list[count] = (struct option){ 0 };
}

static int show_help(const struct command *command)
{
	_cleanup_free_ char *help = help_compose(command);

	style_print(stdout, STYLE_PLAIN, "%s", help ? help : "");
	return EXIT_OK;
}

/* The short options of the command, as getopt(3) takes them. */
static void list_letters(const struct command *command, char out[static SHORT_SIZE])
{
	size_t used =
		(size_t)snprintf(out, SHORT_SIZE, "%s:h", command_runs_another(command) ? "+" : "");
	const struct option_row *row;

	for (size_t i = 0; used + 3 < SHORT_SIZE && (row = option_row_at(command, i)); i++)
		if (option_row_is_short(row))
			used += (size_t)snprintf(out + used, SHORT_SIZE - used, "%c%s",
						 row->name[1], row->value ? ":" : "");
}

/* The row that RESULT of getopt_long() stands for. */
static const struct option_row *row_of(const struct command *command, int result, bool *off)
{
	char letter[3] = { '-', (char)result, '\0' };

	*off = result >= OPTION_OWN + OPTION_ROWS_MAX;
	if (result < OPTION_OWN)
		return option_row_named(command, letter);
	return option_row_at(command, (size_t)(result - OPTION_OWN - (*off ? OPTION_ROWS_MAX : 0)));
}

/* -1 if the option is valid. */
static int take_option(struct parsed_line *line, int result)
{
	bool off;
	const struct option_row *row = row_of(line->command, result, &off);

	if (row->code == OPTION_HELP)
		return show_help(line->command);
	if (row->code == OPTION_COLOR)
		return take_color(line->name);
	if (option_has_choices(row) && !option_is_choice(row, optarg))
		return report_choice(line->name, row, optarg);
	line->given[line->given_count++] = (struct given_option){ row->code, optarg, off };
	return -1;
}

/* Sets LINE->given and optind. -1 if all options are valid. */
static int take_options(struct parsed_line *line, int argc, char **argv)
{
	char letters[SHORT_SIZE];
	struct option_list options;
	int result, status = -1;

	list_options(line->command, &options);
	list_letters(line->command, letters);
	optind = 0;
	opterr = 0;
	while (status < 0 &&
	       (result = getopt_long(argc, argv, letters, options.list, NULL)) != -1) {
		if (result == ':' || result == '?')
			status = report_wrong(line->name, result, argv, options.list);
		else if (result == 'h')
			status = show_help(line->command);
		else
			status = take_option(line, result);
	}
	return status;
}

/* --- verbs and operands --- */

static const struct option_row *preset_verb(const struct command *command)
{
	const struct option_row *row;

	for (size_t i = 0; (row = option_row_at(command, i)); i++)
		if (row->preset)
			return row;
	return NULL;
}

static size_t list_verbs(const struct command *command, const char *names[static OPTION_ROWS_MAX])
{
	const struct option_row *row;
	size_t count = 0;

	for (size_t i = 0; count < OPTION_ROWS_MAX && (row = option_row_at(command, i)); i++)
		if (option_row_is_verb(row))
			names[count++] = row->name;
	return count;
}

/* Whether WORD, which is no verb, is an operand of VERB. A file that is missing and has a name like
 * a verb is a mistyped verb. */
static bool is_operand(const struct option_row *verb, const char *word, const char *const *names,
		       size_t count)
{
	int least, most;

	operands_count(verb ? verb->value : NULL, &least, &most);
	return most > 0 &&
	       (strchr(word, '/') || access(word, F_OK) == 0 || !suggest(word, names, count));
}

/* Sets *VERB, and takes its name from the operands. -1 if there is one or the command has none. */
static int take_verb(struct parsed_line *line, const struct option_row **verb)
{
	const char *names[OPTION_ROWS_MAX], *word = line->operands[0];
	size_t count = list_verbs(line->command, names);
	const struct option_row *named = word ? option_row_named(line->command, word) : NULL;

	*verb = count ? preset_verb(line->command) : NULL;
	if (!count)
		return -1;
	if (named && option_row_is_verb(named)) {
		*verb = named;
		line->operands++;
		line->operand_count--;
	} else if (word && !is_operand(*verb, word, names, count)) {
		return report_verb(line->name, word, names, count);
	} else if (!*verb) {
		return report_verb(line->name, NULL, names, count);
	}
	line->verb = (*verb)->code;
	return -1;
}

/* -1 if the operands are as many as FORM says. */
static int check_operands(const struct parsed_line *line, const struct option_row *verb)
{
	const char *form = verb ? verb->value : line->command->operands;
	int least, most;

	operands_count(form, &least, &most);
	if (line->operand_count < least)
		return report_usage(line->name, "%s needs %s", verb ? verb->name : line->name,
				    form);
	if (line->operand_count > most)
		return report_usage(line->name, "unexpected argument: \"%.80s\"",
				    line->operands[most]);
	return -1;
}

/* -1 if the options go with the verb, and none is missing. */
static int check_options(const struct parsed_line *line)
{
	const struct option_row *row;
	char gist[128];

	for (size_t i = 0; (row = option_row_at(line->command, i)); i++) {
		bool has = last_given(line, row->code),
		     applies = option_row_is_for(row, line->verb);

		if (has && !applies)
			return report_usage(
				line->name, "%s is for %s%s%s", row->name,
				option_row_coded(line->command, row->verb)->name,
				row->also ? " and " : "",
				row->also ? option_row_coded(line->command, row->also)->name : "");
		if (!has && applies && row->required && !line_sets(line, row->code) &&
		    !(row->unless && line_has(line, row->unless)))
			return report_usage(line->name, "%s is missing: give %s", row->name,
					    option_gist(row, gist, sizeof(gist)));
	}
	return -1;
}

int commandline_parse(const struct command *command, int argc, char **argv,
		      const struct defaults *defaults, struct parsed_line *line)
{
	const struct option_row *verb = NULL;
	int status;

	*line = (struct parsed_line){ .name = command->name, .command = command };
	line->given = calloc((size_t)argc + 1, sizeof(*line->given));
	if (!line->given)
		return report_error(line->name, NULL);
	status = take_options(line, argc, argv);
	line->operands = argv + optind;
	line->operand_count = argc - optind;
	if (status < 0)
		status = take_verb(line, &verb);
	if (status < 0)
		status = take_defaults(line, defaults);
	if (status < 0)
		status = check_operands(line, verb);
	return status < 0 ? check_options(line) : status;
}

static void print_version(void)
{
	printf("rootlet " ROOTLET_VERSION "\nfeatures: " ROOTLET_FEATURES "\nprotocol: %u\n",
	       PROTOCOL_VERSION);
}

int commandline_parse_global(const char *help, int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, OPTION_HELP },
						 { "version", no_argument, NULL, OPTION_VERSION },
						 { "color", required_argument, NULL, OPTION_COLOR },
						 { NULL, 0, NULL, 0 } };
	int result, status = -1;

	opterr = 0;
	while (status < 0 && (result = getopt_long(argc, argv, "+:hV", options, NULL)) != -1) {
		if (result == 'h' || result == OPTION_HELP) {
			style_print(stdout, STYLE_PLAIN, "%s", help);
			status = EXIT_OK;
		} else if (result == OPTION_VERSION) {
			print_version();
			status = EXIT_OK;
		} else if (result == OPTION_COLOR) {
			status = take_color(NULL);
		} else {
			status = report_wrong(NULL, result, argv, options);
		}
	}
	return status;
}
