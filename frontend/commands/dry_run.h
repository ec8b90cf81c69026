/* `create --dry-run`: the requests that a create would send, and the decision on each. */
#pragma once

#include "frontend/rootfs/provision.h"
#include "policy/decide.h"

/* Called for each request, with the decision on it. */
typedef void dry_run_tell(const char *request, const char *arguments, const struct decision *d,
			  void *context);

/* Reports the first request, Hello. Returns 1 if the helper would answer it, 0 if not, or -1 with
 * ERR set. */
int dry_run_start(dry_run_tell *tell, void *context, struct error **err);

/* Reports all other requests that a create would send. `dir` is the canonical path of P->parent,
 * which is -1 if it does not exist yet. `bases` is that of the snapshots in the cache; NULL:
 * neither use nor save one. Returns 0, or -1 with ERR set. */
int dry_run_requests(const struct provision *p, const char *dir, const char *bases,
		     dry_run_tell *tell, void *context, struct error **err);
