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
#include <unistd.h>

#define open_tree(...) ((int)syscall(SYS_open_tree, __VA_ARGS__))
#define move_mount(...) ((int)syscall(SYS_move_mount, __VA_ARGS__))
#define mount_setattr(...) ((int)syscall(SYS_mount_setattr, __VA_ARGS__))
#define fsopen(...) ((int)syscall(SYS_fsopen, __VA_ARGS__))
#define fsconfig(...) ((int)syscall(SYS_fsconfig, __VA_ARGS__))
#define fsmount(...) ((int)syscall(SYS_fsmount, __VA_ARGS__))
#define pidfd_open(...) ((int)syscall(SYS_pidfd_open, __VA_ARGS__))
#endif
