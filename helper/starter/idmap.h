/* The outer user namespace, in which 0 to 65534 are the sub-range and 65535 is the caller. Sources:
 * user_namespaces(7), subuid(5), newuidmap(1). */
#pragma once

#include <sched.h>
#include <stdint.h>

#include "helper/starter/ids.h"
#include "helper/starter/session.h"

/* Chooses the caller's range. In installed mode, the process then has the range's spare id, which
 * is nobody's. The user namespace will belong to that id, so that the caller has no right over it.
 * Returns 0, or -1 with ERR_HOST or ERR_REFUSED and the command that an administrator has to run.
 * So do the functions below. */
int idmap_open(const struct session *session, struct idmap *map, struct error **err);

/* Like fork(2), but the child is pid 1 of a new user namespace. It has every capability there, and
 * no ids before idmap_write(). */
pid_t idmap_fork(struct error **err);

/* Says, by errno, that WHAT could not be created: ERR_HOST. Returns -1. */
int idmap_explain(const char *what, struct error **err);

/* The namespaces that the child creates besides those of users and processes. */
#define IDMAP_HOST_PARTS (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

/* Gives CHILD its ids. It may still be creating its namespaces. */
int idmap_write(const struct session *session, const struct idmap *map, pid_t child,
		struct error **err);

/* Moves the process into the namespaces of CHILD, a pidfd, once all of them exist. After that, no
 * right on the host is left. */
int idmap_join(int child, struct error **err);

/* For the process of an installed helper that asks the host's name services: takes an id that is
 * nobody's, so that the caller can neither trace nor stop it. All capabilities are lost with its
 * next execve(2). Returns 0 or -1. */
int idmap_become_nobody(void);
