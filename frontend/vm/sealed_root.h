/* The root directory of a VM's mount namespace: a tmpfs that exposes only what vng and qemu need
 * from the host: programs and libraries, a /proc of the VM's own pid namespace, and a few devices
 * in /dev. No home directories, no /run, no /tmp. Read-only after sealed_root_close(). */
#pragma once

#include "frontend/vm/vm_config.h"
#include "frontend/vm/vng_places.h"

/* Call it as process 1 of a pid namespace and root of a user namespace, in a new mount namespace
 * with private mounts. Afterwards the host is visible only below /host, so that descriptors opened
 * before can still be mounted. OWNER is the id that vng will run as. Returns 0, or -1 with ERR set:
 * ERR_HOST if a new /proc cannot be mounted. */
int sealed_root_enter(const struct vm_config *config, const struct vng_places *places, uid_t owner,
		      struct error **err);

/* Unmounts /host and makes every mount read-only and nosuid, and nodev except for the devices in
 * /dev. KVM: whether the VM gets /dev/kvm. */
int sealed_root_close(bool kvm, struct error **err);
