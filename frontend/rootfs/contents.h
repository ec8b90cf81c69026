/* Compares what lies in a rootfs with what should: structure, release, accounts, packages.
 * Only reads, through the helper; each difference becomes a finding. ROOTFS is what view_open()
 * gave. */
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
