/* Lists of words, NULL-terminated, that grow. */
#pragma once

#include <stddef.h>

#include "lib/ini_text.h"

/* Adds WORD to the COUNT that WORDS has, unless it is there. -1 where memory is short. */
int words_add(char ***words, size_t *count, const char *word);
