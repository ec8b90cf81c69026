/* --cluster slurm with its options, and the hidden command that nodes of the cluster run. */
#pragma once

#include "frontend/cluster/cluster.h"
#include "frontend/commands/commandline.h"
#include "lib/error.h"

#define TASK_COMMAND "__task" /* in the job script only */

/* Fills REQUEST. Its strings are the line's, except *DIRECTORY, which the caller frees. Its engine
 * stays NULL without --cluster slurm. */
int cluster_read_line(const struct parsed_line *line, struct cluster_request *request,
		      char **directory, struct error **err);

/* `rootlet __task DIRECTORY`. Returns the exit status. */
int cluster_task(int argc, char **argv);
