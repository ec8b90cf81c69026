/* The outer user namespace, in which 0…65534 are the sub-range and 65535 is the caller.
 * Sources: user_namespaces(7), subuid(5), newuidmap(1). */
#pragma once

#include <sched.h>
#include <stdint.h>

#include "helper/starter/ids.h"
#include "helper/starter/session.h"

/* Chooses the caller's range. In installed mode the process is the range's spare id from then on,
 * which is nobody's: to it the user namespace belongs, over which the caller has no right. Returns
 * 0, or -1 with ERR_HOST or ERR_REFUSED and the command that an administrator has to run, as do
 * those below. */
int idmap_open(const struct session *session, struct idmap *map, struct error **err);

/* As fork(2), but the child is pid 1 of a new user namespace. It has every capability in there, and
 * no id before idmap_write. */
pid_t idmap_fork(struct error **err);

/* Why no namespace could be made, by errno: ERR_HOST with what the administrator can do. SETTINGS
 * are the sysctls that may forbid it. Returns -1. */
int idmap_explain(const char *what, const char *settings, struct error **err);

/* The namespaces of its own, besides that of users and processes, that the child makes. */
#define IDMAP_HOST_PARTS (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

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
