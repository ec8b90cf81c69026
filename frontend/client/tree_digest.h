/* What a rootfs of the cache's own must be: its digest, which is taken when it has been made, and
 * is kept beside it in .NAME.digest. That file is the lock of who makes or uses the rootfs, too. */
#pragma once

#include "frontend/client/client.h"

/* OPERATION is one of flock(2). Returns a descriptor, or -1: ERR_BUSY where somebody else has it.
 */
int digest_lock(int folder, const char *name, int operation, struct error **err);

/* Both read all of the rootfs NAME in FOLDER; LOCK is open on what digest_lock() has locked. */
int digest_keep(struct helper *h, int lock, int folder, const char *name, struct error **err);

/* ERR_TRUST where it is not what it was, or where nothing says what it must be. */
int digest_check(struct helper *h, int lock, int folder, const char *name, struct error **err);

void digest_remove(int folder, const char *name);
