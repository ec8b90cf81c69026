/* The mounts of a jail: what it sees of the host is decided here and nowhere else. */
#pragma once

#include <limits.h>

#include "helper/jailer/jail_spec.h"
#include "lib/error.h"

/* Where the jail's tree or staging directory is. */
struct jail_place {
	char name[NAME_MAX + 1]; /* of the tree in the directory above it; "" where that is not used
				  */
	int mount;		 /* of that directory, or of the tree or staging directory itself */
	int tree;		 /* in MOUNT, where that is of the directory above; else -1 */
};

/* For the jailer: makes what the jail is to take its working directory. A child's is carried into
 * its copy of the mounts: so that can be mounted there without a path. */
int mounts_choose(const struct jail_spec *spec, struct jail_place *place, struct error **err);

/* In the jail's own mount namespace, with that working directory, while it still is who the jailer
 * is: finds the tree in the directory above it, which is the caller's. */
int mounts_take(const struct jail_spec *spec, struct jail_place *place, struct error **err);

/* Then, as the jail's root: builds the jail's root, pivots into it and lets go of everything else.
 * The caller closes what is open in PLACE. */
int mounts_enter(const struct jail_spec *spec, struct jail_place *place, struct error **err);
