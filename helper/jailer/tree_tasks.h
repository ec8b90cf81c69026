/* Work on a whole tree. A worker does it, in a jail that sees this tree and nothing else. A worker
 * that needs several trees sees all but one of them read-only. */
#pragma once

#include "helper/jailer/server.h"
#include "lib/beneath.h"
#include "proto/note.h"
#include "proto/tree_facts.h"

/* Has a worker do the job of SPEC in a jail. NOTE and *FD become its result; WATCH is as for
 * stage_wait(). */
int tree_task_run(const struct server *s, struct jail_spec spec, bool watch, struct note *note,
		  int *fd, struct error **err);

/* Each returns 0, or -1 with ERR set: ERR_INTERRUPTED if the front end has exited or the request's
 * time limit has passed. TREE is a descriptor of a directory that belongs to the range. */

int tree_count(const struct server *s, int tree, struct tree_census *census, struct error **err);
int tree_digest(const struct server *s, int tree, struct tree_digest *digest, struct error **err);

/* Sets modification times later than the server's epoch to it, if it has one. */
int tree_clamp_times(const struct server *s, int tree, struct error **err);

/* ERR_BUSY if something is mounted below TREE: the message says where. */
int tree_check_mounts(const struct server *s, int tree, struct error **err);

/* Empties TREE, a descriptor, and then removes NAME in PARENT, which must be an empty directory by
 * then: a process that swaps names in the meantime loses nothing but names. Goes on if the front
 * end exits. */
int tree_remove(const struct server *s, int parent, const char *name, int tree, struct error **err);

/* The same after a failure, with a time limit of its own: that of the request may have passed. */
int tree_discard(const struct server *s, int parent, const char *name, int tree,
		 struct error **err);
