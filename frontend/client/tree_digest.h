/* The digest of a rootfs in the cache, taken when the rootfs is built and saved beside it in
 * .NAME.digest. That file is also the lock of the process that builds or uses the rootfs. */
#pragma once

#include "frontend/client/client.h"

/* OPERATION is that of flock(2). Returns a descriptor, or -1: ERR_BUSY if another process holds the
 * lock. */
int digest_lock(int dir, const char *name, int operation, struct error **err);

/* Both read all of the rootfs NAME. LOCK is the descriptor from digest_lock(). */
int digest_keep(struct helper *h, int lock, int dir, const char *name, struct error **err);

/* ERR_TRUST if the digest differs, or if none was saved. */
int digest_check(struct helper *h, int lock, int dir, const char *name, struct error **err);

void digest_remove(int dir, const char *name);
