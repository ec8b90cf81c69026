/* Level 1: a user namespace in which 0…65534 are the sub-range and 65535 is the caller.
 * Sources: user_namespaces(7), subuid(5), newuidmap(1). */
#pragma once

#include <stdint.h>

#include "helper/session.h"
#include "lib/facts.h"

#define CALLER_ID 65535u /* the caller, as level 1 sees it */
#define SPARE_ID 65536u	 /* the range's last id, which no file has; in installed mode only */

struct idmap {
	uint32_t first_uid, first_gid;
};

/* Chooses the caller's range. In installed mode the process is the range's spare id from then on,
 * which is nobody's: to it the user namespace belongs, over which the caller has no right. Returns
 * 0, or -1 with ERR_HOST or ERR_REFUSED and the command that an administrator has to run, as do
 * those below. */
int idmap_open(const struct session *session, struct idmap *map, struct error **err);

/* As fork(2), but the child is pid 1 of a new user namespace. It has every capability in there, and
 * no id before idmap_write. */
pid_t idmap_fork(struct error **err);

/* For the child: namespaces of networks, IPC and host names. Of mounts it gets none of its own:
 * those that it sees stay the caller's, which nobody here has the right to change, and only into a
 * copy of them can a jail take a folder by its descriptor: open_tree(2) refuses one of another
 * mount namespace. */
int idmap_leave_host(struct error **err);

/* Gives CHILD, which has made its namespaces or still does, its ids. */
int idmap_write(const struct session *session, const struct idmap *map, pid_t child,
		struct error **err);

/* Moves the process into the namespaces of CHILD, a pidfd, once all of them are there. No right on
 * the host is left afterwards. */
int idmap_join(int child, struct error **err);

/* For a process of an installed helper that asks the host's name services: it becomes an id of
 * nobody's, so that the caller can neither trace nor stop it, and loses all capabilities with its
 * next execve(2). Returns 0 or -1. */
int idmap_become_nobody(void);

/* For the child, once it has ids: whoever acts in the caller's directories must do so as the
 * caller, by setfsuid(2), while all of its other ids are the spare one. So the caller can neither
 * stop nor end it, nor own its files in /proc: kill(2), proc(5). Keeps the capabilities. */
int idmap_act_for_caller(struct error **err);

/* What the jailer makes in a tree from here on to the end of the block belongs to the range's first
 * ids from its first moment on: a helper that is killed leaves nothing in there that no jail knows
 * the owner of. */
#define _for_range_ _cleanup_(idmap_make_for_caller) int for_range = idmap_make_for_range()
int idmap_make_for_range(void);
void idmap_make_for_caller(const int *ignored);
