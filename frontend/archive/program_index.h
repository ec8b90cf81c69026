/* Which packages of a release have a program: a sorted list in the cache, made from the release's
 * Contents indexes by the fetch process (fetch_programs.h) and searched here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/archive/source.h"
#include "lib/error.h"
#include "proto/validate.h"

#define PROGRAM_INDEX_FORMAT "rootlet-programs 1" /* kept_file.h */
#define PROGRAM_PACKAGES_MAX 16			  /* that have the same program */

/* 1 to 128 printable ASCII characters without blanks and slashes. */
bool program_name_is_valid(const char *name);

struct program_index {
	char *text; /* lines "PROGRAM\tPACKAGE\n" in the order of strcmp() */
	size_t size;
	int64_t checked; /* when it was last made, or found to be current; seconds since 1970 */
};

/* The name in the cache of the index for packages from ORIGIN. */
int program_index_key(const struct origin *origin, uint8_t key[static SHA256_LEN],
		      struct error **err);

/* Reads the index with that key. Returns 1, 0 if the cache has none or a damaged one, -1 with ERR
 * set. The caller frees its text. */
int program_index_read(const uint8_t key[static SHA256_LEN], struct program_index *index,
		       struct error **err);

/* Finds the packages that have PROGRAM, in alphabetical order, and returns how many these are, at
 * most PROGRAM_PACKAGES_MAX. */
size_t program_index_find(const struct program_index *index, const char *program,
			  char packages[static PROGRAM_PACKAGES_MAX][PACKAGE_NAME_MAX + 1]);
