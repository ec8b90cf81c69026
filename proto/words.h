/* Words packed one after the other, each with its NUL: a list of fixed size without pointers, which
 * can pass between processes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/validate.h"

struct words {
	uint32_t count, bytes;
	char text[WORDS_BYTES_MAX];
};

/* Appends WORD. Returns false if there is no room. */
bool words_append(struct words *words, const char *word);

/* Whether BYTES bytes contain COUNT words; another process may have written them. */
bool words_sound(const struct words *words);

/* The word after WORD (NULL: the first one), or NULL after the last. WORDS must be sound. */
const char *words_next(const struct words *words, const char *word);
