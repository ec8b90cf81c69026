/* The jailer: pid 1 of the outer user namespace, and a child of the starter, which gives it its
 * ids. It has no rights on the host. */
#pragma once

#include "helper/audit/audit.h"
#include "helper/starter/ids.h"

#define CHANNEL 3 /* to the front end */

/* State that the starter creates for the jailer, and shares with the audit process. */
struct starter {
	struct session session;
	struct audit audit;
	struct idmap map;
	/* The jailer's end and the audit process's. The first record is the outcome of the start,
	 * and its answer says that the jailer's ids are mapped. */
	int records[2];
	int key;    /* the jailer's: snapshot_key_open() */
	int worker; /* the jailer's: worker_open() */
};

_Noreturn void jailer_run(struct starter *s);

/* Creates network, IPC and UTS namespaces, but no mount namespace. No process here has the right to
 * change the caller's mounts, and a jail can take over a directory by its descriptor only in a copy
 * of these mounts: open_tree(2) refuses a directory of another mount namespace. */
int jailer_leave_host(struct error **err);

/* Called once the ids are mapped: takes the caller's id for files only, by setfsuid(2), and the
 * spare id for everything else. So the caller can neither stop nor kill the process, nor write its
 * files in /proc: kill(2), proc(5). Keeps the capabilities. */
int jailer_act_for_caller(struct error **err);
