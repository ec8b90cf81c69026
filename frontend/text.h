/* How sizes, durations and text that others wrote are shown. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TEXT_SIZE_LEN 24
#define TEXT_DURATION_LEN 24

/* Turns every control character of S into '?', so that what comes out of a rootfs cannot drive the
 * terminal it is shown on. Returns S. */
char *text_clean(char *s);

/* Turns every byte of S that is not part of well-formed UTF-8 (RFC 3629) into '?'. Returns S. */
char *text_utf8(char *s);

/* As `du -h`: powers of 1024, rounded up, "450M", "1.2G". */
const char *text_size(uint64_t bytes, char out[static TEXT_SIZE_LEN]);

/* "0:42", "12:05", "1:02:33". */
const char *text_duration(uint64_t seconds, char out[static TEXT_DURATION_LEN]);

/* "40 seconds", "3 hours", "12 days". */
const char *text_age(int64_t seconds, char out[static TEXT_DURATION_LEN]);
