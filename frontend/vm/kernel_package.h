/* The kernel package of a release. */
#pragma once

#include "frontend/cli/progress.h"
#include "frontend/client/client.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/vm/kernel.h"

/* Provides the kernel of MANIFEST's release, from its mirror. HELPER checks the signatures against
 * KEYRING (NULL: the release's own). The manifest cannot name a keyring, since code in the rootfs
 * can write the manifest. Uses a kernel fetched within the last day without asking the mirror; if
 * the mirror does not answer, uses an older one, with a note. */
int kernel_distribution(const struct manifest *manifest, const char *keyring, struct helper *helper,
			struct progress *progress, struct kernel **out, struct error **err);
