/* What libsolv is asked for. */
#pragma once

#include "frontend/archive/resolution.h"

/* Whether a package of this NAME can be installed. */
bool resolution_has_package(Pool *pool, Id name);

/* Whether a package that provides NAME can be installed. */
bool resolution_has_provider(Pool *pool, Id name);

/* Whether BASE starts from the packages of a rootfs. */
bool package_base_is_rootfs(enum package_base base);

/* Fills in R's job. */
int resolve_want(struct resolution *r, const struct resolve_index *indexes, size_t count,
		 enum package_base base, const struct wanted *wanted, struct error **err);
