/* Chooses packages: what is wanted and all it depends on, from the Packages files of all pockets.
 * Recommended packages are left out. The same input always gives the same choice. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "proto/validate.h"

enum package_base {
	BASE_MINIMAL, /* required + essential + apt, then WANTED */
	BASE_NONE,    /* WANTED and what they depend on only */
};

struct resolve_index {
	const char *packages; /* path of an uncompressed Packages file */
	bool base;	      /* says what is required and essential */
	/* Path of what resolve_cache.h keeps of it, made where it is not there, and the SHA-256 of
	 * PACKAGES; NULL: nothing is kept. */
	const char *kept;
	uint8_t sha256[SHA256_LEN];
};

/* A chosen package. FILENAME is its place at the mirror of the pocket that INDEX belongs to; it
 * is the archive's word, good for a URL and never for a path here. */
struct choice {
	char *name, *version, *arch, *filename;
	uint8_t sha256[SHA256_LEN];
	uint64_t size;
	size_t index;
	int id; /* libsolv's */
};

struct choices {
	struct choice *list; /* by name */
	size_t count;
	char **left_out; /* NULL-terminated: what of OPTIONAL is in no index; NULL: nothing */
};

/* What is asked for: names of packages, NULL-terminated (or NULL). "a|b" is the first of them that
 * an index has. */
struct wanted {
	const char *const *packages;
	const char *const *optional; /* left out where no index has it */
};

/* SUITE is for messages. ERR_INPUT where a package of WANTED is in no index or something that it
 * needs is not, ERR_TRUST where an index is malformed. */
int resolve(const struct resolve_index *indexes, size_t index_count, const char *suite,
	    const char *arch, enum package_base base, const struct wanted *wanted,
	    struct choices *out, struct error **err);

void choices_clear(struct choices *choices);
