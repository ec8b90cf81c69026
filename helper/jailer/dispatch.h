/* The jailer's main loop: one table says all that can be asked of it. */
#pragma once

#include "helper/starter/ids.h"
#include "helper/starter/session.h"

/* Serves until the parser is gone, then ends and removes what is unfinished. Returns the exit
 * status. */
int dispatch_serve(int parser, int audit, int key, int worker, const struct session *session,
		   const struct idmap *map);
