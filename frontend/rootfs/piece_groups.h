/* Which files of a tree belong together in one piece of a published rootfs, so that the next
 * generation has most pieces in common with this one: the files of each package, what dpkg keeps
 * about it, and what its scripts compiled; the rest in a few groups by a hash of the path. Format
 * of the lists: dpkg's info directory. */
#pragma once

#include <stddef.h>

#include "lib/error.h"

#define PIECE_REST 16 /* groups of files that belong to no package */
#define PIECE_GROUP_SIZE (256 + 16)

struct piece_groups;

/* TAR is read from its start to its end. Returns NULL with ERR set: ERR_INPUT if it is malformed.
 */
struct piece_groups *piece_groups_read(int tar, struct error **err);
void piece_groups_free(struct piece_groups **groups);

/* PATH is relative to the tree's root. GROUP becomes the name of a package, or "N" of the rest. */
void piece_group_of(const struct piece_groups *groups, const char *path,
		    char group[static PIECE_GROUP_SIZE]);
