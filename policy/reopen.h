/* The directories that come with requests, opened again by this process itself, in its own mount
 * namespace: nothing that a caller can arrange decides what is worked on. */
#pragma once

#include <limits.h>

#include "lib/error.h"

/* Opens the directory behind FD once more, for reading, by the PATH that the kernel gives for it,
 * through no link of any kind. Returns the new descriptor, which is the caller's to close. It is
 * the only one to use from then on: who sent FD may have it from a mount namespace of their own, in
 * which it can have any path. -1 with ERR_REFUSED where PATH leads elsewhere, or to another mount.
 */
int directory_open(int fd, char path[static PATH_MAX], struct error **err);
