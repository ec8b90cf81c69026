/* The front end's own checks of root's policy: for error messages before any work is done, and for
 * mirrors, which only the front end sees. The helper checks again, and its decision counts. */
#pragma once

#include "frontend/archive/source.h"
#include "lib/hex.h"
#include "policy/decide.h"

/* Loads the policy, which the caller frees, and this user's grant. */
int permission_load(struct policy **policy, struct grant *grant, struct error **err);

/* ERR_REFUSED if the policy forbids one of the mirrors or a repository's keyring. */
int permission_sources(const struct origin *origin, struct error **err);

/* ERR_REFUSED if the policy forbids OPTION, OLDER_RELEASE or DATED_ARCHIVE. */
int permission_older(const char *option, struct error **err);

/* HEX becomes policy_rule_content() of the user's rule, or "" if no rule applies. */
int permission_content(char hex[static 2 * SHA256_LEN + 1], struct error **err);

/* Whether a snapshot may be saved in the given directory. D's reason lives as long as D. */
int permission_keep(int dir, struct decision *d, struct error **err);

/* ERR_REFUSED if the policy forbids publishing a rootfs with MODE. */
int permission_mode(unsigned mode, struct error **err);

/* ERR_REFUSED if the policy forbids replacing a rootfs. */
int permission_replace(struct error **err);
