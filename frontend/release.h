/* A pocket's InRelease: its signature, what it says of itself, and the hashes that it lists.
 * Formats: RFC 4880 section 7 (cleartext signatures), DebianRepository/Format in Debian's wiki.
 * Nothing here goes to the network. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "proto/error.h"
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

/* Checks the signature of the InRelease in DATA with gpgv against KEYRING, an absolute path. WHAT
 * names the file in messages. The result is the text that was signed and nothing else, the
 * caller's; NULL with ERR set: ERR_TRUST where it is not one signed text or no key of the keyring
 * has signed it, ERR_HOST where there is no gpgv. */
char *release_verify(const char *data, size_t size, const char *keyring, const char *what,
		     struct error **err);

/* Parses a signed text, which it takes over whatever comes of it. ERR_TRUST where a field is
 * missing or malformed. */
int release_parse(char *text, const char *what, struct release **out, struct error **err);

/* ERR_TRUST where it is of another release or pocket ("", "updates") than asked for, has expired,
 * or is of the future. */
int release_check(const struct release *release, const char *suite, const char *pocket, time_t now,
		  struct error **err);

/* The entry for PATH ("main/binary-amd64/Packages.xz"); false where there is none or it is
 * malformed. */
bool release_find(const struct release *release, const char *path, struct release_file *out);

void release_free(struct release **release);
