/* Dated archives: the state of a distribution's archive at a time in the past, at a URL that ends
 * with that time, such as .../debian/20240301T030400Z. */
#pragma once

#include <stdint.h>

#include "lib/error.h"

/* "2024-03-01", "20240301" (midnight) or "20240301T030400Z", in UTC: seconds since 1970, or 0 if it
 * is none of these. */
int64_t dated_parse(const char *date);

/* SNAPSHOT is a date, for the service of DISTRIBUTION (NULL: unknown), or the URL of a dated
 * archive. *MIRROR is the caller's to free. ERR_INPUT if it is malformed or in the future. */
int dated_plan(const char *snapshot, const char *distribution, const char *arch, char **mirror,
	       int64_t *when, struct error **err);

/* .../debian[/DATE] -> .../debian-security[/DATE], as on Debian's mirrors and dated archives, for
 * the caller to free; NULL if MIRROR has another form. */
char *dated_security(const char *mirror);
