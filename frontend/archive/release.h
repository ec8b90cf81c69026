/* The text of a pocket's InRelease: what it says of itself, and the hashes that it lists. The
 * helper has verified its signature and dates. Format: DebianRepository/Format in Debian's wiki. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "lib/error.h"
#include "proto/validate.h"

/* What the signature covers, parsed. ORIGIN is NULL if the file has none. */
struct release {
	char *text; /* what is below points to nothing of it */
	char *origin, *date;
	int64_t made; /* DATE in seconds since 1970 */
	bool by_hash;
};

struct release_file {
	uint8_t sha256[SHA256_LEN];
	uint64_t size;
};

/* Parses a signed text, which it takes over whatever comes of it. ERR_TRUST where a field is
 * missing or malformed. */
int release_parse(char *text, const char *what, struct release **out, struct error **err);

/* The entry for PATH ("main/binary-amd64/Packages.xz"); false where there is none or it is
 * malformed. */
bool release_find(const struct release *release, const char *path, struct release_file *out);

void release_free(struct release **release);
