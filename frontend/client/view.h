/* The front end's view of a rootfs. The caller cannot enter a closed one, so rootlet-helper opens
 * it, copies a few files out, and reports which paths exist. Data from a rootfs is untrusted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "frontend/client/client.h"

/* The name of the tree in a closed rootfs; see helper/jailer/rootfs.h. */
#define VIEW_CLOSED_TREE "rootfs"

/* Opens a rootfs by a descriptor of its directory (O_PATH is enough). The caller closes *ROOTFS,
 * which every request accepts and which can be locked. *CLOSED (may be NULL) says whether the tree
 * is a subdirectory. ERR_MISSING if it is not a rootfs of this id range. */
int view_open(struct helper *h, int directory, int *rootfs, bool *closed, struct error **err);

/* The same by its name in PARENT. ERR_MISSING also if there is no such directory. */
int view_open_at(struct helper *h, int parent, const char *name, int *rootfs, struct error **err);

/* A copy of FILE as a descriptor at its start, which the caller closes, or -1 with ERR set. See
 * view_read(). */
int view_copy(struct helper *h, int rootfs, const char *file, struct error **err);

/* Reads FILE, one of the names listed at Read in proto/rootlet.proto. Returns NUL-terminated text
 * that the caller frees, or NULL with ERR set: ERR_MISSING if the file does not exist. SIZE may be
 * NULL. */
char *view_read(struct helper *h, int rootfs, const char *file, size_t *size, struct error **err);

/* Sets KINDS[i] to the type of PATHS[i]: 'd' directory, 'f' file, 'o' other, '-' missing or not a
 * path that can be asked for. Symlinks are followed within the rootfs. */
int view_find(struct helper *h, int rootfs, const char *const *paths, size_t count, char *kinds,
	      struct error **err);
