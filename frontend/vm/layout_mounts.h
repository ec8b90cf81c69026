/* Mounts of a VM's mount namespace. */
#pragma once

#include <stdint.h>
#include <sys/mount.h>

#include "lib/error.h"

/* glibc 2.36 and newer define these. */
#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 0x00000001
#define MOUNT_ATTR_NOSUID 0x00000002
#define MOUNT_ATTR_NODEV 0x00000004
struct mount_attr {
	uint64_t attr_set, attr_clr, propagation, userns_fd;
};
#endif

/* Wraps mount_setattr(2). FLAGS is 0 or AT_RECURSIVE. Returns 0, or -1 with errno set. */
int mount_attributes(const char *path, unsigned int flags, uint64_t set, uint64_t clear);

/* Bind-mounts the file or directory open as FD on TARGET, which it creates if needed. */
int bind_at(int fd, const char *target, struct error **err);
