/* When a rootfs was last known to be up to date: in $XDG_STATE_HOME/rootlet/upgrades, not in the
 * tree, which an upgrade without updates does not change. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frontend/cli/progress.h"
#include "lib/error.h"

/* When the rootfs BASE in PARENT was created (CREATED, from its manifest), last upgraded, or last
 * found to be up to date, in seconds since 1970. With SECURITY, an upgrade to security updates only
 * counts as well. */
int64_t freshness_read(const char *parent, const char *base, int64_t created, bool security);

/* Records that it is up to date now; only in security updates with SECURITY. */
int freshness_write(const char *parent, const char *base, int64_t created, bool security,
		    struct error **err);

/* Forgets a rootfs that was deleted. */
void freshness_forget(const char *parent, const char *base);

/* Waits until no other process has the lock of this rootfs, and takes it. Returns a descriptor,
 * whose lock ends with freshness_unlock(), or -1 with ERR set. */
int freshness_lock(const char *parent, const char *base, struct progress *progress,
		   struct error **err);
void freshness_unlock(int *fd);
