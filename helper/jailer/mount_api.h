/* The kernel's mount API and pidfd_open(2), for glibc before 2.36 (Ubuntu 22.04), which has no
 * wrappers for them. Sources: fsopen(2), move_mount(2), mount_setattr(2), linux/mount.h. */
#pragma once

#include <features.h>
#include <sys/mount.h>

#if __GLIBC_PREREQ(2, 36)
#include <sys/pidfd.h>
#else
#include <linux/mount.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static inline int open_tree(int folder, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, folder, path, flags);
}

static inline int move_mount(int from, const char *from_path, int to, const char *to_path,
			     unsigned flags)
{
	return (int)syscall(SYS_move_mount, from, from_path, to, to_path, flags);
}

static inline int mount_setattr(int folder, const char *path, unsigned flags,
				struct mount_attr *attr, size_t size)
{
	return (int)syscall(SYS_mount_setattr, folder, path, flags, attr, size);
}

static inline int fsopen(const char *type, unsigned flags)
{
	return (int)syscall(SYS_fsopen, type, flags);
}

static inline int fsconfig(int context, unsigned command, const char *key, const void *value,
			   int number)
{
	return (int)syscall(SYS_fsconfig, context, command, key, value, number);
}

static inline int fsmount(int context, unsigned flags, unsigned attributes)
{
	return (int)syscall(SYS_fsmount, context, flags, attributes);
}

static inline int pidfd_open(pid_t pid, unsigned flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}
#endif
