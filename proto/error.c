#include "error.h"

#include <stdarg.h>
#include <string.h>

/* The functions behind the macros. */
#undef error_set
#undef error_errno
#undef error_wrap

static const char *const names[] = {
	[ERR_NONE] = "none",	   [ERR_INPUT] = "input",     [ERR_REFUSED] = "refused",
	[ERR_TRUST] = "trust",	   [ERR_EXISTS] = "exists",   [ERR_BUSY] = "busy",
	[ERR_MISSING] = "missing", [ERR_SPACE] = "space",     [ERR_NETWORK] = "network",
	[ERR_SYSTEM] = "system",   [ERR_PACKAGE] = "package", [ERR_INTERRUPTED] = "interrupted",
	[ERR_HOST] = "host",
};

static void error_make(struct error **err, enum error_code code, int number, char *message)
{
	struct error *e;

	if (!err || *err || !(e = calloc(1, sizeof(*e)))) {
		free(message);
		return;
	}
	*e = (struct error){ .code = code, .number = number, .message = message };
	*err = e;
}

int error_set(struct error **err, enum error_code code, const char *format, ...)
{
	char *message = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&message, format, ap) < 0)
		message = NULL;
	va_end(ap);
	error_make(err, code, 0, message);
	return -1;
}

int error_errno(struct error **err, enum error_code code, const char *format, ...)
{
	_cleanup_free_ char *context = NULL;
	char *message = NULL;
	int number = errno;
	va_list ap;

	if (number == ENOSPC || number == EDQUOT)
		code = ERR_SPACE;
	va_start(ap, format);
	if (vasprintf(&context, format, ap) < 0)
		context = NULL;
	va_end(ap);
	if (!context || asprintf(&message, "%s: %s", context, strerror(number)) < 0)
		message = NULL;
	error_make(err, code, number, message);
	errno = number;
	return -1;
}

int error_wrap(struct error **err, const char *format, ...)
{
	_cleanup_free_ char *context = NULL;
	char *message = NULL;
	va_list ap;

	if (!err || !*err)
		return -1;
	va_start(ap, format);
	if (vasprintf(&context, format, ap) < 0)
		context = NULL;
	va_end(ap);
	if (context && asprintf(&message, "%s: %s", context, (*err)->message) >= 0) {
		free((*err)->message);
		(*err)->message = message;
	}
	return -1;
}

void error_free(struct error **err)
{
	if (!err || !*err)
		return;
	free((*err)->message);
	free(*err);
	*err = NULL;
}

const char *error_code_name(enum error_code code)
{
	return code <= ERR_LAST ? names[code] : "unknown";
}
