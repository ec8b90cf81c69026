/* Detached mounts, and attaching them in a jail's root. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "helper/jailer/mount_api.h"
#include "lib/error.h"

/* Adds ATTRIBUTES (MOUNT_ATTR_…) to MOUNT. Returns 0, or -1 with errno set. */
int mount_restrict(int mount, uint64_t attributes, unsigned flags);

/* Creates a detached filesystem. MODE may be NULL. Returns its descriptor, or -1 with ERR set. */
int mount_new(const char *type, const char *mode, unsigned attributes, struct error **err);

/* Attaches MOUNT at NAME in the directory ROOT, where it makes a directory or file for it. */
int mount_attach(int mount, int root, const char *name, bool dir, struct error **err);
