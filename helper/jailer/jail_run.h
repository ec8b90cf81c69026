/* Programs in jails. */
#pragma once

#include "helper/jailer/server.h"
#include "lib/output.h"

/* Runs a jail to its end. The text that it prints goes to OUTPUT (NULL: the spec's own stdio is
 * used). Returns its exit status, or -1 with ERR set: ERR_INTERRUPTED if the front end left or the
 * request's time limit has passed; the jail has ended then, too. */
int jail_run(struct server *s, const struct jail_spec *spec, struct output *output,
	     struct error **err);
