#include "frontend/rootfs/findings.h"

#include <stdarg.h>

#include "frontend/cli/install_command.h"
#include "frontend/cli/text.h"

static void findings_keep(struct findings *f, char *line)
{
	if (f->count < FINDINGS_MAX)
		f->lines[f->count] = text_clean(line);
	else
		free(line);
	f->count++;
}

void findings_add(struct findings *f, const char *format, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list ap;

	va_start(ap, format);
	line = text_vformat(format, ap);
	va_end(ap);
	findings_keep(f, line ? install_localize(line) : NULL);
}

void findings_add_anew(struct findings *f, const char *format, ...)
{
	_cleanup_free_ char *what = NULL;
	char *line = NULL;
	va_list ap;

	va_start(ap, format);
	what = text_vformat(format, ap);
	va_end(ap);
	if (asprintf(&line, "%s; rebuild the rootfs with: %s", what ? what : "out of memory",
		     f->anew ? f->anew : "rootlet create --force") < 0)
		line = NULL;
	findings_keep(f, line);
}

void findings_clear(struct findings *f)
{
	for (size_t i = 0; i < f->count && i < FINDINGS_MAX; i++)
		free(f->lines[i]);
	free(f->anew);
	*f = (struct findings){ 0 };
}
