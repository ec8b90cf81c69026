/* Chooses packages: the wanted ones and all their dependencies, from the Packages files of all
 * pockets. Recommended packages are left out. The same input always gives the same choice. */
#pragma once

#include "frontend/archive/choices.h"
#include "frontend/archive/resolve_request.h"
#include "lib/error.h"

/* SUITE is for messages. ERR_INPUT if no index has a package of WANTED or one of its dependencies,
 * or if a package of REMOVED is not installed or needed by another one, ERR_NETWORK if none has its
 * exact version, ERR_TRUST if an index is malformed. */
int resolve(const struct resolve_index *indexes, size_t index_count, const char *suite,
	    const char *arch, enum package_base base, const struct wanted *wanted,
	    struct choices *out, struct error **err);
