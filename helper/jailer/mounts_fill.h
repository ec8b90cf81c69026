/* Fills a jail's root: /proc, /dev, /tmp and /run. Nothing leads out of the jail any longer. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

#define JAIL_DEVICES 6
extern const char *const jail_devices[JAIL_DEVICES]; /* in /dev */

/* Descriptors. All but ROOT are of detached mounts. */
struct jail_mounts {
	int root;	  /* the jail's root directory; -1: it needs no more */
	int proc, covers; /* COVERS: an empty file and an empty directory to cover others with */
	int devices[JAIL_DEVICES];
	bool covered; /* COVERS are attached already */
};

int mounts_fill(const struct jail_mounts *mounts, struct error **err);
