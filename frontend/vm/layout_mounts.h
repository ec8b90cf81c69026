/* Mounts of a VM's mount namespace. */
#pragma once

#include <stdint.h>
#include <sys/mount.h>

#include "lib/error.h"

/* glibc has these from 2.36 on. */
#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 0x00000001
#define MOUNT_ATTR_NOSUID 0x00000002
#define MOUNT_ATTR_NODEV 0x00000004
struct mount_attr {
	uint64_t attr_set, attr_clr, propagation, userns_fd;
};
#endif

/* As mount_setattr(2): FLAGS 0 or AT_RECURSIVE. Returns 0, or -1 with errno set. */
int mount_attributes(const char *path, unsigned int flags, uint64_t set, uint64_t clear);

/* Binds what FD is open on to TARGET, which is made: a folder or an empty file. */
int bind_at(int fd, const char *target, struct error **err);
