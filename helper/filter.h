/* What of a package's files is left out: dpkg's path-exclude and path-include, with its meaning.
 * Source: dpkg(1), fnmatch(3). */
#pragma once

#include <stdbool.h>

#include "proto/validate.h"

struct filters {
	uint32_t count;
	struct filter {
		uint8_t include; /* comes from the parser as it is: no bool */
		char pattern[FILTER_PATTERN_SIZE];
	} list[FILTERS_MAX];
};

/* PATH is absolute. FOLDER: it is a folder or a symlink, which stays where a pattern that brings
 * files back begins with it. */
bool filters_skip(const struct filters *filters, const char *path, bool folder);
