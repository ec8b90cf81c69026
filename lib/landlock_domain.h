/* Landlock: a second barrier for files, TCP ports, abstract sockets and signals, besides namespaces
 * and seccomp, as far as the kernel supports it. Cannot be undone. Source:
 * Documentation/userspace-api/landlock.rst of Linux. */
#pragma once

#include <linux/landlock.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

/* The oldest release that builds this has kernel headers of interface version 1. The bits never
 * change. The numbers below are the versions that introduced them. */
#define LANDLOCK_FILES_1 ((UINT64_C(1) << 13) - 1)
#define LANDLOCK_REFER (UINT64_C(1) << 13)     /* 2: move and link between directories */
#define LANDLOCK_TRUNCATE (UINT64_C(1) << 14)  /* 3 */
#define LANDLOCK_IOCTL_DEV (UINT64_C(1) << 15) /* 5 */
#define LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LANDLOCK_DEVICES (LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)

/* PATH, or FD if PATH is NULL, and everything below it. ACCESS may have bits that this kernel
 * lacks. */
struct landlock_place {
	const char *path;
	int fd;
	uint64_t access;
};

struct landlock_domain {
	const struct landlock_place *places;
	size_t place_count;
	const uint16_t *ports; /* that TCP may connect to; since version 4 */
	size_t port_count;
	bool signals; /* since version 6: signals cannot reach a process outside */
};

/* The version of the kernel's interface; 0 if it has no Landlock. */
int landlock_version(void);

/* Enters the domain. No other file can be opened, made or removed then, no other port connected to,
 * none bound, and no abstract socket outside connected to. A place that cannot be opened is left
 * out. Needs no_new_privs. Returns 0, also if the kernel has no Landlock, or -1 with ERR set. */
int landlock_domain_enter(const struct landlock_domain *domain, struct error **err);
