/* Directories that are a rootfs, or were. */
#pragma once

#include "helper/jailer/server.h"

/* A closed rootfs, or snapshot, is a directory (0700) that has the tree (0755) as this. The tree
 * itself cannot be the closed one: its users have to enter their "/". In a staging directory
 * nothing has this name, so that one of these is never taken for a rootfs. */
#define CLOSED_TREE "rootfs"
#define STAGING_PREFIX ".rootlet-staging."
#define TRASH_PREFIX ".rootlet-trash."

/* The tree of the rootfs FOLDER: what is in it, if it is closed (*CLOSED, which may be NULL), else
 * itself. A descriptor, or -1 with errno set. */
int rootfs_tree(int folder, bool *closed);

/* A folder of the range's first id, with a manifest: may be removed, and counts. */
bool is_rootfs(int folder);

/* Likewise, and nobody but that id has put anything there: programs in it may run as the jail's
 * root. A folder of a tree where everybody may write, as /var/tmp, is none. */
bool is_sound_rootfs(int folder);

/* Whether the owners of the files there are more than the caller's word: the filesystem is one of
 * OWNERS_KEPT. Asked in installed mode alone. */
#define OWNERS_KEPT "ext2 to ext4, xfs, btrfs, f2fs, bcachefs, zfs, tmpfs, overlayfs"
bool keeps_owners(const struct server *s, int folder);

/* Opens and locks the rootfs NAME to be removed or replaced. ERR_MISSING where there is none,
 * ERR_REFUSED where it is not rootlet's, ERR_BUSY where it is in use or has mounts. */
int claim_rootfs(const struct server *s, int parent, const char *name, int *tree,
		 struct error **err);

/* Removes a staging or trash folder of NAME that no living process holds. */
int remove_stale(const struct server *s, int parent, const char *prefix, const char *name,
		 struct error **err);
