/* The root that a guest gets of a rootfs: an image of it on a disk, or the tree itself. An image is
 * built once by the helper, kept in the cache under what the rootfs is at that moment, and shared
 * by all runs until the rootfs changes. */
#pragma once

#include "frontend/cli/progress.h"
#include "frontend/client/client.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/vm/kernel_features.h"
#include "frontend/vm/vm.h"

enum root_transport { ROOT_AUTO, ROOT_IMAGE, ROOT_DIR };

struct root {
	struct vm_root vm; /* what it points at belongs to us */
	char *path;
	int userns;
};

#define ROOT_NONE ((struct root){ .userns = -1 })

/* A rootfs that a kernel is to be booted on, and the kernel. */
struct rootfs {
	int directory; /* as found (O_PATH) */
	int tree;      /* locked, so that nobody replaces or removes it meanwhile */
	bool closed;   /* the tree is in the directory */
	char *path;    /* absolute */
	struct manifest *manifest;
	struct kernel *kernel;
	struct helper *helper;
};

#define ROOTFS_NONE ((struct rootfs){ .directory = -1, .tree = -1 })

struct root_wish {
	const struct rootfs *rootfs;
	enum root_transport transport;
	const char *fstypes; /* under test, which the root should not have: words; NULL: none is */
	bool no_virtiofs;
	struct progress *progress;
};

/* "auto", "image", "dir". Returns false for anything else. */
bool root_transport_parse(const char *text, enum root_transport *transport);

/* NAME and PATH as in store.h; KERNEL as in kernel.h, or "distro", then KEYRING as there. ERR_HOST
 * where the range of ids is another than the rootfs was made with: this is found before anything is
 * downloaded. */
int rootfs_open(const char *name, const char *path, const char *kernel, const char *keyring,
		struct progress *progress, struct rootfs *rootfs, struct error **err);
void rootfs_close(struct rootfs *rootfs);

/* Decides, says so where it is not what one would expect, and builds the image where there is none.
 */
int root_prepare(const struct root_wish *wish, struct root *root, struct error **err);
void root_free(struct root *root);
