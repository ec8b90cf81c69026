/* "Did you mean": what a mistyped word was probably meant to be. */
#pragma once

#include <stddef.h>

/* The one of COUNT WORDS that is closest to WORD; NULL where none is close. Counted is how many
 * characters were added, left out, changed, or exchanged with their neighbour, capitals or not; a
 * beginning of at least three characters is close as well. */
const char *suggest(const char *word, const char *const *words, size_t count);
