/* For a helper that is not installed: ids that the caller has anyway, by subuid(5). With them, the
 * helper can do nothing that the caller could not do. */
#pragma once

#include "helper/starter/ids.h"
#include "policy/grant.h"

/* Chooses the caller's range. Returns 0, or -1 with ERR_HOST and the command that an administrator
 * has to run. */
int own_ids_find(const struct caller *caller, struct idmap *map, struct error **err);

/* User mode, in which the helper has no rights of its own: newuidmap(1) and newgidmap(1) map the
 * ids of MAP, and the caller's, for the process PID. Returns 0, or -1 with ERR_HOST. */
int own_ids_write(const struct idmap *map, pid_t pid, const struct caller *caller,
		  struct error **err);
