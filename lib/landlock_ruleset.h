/* Landlock: a second barrier for files, TCP ports, abstract sockets and signals, besides namespaces
 * and seccomp, as far as the kernel supports it. Cannot be undone. A ruleset refuses everything
 * that it does not name (landlock_domain.h). Source: Documentation/userspace-api/landlock.rst of
 * Linux. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The oldest release that builds this has kernel headers of interface version 1. The bits never
 * change. The numbers below are the versions that introduced them. */
#define LANDLOCK_FILES_1 ((UINT64_C(1) << 13) - 1)
#define LANDLOCK_REFER (UINT64_C(1) << 13)     /* 2: move and link between directories */
#define LANDLOCK_TRUNCATE (UINT64_C(1) << 14)  /* 3 */
#define LANDLOCK_IOCTL_DEV (UINT64_C(1) << 15) /* 5 */

/* The version of the kernel's interface; 0 if it has no Landlock. */
int landlock_version(void);

/* The rights to files that VERSION knows. */
uint64_t landlock_files(int version);

/* Makes an empty ruleset, close-on-exec. With SIGNALS (since version 6), signals cannot reach a
 * process outside. Returns its descriptor, or -1 with errno set. */
int landlock_ruleset_open(bool signals);

/* From here on, the process can open, make and remove only the files that RULESET names. The same
 * goes for ports and abstract sockets. Needs no_new_privs. Returns 0, or -1 with errno set. */
int landlock_ruleset_enter(int ruleset);
