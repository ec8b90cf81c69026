/* Jails in which rootlet-worker serves the jailer, which sends tasks to it, or just waits for its
 * result.
 */
#pragma once

#include "helper/jailer/server.h"
#include "proto/note.h"

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

/* Sends TASK with FDS to the worker of STAGE, and waits for its result, NOTE. */
int stage_ask(const struct server *s, const struct stage *stage, const struct task *task,
	      const int *fds, size_t count, struct note *note, struct error **err);
