#include "frontend/cli/text.h"

#include <inttypes.h>
#include <string.h>

#include "lib/cleanup.h"

/* The number of bytes of the UTF-8 character at P; 0 if it is not one. */
static size_t character_length(const unsigned char *p)
{
	/* The bounds of the second byte exclude overlong forms, surrogates and code points beyond
	 * U+10FFFF. */
	static const struct {
		unsigned char first, last, low, high;
		size_t length;
	} rows[] = { { 0x00, 0x7f, 0, 0, 1 },	    { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		     { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		     { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		     { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		     { 0xf4, 0xf4, 0x80, 0x8f, 4 } };
	size_t i = 0;

	while (i < sizeof(rows) / sizeof(rows[0]) && (*p < rows[i].first || *p > rows[i].last))
		i++;
	if (i == sizeof(rows) / sizeof(rows[0]))
		return 0;
	for (size_t j = 1; j < rows[i].length; j++)
		if (p[j] < (j == 1 ? rows[i].low : 0x80) || p[j] > (j == 1 ? rows[i].high : 0xbf))
			return 0;
	return rows[i].length;
}

/* C0, DEL, and C1, which terminals obey as well: U+009B is the same as ESC [. Source: ECMA-48. */
static bool is_control(const unsigned char *p)
{
	return *p < ' ' || *p == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
}

/* Replaces invalid bytes and controls with '?', except the controls in KEPT. Returns whether there
 * were any. */
static bool clean(char *s, const char *kept)
{
	bool any = false;

	for (unsigned char *p = (unsigned char *)s; p && *p;) {
		size_t length = character_length(p);
		bool bad = !length || (is_control(p) && !strchr(kept, *p));

		for (length += !length; length; length--, p++)
			if (bad)
				*p = '?';
		any = any || bad;
	}
	return any;
}

char *text_clean(char *s)
{
	clean(s, "");
	return s;
}

char *text_clean_lines(char *s)
{
	clean(s, "\n\t");
	return s;
}

bool text_is_clean(const char *s)
{
	_cleanup_free_ char *copy = strdup(s);

	return copy && !clean(copy, "");
}

void text_print_json(FILE *out, const char *json)
{
	for (const unsigned char *p = (const unsigned char *)json; *p; p++)
		if (*p == 0x7f)
			fputs("\\u007f", out);
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			fprintf(out, "\\u%04x", *++p);
		else
			fputc(*p, out);
}

char *text_utf8(char *s)
{
	for (unsigned char *p = (unsigned char *)s; p && *p;) {
		size_t length = character_length(p);

		if (!length)
			*p = '?';
		p += length ? length : 1;
	}
	return s;
}

size_t text_fitting(const char *s, size_t most)
{
	size_t length = strnlen(s, most);

	if (s[length])
		while (length && ((unsigned char)s[length] & 0xc0) == 0x80)
			length--;
	return length;
}

const char *text_size(uint64_t bytes, char out[static TEXT_SIZE_LEN])
{
	static const char units[] = "KMGTPE";
	uint64_t unit = 1024, tenths;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(out, TEXT_SIZE_LEN, "%" PRIu64, bytes);
		return out;
	}
	while (units[i + 1] && bytes > 999 * unit) {
		unit *= 1024;
		i++;
	}
	tenths = bytes / unit * 10 + (bytes % unit * 10 + unit - 1) / unit;
	if (tenths < 100)
		snprintf(out, TEXT_SIZE_LEN, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10,
			 units[i]);
	else
		snprintf(out, TEXT_SIZE_LEN, "%" PRIu64 "%c", (tenths + 9) / 10, units[i]);
	return out;
}

const char *text_duration(uint64_t seconds, char out[static TEXT_DURATION_LEN])
{
	unsigned minutes = (unsigned)(seconds / 60 % 60), rest = (unsigned)(seconds % 60);

	if (seconds >= 100 * 3600)
		snprintf(out, TEXT_DURATION_LEN, "days");
	else if (seconds >= 3600)
		snprintf(out, TEXT_DURATION_LEN, "%u:%02u:%02u", (unsigned)(seconds / 3600),
			 minutes, rest);
	else
		snprintf(out, TEXT_DURATION_LEN, "%u:%02u", minutes, rest);
	return out;
}

const char *text_age(int64_t seconds, char out[static TEXT_DURATION_LEN])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { DAY_SECONDS, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	size_t i = 0;
	int64_t n;

	if (seconds < 0)
		seconds = 0;
	while (i < 3 && seconds < units[i].seconds)
		i++;
	n = seconds / units[i].seconds;
	snprintf(out, TEXT_DURATION_LEN, "%d %s%s", (int)(n > 99999 ? 99999 : n), units[i].name,
		 n == 1 ? "" : "s");
	return out;
}

bool text_has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

char *text_vformat(const char *format, va_list ap)
{
	char *text;

	return vasprintf(&text, format, ap) < 0 ? NULL : text;
}
