/* The paths that a policy names, resolved by this process in its own mount namespace, so that
 * callers have no influence on where a path leads. */
#pragma once

#include <limits.h>

/* Resolves PATH, which is absolute, but follows only symbolic links that root made where only root
 * can replace them. Any other link stays in the text, and so does whatever is missing: the kernel's
 * own paths have no links, so nothing is ever found below one. Must be called where root is uid 0,
 * which is not so in the helper's user namespace. -1 if links form a loop, or if a path is too
 * long. */
int directory_canonical(const char *path, char canonical[static PATH_MAX]);

/* open(2), close-on-exec, that follows no link of any kind. */
int directory_open_path(const char *path, int flags);
