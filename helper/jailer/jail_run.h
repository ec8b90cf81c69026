/* Runs programs in jails. */
#pragma once

#include "helper/jailer/server.h"
#include "lib/output.h"

/* Runs a jail until it exits. Its output goes to OUTPUT (NULL: the spec's own stdio is used).
 * Returns its exit status, or -1 with ERR set: ERR_INTERRUPTED if the front end exited or the
 * request's time limit passed. The jail has been killed then. */
int jail_run(struct server *s, const struct jail_spec *spec, struct output *output,
	     struct error **err);

/* The same, and fails unless the exit status is 0. Each line of the output goes to LINE, with S, if
 * that is not NULL; the last lines to the error, after WHAT. */
int jail_run_well(struct server *s, const struct jail_spec *spec, const char *what,
		  void (*line)(const char *line, void *server), struct error **err);
