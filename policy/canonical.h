/* The paths that a policy names, resolved by this process itself, in its own mount namespace:
 * nothing that a caller can arrange decides where a path leads. */
#pragma once

#include <limits.h>

/* PATH, which is absolute, with the symbolic links replaced that root made where only root can
 * exchange them. Any other link stays in the text, and so does what is missing: the kernel's own
 * paths have no links, so nothing is found beneath one. To be called where root is uid 0, which in
 * the helper's user namespace it is not. -1 with errno set where links lead in a circle. */
int directory_canonical(const char *path, char canonical[static PATH_MAX]);

/* open(2) through no link of any kind, close-on-exec. */
int directory_open_path(const char *path, int flags);
