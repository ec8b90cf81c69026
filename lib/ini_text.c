#include "lib/ini_text.h"

#include <stdarg.h>
#include <string.h>

int ini_complain(struct ini_text *t, const char *format, ...)
{
	va_list ap;

	if (t->error)
		return 0;
	va_start(ap, format);
	error_vset(&t->error, ERR_INPUT, format, ap);
	va_end(ap);
	error_wrap(&t->error, "%s:%u", t->path, t->line);
	return 0;
}

void *array_grow(void *array, size_t count, size_t size)
{
	void **where = array;
	char *bigger = reallocarray(*where, count + 1, size);

	if (!bigger)
		return NULL;
	*where = bigger;
	return memset(bigger + count * size, 0, size);
}

void words_free(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

char **ini_words(struct ini_text *t, const char *value, const char *what,
		 bool (*valid)(const char *))
{
	_cleanup_free_ char *copy = strdup(value);
	char **words = calloc(strlen(value) / 2 + 2, sizeof(*words));
	char *rest = NULL, *word = copy ? strtok_r(copy, " \t,", &rest) : NULL;
	bool good = copy && words;

	for (size_t i = 0; good && word; i++, word = strtok_r(NULL, " \t,", &rest)) {
		if (!valid(word))
			ini_complain(t, "\"%s\" is not a valid %s", word, what);
		words[i] = t->error ? NULL : strdup(word);
		good = words[i];
	}
	if (good)
		return words;
	words_free(words);
	ini_complain(t, "out of memory");
	return NULL;
}

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
