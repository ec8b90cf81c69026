/* Package indexes in libsolv's own form, which is read in a fraction of the time that their text
 * takes. A file is good for the index whose SHA-256 it names, for this version of libsolv, and
 * while its own checksum holds; else it is as if it were not there. */
#pragma once

#include <solv/repo.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "proto/validate.h"

#define RESOLVE_CACHE_FOLDER "solv" /* for cache_path() */

/* Fills REPO, and *BASE (the caller's) with the names of required and essential packages, a line
 * each. False where PATH is not good; REPO is then empty. */
bool resolve_cache_load(const char *path, const uint8_t index[static SHA256_LEN], Repo *repo,
			char **base);

/* Failures are passed over: the next one reads the text again. */
void resolve_cache_save(const char *path, const uint8_t index[static SHA256_LEN], Repo *repo,
			const char *base);

/* ERR_TRUST where FD is none of any index, or its checksum does not hold. */
int resolve_cache_verify(int fd, struct error **err);
