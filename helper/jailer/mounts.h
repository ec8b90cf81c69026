/* The mounts of a jail. This file alone decides what a jail sees of the host. */
#pragma once

#include <limits.h>

#include "helper/jailer/jail_spec.h"
#include "helper/jailer/mounts_fill.h"
#include "lib/error.h"

/* The location of the jail's tree or staging directory. */
struct jail_place {
	char name[NAME_MAX + 1]; /* of the tree in the directory above it; "": not used */
	int mount;		 /* of that directory, or of the tree or staging directory itself */
	int tree;		 /* in MOUNT, if that is of the directory above; else -1 */
};

/* For the jailer: makes the directory that the jail takes over its working directory. The kernel
 * carries a child's working directory into its copy of the mounts, so that it can be mounted there
 * without a path. */
int mounts_choose(const struct jail_spec *spec, struct jail_place *place, struct error **err);

/* In the jail's own mount namespace, with that working directory and still with the jailer's ids:
 * finds the tree in the directory above it, which is the caller's. */
int mounts_take(const struct jail_spec *spec, struct jail_place *place, struct error **err);

/* Then, as the jail's root: builds the jail's root directory and pivots into it. MOUNTS is for
 * mounts_fill(). The descriptors of both stay open. */
int mounts_enter(const struct jail_spec *spec, struct jail_place *place, struct jail_mounts *mounts,
		 struct error **err);
