/* What a process in a Landlock domain (landlock_ruleset.h) may still access. */
#pragma once

#include <linux/landlock.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/landlock_ruleset.h"

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
	bool signals; /* as for landlock_ruleset_open() */
};

/* Makes the ruleset that allows what DOMAIN names. A place that cannot be opened is left out.
 * Returns its descriptor, or -1 with errno set. */
int landlock_domain_open(const struct landlock_domain *domain);
