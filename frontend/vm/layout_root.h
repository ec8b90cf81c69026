/* The root that vng exports to the guest, in a VM's mount namespace. */
#pragma once

#include "frontend/vm/vm_config.h"
#include "frontend/vm/vm_directory.h"

#define MODULES VM_FOLDER "/kernel/lib/modules"

/* All that a path of the user's names is opened before the private folder covers anything; -1: not
 * there. */
struct layout_sources {
	int root, init, kernel, modules, build;
	int shares[VM_SHARES_MAX], disks[VM_DISKS_MAX];
};

/* The folder that vng exports as the guest's root: VM_TREE. After the kernel is in its place. */
int layout_root(const struct vm_config *config, const struct layout_sources *s, struct error **err);

/* Whether the kernel has modules to be found at MODULES/VERSION. */
bool layout_has_modules(const struct vm_config *config, const struct layout_sources *s);
