/* The root that vng exports to the guest, in a VM's mount namespace. */
#pragma once

#include "frontend/vm/vm_config.h"
#include "frontend/vm/vm_directory.h"

#define MODULES VM_DIR "/kernel/lib/modules"

/* Everything named by a user's path, opened before the private directory covers anything; -1 if
 * unused. */
struct layout_sources {
	int root, init, kernel, modules, build;
	int shares[VM_SHARES_MAX], disks[VM_DISKS_MAX];
};

/* Builds the directory that vng exports as the guest's root, VM_TREE. The kernel must already be in
 * place. */
int layout_root(const struct vm_config *config, const struct layout_sources *s, struct error **err);

/* Whether the kernel has modules at MODULES/VERSION. */
bool layout_has_modules(const struct vm_config *config, const struct layout_sources *s);
