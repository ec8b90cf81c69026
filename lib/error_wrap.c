#include "lib/error_wrap.h"

#include <stdarg.h>

/* The function behind the macro. */
#undef error_wrap

int error_wrap(struct error **err, const char *format, ...)
{
	_cleanup_free_ char *context = NULL;
	char *message;
	va_list ap;

	if (!err || !*err || !(*err)->message)
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
