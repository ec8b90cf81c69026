/* How to print sizes, durations and untrusted text. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/cleanup.h"

#define TEXT_SIZE_LEN 24
#define DAY_SECONDS 86400
#define TEXT_DURATION_LEN 24

/* The only filter for untrusted text (from packages, guests, mirrors, files) before it is printed
 * on a terminal. Each byte of a control character in S (C0, DEL and C1) becomes '?', and so does
 * each byte that is not UTF-8, which some terminals might take for a control. Returns S. */
char *text_clean(char *s);

/* The same for several lines: keeps newlines and tabs. */
char *text_clean_lines(char *s);

/* Whether text_clean() would change nothing; false if out of memory. */
bool text_is_clean(const char *s);

/* Prints JSON, which is UTF-8, with DEL and C1, which JSON does not escape, as \u escapes. */
void text_print_json(FILE *out, const char *json);

/* Replaces every byte of S that is not well-formed UTF-8 (RFC 3629) with '?'. Returns S. */
char *text_utf8(char *s);

/* How many bytes of S, which is UTF-8, fit into MOST bytes without half a character. */
size_t text_fitting(const char *s, size_t most);

/* Like `du -h`: powers of 1024, rounded up, "450M", "1.2G". */
const char *text_size(uint64_t bytes, char out[static TEXT_SIZE_LEN]);

/* "0:42", "12:05", "1:02:33". */
const char *text_duration(uint64_t seconds, char out[static TEXT_DURATION_LEN]);

/* "40 seconds", "3 hours", "12 days". */
const char *text_age(int64_t seconds, char out[static TEXT_DURATION_LEN]);

/* The text of FORMAT, as vasprintf(3); the caller frees it. NULL if out of memory. */
char *text_vformat(const char *format, va_list ap) PRINTF_LIKE(1, 0);

/* Whether TEXT begins with PREFIX. */
bool text_has_prefix(const char *text, const char *prefix);
