/* A jail: a process in its own user namespace, in which the caller's id does not exist, with its
 * own mounts, processes, IPC, host name and no network. Three kinds, by what it sees. Sources:
 * user_namespaces(7), mount_namespaces(7), pivot_root(2), move_mount(2). */
#pragma once

#include <sys/types.h>

#include "helper/jailer/jail_spec.h"
#include "lib/error.h"

struct jail {
	pid_t pid;
	int pidfd;
};

#define JAIL_NONE ((struct jail){ .pid = -1, .pidfd = -1 })

/* Returns 0 once the jail is set up and its program has begun, or -1 with ERR set and nothing left.
 */
int jail_start(const struct jail_spec *spec, struct jail *jail, struct error **err);

/* Ends the jail and every process in it, where it still runs, and returns its exit status: that of
 * its program, or 128 + the number of the signal that ended that. */
int jail_end(struct jail *jail);

/* As jail_end, but waits for its own end. */
int jail_reap(struct jail *jail);
