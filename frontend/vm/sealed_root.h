/* The root directory of a VM's mount namespace: a tmpfs that shows what vng and qemu need and
 * nothing else of the host. Programs and libraries, a /proc of the VM's own pid namespace, and the
 * few devices of /dev; no home, no /run, no /tmp. Read-only from sealed_root_close() on. */
#pragma once

#include "frontend/vm/vm_config.h"
#include "frontend/vm/vng_places.h"

/* Called as process 1 of a pid namespace and root of a user namespace, in a mount namespace of its
 * own whose mounts are private. Afterwards the host is visible below /host alone, so that
 * descriptors opened before can still be mounted. OWNER is the id that vng will run as.
 * Returns 0, or -1 with ERR set: ERR_HOST if a fresh /proc cannot be mounted. */
int sealed_root_enter(const struct vm_config *config, const struct vng_places *places, uid_t owner,
		      struct error **err);

/* Takes /host away, and makes every mount read-only, without devices but those of /dev, and
 * without setuid bits. KVM: whether the VM gets /dev/kvm. */
int sealed_root_close(bool kvm, struct error **err);
