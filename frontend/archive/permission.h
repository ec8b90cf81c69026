/* What root's policy would say, asked by the front end: for messages before the work, and for
 * mirrors, which only the front end sees. The helper asks again, and decides. */
#pragma once

#include "frontend/archive/source.h"
#include "policy/decide.h"

/* The policy, the caller's to free, and what it grants this user. */
int permission_load(struct policy **policy, struct grant *grant, struct error **err);

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
