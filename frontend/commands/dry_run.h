/* `create --dry-run`: the requests that a create would send, and the decision on each. */
#pragma once

#include "frontend/rootfs/provision.h"
#include "policy/decide.h"

/* What is told of each request and of the decision on it. */
typedef void dry_run_tell(const char *request, const char *arguments, const struct decision *d,
			  void *context);

/* Tells of the first request, Hello. Returns 1 if the helper would answer it, 0 if not, -1 with ERR
 * set. */
int dry_run_start(dry_run_tell *tell, void *context, struct error **err);

/* Tells of each further request that a create would send. FOLDER is the canonical path of
 * P->parent, which is -1 where it is not there yet, and BASES that of the cache's bases, NULL where
 * none is to be used or kept. Returns 0, or -1 with ERR set. */
int dry_run_requests(const struct provision *p, const char *folder, const char *bases,
		     dry_run_tell *tell, void *context, struct error **err);
