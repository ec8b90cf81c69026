/* Compares what lies in a rootfs with what should: structure, release, accounts, packages.
 * Only reads, without the helper; each difference becomes a finding. */
#pragma once

#include "frontend/findings.h"
#include "frontend/manifest.h"
#include "frontend/profile.h"

void contents_check_structure(int tree, struct findings *f);
void contents_check_release(int tree, const struct manifest *m, struct findings *f);
void contents_check_accounts(int tree, const struct account *users, size_t user_count,
			     const struct account_group *groups, size_t group_count,
			     struct findings *f);
void contents_check_packages(int tree, const struct manifest *m, struct findings *f);
