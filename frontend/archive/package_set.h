/* Chosen packages, and the signed lists that contain them. */
#pragma once

#include <stdbool.h>

#include "frontend/archive/fetch_message.h"

struct pocket_index {
	char *component;
	char *packages; /* path: uncompressed Packages in the cache */
	uint8_t sha256[SHA256_LEN];
};

struct pocket {
	const char *name; /* "", "updates", "security" */
	int inrelease;	  /* sealed descriptor, verified by the helper */
	struct pocket_index *indexes;
	size_t index_count;
	char *date, *sha256_hex; /* of the InRelease */
	char *mirror;
	char *place; /* the mirror, as release_seen_place() spells it */
	bool older;  /* older release files are accepted */
	/* 1 for the first of the set's repositories; 0: a pocket of the release's archive. */
	uint32_t repository;
	uint32_t generation; /* of a published rootfs; else 0 */
};

struct package {
	char *name, *version, *arch;
	char *source, *source_version; /* the source package it was built from */
	uint8_t sha256[SHA256_LEN];
	uint64_t size;
	const struct pocket *pocket; /* that it comes from; NULL: the user's own file */
	char *path;		     /* .deb in the cache; NULL: not downloaded yet */
};

struct package_set {
	char *mirror, *keyring /* path */, *suite, *arch;
	char *distribution; /* "Ubuntu", "Debian", or the Origin field of the archive */
	int64_t dated;	    /* see source.h */
	const struct repository *repositories;
	size_t repository_count;
	struct pocket *pockets;
	size_t pocket_count;
	struct package *packages;
	size_t package_count;
	char **left_out, **removed; /* see resolve.h */
};

/* Each returns 0, or -1 with ERR set. */
int pocket_add_index(struct pocket *pocket, const char *component, const char *packages,
		     const uint8_t sha256[static SHA256_LEN], struct error **err);

/* Frees COUNT indexes and empties the list. */
void pocket_indexes_clear(struct pocket_index **indexes, size_t *count);

/* MESSAGE is a validated FETCH_PACKAGE from POCKET. */
int package_set_add(struct package_set *set, const struct fetch_message *message,
		    const struct pocket *pocket, struct error **err);

/* Removes indexes and packages, but not pockets. */
void package_set_forget_choice(struct package_set *set);
void package_set_free(struct package_set **set);
