/* Where the helper is not installed: ids that the caller has without it, by subuid(5), and with
 * which it can do nothing that the caller could not. */
#pragma once

#include "helper/starter/ids.h"
#include "policy/grant.h"

/* Chooses the caller's range. Returns 0, or -1 with ERR_HOST and the command that an administrator
 * has to run. */
int own_ids_find(const struct caller *caller, struct idmap *map, struct error **err);

/* User mode, in which the helper has no rights of its own: newuidmap(1) and newgidmap(1) give the
 * process PID its ids, those of MAP, and the caller's. Returns 0, or -1 with ERR_HOST. */
int own_ids_write(const struct idmap *map, pid_t pid, const struct caller *caller,
		  struct error **err);
