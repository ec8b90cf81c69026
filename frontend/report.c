#include "frontend/command.h"

#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "frontend/text.h"

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

int report_error(const char *command, const struct error *err)
{
	_cleanup_free_ char *message = NULL;

	if (!err) {
		fprintf(stderr, "rootlet %s: out of memory\n", command);
		return EXIT_FAILED;
	}
	message = err->message ? strdup(err->message) : NULL;
	fprintf(stderr, "rootlet %s: %s\n", command,
		message ? text_clean(message) : "out of memory");
	return (int)exit_status_of(err->code);
}

int report_usage(const char *command, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&message, format, ap) < 0)
		message = NULL;
	va_end(ap);
	fprintf(stderr, "rootlet %s: %s; see: rootlet %s --help\n", command,
		message ? text_clean(message) : "wrong usage", command);
	return EXIT_USAGE;
}

int report_option(const char *command, int option, char **argv)
{
	/* getopt_long() has already stepped past the word it stumbled over. */
	const char *word = optind > 1 && argv[optind - 1] ? argv[optind - 1] : "";

	if (option == ':')
		return report_usage(command, "option \"%s\" needs a value", word);
	return report_usage(command, "option \"%s\" is unknown, ambiguous, or takes no value",
			    word);
}
