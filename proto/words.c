#include "proto/words.h"

#include <string.h>

bool words_append(struct words *words, const char *word)
{
	size_t size = strlen(word) + 1;

	if (words->bytes > sizeof(words->text) || size > sizeof(words->text) - words->bytes)
		return false;
	memcpy(words->text + words->bytes, word, size);
	words->bytes += (uint32_t)size;
	words->count++;
	return true;
}

bool words_sound(const struct words *words)
{
	uint32_t ends = 0;

	if (words->bytes > sizeof(words->text) ||
	    (words->bytes && words->text[words->bytes - 1] != '\0'))
		return false;
	for (uint32_t i = 0; i < words->bytes; i++)
		ends += words->text[i] == '\0';
	return ends == words->count;
}

const char *words_next(const struct words *words, const char *word)
{
	const char *next = word ? word + strlen(word) + 1 : words->text;

	return next < words->text + words->bytes ? next : NULL;
}
