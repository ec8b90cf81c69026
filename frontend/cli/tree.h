/* Reads files of a rootfs. Package scripts wrote them, so nothing in there is trusted: no name
 * leads out of the tree, no device or pipe is opened for reading, no size is taken on faith. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "lib/error.h"

/* Opens PATH below TREE (openat2 with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS), close-on-exec.
 * Returns the descriptor, or -1 with errno set. */
int tree_open(int tree, const char *path, int flags);

/* Whether PATH is there and of TYPE (S_IFDIR, …; 0: any); follows symlinks within the tree. */
bool tree_has(int tree, const char *path, mode_t type);

/* A regular file of at most MOST bytes, NUL-terminated, the caller's to free. SIZE may be NULL.
 * NULL with ERR set: ERR_MISSING where it is not there, ERR_INPUT where too big or no file. */
char *tree_read(int tree, const char *path, size_t most, size_t *size, struct error **err);

/* The same of its first MOST bytes, however long it is; a NUL in it becomes a space. */
char *tree_read_start(int tree, const char *path, size_t most, struct error **err);

/* The same of a file that is open, which messages call PATH. FD negative, errno set: reports why it
 * is not. */
char *descriptor_read(int fd, const char *path, size_t most, size_t *size, struct error **err);

/* The same as tree_read() for a file of the user's own, outside any rootfs. */
char *file_read(const char *path, size_t most, size_t *size, struct error **err);
