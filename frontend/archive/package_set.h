/* How the set of packages.h grows. */
#pragma once

#include "frontend/archive/fetch_message.h"
#include "frontend/archive/packages.h"

/* Each returns 0, or -1 with ERR set. */
int pocket_add_index(struct pocket *pocket, const char *component, const char *packages,
		     struct error **err);

/* MESSAGE is a FETCH_PACKAGE that was checked. */
int package_set_add(struct package_set *set, const struct fetch_message *message,
		    struct error **err);

/* Indexes and packages go, pockets stay. */
void package_set_forget_choice(struct package_set *set);
void package_set_free(struct package_set **set);
