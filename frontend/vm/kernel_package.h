/* The kernel package of a release. */
#pragma once

#include "frontend/cli/progress.h"
#include "frontend/client/client.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/vm/kernel.h"

/* The kernel of the release that MANIFEST tells, from its mirror, whose signatures are checked
 * by HELPER against KEYRING (NULL: the release's own; a manifest has no say in that, as what runs
 * in the rootfs could write it). One that was fetched within a day is used as it is; an older one
 * too, with a note, where the mirror does not answer. */
int kernel_distribution(const struct manifest *manifest, const char *keyring, struct helper *helper,
			struct progress *progress, struct kernel **out, struct error **err);
