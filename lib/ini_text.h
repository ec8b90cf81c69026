/* INI files by inih, from memory, with errors that name file and line: profiles and the policy. */
#pragma once

#include <ini.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

struct ini_text {
	const char *path;    /* for messages */
	const char *text;    /* what is left to read */
	ini_handler handler; /* gets each key; 1: good, 0 (ini_complain()) ends the parsing */
	void *context;	     /* of HANDLER */
	struct error *error; /* the first complaint */
	unsigned line;
	unsigned section_line;	/* of the header above it */
	unsigned empty_section; /* the line of a header that no key has followed yet, or 0 */
};

/* Hands every key of T->text to T's handler. Returns 0, or -1 with ERR_INPUT set. */
int ini_text_parse(struct ini_text *t, struct error **err);

/* "PATH:LINE: message" into T's error, unless it has one; returns 0. */
int ini_complain(struct ini_text *t, const char *format, ...) PRINTF_LIKE(2, 3);

/* The words of VALUE, between blanks and commas, NULL-terminated; the caller's to free. VALID must
 * accept each; WHAT names the kind in a complaint. NULL with T's error set. */
char **ini_words(struct ini_text *t, const char *value, const char *what,
		 bool (*valid)(const char *));
void words_free(char **words);

/* Grows *ARRAY of COUNT elements of SIZE bytes by a zeroed one; NULL where memory is short. */
void *array_grow(void *array, size_t count, size_t size);
