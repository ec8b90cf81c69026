#include "lib/deb822.h"

#include <string.h>
#include <strings.h>

const char *stanza_next(const char **at, const char *end, size_t *length)
{
	const char *start = *at, *stop;

	while (start < end && *start == '\n')
		start++;
	if (start >= end)
		return NULL;
	stop = memmem(start, (size_t)(end - start), "\n\n", 2);
	*at = stop ? stop + 1 : end;
	*length = (size_t)(*at - start);
	return start;
}

const char *stanza_field(const char *text, size_t length, const char *field, size_t *size)
{
	const char *at = text, *end = text + length;
	size_t name = strlen(field);

	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));

		if (!line_end)
			line_end = end;
		if ((size_t)(line_end - at) > name && at[name] == ':' &&
		    strncasecmp(at, field, name) == 0) {
			for (at += name + 1; at < line_end && (*at == ' ' || *at == '\t');)
				at++;
			*size = (size_t)(line_end - at);
			return at;
		}
		at = line_end + 1;
	}
	return NULL;
}

const char *stanza_lines(const char *text, size_t length, const char *field, size_t *size)
{
	const char *value = stanza_field(text, length, field, size), *end = text + length;

	while (value && value + *size + 1 < end && strchr(" \t", value[*size + 1])) {
		const char *next = value + *size + 1;
		const char *stop = memchr(next, '\n', (size_t)(end - next));

		*size = (size_t)((stop ? stop : end) - value);
	}
	return value;
}

bool stanza_field_is(const char *text, size_t length, const char *field, const char *value)
{
	size_t size;
	const char *found = stanza_field(text, length, field, &size);

	return found && size == strlen(value) && memcmp(found, value, size) == 0;
}
