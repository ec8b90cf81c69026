/* What is told of a tree as a whole, and what a tree holds of rootlet's own. */
#pragma once

#include <stdint.h>

#include "proto/validate.h"

/* Ids of a rootfs: 0 to 65534. 65535 is the caller, outside of jails. */
#define RANGE_COUNT 65535u

#define OWN_FOLDER "etc/rootlet" /* of rootlet's own files in a tree; none is cloned */
#define OWN_MANIFEST OWN_FOLDER "/manifest.json"
/* In a tree that shares files with others by hard links, until it gets files of its own. */
#define LINKED_MARK OWN_FOLDER "/linked"

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

/* The SHA-256 of the tree's entries: of each file, directory and link the SHA-256 of its path,
 * type, mode, owner, target, extended attributes and content, each with its length before it, in
 * ascending order. Times are left out, and so is the mode of the tree's own directory, which is
 * rootlet's to set, and all of OWN_FOLDER. */
struct tree_digest {
	uint8_t sum[SHA256_LEN];
	uint64_t count;
};

/* How files of a clone are shared with what it is of. */
enum clone_way { CLONE_REFLINK = 1, CLONE_LINK, CLONE_COPY };
