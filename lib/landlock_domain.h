/* Landlock: a second lock on files, TCP ports, abstract sockets and signals, beside namespaces and
 * seccomp, as far as the kernel has it. Cannot be undone.
 * Source: Documentation/userspace-api/landlock.rst of Linux. */
#pragma once

#include <linux/landlock.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

/* The kernel's headers of the oldest release that builds this are those of interface 1; the bits
 * are the kernel's for ever. The number is that of the interface which has them. */
#define LANDLOCK_FILES_1 ((UINT64_C(1) << 13) - 1)
#define LANDLOCK_REFER (UINT64_C(1) << 13)     /* 2: move and link between directories */
#define LANDLOCK_TRUNCATE (UINT64_C(1) << 14)  /* 3 */
#define LANDLOCK_IOCTL_DEV (UINT64_C(1) << 15) /* 5 */
#define LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LANDLOCK_DEVICES (LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)

/* PATH, or FD if PATH is NULL, and all below it. ACCESS may have bits that this kernel lacks. */
struct landlock_place {
	const char *path;
	int fd;
	uint64_t access;
};

struct landlock_domain {
	const struct landlock_place *places;
	size_t place_count;
	const uint16_t *ports; /* that TCP may connect to, from interface 4 on */
	size_t port_count;
	bool signals; /* from interface 6 on, none reaches a process outside */
};

/* The version of the kernel's interface; 0 if it has none. */
int landlock_version(void);

/* Enters the domain: no other file can be opened, made or removed, no other port connected to, none
 * bound, no abstract socket outside connected to. A place that cannot be opened is left out. Needs
 * no_new_privs. Returns 0, also if the kernel has no Landlock, or -1 with ERR set. */
int landlock_domain_enter(const struct landlock_domain *domain, struct error **err);
