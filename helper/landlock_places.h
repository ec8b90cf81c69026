/* What a process in a Landlock domain may still open, by policy/privilege_sets.h. */
#pragma once

#include "policy/privilege_sets.h"

/* Bits that the headers of older kernels lack. */
#define LANDLOCK_TRUNCATE (UINT64_C(1) << 14)  /* interface 3 */
#define LANDLOCK_IOCTL_DEV (UINT64_C(1) << 15) /* 5 */

/* Adds to RULESET what FILES says, and FILE (or -1). HANDLED are the bits that the kernel knows.
 * Returns 0, or -1 with errno set. */
int landlock_allow(int ruleset, enum file_access files, int file, uint64_t handled);
