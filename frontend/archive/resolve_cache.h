/* Package indexes in libsolv's own format, which is read in a fraction of the time that parsing the
 * text takes. A file is valid for the index with the SHA-256 that it names, for this version of
 * libsolv, and if its own checksum is right; otherwise it is treated as missing. */
#pragma once

#include <solv/repo.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "proto/validate.h"

#define RESOLVE_CACHE_FOLDER "solv" /* for cache_path() */

/* Fills REPO. Sets *BASE, which the caller frees, to the names of required and essential packages,
 * one per line. False if PATH is not valid; REPO is then empty. */
bool resolve_cache_load(const char *path, const uint8_t index[static SHA256_LEN], Repo *repo,
			char **base);

/* Ignores failures: the next run parses the text again. */
void resolve_cache_save(const char *path, const uint8_t index[static SHA256_LEN], Repo *repo,
			const char *base);

/* ERR_TRUST if FD is not such a file, or its checksum is wrong. */
int resolve_cache_verify(int fd, struct error **err);
