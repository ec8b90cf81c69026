/* Extended attributes of published trees. */
#pragma once

#include <stdbool.h>
#include <string.h>

/* Whether a published tree may have an attribute of this name. */
static inline bool valid_tree_attribute(const char *name)
{
	return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0 ||
	       strcmp(name, "system.posix_acl_access") == 0 ||
	       strcmp(name, "system.posix_acl_default") == 0;
}
