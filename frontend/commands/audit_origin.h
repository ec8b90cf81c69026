/* Finds the audit record of the request that published a rootfs as it is. */
#pragma once

#include <stdbool.h>

#include "frontend/rootfs/manifest.h"
#include "lib/hex.h"

/* Sets HASH to that of the result of Publish. M is the manifest of the rootfs at PATH, which the
 * log names by its path. False if no log is readable or none of its records is that one: the log
 * was rotated, or the rootfs was made by another user, or moved. */
bool audit_find_origin(const struct manifest *m, const char *path,
		       char hash[static 2 * SHA256_LEN + 1]);
