/* What a change of packages does to a manifest. */
#pragma once

#include "frontend/archive/package_set.h"
#include "frontend/rootfs/manifest.h"

/* NULL-terminated lists, or NULL. */
struct manifest_requests {
	const char *const *packages, *const *optional; /* requested from now on */
	const char *const *removed;		       /* no longer */
};

/* The version of package NAME in M, or NULL. */
const char *manifest_version(const struct manifest *m, const char *name);

/* Whether M has package NAME with this hash. */
bool manifest_has_hash(const struct manifest *m, const char *name,
		       const uint8_t sha256[static SHA256_LEN]);

/* Adds the packages of SET to M, replacing other versions, and the release files that listed them.
 * M gets its own copies: see manifest_clear_packages(). */
int manifest_take_packages(struct manifest *m, const struct package_set *set, struct error **err);

/* Replaces M's repositories with those of SET. */
int manifest_take_repositories(struct manifest *m, const struct package_set *set,
			       struct error **err);

/* Takes the packages of SET, drops those that it removes, and makes M the manifest of the next
 * generation. */
int manifest_change(struct manifest *m, const struct package_set *set,
		    const struct manifest_requests *requests, struct error **err);
