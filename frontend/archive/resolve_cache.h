/* Package indexes in libsolv's own format, which is read in a fraction of the time that parsing the
 * text takes. A file is valid for the index with the SHA-256 that it names, and for this version of
 * libsolv; see kept_file.h. */
#pragma once

#include <solv/repo.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/validate.h"

/* Fills REPO. Sets *BASE, which the caller frees, to the names of required and essential packages,
 * one per line. False if PATH is not valid; REPO is then empty. */
bool resolve_cache_load(const char *path, const uint8_t index[static SHA256_LEN], Repo *repo,
			char **base);

/* Ignores failures: the next run parses the text again. */
void resolve_cache_save(const char *path, const uint8_t index[static SHA256_LEN], Repo *repo,
			const char *base);
