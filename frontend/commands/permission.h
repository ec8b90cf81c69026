/* What root's policy would say, asked by the front end: for messages before the work, for
 * --dry-run, and for mirrors, which only the front end sees. The helper asks again, and decides. */
#pragma once

#include "frontend/rootfs/provision.h"
#include "frontend/archive/source.h"
#include "policy/decide.h"

/* ERR_REFUSED where the policy does not allow one of the mirrors. */
int permission_mirrors(const struct origin *origin, struct error **err);

/* ERR_REFUSED where --allow-older-release may not be used. */
int permission_older(struct error **err);

/* What the policy says of what a rootfs may be made of, as text; the caller's to free. NULL with
 * ERR set. */
char *permission_content(struct error **err);

/* Whether a base may be kept in FOLDER. D's reason lives as long as D. */
int permission_keep(int folder, struct decision *d, struct error **err);

/* ERR_REFUSED where no rootfs may be published with MODE. */
int permission_mode(unsigned mode, struct error **err);

/* ERR_REFUSED where no rootfs may be replaced. */
int permission_replace(struct error **err);

/* What is told of each request and of the decision on it. */
typedef void permission_tell(const char *request, const char *arguments, const struct decision *d,
			     void *context);

/* Tells of the first request, Hello. Returns 1 if the helper would answer it, 0 if not, -1 with ERR
 * set. */
int permission_start(permission_tell *tell, void *context, struct error **err);

/* Tells of each further request that a create would send. FOLDER is the canonical path of
 * P->parent, which is -1 where it is not there yet, and BASES that of the cache's bases, NULL where
 * none is to be used or kept. Returns 0, or -1 with ERR set. */
int permission_dry_run(const struct provision *p, const char *folder, const char *bases,
		       permission_tell *tell, void *context, struct error **err);
