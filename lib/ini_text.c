#include "lib/ini_text.h"

#include <string.h>

static int complain_empty(struct ini_text *t)
{
	t->line = t->empty_section;
	return ini_complain(t, "a section without a key");
}

/* Passes one line to inih. inih would split a line that is longer than its buffer and continue in
 * the middle, and it does not report a section without keys. */
static char *ini_read_line(char *line, int size, void *context)
{
	struct ini_text *t = context;
	size_t n = strcspn(t->text, "\n");

	if (t->error || !*t->text)
		return NULL;
	if (t->empty_section && t->text[0] == '[') {
		complain_empty(t);
		return NULL;
	}
	t->line++;
	if (t->text[0] == '[')
		t->empty_section = t->section_line = t->line;
	if (n + 2 > (size_t)size) {
		ini_complain(t, "a line of more than %d bytes; continue it in an indented line",
			     size - 2);
		return NULL;
	}
	memcpy(line, t->text, n);
	line[n] = '\0';
	t->text += n + (t->text[n] == '\n');
	return line;
}

static int ini_take_key(void *context, const char *section, const char *key, const char *value)
{
	struct ini_text *t = context;

	t->empty_section = 0;
	return !t->error && t->handler(t->context, section, key, value);
}

int ini_text_parse(struct ini_text *t, struct error **err)
{
	int line = ini_parse_stream(ini_read_line, t, ini_take_key, t);

	if (!t->error && line) {
		t->line = (unsigned)line;
		ini_complain(t, "neither [section] nor key = value");
	}
	if (!t->error && t->empty_section)
		complain_empty(t);
	if (!t->error)
		return 0;
	if (err && !*err)
		*err = STEAL_PTR(t->error);
	error_free(&t->error);
	return -1;
}
