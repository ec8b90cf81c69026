/* What of a package's files is left out: dpkg's path-exclude and path-include, with its meaning.
 * Source: dpkg(1), fnmatch(3). */
#pragma once

#include <stdbool.h>

#include "proto/words.h"

/* FILTERS are as Begin has them: "-" or "+" and a pattern each. PATH is absolute. FOLDER: it is a
 * folder or a symlink, which stays where a pattern that brings files back begins with it. */
bool filters_skip(const struct words *filters, const char *path, bool folder);
