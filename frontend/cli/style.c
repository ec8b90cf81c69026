#include "frontend/cli/style.h"
#include "frontend/cli/text.h"

#include <langinfo.h>
#include <stdarg.h>
#include <string.h>

static enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } color;

/* Select Graphic Rendition, ECMA-48 8.3.117. */
static const char *const renditions[] = {
	[STYLE_GOOD] = "\033[32m",
	[STYLE_WARNING] = "\033[33m",
	[STYLE_BAD] = "\033[31m",
	[STYLE_HEADING] = "\033[1m",
};

static const char *const plain[][2] = {
	{ "✓", "[ok]" },
	{ "✗", "[failed]" },
	{ "⚠", "[warning]" },
	{ "…", "..." },
};

bool style_set_color(const char *when)
{
	static const char *const words[] = { "auto", "always", "never" };

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(when, words[i]) != 0)
			continue;
		color = i;
		return true;
	}
	return false;
}

/* NO_COLOR counts if it is set and not empty: no-color.org. */
static bool is_colored(FILE *out)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (color != COLOR_AUTO)
		return color == COLOR_ALWAYS;
	return !(no_color && *no_color) && isatty(fileno(out)) &&
	       !(term && strcmp(term, "dumb") == 0);
}

static void print_ascii(FILE *out, const char *text)
{
	while (*text) {
		size_t i = 0, count = sizeof(plain) / sizeof(plain[0]);

		while (i < count && !text_has_prefix(text, plain[i][0]))
			i++;
		if (i < count) {
			fputs(plain[i][1], out);
			text += strlen(plain[i][0]);
		} else {
			/* Such a terminal could take part of a character for a control. */
			fputc((unsigned char)*text < 0x80 ? *text : '?', out);
			text++;
		}
	}
}

void style_print(FILE *out, enum style style, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	const char *rendition = is_colored(out) ? renditions[style] : NULL;
	va_list ap;

	va_start(ap, format);
	text = text_vformat(format, ap);
	va_end(ap);
	if (!text)
		return;
	if (rendition)
		fputs(rendition, out);
	if (strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
		fputs(text, out);
	else
		print_ascii(out, text);
	if (rendition)
		fputs("\033[0m", out);
}
