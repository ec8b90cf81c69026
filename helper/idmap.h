/* Level 1: a user namespace in which 0…65534 are the sub-range and 65535 is the caller.
 * Sources: user_namespaces(7), subuid(5), newuidmap(1). */
#pragma once

#include <stdint.h>

#include "proto/error.h"

#define RANGE_COUNT 65535u /* ids 0…65534 of the rootfs */
#define CALLER_ID 65535u   /* the caller, as level 1 sees it */

struct idmap {
	const char *mode; /* "user", "root" */
	uint32_t first_uid, first_gid;
};

/* Moves the process into a new user namespace with those maps. Returns 0, or -1 with ERR_HOST and
 * the command that an administrator has to run. */
int idmap_enter(struct idmap *map, struct error **err);
