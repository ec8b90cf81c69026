/* Reads files of a rootfs. Package scripts wrote them, so nothing in there is trusted: no path
 * leads out of the tree, no device or pipe is opened for reading, all sizes are checked. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "lib/error.h"

/* Opens PATH below TREE (openat2 with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS), close-on-exec.
 * Returns the descriptor, or -1 with errno set. */
int tree_open(int tree, const char *path, int flags);

/* Whether PATH exists and has TYPE (S_IFDIR, …; 0: any). Follows symlinks within the tree. */
bool tree_has(int tree, const char *path, mode_t type);

/* Reads a regular file of at most MOST bytes. Returns it NUL-terminated; the caller frees it. SIZE
 * may be NULL. NULL with ERR set: ERR_MISSING if it does not exist, ERR_INPUT if it is too large or
 * not a regular file. */
char *tree_read(int tree, const char *path, size_t most, size_t *size, struct error **err);

/* The same for its first MOST bytes, however long it is. NUL bytes become spaces. */
char *tree_read_start(int tree, const char *path, size_t most, struct error **err);

/* The same for an open file, which error messages call PATH. If FD is negative, reports errno. */
char *descriptor_read(int fd, const char *path, size_t most, size_t *size, struct error **err);

/* Like tree_read(), but for a file of the user, outside any rootfs. */
char *file_read(const char *path, size_t most, size_t *size, struct error **err);
