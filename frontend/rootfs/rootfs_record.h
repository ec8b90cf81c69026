/* Files in $XDG_STATE_HOME/rootlet with what rootlet remembers of a rootfs, but does not write into
 * it. */
#pragma once

#include "lib/error.h"

/* The path of the record KIND, such as "upgrades", of the rootfs BASE in PARENT. It is named after
 * the path of the rootfs. The caller frees it. */
char *rootfs_record_path(const char *kind, const char *parent, const char *base,
			 struct error **err);
