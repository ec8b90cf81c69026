/* Jails in which rootlet-worker serves the jailer, which sends tasks to it, or just waits for its
 * result.
 */
#pragma once

#include "helper/jailer/jail.h"
#include "proto/task.h"

struct server;

/* A jail, and the jailer's end of the worker's socket. */
struct stage {
	struct jail jail;
	int socket;
};

#define STAGE_NONE ((struct stage){ .jail = JAIL_NONE, .socket = -1 })

/* Starts the jail of SPEC, whose socket is made here. Returns 0, or -1 with ERR set and nothing
 * left. */
int stage_start(const struct server *s, struct stage *stage, struct jail_spec spec,
		struct error **err);

/* Waits for the worker's result, and passes its progress on. NOTE is the result; *FD (NULL: none is
 * wanted) a descriptor that came with it, the caller's, or -1. With WATCH it ends with
 * ERR_INTERRUPTED if the front end has left or the request's time limit has passed. Returns what
 * the result tells, or -1 with ERR set. */
int stage_wait(const struct server *s, const struct stage *stage, bool watch, struct note *note,
	       int *fd, struct error **err);

/* Ends the jail and all in it. */
void stage_end(struct stage *stage);
