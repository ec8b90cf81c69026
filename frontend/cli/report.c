#include "frontend/cli/report.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "frontend/cli/install_command.h"
#include "frontend/cli/style.h"
#include "frontend/cli/suggest.h"
#include "frontend/cli/text.h"

enum exit_status exit_status_of(enum error_code code)
{
	static const enum exit_status statuses[] = {
		[ERR_NONE] = EXIT_OK,	      [ERR_INPUT] = EXIT_USAGE,
		[ERR_REFUSED] = EXIT_FAILED,  [ERR_TRUST] = EXIT_TRUST,
		[ERR_EXISTS] = EXIT_EXISTS,   [ERR_BUSY] = EXIT_EXISTS,
		[ERR_MISSING] = EXIT_FAILED,  [ERR_SPACE] = EXIT_SPACE,
		[ERR_NETWORK] = EXIT_NETWORK, [ERR_SYSTEM] = EXIT_FAILED,
		[ERR_PACKAGE] = EXIT_FAILED,  [ERR_INTERRUPTED] = EXIT_INTERRUPTED,
		[ERR_HOST] = EXIT_HOST,
	};

	return code <= ERR_LAST ? statuses[code] : EXIT_FAILED;
}

static char *(*report_note)(const char *message, const void *context);
static const void *note_context;

void report_set_note(char *(*note)(const char *message, const void *context), const void *context)
{
	report_note = note;
	note_context = context;
}

/* Prints "rootlet COMMAND: " and the message. INPUT: the user's input is wrong. */
static void print_message(const char *command, const char *message, const char *advice, bool input)
{
	_cleanup_free_ char *note =
		input && report_note ? report_note(message, note_context) : NULL;

	style_print(stderr, STYLE_BAD, "rootlet%s%s:", command ? " " : "", command ? command : "");
	style_print(stderr, STYLE_PLAIN, " %s%s%s\n", message, note ? text_clean(note) : "",
		    advice);
}

int report_error(const char *command, const struct error *err)
{
	_cleanup_free_ char *message = err && err->message ? install_localize(err->message) : NULL;

	print_message(command, message ? text_clean(message) : "out of memory", "",
		      err && err->code == ERR_INPUT);
	return err ? (int)exit_status_of(err->code) : EXIT_FAILED;
}

int report_usage(const char *command, const char *format, ...)
{
	_cleanup_free_ char *message = NULL, *advice = NULL;
	va_list ap;

	va_start(ap, format);
	message = text_vformat(format, ap);
	va_end(ap);
	if (asprintf(&advice, "; see: rootlet %s%s--help", command ? command : "",
		     command ? " " : "") < 0)
		advice = NULL;
	print_message(command, message ? text_clean(message) : "wrong usage", advice ? advice : "",
		      true);
	return EXIT_USAGE;
}

int report_verb(const char *command, const char *word, const char *const *verbs, size_t count)
{
	const char *hint = word ? suggest(word, verbs, count) : NULL;
	char *known = NULL;
	size_t size;
	FILE *out = open_memstream(&known, &size);

	for (size_t i = 0; out && i < count; i++)
		fprintf(out, "%s%s", i ? ", " : "", verbs[i]);
	if (out)
		fclose(out);
	if (word)
		report_usage(command, "\"%.80s\" is not one of: %s%s%s", word, known ? known : "",
			     hint ? "; did you mean: " : "", hint ? hint : "");
	else
		report_usage(command, "an argument is missing: give one of: %s",
			     known ? known : "");
	free(known);
	return EXIT_USAGE;
}
