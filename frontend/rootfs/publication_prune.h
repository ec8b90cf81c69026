/* Removes old generations of a published rootfs, and the pieces that no generation of any rootfs in
 * the directory has any more. */
#pragma once

#include <stddef.h>

#include "lib/error.h"

struct pruned {
	size_t generations, pieces;
};

/* ROOT is the directory that was published to (publication.h), locked, and NEWEST the newest
 * generation of NAME, of which KEEP stay (at least 1). Killed at any time, it leaves generations
 * that are complete; the next call removes the rest. */
int publication_prune(int root, const char *name, unsigned newest, unsigned keep,
		      struct pruned *out, struct error **err);
