/* Copies of snapshots that are built on. */
#pragma once

#include "helper/jailer/server.h"

/* Makes a staging tree in PARENT with a copy of the snapshot in DIR, as T, an Extend, says. The
 * copy shares no file with the snapshot, and has its digest: ERR_TRUST if not. On failure nothing
 * is left.
 */
int snapshot_copy(struct server *s, int parent, int dir, const struct task *t, struct error **err);
