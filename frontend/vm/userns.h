/* The user namespace of a VM, made by rootlet-userns, a program of its own: where AppArmor
 * restricts user namespaces, that may have a profile, and rootlet has none. */
#pragma once

#include "lib/error.h"

/* Returns a descriptor, or -1 with ERR set (ERR_HOST). The namespace is the caller's, who is root
 * in it, and nobody else is there. */
int userns_open(struct error **err);
