/* The user namespace of a VM, made by rootlet-userns, a program of its own: where AppArmor
 * restricts user namespaces, that may have a profile, and rootlet has none. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

/* Returns a descriptor, or -1 with ERR set (ERR_HOST). The namespace is the caller's, who is root
 * in it, and nobody else is there. */
int userns_open(struct error **err);

/* Puts this process into a new user namespace in which its own ids are 0 and there are no others.
 * Returns 0, or -1 with errno set; MADE says whether there is a namespace. */
int userns_make(bool *made);
