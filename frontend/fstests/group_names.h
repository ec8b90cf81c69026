/* The groups of tests in an fstests tree, and what they are for. */
#pragma once

#include <jansson.h>

#include "lib/error.h"

/* The groups of the built tree TREE, those with most tests first, as {name, tests, description}.
 * Descriptions are those of its doc/group-names.txt. NULL with ERR set: ERR_MISSING if TREE has no
 * tests. */
json_t *group_names_list(const char *tree, struct error **err);
