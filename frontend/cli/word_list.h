/* Growing, NULL-terminated lists of words. */
#pragma once

#include <stddef.h>

#include "lib/ini_text.h"

/* Adds WORD to the COUNT words of WORDS, unless it is in there. Returns 0, or -1 if out of memory.
 */
int words_add(char ***words, size_t *count, const char *word);
