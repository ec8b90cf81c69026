/* Builds the VM's mount namespace: a private directory with the guest's root, the kernel and the
 * shared directories, and around it the parts of the host that vng needs (see sealed_root.h) or,
 * unsealed, all of the host, read-only. The rootfs itself never changes: what it lacks (a mount
 * point, the guest's script) is in an overlay layer. */
#pragma once

#include "frontend/vm/vm_config.h"
#include "frontend/vm/vng_places.h"

/* Call it as root of a user namespace and process 1 of a pid namespace, in a new mount namespace.
 * OWNER is the id that vng will run as; PLACES tells where vng is installed. Stores
 * config->disk_count descriptors in DISKS, which the caller closes. Everything else goes away with
 * the namespace. */
int layout_make(const struct vm_config *config, const struct vng_places *places, uid_t owner,
		int *disks, struct error **err);
