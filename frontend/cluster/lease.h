/* Which process watches a shared directory. The lease is one file, watcher.HOST.PID.RANDOM.NUMBER,
 * or watcher.none. The holder keeps touching and renaming it. Its age is measured by the file
 * server's clock, because the clocks of machines differ. Touching alone would also renew a lease
 * that was taken away: NFS refers to files by number, and a client may cache a name for a minute.
 *
 * A holder that slept for longer than LEASE_SECONDS notices when it renews, and not before. Until
 * then there may be two holders; what they do must allow for that, as claims.h does. */
#pragma once

#include <limits.h>
#include <stddef.h>

#include "lib/error.h"

#define LEASE_SECONDS 60 /* without renewal, until another process may take it */

struct lease {
	char name[NAME_MAX + 1]; /* "": not held */
	size_t length;		 /* of the name without its number */
	unsigned int number;	 /* of moves so far */
};

/* Creates the lease of a directory that no other process knows yet. */
int lease_make(int dir, struct error **err);

/* Takes the lease of the directory DIR. ERR_BUSY, naming the host and the process, if another one
 * holds it. */
int lease_take(int dir, struct lease *lease, struct error **err);

/* Renews the lease; call it every few seconds. ERR_BUSY if another process has taken it. */
int lease_renew(int dir, struct lease *lease, struct error **err);
void lease_drop(int dir, struct lease *lease);
