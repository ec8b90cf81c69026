#include "frontend/commands/commandline.h"

#include <string.h>

#include "frontend/cli/style.h"
#include "frontend/cli/suggest.h"
#include "frontend/cli/text.h"

#define OPTIONS_MAX 64

enum { OPTION_COLOR = 0x10000, OPTION_VERSION };

static const struct option color_option = { "color", required_argument, NULL, OPTION_COLOR };

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
	const char *names[OPTIONS_MAX + 1], *hint;
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

/* Removes WORDS, which are elements of ARGV, from ARGV. */
static void take_out(int *argc, char **argv, char *const *words, size_t count)
{
	int kept = 0;

	for (int i = 0; i < *argc; i++) {
		bool found = false;

		for (size_t j = 0; j < count; j++)
			found = found || (i > 0 && argv[i] == words[j]);
		if (!found)
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	*argc = kept;
}

int commandline_scan(const struct command *command, int *argc, char **argv)
{
	struct option options[OPTIONS_MAX + 1] = { { 0 } };
	_cleanup_free_ char **taken = calloc((size_t)*argc + 1, sizeof(*taken));
	size_t count = 0;
	int result, status = -1;

	while (count < OPTIONS_MAX - 1 && command->options[count].name) {
		options[count] = command->options[count];
		count++;
	}
	options[count] = color_option;
	count = 0;
	optind = 0;
	opterr = 0;
	while (status < 0 &&
	       (result = getopt_long(*argc, argv, command->runs_command ? "+:h" : ":h", options,
				     NULL)) != -1) {
		if (result == 'h') {
			style_print(stdout, STYLE_PLAIN, "%s", command->help);
			status = EXIT_OK;
		} else if (result == OPTION_COLOR && taken) {
			status = take_color(command->name);
			taken[count++] = argv[optind - 1];
			if (optarg == argv[optind - 1])
				taken[count++] = argv[optind - 2];
		} else if (result == ':' || result == '?') {
			status = report_wrong(command->name, result, argv, options);
		}
	}
	take_out(argc, argv, taken, count);
	optind = 0;
	return status;
}

int commandline_scan_global(const char *help, int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' },
						 { "version", no_argument, NULL, OPTION_VERSION },
						 { "color", required_argument, NULL, OPTION_COLOR },
						 { NULL, 0, NULL, 0 } };
	int result, status = -1;

	opterr = 0;
	while (status < 0 && (result = getopt_long(argc, argv, "+:hV", options, NULL)) != -1) {
		if (result == 'h') {
			style_print(stdout, STYLE_PLAIN, "%s", help);
			status = EXIT_OK;
		} else if (result == 'V' || result == OPTION_VERSION) {
			puts("rootlet " ROOTLET_VERSION);
			status = EXIT_OK;
		} else if (result == OPTION_COLOR) {
			status = take_color(NULL);
		} else {
			status = report_wrong(NULL, result, argv, options);
		}
	}
	return status;
}
