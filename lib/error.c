#include "lib/error.h"

#include <stdarg.h>
#include <string.h>

/* The functions behind the macros. */
#undef error_set
#undef error_errno
#undef error_wrap
#undef error_no_memory

static const char *const names[] = {
	[ERR_NONE] = "none",	   [ERR_INPUT] = "input",     [ERR_REFUSED] = "refused",
	[ERR_TRUST] = "trust",	   [ERR_EXISTS] = "exists",   [ERR_BUSY] = "busy",
	[ERR_MISSING] = "missing", [ERR_SPACE] = "space",     [ERR_NETWORK] = "network",
	[ERR_SYSTEM] = "system",   [ERR_PACKAGE] = "package", [ERR_INTERRUPTED] = "interrupted",
	[ERR_HOST] = "host",
};

/* Formats a message and appends ": WHY" (NULL: nothing). NULL if out of memory. */
static char *error_compose(const char *format, va_list ap, const char *why) PRINTF_LIKE(1, 0);
static char *error_compose(const char *format, va_list ap, const char *why)
{
	_cleanup_free_ char *what = NULL;
	char *message;

	if (vasprintf(&what, format, ap) < 0)
		what = NULL;
	if (!what || !why)
		return STEAL_PTR(what);
	return asprintf(&message, "%s: %s", what, why) < 0 ? NULL : message;
}

/* Takes ownership of MESSAGE. */
static void put(struct error **err, enum error_code code, int number, char *message)
{
	struct error *e;

	if (!err || *err || !(e = malloc(sizeof(*e)))) {
		free(message);
		return;
	}
	*e = (struct error){ .code = code, .number = number, .message = message };
	*err = e;
}

int error_vset(struct error **err, enum error_code code, const char *format, va_list ap)
{
	put(err, code, 0, error_compose(format, ap, NULL));
	return -1;
}

int error_set(struct error **err, enum error_code code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	error_vset(err, code, format, ap);
	va_end(ap);
	return -1;
}

int error_errno(struct error **err, enum error_code code, const char *format, ...)
{
	int number = errno;
	va_list ap;

	if (number == ENOSPC || number == EDQUOT)
		code = ERR_SPACE;
	va_start(ap, format);
	put(err, code, number, error_compose(format, ap, strerror(number)));
	va_end(ap);
	errno = number;
	return -1;
}

int error_wrap(struct error **err, const char *format, ...)
{
	char *message;
	va_list ap;

	if (!err || !*err || !(*err)->message)
		return -1;
	va_start(ap, format);
	message = error_compose(format, ap, (*err)->message);
	va_end(ap);
	if (message) {
		free((*err)->message);
		(*err)->message = message;
	}
	return -1;
}

int error_no_memory(struct error **err)
{
	put(err, ERR_SPACE, 0, strdup("out of memory"));
	return -1;
}

const char *error_text(const struct error *error)
{
	return error && error->message ? error->message : "out of memory";
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
