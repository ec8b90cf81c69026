#include "frontend/fstests/trace_place.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define HEX "0123456789abcdef"

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.';
}

/* Reads "0x5c1"; returns its end, or NULL if there is no such number before END. */
static const char *read_hex(const char *text, const char *end, uint64_t *value)
{
	size_t digits;

	if (end - text < 3 || strncmp(text, "0x", 2) != 0)
		return NULL;
	digits = strspn(text + 2, HEX);
	if (!digits || digits > 16 || text + 2 + digits > end)
		return NULL;
	*value = strtoull(text, NULL, 16);
	return text + 2 + digits;
}

/* " [ext4]", or " [ext4 BUILD-ID]". */
static void read_module(struct trace_place *p, const char *end)
{
	const char *start = p->end + 2, *close;

	p->module = start;
	p->module_length = 0;
	if (end - p->end < 4 || strncmp(p->end, " [", 2) != 0)
		return;
	close = memchr(start, ']', (size_t)(end - start));
	while (close && start + p->module_length < close &&
	       (is_name(start[p->module_length]) || start[p->module_length] == '-'))
		p->module_length++;
	if (p->module_length)
		p->end = close + 1;
}

/* A frame begins its line, or follows its address: "[<ffffffff815e6cd6>] dump_stack+…". */
static bool is_frame(const char *line, const char *name)
{
	while (line < name && (*line == ' ' || *line == '\t' || *line == '?'))
		line++;
	if (line < name && *line == '[') {
		const char *close = memchr(line, ']', (size_t)(name - line));

		line = close ? close + 1 : line;
		while (line < name && (*line == ' ' || *line == '?'))
			line++;
	}
	return line == name;
}

bool trace_place_find(const char *line, const char *from, const char *end,
		      struct trace_place *place)
{
	for (const char *plus = from; (plus = memmem(plus, (size_t)(end - plus), "+0x", 3));
	     plus++) {
		const char *name = plus, *next;

		while (name > from && is_name(name[-1]))
			name--;
		next = read_hex(plus + 1, end, &place->offset);
		if (name == plus || !next || next == end || *next != '/' ||
		    !(place->end = read_hex(next + 1, end, &place->size)))
			continue;
		place->name = name;
		place->name_length = (size_t)(plus - name);
		place->sure = name - line < 2 || name[-1] != ' ' || name[-2] != '?';
		place->frame = is_frame(line, name);
		read_module(place, end);
		return true;
	}
	return false;
}
