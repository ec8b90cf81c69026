/* Compares a rootfs with its expected structure, release, accounts and packages. Reads through the
 * helper and changes nothing; each difference becomes a finding. ROOTFS comes from view_open(). */
#pragma once

#include "frontend/client/client.h"
#include "frontend/rootfs/findings.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/rootfs/profile.h"

void contents_check_structure(struct helper *h, int rootfs, struct findings *f);
void contents_check_release(struct helper *h, int rootfs, const struct manifest *m,
			    struct findings *f);
void contents_check_accounts(struct helper *h, int rootfs, const struct account *users,
			     size_t user_count, const struct account_group *groups,
			     size_t group_count, struct findings *f);
void contents_check_packages(struct helper *h, int rootfs, const struct manifest *m,
			     struct findings *f);
