/* Files below directory descriptors, where the content may be hostile: nothing here follows a link
 * out of the folder it was given. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/error.h"

/* openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS; close-on-exec. -1 with errno set. */
int tree_open_beneath(int folder, const char *path, int flags, mode_t mode);

/* Removes NAME in PARENT with all below it, mounts excepted. Returns 0, also where there is none.
 */
int tree_remove(int parent, const char *name, struct error **err);

struct tree_census {
	uint64_t bytes; /* allocated */
	uint64_t files;
	uint32_t foreign; /* owned by an id outside the range */
	/* Of names, inodes and times of change: differs once anything has changed. The order in
	 * which folders are read does not matter. Nothing is proved by it. */
	uint64_t fingerprint;
};

/* Counts what is below TREE. */
int tree_count(int tree, struct tree_census *census, struct error **err);

/* The disk of FOLDER has next to no room left: what failed on it failed for that. What the programs
 * that failed said about it may have found no room in their log, either. */
bool tree_disk_full(int folder);
