#include "frontend/cli/word_list.h"

#include <string.h>

void *array_grow(void *array, size_t count, size_t size)
{
	void **where = array;
	char *bigger = reallocarray(*where, count + 1, size);

	if (!bigger)
		return NULL;
	*where = bigger;
	return memset(bigger + count * size, 0, size);
}

void *array_double(void *array, size_t count, size_t size)
{
	void **where = array;
	char *bigger = *where;

	if ((count & (count - 1)) == 0) /* 0, or a power of two: there is no room */
		bigger = reallocarray(*where, count ? count : 1, 2 * size);
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

size_t words_count(char *const *words)
{
	size_t count = 0;

	while (words && words[count])
		count++;
	return count;
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

int words_add(char ***words, size_t *count, const char *word)
{
	char **end;

	for (size_t i = 0; i < *count; i++)
		if (strcmp((*words)[i], word) == 0)
			return 0;
	/* Count the terminating NULL as an element while growing. */
	end = array_grow(words, *count + 1, sizeof(char *));
	if (!end)
		return -1;
	end[-1] = strdup(word);
	if (!end[-1])
		return -1;
	(*count)++;
	return 0;
}
