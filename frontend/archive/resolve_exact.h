/* Packages whose versions are given. */
#pragma once

#include "frontend/archive/resolution.h"

/* Takes WANTED ("name=version") without solving: a set that was solved once needs no other
 * packages. */
int resolve_exact(const struct resolution *r, const char *const *wanted, struct choices *out,
		  struct error **err);
