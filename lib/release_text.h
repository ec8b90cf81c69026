/* Checks what the signed text of an InRelease says about itself, for both halves alike. Format:
 * DebianRepository/Format in Debian's wiki. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/hex.h"

/* "Sat, 11 Jul 2026 10:16:37 UTC" in seconds since 1970, independent of the locale; -1 if DATE
 * cannot be parsed. */
int64_t release_text_parse_time(const char *date);

/* The time in FIELD of TEXT in seconds since 1970, independent of the locale. 0 if TEXT has no such
 * field, -1 if it cannot be parsed. */
int64_t release_text_time(const char *text, const char *field);

/* ERR_TRUST if TEXT is of another suite or pocket ("", "updates") than requested, has no date, has
 * expired at NOW, or is from the future. */
int release_text_check(const char *text, const char *suite, const char *pocket, int64_t now,
		       struct error **err);

/* Finds the file PATH in TEXT's list of SHA-256 sums: its sum, and its size in bytes. False if it
 * is not listed. */
bool release_text_find(const char *text, const char *path, uint8_t sha256[static SHA256_LEN],
		       uint64_t *size);
