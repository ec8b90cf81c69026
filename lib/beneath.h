/* Files below directory descriptors, whose content may be hostile: nothing here follows a link out
 * of the given directory. */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "lib/error.h"

/* openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, close-on-exec. -1 with errno set. */
int tree_open_beneath(int dir, const char *path, int flags, mode_t mode);

/* As above, but only for what exists on the directory's own mount: otherwise errno is EXDEV. */
int tree_open_own(int dir, const char *path, int flags);

/* openat2(2) with RESOLVE_IN_ROOT: links are followed as in a process whose root is the given
 * directory. Only for what exists on the directory's own mount; close-on-exec. -1 with errno
 * set. */
int tree_open_inside(int dir, const char *path, int flags);

/* Opens a stream over NAME in the given directory ("." for itself), which must be a directory on
 * the same mount. */
DIR *tree_open_dir(int dir, const char *name);
void tree_close_dir(DIR **d);

/* Whether NAME is "." or "..". */
bool tree_is_dots(const char *name);

/* Reads a whole regular file of at most MOST bytes and appends a NUL. The caller frees it. NULL
 * with errno set. */
char *tree_read_file(int dir, const char *path, size_t most, size_t *size);

/* Appends the first MOST bytes of FROM, whatever its offset, to TO. Returns how many there were, or
 * -1 with errno set. */
off_t tree_copy_data(int from, int to, off_t most);

/* Whether NAME in the given directory is the file that FD is open on. */
bool tree_is(int dir, const char *name, int fd);

/* Whether the directory's disk is nearly full, so that a failure on it is due to that. The message
 * of the program that failed may have found no room in its log, either. */
bool tree_disk_full(int dir);
