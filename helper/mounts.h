/* The mounts of a jail: what it sees of the host is decided here and nowhere else. */
#pragma once

#include "helper/jail.h"

/* In the jail's own mount namespace, with its root folder as the working directory: builds the
 * jail's root, pivots into it and lets go of everything else. READ_ONLY is about that folder. */
int mounts_enter(enum jail_kind kind, bool read_only, struct error **err);
