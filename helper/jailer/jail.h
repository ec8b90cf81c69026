/* A jail: a process in its own user namespace, in which the caller's id does not exist. It has
 * its own mounts, processes, IPC and host name, and no network. There are three kinds, which see
 * different files. Sources: user_namespaces(7), mount_namespaces(7), pivot_root(2),
 * move_mount(2). */
#pragma once

#include <sys/types.h>

#include "helper/jailer/jail_spec.h"
#include "lib/error.h"

struct jail {
	pid_t pid;
	int pidfd;
};

#define JAIL_NONE ((struct jail){ .pid = -1, .pidfd = -1 })

/* Returns 0 once the jail is set up and its program has started, or -1 with ERR set and nothing
 * left behind. */
int jail_start(const struct jail_spec *spec, struct jail *jail, struct error **err);

/* Kills the jail and every process in it, if it still runs. Returns its exit status: the program's,
 * or 128 + the number of the signal that killed the program. */
int jail_end(struct jail *jail);

/* Like jail_end(), but waits until the jail exits by itself. */
int jail_reap(struct jail *jail);
