/* What the VM's mount namespace holds: one private folder with the guest's root, the kernel, and
 * the shared folders, and around it what vng needs of the host (see sealed_root.h), read-only, or,
 * unsealed, all of the host. The rootfs itself is never changed: what it lacks (a mount point, the
 * guest's script) is in a layer over it. */
#pragma once

#include "frontend/vm/vm_config.h"
#include "frontend/vm/vng_places.h"

/* Called as root of a user namespace and process 1 of a pid namespace, in a mount namespace of its
 * own. OWNER is the id that vng will run as; PLACES is where it is installed. DISKS
 * (config->disk_count of them) become descriptors of the disks, the caller's. Nothing of all this
 * outlives the namespace. */
int layout_make(const struct vm_config *config, const struct vng_places *places, uid_t owner,
		int *disks, struct error **err);
