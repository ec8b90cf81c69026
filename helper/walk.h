/* A tree as a whole: what is in it is counted, or removed. */
#pragma once

#include <stdint.h>

#include "lib/beneath.h"

/* Empties TREE, a descriptor, and then removes NAME in PARENT, which goes only where it is an empty
 * folder by now: whoever exchanges names meanwhile loses nothing but names. Stops at what is
 * mounted in there (ERR_BUSY). Returns 0 or -1 with ERR set. */
int tree_remove(int parent, const char *name, int tree, struct error **err);

/* 0 where nothing is mounted below TREE, else -1 with ERR_BUSY that says where. */
int tree_check_mounts(int tree, struct error **err);

struct tree_census {
	/* Allocated. Each file counts once and as a whole, also where hard links share it with a
	 * snapshot or with other trees: this is the size of the tree, not what its removal frees.
	 */
	uint64_t bytes;
	uint64_t content; /* likewise, where nothing is compressed and no file has holes */
	uint64_t files;	  /* names */
	uint32_t foreign; /* owned by an id outside the range */
	/* Of names, inodes and times of change: differs once anything has changed. The order in
	 * which folders are read does not matter. Nothing is proved by it. */
	uint64_t fingerprint;
};

struct server;

/* Counts what is below TREE. ERR_BUSY where something is mounted in it, ERR_INTERRUPTED as
 * serve_go_on(). */
int tree_count(const struct server *s, int tree, struct tree_census *census, struct error **err);
