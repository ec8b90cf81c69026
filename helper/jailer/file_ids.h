/* Files and directories that the jailer creates in trees and around them. From the start they
 * belong to the range's first ids, so that a killed helper leaves none whose owner no jail knows.
 * Names are looked up as in lib/beneath.h. Each returns -1 with errno set if it fails. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Creates a file and returns its descriptor, open for writing. */
int file_make(int dir, const char *path, mode_t mode);

/* Creates a directory, or takes over one that exists if it may, and opens it for reading. */
int file_make_dir(int dir, const char *name, mode_t mode, bool may_exist);

/* Removes inherited ACLs: they would let others in regardless of the mode. */
int file_drop_acls(int fd);
