/* The jailer's main loop. One table lists every request that it serves. */
#pragma once

#include "helper/starter/ids.h"
#include "helper/starter/session.h"

/* Serves until the parser exits, then stops and removes unfinished work. Returns the exit
 * status. */
int dispatch_serve(int parser, int audit, int key, int worker, const struct session *session,
		   const struct idmap *map);
