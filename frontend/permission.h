/* What root's policy would say, asked by the front end: for messages before the work, for
 * --dry-run, and for mirrors, which only the front end sees. The helper asks again, and decides. */
#pragma once

#include "frontend/provision.h"
#include "frontend/source.h"

/* ERR_REFUSED where the policy does not allow one of the mirrors. */
int permission_mirrors(const struct origin *origin, struct error **err);

/* Prints each request that provision_rootfs() would send and the decision on it. FOLDER is the
 * canonical path of P->parent. Returns how many would be refused, or -1 with ERR set. */
int permission_dry_run(const struct provision *p, const char *folder, struct error **err);
