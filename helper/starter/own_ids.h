/* For a helper that is not installed: ids that the caller has anyway, by subuid(5). With them, the
 * helper can do nothing that the caller could not do. */
#pragma once

#include "helper/starter/ids.h"
#include "policy/grant.h"

/* Takes the first user id and group id of the range that the front end found in /etc/subuid and
 * /etc/subgid (policy/subids_find.h) from the arguments, and wipes these: a jail can see them in
 * its /proc. */
void own_ids_take(int argc, char **argv, struct idmap *map);

/* ERR_HOST if there were none. newuidmap(1) refuses ids that are not the caller's, and 0 is the
 * host's root. */
int own_ids_check(const struct idmap *map, struct error **err);

/* User mode, in which the helper has no rights of its own: newuidmap(1) and newgidmap(1) map the
 * ids of MAP, and the caller's, for the process PID. Returns 0, or -1 with ERR_HOST. */
int own_ids_write(const struct idmap *map, pid_t pid, const struct caller *caller,
		  struct error **err);
