/* Reads package indexes into libsolv. */
#pragma once

#include "frontend/archive/resolution.h"

/* Reads the indexes. libsolv numbers its repositories from 1, in the order of INDEXES. */
int resolve_load(struct resolution *r, const struct resolve_index *indexes, size_t count,
		 struct error **err);
