#include "policy/ini_text.h"

#include <stdarg.h>
#include <string.h>

int ini_complain(const struct ini_text *t, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&message, format, ap) < 0)
		message = NULL;
	va_end(ap);
	error_set(t->err, ERR_INPUT, "%s:%u: %s", t->path, t->line,
		  message ? message : "out of memory");
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

int words_add(char ***words, size_t *count, const char *word)
{
	char **end;

	for (size_t i = 0; i < *count; i++)
		if (strcmp((*words)[i], word) == 0)
			return 0;
	/* The NULL at the end is counted as an element while it grows. */
	end = array_grow(words, *count + 1, sizeof(char *));
	if (!end)
		return -1;
	end[-1] = strdup(word);
	if (!end[-1])
		return -1;
	(*count)++;
	return 0;
}

void words_free(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

int ini_add_words(const struct ini_text *t, const char *value, const char *what, size_t most,
		  bool (*valid)(const char *), char ***words, size_t *count)
{
	_cleanup_free_ char *copy = strdup(value);
	char *rest = NULL, *word;

	if (!copy)
		return ini_complain(t, "out of memory");
	for (word = strtok_r(copy, " \t,", &rest); word; word = strtok_r(NULL, " \t,", &rest)) {
		if (!valid(word))
			return ini_complain(t, "\"%s\" is no %s", word, what);
		if (*count >= most)
			return ini_complain(t, "more than %zu words", most);
		if (words_add(words, count, word) < 0)
			return ini_complain(t, "out of memory");
	}
	return 1;
}

/* Hands inih one line. It would split a line longer than its buffer and read on in the middle, and
 * it does not report a section without keys. */
static char *read_line(char *line, int size, void *context)
{
	struct ini_text *t = context;
	size_t n = strcspn(t->text, "\n");

	if ((t->err && *t->err) || !*t->text)
		return NULL;
	if (t->empty_section && t->text[0] == '[') {
		t->line = t->empty_section;
		ini_complain(t, "a section without a key");
		return NULL;
	}
	t->line++;
	if (t->text[0] == '[')
		t->empty_section = t->section_line = t->line;
	if (n + 2 > (size_t)size) {
		ini_complain(t, "a line of more than %d bytes; go on in the next one, indented",
			     size - 2);
		return NULL;
	}
	memcpy(line, t->text, n);
	line[n] = '\0';
	t->text += n + (t->text[n] == '\n');
	return line;
}

struct delivery {
	struct ini_text *text;
	ini_handler handler;
	void *context;
};

static int deliver(void *context, const char *section, const char *key, const char *value)
{
	const struct delivery *d = context;

	if (*d->text->err)
		return 0;
	d->text->empty_section = 0;
	return d->handler(d->context, section, key, value);
}

int ini_text_parse(struct ini_text *t, ini_handler handler, void *context)
{
	struct error *error = NULL, **err = t->err;
	struct delivery delivery = { t, handler, context };
	int line;

	t->err = &error;
	line = ini_parse_stream(read_line, t, deliver, &delivery);
	if (!error && line)
		error_set(&error, ERR_INPUT, "%s:%d: neither [section] nor key = value", t->path,
			  line);
	if (!error && t->empty_section) {
		t->line = t->empty_section;
		ini_complain(t, "a section without a key");
	}
	t->err = err;
	if (!error)
		return 0;
	error_set(err, error->code, "%s", error->message);
	error_free(&error);
	return -1;
}
