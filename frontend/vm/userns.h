/* Creates a VM's user namespace with rootlet-userns, a separate program: if AppArmor restricts user
 * namespaces, that program may have a profile; rootlet itself has none. */
#pragma once

#include "lib/error.h"

/* Returns a descriptor, or -1 with ERR set (ERR_HOST). In the namespace, which the caller owns, the
 * caller is root and no other user exists. */
int userns_open(struct error **err);
