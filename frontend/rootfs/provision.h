/* The sequence of helper requests that turns verified packages and a profile into a rootfs. */
#pragma once

#include <stdbool.h>

#include "frontend/archive/packages.h"
#include "frontend/cli/progress.h"
#include "frontend/client/client.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/rootfs/nearest.h"
#include "frontend/rootfs/profile.h"
#include "frontend/rootfs/snapshot.h"

struct provision {
	int parent;	    /* the directory in which to create the rootfs */
	const char *base;   /* its name in PARENT */
	const char *engine; /* "native", "debootstrap", "pieces" */
	bool replace;
	unsigned mode; /* 0700 or 0755: see Publish in proto/rootlet.proto */
	const struct profile *profile;
	struct fetch *fetch; /* with its packages chosen, except for provision_clone() */
	struct progress *progress;
	const struct base *kept;     /* the snapshot to save or clone; NULL: none */
	bool keep_old;		     /* provision_change(): the old rootfs becomes NAME.previous */
	const struct manifest *lock; /* becomes the manifest; NULL: it is composed */
	bool finished; /* the packages are the pieces of a published rootfs: nothing is added */
};

/* Downloads the packages and builds the rootfs. On failure the helper removes the unfinished tree,
 * at the latest when it is stopped. */
int provision_rootfs(struct helper *h, const struct provision *p, struct error **err);

/* How a clone shares files with its snapshot, and why that way. */
struct clone_report {
	const char *word, *why; /* "hard links", " below /usr, …" */
};

/* Builds the rootfs from an existing snapshot. Sets *HOW to how files are shared, *COUNT to the
 * number of packages, and *LEFT_OUT (the caller frees it) to the manifest's list. Returns 1 if the
 * snapshot was damaged or unusable: it has been removed if the policy allows, and nothing else has
 * happened. */
int provision_clone(struct helper *h, const struct provision *p, const struct clone_report **how,
		    size_t *count, char ***left_out, struct error **err);

/* Builds the rootfs, whose packages are chosen, from a snapshot that lacks only a few of them or
 * has them in older versions, and saves it as P's snapshot. Leaves only these few chosen. *HOW is
 * set if FROM lacks nothing, and *LEFT_OUT as by provision_clone(). Returns 1 if that was
 * impossible: nothing has happened then, and a build may well succeed. */
int provision_extend(struct helper *h, const struct provision *p, const struct nearest *from,
		     const struct clone_report **how, char ***left_out, struct error **err);

/* Replaces the existing rootfs with a copy in which the packages of P's set are installed and those
 * that the set removes are gone. REPLACE must be set; ENGINE, PROFILE and KEPT do not matter.
 * MANIFEST is that of the copy; its time is set. On failure the old rootfs is unchanged. */
int provision_change(struct helper *h, const struct provision *p, struct manifest *manifest,
		     struct error **err);
