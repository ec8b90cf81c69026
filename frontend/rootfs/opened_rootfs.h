/* An existing rootfs, with a helper of its own, and its manifest. */
#pragma once

#include "frontend/client/client.h"
#include "frontend/rootfs/manifest.h"

struct opened_rootfs {
	struct helper *helper;
	int directory, tree; /* as found (O_PATH), and as opened; or -1 */
	char *path;	     /* absolute */
	struct manifest *manifest;
};

#define NOT_OPENED                                                                                 \
	(struct opened_rootfs)                                                                     \
	{                                                                                          \
		.directory = -1, .tree = -1                                                        \
	}

/* Finds the rootfs by NAME or PATH, as store_find() does. PURPOSE is the helper's, for the audit
 * log. R is NOT_OPENED before, and cleared by the caller in any case. */
int opened_rootfs_open(const char *purpose, const char *name, const char *path,
		       struct opened_rootfs *r, struct error **err);
void opened_rootfs_clear(struct opened_rootfs *r);
