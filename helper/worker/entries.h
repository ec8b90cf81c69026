/* Directories and entries of a tree whose content may be hostile, for the workers: lib/beneath.h.
 */
#pragma once

#include <sys/stat.h>

#include "lib/beneath.h"
#include "lib/error.h"

/* tree_open_own(), for reading: the entry must be of TYPE (S_IFREG and so on). ST describes the
 * open file, because the name may lead to another one by then. PATH is for messages. ERR_BUSY if
 * the file is of another type. */
int tree_open_entry(int dir, const char *name, int flags, mode_t type, const char *path,
		    struct stat *st, struct error **err);

/* Like mkdir -p, but follows no link. Returns a descriptor (O_PATH) of the last directory, or -1
 * with errno set. */
int tree_make_dirs(int dir, const char *path);

/* Calls VISIT for each extended attribute of FD until it returns -1. Returns 0, also if the
 * filesystem has none, or -1 with errno set. Symbolic links carry none that a package could set. */
int tree_each_attribute(int fd,
			int (*visit)(void *context, const char *name, const void *value,
				     size_t size),
			void *context);
