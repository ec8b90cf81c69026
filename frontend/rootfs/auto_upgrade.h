/* Upgrades a rootfs before a run, if it is old. */
#pragma once

#include "frontend/cli/progress.h"
#include "lib/error.h"

enum upgrade_mode { UPGRADE_NEVER, UPGRADE_SECURITY, UPGRADE_ALWAYS };

struct upgrade_wish {
	enum upgrade_mode mode;
	unsigned days;		 /* how old it may be */
	const char *name, *path; /* of the rootfs: see store.h */
	const char *keyring;	 /* NULL: the distribution's */
	struct progress *progress;
};

/* If that fails, a note says why, and the rootfs stays as it was. Fails only if interrupted. A
 * rootfs that follows a publisher gets its newest generation. One made from a lock or from a chosen
 * generation, and not changed since, is left alone. If there is no rootfs, does nothing: the run
 * reports it. */
int auto_upgrade(const struct upgrade_wish *wish, struct error **err);
