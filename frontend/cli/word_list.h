/* Growing arrays, and NULL-terminated lists of words. */
#pragma once

#include <stddef.h>

#include "lib/ini_text.h"

/* Splits VALUE at blanks and commas into a NULL-terminated array, which the caller frees. VALID
 * must accept each word; WHAT names the kind of word in messages. NULL with T's error set. */
char **ini_words(struct ini_text *t, const char *value, const char *what,
		 bool (*valid)(const char *));
void words_free(char **words);
size_t words_count(char *const *words); /* NULL: 0 */

static inline void words_freep(char ***words)
{
	words_free(*words);
}

/* Appends a zeroed element to *ARRAY, which has COUNT elements of SIZE bytes. Returns it, or NULL
 * if out of memory. */
void *array_grow(void *array, size_t count, size_t size);

/* The same for an array of which each element came from here: its room doubles. */
void *array_double(void *array, size_t count, size_t size);

/* Adds WORD to the COUNT words of WORDS, unless it is in there. Returns 0, or -1 if out of memory.
 */
int words_add(char ***words, size_t *count, const char *word);
