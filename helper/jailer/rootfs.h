/* Directories that are a rootfs, or were one. */
#pragma once

#include "helper/jailer/server.h"

/* A closed rootfs or snapshot is a directory (0700) that holds the tree (0755) under this name. The
 * tree itself cannot be the closed directory, because its users have to enter their "/". In a
 * staging directory nothing has this name, so that none is ever taken for a rootfs. */
#define CLOSED_TREE "rootfs"
#define STAGING_PREFIX ".rootlet-staging."
#define TRASH_PREFIX ".rootlet-trash."

/* Opens the tree of a rootfs: the directory inside it if it is closed (*CLOSED, which may be NULL),
 * else the rootfs itself. Returns a descriptor, or -1 with errno set. */
int rootfs_tree(int dir, bool *closed);

/* Whether the directory belongs to the range's first id and has a manifest: it may be removed, and
 * counts. */
bool is_rootfs(int dir);

/* As above, and only that id can have put anything there, so its programs may run as the jail's
 * root. A directory in a tree that everybody can write to, such as /var/tmp, does not qualify. */
bool is_sound_rootfs(int dir);

/* Whether the owners of files there are more than the caller's word: the filesystem is one of
 * OWNERS_KEPT. Checked in installed mode only. */
#define OWNERS_KEPT "ext2 to ext4, xfs, btrfs, f2fs, bcachefs, zfs, tmpfs, overlayfs"
bool keeps_owners(const struct server *s, int dir);

/* Opens and locks the rootfs NAME, to be removed or replaced. ERR_MISSING if it does not exist,
 * ERR_REFUSED if it is not rootlet's, ERR_BUSY if it is in use or has mounts. */
int claim_rootfs(const struct server *s, int parent, const char *name, int *tree,
		 struct error **err);

/* Removes a staging or trash directory of NAME that no living process holds. */
int remove_stale(const struct server *s, int parent, const char *prefix, const char *name,
		 struct error **err);
