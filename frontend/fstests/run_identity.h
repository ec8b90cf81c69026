/* What a run tests, in a form that is the same on all machines: paths and times are not part of it.
 * Shards with different identities are no parts of one run. */
#pragma once

#include <jansson.h>

#include "frontend/fstests/fstests.h"
#include "frontend/rootfs/manifest.h"

/* The SHA-256 sum in hex of the file PATH, a new reference. NULL with ERR set. */
json_t *identity_of_file(const char *path, struct error **err);

/* For run.json, a new reference: SHA-256 sums in hex of the kernel's image, of the rootfs's
 * packages (missing if MANIFEST is NULL), of the overlays of ROOT (missing if it has none), of
 * fstests' tests and of the configuration, TYPES being the tested filesystems. NULL with ERR set.
 */
json_t *run_identity(const struct fstests_run *run, const struct manifest *manifest,
		     const struct root *root, const char *types, struct error **err);
