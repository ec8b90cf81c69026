/* What a run needs of its configurations, as text. */
#pragma once

#include "frontend/fstests/configuration.h"

/* The configuration for fstests: a section for each. Sections do not depend on each other, and
 * frontend/guest/fstests.sh gives check one at a time; it sets ROOTLET_TEST and ROOTLET_SCRATCH1 to
 * 5 to the disks. The caller frees it; NULL if out of memory. Format: README.config-sections of
 * fstests. */
char *configurations_compose(const struct configurations *c);

/* The filesystems that they test and those below, separated by spaces; the caller frees it. NULL if
 * out of memory. */
char *configurations_types(const struct configurations *c);

/* How many disks one of them needs, at most. */
unsigned int configurations_devices(const struct configurations *c);
