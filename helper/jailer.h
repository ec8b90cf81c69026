/* The jailer from its first instruction on: pid 1 of level 1, a child of the starter, which gives
 * it its ids. It has no right on the host. */
#pragma once

#include "helper/audit.h"
#include "helper/idmap.h"

#define CHANNEL 3 /* to the front end */

/* What the starter makes for it, and what it shares with the audit process. */
struct starter {
	struct session session;
	struct audit audit;
	struct idmap map;
	int records[2]; /* the jailer's end, the audit process's; first it tells how the start went
			 */
	int mapped[2];	/* a pipe that tells the jailer that it has ids */
	int key;	/* the jailer's: snapshot_key_open() */
};

_Noreturn void jailer_run(struct starter *s);

/* Makes namespaces of networks, IPC and host names. Of mounts it gets none of its own:
 * those that it sees stay the caller's, which nobody here has the right to change, and only into a
 * copy of them can a jail take a folder by its descriptor: open_tree(2) refuses one of another
 * mount namespace. */
int jailer_leave_host(struct error **err);

/* Once it has ids: whoever acts in the caller's directories must do so as the
 * caller, by setfsuid(2), while all of its other ids are the spare one. So the caller can neither
 * stop nor end it, nor own its files in /proc: kill(2), proc(5). Keeps the capabilities. */
int jailer_act_for_caller(struct error **err);
