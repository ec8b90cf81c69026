/* "Did you mean": the word that a mistyped one was probably meant to be. */
#pragma once

#include <stddef.h>

/* The one of COUNT WORDS that is closest to WORD; NULL if none is close. The distance is the number
 * of characters that were inserted, deleted, changed, or swapped with their neighbour, ignoring
 * case. Words with the same first three characters are close as well. */
const char *suggest(const char *word, const char *const *words, size_t count);
