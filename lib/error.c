#include "lib/error.h"

#include <stdarg.h>
#include <string.h>

static const char *const names[] = {
	[ERR_NONE] = "none",	   [ERR_INPUT] = "input",     [ERR_REFUSED] = "refused",
	[ERR_TRUST] = "trust",	   [ERR_EXISTS] = "exists",   [ERR_BUSY] = "busy",
	[ERR_MISSING] = "missing", [ERR_SPACE] = "space",     [ERR_NETWORK] = "network",
	[ERR_SYSTEM] = "system",   [ERR_PACKAGE] = "package", [ERR_INTERRUPTED] = "interrupted",
	[ERR_HOST] = "host",
};

int error_put(struct error **err, enum error_code code, int number, const char *format, ...)
{
	const int saved = number ? number : errno;
	struct error *e = err && !*err ? malloc(sizeof(*e)) : NULL;
	va_list ap;

	if (!e)
		return -1;
	if (number == ENOSPC || number == EDQUOT)
		code = ERR_SPACE;
	*e = (struct error){ .code = code, .number = number };
	errno = saved; /* which "%m" stands for */
	va_start(ap, format);
	if (vasprintf(&e->message, format, ap) < 0)
		e->message = NULL;
	va_end(ap);
	errno = saved;
	*err = e;
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
