/* Where a rootfs is: by name in the store (~/.kerneldev-mcp/NAME), or by path.
 * What `--name` and `--path` mean is decided here and nowhere else. */
#pragma once

#include <stdbool.h>

#include "frontend/client/client.h"
#include "lib/error.h"

#define STORE_FOLDER ".kerneldev-mcp"
#define STORE_DEFAULT_NAME "test-rootfs"

/* Splits into an absolute folder and a valid final component, both the caller's to free.
 * NULL for both NAME and PATH is the default rootfs. ERR_INPUT for a name of wrong shape,
 * ERR_MISSING where the folder of PATH is not there. */
int store_resolve(const char *name, const char *path, char **parent, char **base,
		  struct error **err);

/* "PARENT/BASE" of what store_resolve() gave; the caller's to free, NULL where memory is short. */
char *store_join(const char *parent, const char *base);

/* Finds a rootfs. DIRECTORY (O_PATH) and ABSOLUTE are the caller's. ERR_MISSING if there is none,
 * ERR_REFUSED if it is a symlink or certainly no rootfs. */
int store_find(const char *name, const char *path, int *directory, char **absolute,
	       struct error **err);

/* Opens what was found, as view_open() does. ERR_HOST if it belongs to another range of ids,
 * ERR_REFUSED if it is no rootfs. */
int store_open(struct helper *h, int directory, const char *absolute, int *rootfs, bool *closed,
	       struct error **err);

/* The store's own folder, "/home/user/.kerneldev-mcp"; the caller's to free. */
char *store_folder(struct error **err);

/* Whether DIRECTORY may be a rootfs: it has a manifest, or it is closed and belongs to somebody
 * else, in which case only the helper can tell. */
bool store_may_be_rootfs(int directory);

/* ERR_BUSY where somebody works in the rootfs TREE, which is BASE in PARENT. The helper looks once
 * more, when there is something to be done. */
int store_check_unused(int tree, const char *parent, const char *base, struct error **err);

/* Whether PARENT (a descriptor) holds staging or trash of a killed run, of NAME or (NULL) any. */
bool store_has_stale(int parent, const char *name);

/* Has HELPER remove it. What somebody works on at this moment is left; so is what fails, with a
 * line on standard error. */
void store_sweep(struct helper *helper, int parent, const char *name);

/* Both, with a helper of its own, for FOLDER and every name; silent where no helper starts. */
void store_tidy(const char *purpose, const char *folder);
