/* What packages are to be chosen, and from what. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

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
