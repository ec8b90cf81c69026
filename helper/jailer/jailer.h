/* The jailer from its first instruction on: pid 1 of the outer user namespace, a child of the
 * starter, which gives it its ids. It has no right on the host. */
#pragma once

#include "helper/audit/audit.h"
#include "helper/starter/ids.h"

#define CHANNEL 3 /* to the front end */

/* What the starter makes for it, and what it shares with the audit process. */
struct starter {
	struct session session;
	struct audit audit;
	struct idmap map;
	/* The jailer's end, and the audit process's; the first record says how the start went. */
	int records[2];
	int mapped[2]; /* a pipe that tells the jailer that it has ids */
	int key;       /* the jailer's: snapshot_key_open() */
	int worker;    /* the jailer's: worker_open() */
};

_Noreturn void jailer_run(struct starter *s);

/* Makes namespaces for networks, IPC and host names, but none for mounts: nobody here has the right
 * to change the caller's mounts, and only in a copy of them can a jail take over a directory by its
 * descriptor, because open_tree(2) refuses one of another mount namespace. */
int jailer_leave_host(struct error **err);

/* Called once it has ids: takes the caller's id for files alone, by setfsuid(2), and the spare id
 * for everything else. So the caller can neither stop nor kill the process, nor write its files in
 * /proc: kill(2), proc(5). Keeps the capabilities. */
int jailer_act_for_caller(struct error **err);
