/* Where profiles are: the user's own in $XDG_CONFIG_HOME/rootlet/profiles, then those installed
 * with rootlet. The user's profile hides an installed one of the same name. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

struct profile_place {
	char *name, *path;
	bool own; /* the user's */
};

/* The path of the profile's file, which the caller frees; NULL with ERR_INPUT if it does not exist.
 */
char *profile_find(const char *name, struct error **err);

/* "fstests" for "…/fstests.conf", which the caller frees; NULL if that is not a valid name. */
char *profile_name_of(const char *path);

/* All profiles, sorted by name, without hidden ones. The caller frees them. */
int profile_list(struct profile_place **places, size_t *count, struct error **err);
void profile_list_free(struct profile_place *places, size_t count);
