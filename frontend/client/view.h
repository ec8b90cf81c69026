/* What the front end sees of a rootfs. The caller cannot enter a closed one, so rootlet-helper
 * opens it, hands out copies of a few files, and says what is there. What comes out of a rootfs is
 * not trusted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "frontend/client/client.h"

/* A closed rootfs has its tree as this; helper/jailer/rootfs.h. */
#define VIEW_CLOSED_TREE "rootfs"

/* Opens a rootfs by a descriptor of its directory (O_PATH will do). *ROOTFS is the caller's: all
 * requests take it, and it can be locked. *CLOSED (which may be NULL): the tree is in the
 * directory. ERR_MISSING if it is no rootfs of this range of ids. */
int view_open(struct helper *h, int directory, int *rootfs, bool *closed, struct error **err);

/* The same by its name in PARENT. ERR_MISSING also if there is no such directory. */
int view_open_at(struct helper *h, int parent, const char *name, int *rootfs, struct error **err);

/* The text of FILE, which is a name that Read in proto/rootlet.proto knows; NUL-terminated, the
 * caller's to free. SIZE may be NULL. NULL with ERR set: ERR_MISSING if it is not there. */
char *view_read(struct helper *h, int rootfs, const char *file, size_t *size, struct error **err);

/* Sets KINDS[i] to what is at PATHS[i]: 'd' directory, 'f' file, 'o' other, '-' nothing, or a path
 * that cannot be asked for. Links are followed within the rootfs. */
int view_find(struct helper *h, int rootfs, const char *const *paths, size_t count, char *kinds,
	      struct error **err);
