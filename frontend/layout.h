/* What the VM's mount namespace holds: one private folder with the guest's root, the kernel, and
 * the shared folders, and around it the host, read-only. The rootfs itself is never changed: what
 * it lacks (a mount point, the guest's script) is in a layer over it. */
#pragma once

#include "frontend/vm.h"

/* Called as root of a user namespace, in a mount namespace of its own. OWNER is the id that vng
 * will run as. DISKS (config->disk_count of them) become descriptors of the disks, the caller's.
 * Nothing of all this outlives the namespace. */
int layout_make(const struct vm_config *config, uid_t owner, int *disks, struct error **err);

/* --- between layout.c and layout_root.c --- */

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

/* Binds what FD is open on to TARGET, which is made: a folder or an empty file. */
int bind_at(int fd, const char *target, struct error **err);
