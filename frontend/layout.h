/* What the VM's mount namespace holds: one private folder with the rootfs, the kernel, the scratch
 * disks and the shared folders, and around it the host, read-only. The tree itself is never
 * changed: what it lacks (a mount point, the guest's script) is in a layer over it. */
#pragma once

#include "frontend/vm.h"

/* Called as root of the level-1 user namespace, in a mount namespace of its own. OWNER is the id
 * that vng will run as. DISKS (config->disk_count of them) become descriptors of the scratch disks,
 * the caller's. Nothing of all this outlives the namespace. */
int layout_make(const struct vm_config *config, uid_t owner, int *disks, struct error **err);
