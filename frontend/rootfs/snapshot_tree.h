/* Moves the tree of a snapshot into a tar archive and back. Reading needs rootlet-helper, which has
 * the host's tar make the archive in a jail. Writing needs the caller's own id range, which an
 * installed helper does not share. */
#pragma once

#include "frontend/client/client.h"

/* Returns a descriptor of an unlinked file in the directory DIR, or -1 with ERR set. TREE is from
 * view_open(). */
int snapshot_archive(struct helper *h, int tree, int dir, struct error **err);

/* Unpacks TAR, which anybody may have written, as the closed directory NAME in DIR. NAME must not
 * exist; after a failure, it may. A process of its own does that, with the range's root as its root
 * and the new tree as its only directory. ERR_INPUT if TAR has a device, an owner outside of the
 * range, a name that leads out of the tree, or anything else that no snapshot has. */
int snapshot_unpack(struct helper *h, int tar, int dir, const char *name, struct error **err);
