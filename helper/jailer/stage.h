/* Jails in which rootlet-worker works for the jailer. The jailer sends it tasks, or just waits for
 * its result. */
#pragma once

#include "helper/jailer/server.h"
#include "proto/note.h"

/* Starts the jail of SPEC and creates its socket. Returns 0, or -1 with ERR set and nothing left
 * behind. */
int stage_start(const struct server *s, struct stage *stage, struct jail_spec spec,
		struct error **err);

/* Starts the verifier, whose staging directory is STAGING (-1: none). With COMPARE, it can read and
 * write the memory of release dates. */
int stage_start_verifier(const struct server *s, struct stage *stage, int staging, bool compare,
			 struct error **err);

/* Waits for the worker's result and passes on its progress. NOTE becomes the result. *FD (NULL: not
 * wanted) becomes a descriptor that came with it, owned by the function's caller, or -1. Fails
 * with ERR_INTERRUPTED if the request's time limit has passed and, with WATCH, if the front end has
 * exited. Returns what the result says, or -1 with ERR set. */
int stage_wait(const struct server *s, const struct stage *stage, bool watch, struct note *note,
	       int *fd, struct error **err);

/* Kills the jail and all processes in it. */
void stage_end(struct stage *stage);

/* Sends TASK with FDS to the worker of STAGE and waits for its result, NOTE. */
int stage_ask(const struct server *s, const struct stage *stage, const struct task *task,
	      const int *fds, size_t count, struct note *note, struct error **err);
