/* The guest's root filesystem: an image of the rootfs on a disk, or the tree itself. The helper
 * builds an image once. The cache keeps it under a hash of the rootfs's state, and all runs share
 * it until the rootfs changes. */
#pragma once

#include "frontend/cli/progress.h"
#include "frontend/client/client.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/vm/kernel_features.h"
#include "frontend/vm/overlay.h"
#include "frontend/vm/vm.h"

enum root_transport { ROOT_AUTO, ROOT_IMAGE, ROOT_DIR };

struct root {
	struct vm_root vm; /* its strings and descriptor are ours */
	char *path;
	struct overlay overlays[VM_OVERLAYS_MAX]; /* overlay_count of them */
	char *images[VM_OVERLAYS_MAX];		  /* borrowed from them */
	size_t overlay_count;
	int userns;
};

#define ROOT_NONE ((struct root){ .userns = -1 })

/* A rootfs to boot, and the kernel to boot it with. */
struct rootfs {
	int directory; /* O_PATH */
	int tree;      /* locked, so that nothing replaces or removes it */
	bool closed;   /* the tree is a subdirectory of the directory */
	char *path;    /* absolute */
	struct manifest *manifest;
	struct kernel *kernel;
	struct helper *helper;
};

#define ROOTFS_NONE ((struct rootfs){ .directory = -1, .tree = -1 })

struct root_wish {
	const struct rootfs *rootfs;
	enum root_transport transport;
	const char *fstypes; /* filesystems under test, separated by spaces; the root should use
				another one. May be NULL */
	const char *const
		*overlays; /* NULL-terminated directories, from the lowest on; may be NULL */
	bool no_virtiofs;
	struct progress *progress;
};

/* "auto", "image" or "dir". Returns false for anything else. */
bool root_transport_parse(const char *text, enum root_transport *transport);

/* NAME and PATH are as in store.h. KERNEL is a path as in kernel.h, or "distro", which uses KEYRING
 * as described there. */
struct rootfs_choice {
	const char *name, *path, *kernel, *keyring;
	bool wait; /* while another process changes the rootfs; otherwise that is ERR_BUSY */
	struct progress *progress;
};

/* Sets ERR_HOST if the rootfs was made with another id range; checks this before it downloads
 * anything. */
int rootfs_open(const struct rootfs_choice *choice, struct rootfs *rootfs, struct error **err);
void rootfs_close(struct rootfs *rootfs);

/* Chooses the transport, prints a note if the choice is unexpected, and builds the image if it is
 * missing. */
int root_prepare(const struct root_wish *wish, struct root *root, struct error **err);
void root_free(struct root *root);
