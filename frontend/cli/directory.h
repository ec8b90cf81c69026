/* Directories that belong to the user. */
#pragma once

#include "lib/error.h"

/* Makes PATH (absolute) and its missing parents with mode 0700. Existing directories keep their
 * mode. Returns 0, or -1 with errno set. */
int dir_make(const char *path);

/* The same, but makes only the parents of PATH. */
int dir_make_above(const char *path);

/* Removes NAME in PARENT, recursively if it is a directory. Does not follow symbolic links. Returns
 * 0, or -1 with errno set. */
int dir_remove(int parent, const char *name);

/* Atomically renames the directory STAGING to NAME, or exchanges them if NAME exists. The contents
 * are on disk before the rename, and the rename before this returns. Returns 0, or -1 with errno
 * set. */
int dir_publish(int parent, const char *staging, const char *name);

/* Replaces NAME in `dir` with the file DRAFT, which is open as FD. After a power failure NAME is
 * either the old or the new file, and complete. Returns 0, or -1 with errno set. */
int dir_replace_file(int dir, const char *draft, int fd, const char *name);

/* Replaces NAME in `dir` with a file that has SIZE bytes of TEXT: a reader sees the old one or
 * the new one. Its mode depends on the umask. Returns 0, or -1 with errno set and nothing left. */
int dir_write_file(int dir, const char *name, const char *text, size_t size);

/* Writes TEXT to the user's file PATH: replaces a regular file atomically, and writes into a pipe,
 * a device or a link. NULL: standard output, whose errors main() reports. */
int output_write(const char *path, const char *text, struct error **err);

/* The same for any SIZE bytes; PATH is not NULL. */
int output_write_bytes(const char *path, const char *data, size_t size, struct error **err);

/* Like dir_remove(), but fails with EWOULDBLOCK if another process holds a lock on it. */
int dir_discard(int parent, const char *name);
