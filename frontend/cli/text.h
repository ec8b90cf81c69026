/* How sizes, durations and text that others wrote are shown. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TEXT_SIZE_LEN 24
#define TEXT_DURATION_LEN 24

/* The one filter for what others wrote (packages, guests, mirrors, files) before a terminal shows
 * it: every control character of S (C0, DEL and C1) and every byte that is no UTF-8, which another
 * terminal might take for one, becomes '?', byte by byte. Returns S. */
char *text_clean(char *s);

/* The same for several lines: newlines and tabs stay. */
char *text_clean_lines(char *s);

/* True if text_clean() would change nothing; false as well if memory is short. */
bool text_is_clean(const char *s);

/* Prints JSON, which is UTF-8, with DEL and C1 as \u escapes: JSON lets them stand as they are. */
void text_print_json(FILE *out, const char *json);

/* Turns every byte of S that is not part of well-formed UTF-8 (RFC 3629) into '?'. Returns S. */
char *text_utf8(char *s);

/* As `du -h`: powers of 1024, rounded up, "450M", "1.2G". */
const char *text_size(uint64_t bytes, char out[static TEXT_SIZE_LEN]);

/* "0:42", "12:05", "1:02:33". */
const char *text_duration(uint64_t seconds, char out[static TEXT_DURATION_LEN]);

/* "40 seconds", "3 hours", "12 days". */
const char *text_age(int64_t seconds, char out[static TEXT_DURATION_LEN]);

/* Whether TEXT begins with PREFIX. */
bool text_has_prefix(const char *text, const char *prefix);
