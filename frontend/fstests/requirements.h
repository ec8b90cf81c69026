/* What the tests of fstests ask for before they run: commands, users, groups, kernel options and
 * modules. Read from the text of tests/ and common/, of which nothing is run: a test asks itself,
 * or calls a function of common/ that does. So this is what a test may ask for; only a run shows
 * what it does ask for. The tree is not trusted: no path leads out of it, and all sizes are
 * bounded. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "frontend/fstests/requirement.h"
#include "lib/error.h"

struct requirements {
	char **tests; /* "generic/001", sorted */
	size_t test_count;
	uint32_t filesystems;	  /* that were chosen */
	struct requirement *list; /* sorted by kind, then those of most tests first, then by name */
	size_t count;
};

/* Reads the fstests tree TREE. Only tests that may run on one of FSTYPES count, and what they ask
 * for there: "ext4,xfs", or REQUIREMENTS_ALL. ERR_INPUT if it is no fstests tree, or larger than
 * any. */
#define REQUIREMENTS_ALL "all"
int requirements_read(const char *tree, const char *fstypes, struct requirements **out,
		      struct error **err);

/* The filesystem for which alone a test needs it; "any" or "some" for several of those chosen. */
const char *requirement_filesystem(const struct requirements *requirements,
				   const struct requirement *requirement);
void requirements_free(struct requirements **requirements);
