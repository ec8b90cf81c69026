/* What a change of packages does to a manifest. */
#pragma once

#include "frontend/archive/package_set.h"
#include "frontend/rootfs/manifest.h"

/* The version of package NAME in M, or NULL. */
const char *manifest_version(const struct manifest *m, const char *name);

/* Adds the packages of SET to M, in place of older versions, and takes those that it removes out.
 * ADDED and REMOVED are requested and no longer requested: NULL-terminated lists, or NULL. M
 * becomes the manifest of the next generation. */
int manifest_change(struct manifest *m, const struct package_set *set, const char *const *added,
		    const char *const *removed, struct error **err);
