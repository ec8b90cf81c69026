/* INI files by inih, from memory, with errors that name file and line: profiles and the policy.
 * Handlers return inih's results: 1 is good, 0 (what ini_complain() returns) ends the parsing. */
#pragma once

#include <ini.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/error.h"

struct ini_text {
	const char *path;   /* for messages */
	const char *text;   /* what is left to read */
	struct error **err; /* the first complaint */
	unsigned line;
	unsigned section_line;	/* of the header above it */
	unsigned empty_section; /* the line of a header that no key has followed yet, or 0 */
};

/* Hands every key of T->text to HANDLER with CONTEXT. Returns 0, or -1 with ERR_INPUT set. */
int ini_text_parse(struct ini_text *t, ini_handler handler, void *context);

/* "PATH:LINE: message" into T's error; returns 0. */
int ini_complain(const struct ini_text *t, const char *format, ...) PRINTF_LIKE(2, 3);

/* Adds each word of VALUE (between blanks and commas) that WORDS, NULL-terminated, does not have.
 * VALID must accept it; WHAT names the kind in a complaint. */
int ini_add_words(const struct ini_text *t, const char *value, const char *what, size_t most,
		  bool (*valid)(const char *), char ***words, size_t *count);

/* Adds one word; -1 where memory is short. */
int words_add(char ***words, size_t *count, const char *word);
void words_free(char **words);

/* Grows *ARRAY of COUNT elements of SIZE bytes by a zeroed one; NULL where memory is short. */
void *array_grow(void *array, size_t count, size_t size);
