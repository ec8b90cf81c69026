/* Locates rootfs, by name in the store (~/.kerneldev-mcp/NAME) or by path. This is the only place
 * that interprets `--name` and `--path`. */
#pragma once

#include <stdbool.h>

#include "frontend/client/client.h"
#include "lib/error.h"

#define STORE_DIR ".kerneldev-mcp"
#define STORE_DEFAULT_NAME "test-rootfs"

/* Splits into an absolute directory and a valid last component; the caller frees both. If NAME and
 * PATH are NULL, this is the default rootfs. ERR_INPUT if the name is invalid, ERR_MISSING if the
 * directory of PATH does not exist. */
int store_resolve(const char *name, const char *path, char **parent, char **base,
		  struct error **err);

/* "PARENT/BASE" as store_resolve() set them; the caller frees it. NULL if out of memory. */
char *store_join(const char *parent, const char *base);

/* Finds a rootfs. The caller closes DIRECTORY (O_PATH) and frees ABSOLUTE. ERR_MISSING if there is
 * none, ERR_REFUSED if it is a symlink or certainly not a rootfs. */
int store_find(const char *name, const char *path, int *directory, char **absolute,
	       struct error **err);

/* Opens the rootfs that store_find() found, as view_open() does. ERR_HOST if it belongs to another
 * id range, ERR_REFUSED if it is not a rootfs. */
int store_open(struct helper *h, int directory, const char *absolute, int *rootfs, bool *closed,
	       struct error **err);

/* The store's directory, "/home/user/.kerneldev-mcp"; the caller frees it. */
char *store_dir(struct error **err);

/* The names in the store that may be rootfs, sorted; NULL if the store is empty. The caller frees
 * them with words_free(), and *PATH, the store's directory. */
int store_list(char **path, char ***names, struct error **err);

/* Whether DIRECTORY may be a rootfs: it has a manifest, or it is closed and belongs to another uid,
 * and only the helper can tell. */
bool store_may_be_rootfs(int directory);

/* ERR_BUSY if a process works in the rootfs TREE, which is BASE in PARENT. The helper checks again
 * before it changes anything. */
int store_check_unused(int tree, const char *parent, const char *base, struct error **err);

/* Whether PARENT has staging or trash of a killed run, of NAME or (if NULL) of any rootfs. */
bool store_has_stale(int parent, const char *name);

/* Has HELPER remove these leftovers. Those in use stay; so do those that cannot be removed, with a
 * line on standard error. */
void store_sweep(struct helper *helper, int parent, const char *name);

/* Both, with its own helper, for all names in a directory. Silent if no helper starts. */
void store_tidy(const char *purpose, const char *dir);
