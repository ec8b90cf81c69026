/* Which of a package's files are left out: dpkg's path-exclude and path-include, with the same
 * meaning. Sources: dpkg(1), fnmatch(3). */
#pragma once

#include <stdbool.h>

#include "proto/words.h"

/* Whether to leave out PATH, which is absolute. FILTERS are as in Begin: each is "-" or "+" and a
 * pattern. The flag says that it is a directory or a symlink: then it stays if a pattern that
 * brings files back begins with it. */
bool filters_skip(const struct words *filters, const char *path, bool dir);
