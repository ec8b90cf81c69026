/* The last part of a jail's set-up, inside of it. The process is the jail's root, and the jail's
 * root directory is its own. */
#pragma once

#include "helper/jailer/jail_spec.h"
#include "helper/jailer/mounts_fill.h"

/* Closes every descriptor that leads out of the jail, fills its root, gives up what the program is
 * not to have, and starts the program. REPORT leads to the jailer: closing it says that all went
 * well. */
_Noreturn void jail_finish(const struct jail_spec *spec, const struct jail_mounts *mounts,
			   int report);
