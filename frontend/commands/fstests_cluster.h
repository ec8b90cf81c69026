/* rootlet fstests --cluster: what goes with it, and the run as a cluster gets it. */
#pragma once

#include "frontend/commands/commandline.h"
#include "frontend/fstests/fstests.h"

/* Checks what the command's table cannot: which options need --cluster, which it needs, and which
 * do not go with it. ERR_INPUT. */
int fstests_cluster_check(const struct parsed_line *line, struct error **err);

/* Prints the manifest. OPTIONS is what the line says. Returns the exit status. */
int fstests_cluster_print(const struct parsed_line *line, const struct fstests_options *options);
