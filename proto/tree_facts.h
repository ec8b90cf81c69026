/* Facts about whole trees, and rootlet's own files in a tree. */
#pragma once

#include <stdint.h>

#include "proto/validate.h"

/* Ids of a rootfs: 0 to 65534. 65535 is the caller, outside of jails. */
#define RANGE_COUNT 65535u

#define OWN_DIR "etc/rootlet" /* holds rootlet's own files in a tree; never cloned */
#define OWN_MANIFEST OWN_DIR "/manifest.json"
/* Exists in a tree that shares files with others by hard links, until these are broken. */
#define LINKED_MARK OWN_DIR "/linked"

struct tree_census {
	/* Allocated bytes. Each file counts once and in full, even if hard links share it with a
	 * snapshot or other trees: this is the size of the tree, not what its removal frees. */
	uint64_t bytes;
	uint64_t content; /* of regular files, in whole pages: the same on any filesystem */
	uint64_t files;	  /* names */
	uint32_t foreign; /* owned by an id outside the range */
	/* Over names, inodes and change times: differs once anything has changed. It does not
	 * depend on the order in which directories are read. It proves nothing. */
	uint64_t fingerprint;
};

/* The SHA-256 of the tree's entries: for each file, directory and link, the SHA-256 of its path,
 * type, mode, owner, target, extended attributes and content, each preceded by its length; in
 * ascending order. Not included: times, the mode of the tree's own directory, which rootlet sets,
 * and everything in OWN_DIR. */
struct tree_digest {
	uint8_t sum[SHA256_LEN];
	uint64_t count;
};

/* How a clone's files are shared with the original. */
enum clone_way { CLONE_REFLINK = 1, CLONE_LINK, CLONE_COPY };
