/* Undoes an upgrade: exchanges a rootfs with the one that the upgrade left beside it. */
#pragma once

#include "frontend/client/client.h"
#include "lib/error.h"

/* NAME and PATH are as in store.h. *ABSOLUTE, which the caller frees, becomes the rootfs's path,
 * also on failure unless NULL. ERR_MISSING if there is no previous rootfs, ERR_BUSY if one of the
 * two is in use. */
int previous_exchange(struct helper *h, const char *name, const char *path, char **absolute,
		      struct error **err);
