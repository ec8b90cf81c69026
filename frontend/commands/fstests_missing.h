/* fstests --install-missing: packages for what tests did not find in the rootfs. */
#pragma once

#include "frontend/cli/progress.h"
#include "frontend/fstests/not_run.h"
#include "frontend/rootfs/manifest.h"

struct missing_request {
	const char *name, *path, *keyring; /* of the rootfs, which nothing may use now */
	const struct manifest *manifest;
	struct progress *progress;
};

/* Finds the packages that have the missing commands of L, and installs them. Fills in L's packages,
 * what is installed and, if packages could not be installed, why. Returns whether any was
 * installed, or -1 with ERR set: ERR_INTERRUPTED. */
int missing_install(const struct missing_request *request, struct lackings *l, struct error **err);

/* "lvm (3 tests): installed package lvm2", a line for each command. */
void missing_print(const struct lackings *l, const char *suite);

/* The same as an array, a new reference. */
json_t *missing_to_json(const struct lackings *l);
