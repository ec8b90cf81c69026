/* Chooses packages: the wanted ones and all their dependencies, from the Packages files of all
 * pockets. Recommended packages are left out. The same input always gives the same choice. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "proto/validate.h"

enum package_base {
	BASE_MINIMAL,	/* required + essential + apt, then WANTED */
	BASE_NONE,	/* only WANTED and their dependencies */
	BASE_EXACT,	/* only WANTED, in the version given: "name=version" */
	BASE_INSTALLED, /* what a rootfs has, then WANTED, with as few changes as possible */
	BASE_UPGRADED,	/* the same, with all packages in their newest version */
};

struct resolve_index {
	const char *packages; /* path of an uncompressed Packages file */
	bool base;	      /* its required and essential packages count */
	bool local;	      /* all of its packages are wanted */
	/* Path of its file in resolve_cache.h's format, which is created if missing, and the
	 * SHA-256 of PACKAGES; NULL: not cached. */
	const char *kept;
	uint8_t sha256[SHA256_LEN];
};

/* A chosen package. FILENAME is its path at the mirror of INDEX's pocket. It comes from the
 * archive, so use it only in URLs, never as a path on this host. */
struct choice {
	char *name, *version, *arch, *filename;
	char *source, *source_version; /* the source package it was built from */
	uint8_t sha256[SHA256_LEN];
	uint64_t size;
	size_t index;
	int id; /* in libsolv */
};

/* What the rootfs gets, and what it loses. */
struct choices {
	struct choice *list; /* sorted by name */
	size_t count;
	char **left_out; /* NULL-terminated: words of OPTIONAL that no index has; NULL: none */
	char **removed;	 /* likewise: installed packages that have to go */
};

/* The requested packages: NULL-terminated lists of names, or NULL. "a|b" means the first of them
 * that an index has; not with BASE_EXACT. */
struct wanted {
	const char *const *packages;
	const char *const *optional; /* left out if no index has them */
	/* Only with BASE_INSTALLED: packages to remove, together with the dependencies that only
	 * they needed. KEPT (and what they depend on) counts as needed. */
	const char *const *removed, *const *kept;
	const char *const *debs; /* paths of .deb files to install; for packages_choose() */
	int installed;		 /* dpkg's status file of the rootfs, at its start */
	uint32_t pockets;	 /* to choose from: one bit for each of fetch_pockets; 0: all */
};

/* SUITE is for messages. ERR_INPUT if no index has a package of WANTED or one of its dependencies,
 * or if a package of REMOVED is not installed or needed by another one, ERR_NETWORK if none has its
 * exact version, ERR_TRUST if an index is malformed. */
int resolve(const struct resolve_index *indexes, size_t index_count, const char *suite,
	    const char *arch, enum package_base base, const struct wanted *wanted,
	    struct choices *out, struct error **err);

void choices_clear(struct choices *choices);
