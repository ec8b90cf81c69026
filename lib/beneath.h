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
int tree_open_beneath(int folder, const char *path, int flags, mode_t mode);

/* As above, but only for what exists on the directory's own mount: otherwise errno is EXDEV. */
int tree_open_own(int folder, const char *path, int flags);

/* openat2(2) with RESOLVE_IN_ROOT: links are followed as in a process whose root is the given
 * directory. Only for what exists on the directory's own mount; close-on-exec. -1 with errno
 * set. */
int tree_open_inside(int folder, const char *path, int flags);

/* tree_open_own(), for reading: the entry must be of TYPE (S_IFREG and so on). ST describes the
 * open file, because the name may lead to another one by then. PATH is for messages. ERR_BUSY if
 * the file is of another type. */
int tree_open_entry(int folder, const char *name, int flags, mode_t type, const char *path,
		    struct stat *st, struct error **err);

/* Opens a stream over NAME in the given directory ("." for itself), which must be a directory on
 * the same mount. */
DIR *tree_open_folder(int folder, const char *name);
void tree_close_folder(DIR **d);

/* Whether NAME is "." or "..". */
bool tree_is_dots(const char *name);

/* Like mkdir -p, but follows no link. Returns a descriptor (O_PATH) of the last directory, or -1
 * with errno set. */
int tree_make_folders(int folder, const char *path);

/* Reads a whole regular file of at most MOST bytes and appends a NUL. The caller frees it. NULL
 * with errno set. */
char *tree_read_file(int folder, const char *path, size_t most, size_t *size);

/* Appends the rest of FROM to TO. Returns 0, or -1 with errno set. */
int tree_copy_data(int from, int to);

/* Calls VISIT for each extended attribute of FD until it returns -1. Returns 0, also if the
 * filesystem has none, or -1 with errno set. Symbolic links carry none that a package could set. */
int tree_each_attribute(int fd,
			int (*visit)(void *context, const char *name, const void *value,
				     size_t size),
			void *context);

/* Whether NAME in the given directory is the file that FD is open on. */
bool tree_is(int folder, const char *name, int fd);

/* Whether the directory's disk is nearly full, so that a failure on it is due to that. The message
 * of the program that failed may have found no room in its log, either. */
bool tree_disk_full(int folder);
