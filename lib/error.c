#include "lib/error.h"

#include <stdarg.h>
#include <string.h>

/* The functions behind the macros. */
#undef error_set
#undef error_errno
#undef error_no_memory

static const char *const names[] = {
	[ERR_NONE] = "none",	   [ERR_INPUT] = "input",     [ERR_REFUSED] = "refused",
	[ERR_TRUST] = "trust",	   [ERR_EXISTS] = "exists",   [ERR_BUSY] = "busy",
	[ERR_MISSING] = "missing", [ERR_SPACE] = "space",     [ERR_NETWORK] = "network",
	[ERR_SYSTEM] = "system",   [ERR_PACKAGE] = "package", [ERR_INTERRUPTED] = "interrupted",
	[ERR_HOST] = "host",
};

/* Appends what NUMBER means, unless it is 0. If memory runs out, the message is missing. */
static void error_put(struct error **err, enum error_code code, int number, const char *format,
		      va_list ap) PRINTF_LIKE(4, 0);
static void error_put(struct error **err, enum error_code code, int number, const char *format,
		      va_list ap)
{
	_cleanup_free_ char *what = NULL;
	struct error *e = err && !*err ? malloc(sizeof(*e)) : NULL;

	if (!e)
		return;
	*e = (struct error){ .code = code, .number = number };
	if (vasprintf(&what, format, ap) < 0)
		what = NULL;
	else if (number == 0)
		e->message = STEAL_PTR(what);
	else if (asprintf(&e->message, "%s: %s", what, strerror(number)) < 0)
		e->message = NULL;
	*err = e;
}

int error_set(struct error **err, enum error_code code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	error_put(err, code, 0, format, ap);
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
	error_put(err, code, number, format, ap);
	va_end(ap);
	errno = number;
	return -1;
}

int error_no_memory(struct error **err)
{
	return error_set(err, ERR_SPACE, "out of memory");
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
