/* Files below directory descriptors, where the content may be hostile: nothing here follows a link
 * out of the folder it was given. */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "lib/error.h"

/* openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS; close-on-exec. -1 with errno set. */
int tree_open_beneath(int folder, const char *path, int flags, mode_t mode);

/* Likewise, of what exists, and of FOLDER's own mount: errno is EXDEV else. */
int tree_open_own(int folder, const char *path, int flags);

/* openat2 with RESOLVE_IN_ROOT: links are followed as by a process whose root FOLDER is. Of what
 * exists and of FOLDER's own mount; close-on-exec. -1 with errno set. */
int tree_open_inside(int folder, const char *path, int flags);

/* tree_open_own(), for reading: what is there must be of TYPE (S_IFREG and so on), and ST is of
 * what is open, as a look at the name could tell another's facts by then. PATH is what messages
 * call it. ERR_BUSY where it is of another type. */
int tree_open_entry(int folder, const char *name, int flags, mode_t type, const char *path,
		    struct stat *st, struct error **err);

/* A stream over FOLDER/NAME (or FOLDER itself for "."), which must be a directory of its mount. */
DIR *tree_open_folder(int folder, const char *name);
void tree_close_folder(DIR **d);

/* "." or "..". */
bool tree_is_dots(const char *name);

/* As mkdir -p, but through no link; the descriptor (O_PATH) of the last one, or -1 with errno set.
 */
int tree_make_folders(int folder, const char *path);

/* All of a regular file of at most MOST bytes, with a NUL behind it; the caller's to free. NULL
 * with errno set. */
char *tree_read_file(int folder, const char *path, size_t most, size_t *size);

/* Appends what is left of FROM to TO. Returns 0, or -1 with errno set. */
int tree_copy_data(int from, int to);

/* Calls VISIT for each extended attribute of FD until it returns -1; 0 where the filesystem has
 * none. Returns 0, or -1 with errno set. Links carry none that a package could set. */
int tree_each_attribute(int fd,
			int (*visit)(void *context, const char *name, const void *value,
				     size_t size),
			void *context);

/* NAME in FOLDER is what FD is open on. */
bool tree_is(int folder, const char *name, int fd);

/* The disk of FOLDER has next to no room left: what failed on it failed for that. What the programs
 * that failed said about it may have found no room in their log, either. */
bool tree_disk_full(int folder);
