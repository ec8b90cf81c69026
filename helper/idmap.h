/* Level 1: a user namespace in which 0…65534 are the sub-range and 65535 is the caller.
 * Sources: user_namespaces(7), subuid(5), newuidmap(1). */
#pragma once

#include <stdint.h>

#include "helper/session.h"

#define RANGE_COUNT 65535u /* ids 0…65534 of the rootfs */
#define CALLER_ID 65535u   /* the caller, as level 1 sees it */

struct idmap {
	uint32_t first_uid, first_gid;
};

/* Moves the process into a new user namespace with those maps, and its children into namespaces of
 * processes, networks, IPC and host names. Of mounts it gets no namespace of its own: those that it
 * sees stay the caller's, which nobody here has the right to change, and only into a copy of them
 * can a jail take a folder by its descriptor: open_tree(2) refuses one of another mount namespace.
 *
 * In installed mode the user namespace belongs to the range's spare id, which is nobody's, and the
 * process is it until idmap_become_caller: the caller has no right over it. No right on the host is
 * left afterwards.
 *
 * Returns 0, or -1 with ERR_HOST or ERR_REFUSED and the command that an administrator has to run.
 */
int idmap_enter(const struct session *session, struct idmap *map, struct error **err);

/* Whoever acts in the caller's folders must be him. Keeps the capabilities. */
int idmap_become_caller(struct error **err);
