#include "lib/output.h"

#include <stdio.h>
#include <string.h>

static void output_end_line(struct output *o)
{
	if (o->length == 0)
		return;
	o->current[o->length] = '\0';
	o->length = 0;
	snprintf(o->kept[o->count++ % OUTPUT_KEPT], sizeof(o->kept[0]), "%.159s", o->current);
	o->full = o->full || strstr(o->current, "No space left on device");
	if (o->line)
		o->line(o->current, o->context);
}

void output_feed(struct output *o, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c == '\n' || c == '\r' || o->length == sizeof(o->current) - 1)
			output_end_line(o);
		if (c != '\n' && c != '\r')
			o->current[o->length++] = (char)(c < 32 || c == 127 ? '?' : c);
	}
}

void output_tail(const struct output *o, char *into, size_t size)
{
	size_t first = o->count > OUTPUT_KEPT ? o->count - OUTPUT_KEPT : 0, used = 0;

	into[0] = '\0';
	for (size_t i = first; i < o->count && used < size; i++) {
		int n = snprintf(into + used, size - used, "%s%s", i > first ? "; " : "",
				 o->kept[i % OUTPUT_KEPT]);

		used += n > 0 ? (size_t)n : 0;
	}
}
