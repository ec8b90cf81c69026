/* Where profiles lie: the user's own in $XDG_CONFIG_HOME/rootlet/profiles, then those that came
 * with rootlet. One of the user's hides one of the same name. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

struct profile_place {
	char *name, *path;
	bool own; /* the user's */
};

/* The profile's file, the caller's to free; NULL and ERR_MISSING where there is none. */
char *profile_find(const char *name, struct error **err);

/* "fstests" for "…/fstests.conf"; NULL where a profile cannot have that name. The caller's. */
char *profile_name_of(const char *path);

/* Every profile that there is, each name once, in the order of names. The caller's to free. */
int profile_list(struct profile_place **places, size_t *count, struct error **err);
void profile_list_free(struct profile_place *places, size_t count);
