/* From what the user wants to verified packages in the cache: indexes, choice, downloads. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "frontend/progress.h"
#include "frontend/resolve.h"
#include "frontend/source.h"
#include "proto/error.h"
#include "proto/validate.h"

struct pocket_index {
	char *component;
	char *packages; /* path: uncompressed Packages in the cache */
};

struct pocket {
	char *name;	 /* "", "updates", "security" */
	char *inrelease; /* path in the cache */
	struct pocket_index *indexes;
	size_t index_count;
	char *date, *sha256_hex; /* of the InRelease */
	char *mirror;
};

struct package {
	char *name, *version, *arch;
	uint8_t sha256[SHA256_LEN];
	uint64_t size;
	char *url, *path; /* at the mirror; .deb in the cache */
};

struct package_set {
	char *mirror, *keyring /* path */, *suite, *arch;
	char *distribution; /* "Ubuntu", "Debian", or what the archive says of itself */
	struct pocket *pockets;
	size_t pocket_count;
	struct package *packages;
	size_t package_count;
	char **left_out;     /* see resolve.h */
	uint64_t bytes;	     /* of all packages */
	uint64_t downloaded; /* of all that came over the network now */
};

/* The same in steps. A step's results stand in packages_set(): after packages_open the pockets and
 * what the set says of itself, after packages_choose the indexes and packages, base-files first,
 * after packages_download their paths. DONE (or NULL) is told of each package as soon as it is in
 * the cache. */
struct fetch;

int packages_open(const struct source *source, struct progress *progress, struct fetch **out,
		  struct error **err);
int packages_choose(struct fetch *fetch, enum package_base base, const struct wanted *wanted,
		    struct error **err);
int packages_download(struct fetch *fetch,
		      int (*done)(const struct package *package, void *context, struct error **err),
		      void *context, struct error **err);
const struct package_set *packages_set(const struct fetch *fetch);
void packages_close(struct fetch **fetch);

/* Fetches and verifies indexes, resolves, downloads. WANTED is NULL-terminated. Everything returned
 * is verified and in the cache. ERR_TRUST for a wrong signature, hash or date, ERR_NETWORK where
 * the mirror does not give what it must have, ERR_INPUT where it has not what was asked for. */
int packages_fetch(const struct source *source, enum package_base base, const char *const *wanted,
		   struct progress *progress, struct package_set **out, struct error **err);
void package_set_free(struct package_set **set);
