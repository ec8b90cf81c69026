/* Reopens the directories of requests in this process's own mount namespace, so that callers have
 * no influence on which directory is used. */
#pragma once

#include <limits.h>

#include "lib/error.h"

/* Reopens the directory behind FD for reading, by the PATH that the kernel reports for it, without
 * following a link of any kind. Returns the new descriptor, which the function's caller closes. Use
 * only this one from then on: the sender of FD may have it from a mount namespace of their own, in
 * which it can have any path. -1 with ERR_REFUSED if PATH leads elsewhere, or to another mount. */
int directory_open(int fd, char path[static PATH_MAX], struct error **err);
