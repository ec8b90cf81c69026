/* What the VM's mount namespace holds: one private folder with the guest's root, the kernel, and
 * the shared folders, and around it what vng needs of the host (see sealed_root.h), read-only, or,
 * unsealed, all of the host. The rootfs itself is never changed: what it lacks (a mount point, the
 * guest's script) is in a layer over it. */
#pragma once

#include <stdint.h>
#include <sys/mount.h>

#include "frontend/vm/vm.h"
#include "frontend/vm/vng_places.h"

/* glibc has these from 2.36 on. */
#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 0x00000001
#define MOUNT_ATTR_NOSUID 0x00000002
#define MOUNT_ATTR_NODEV 0x00000004
struct mount_attr {
	uint64_t attr_set, attr_clr, propagation, userns_fd;
};
#endif

/* Called as root of a user namespace and process 1 of a pid namespace, in a mount namespace of its
 * own. OWNER is the id that vng will run as; PLACES is where it is installed. DISKS
 * (config->disk_count of them) become descriptors of the disks, the caller's. Nothing of all this
 * outlives the namespace. */
int layout_make(const struct vm_config *config, const struct vng_places *places, uid_t owner,
		int *disks, struct error **err);

/* --- between layout.c, layout_root.c and sealed_root.c --- */

/* As mount_setattr(2): FLAGS 0 or AT_RECURSIVE. Returns 0, or -1 with errno set. */
int mount_attributes(const char *path, unsigned int flags, uint64_t set, uint64_t clear);

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
