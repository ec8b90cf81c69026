/* The text of a pocket's InRelease: its description, and the hashes that it lists. The helper has
 * verified its signature and dates. Format: DebianRepository/Format in Debian's wiki. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "lib/error.h"
#include "proto/validate.h"

/* The signed text, parsed. ORIGIN is NULL if the file has no such field. */
struct release {
	char *text; /* the fields below do not point into it */
	char *origin, *date;
	int64_t made;	     /* DATE in seconds since the epoch */
	uint32_t generation; /* of a published rootfs; else 0 */
	bool by_hash;
};

struct release_file {
	uint8_t sha256[SHA256_LEN];
	uint64_t size;
};

/* Parses a signed text. Takes ownership of TEXT, even on failure. ERR_TRUST if a field is missing
 * or malformed. */
int release_parse(char *text, const char *what, struct release **out, struct error **err);

/* Finds the entry for PATH ("main/binary-amd64/Packages.xz"); false if it is missing or malformed.
 */
bool release_find(const struct release *release, const char *path, struct release_file *out);

void release_free(struct release **release);
