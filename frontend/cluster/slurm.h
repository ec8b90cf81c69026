/* Slurm's client programs: sbatch(1), squeue(1), scontrol(1), scancel(1). Nothing of its accounting
 * is needed. A run's jobs have its name in common, as it may submit more than one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

#define SLURM_STATE_SIZE 64
#define SLURM_NODE_SIZE 128

struct slurm_job {
	const char *name;
	const char *script;	  /* path of the script that each task runs */
	const char *log;	  /* path for its output, with %A for the job and %a for the task */
	const char *avoided;	  /* nodes, separated by commas; NULL: none */
	unsigned int tasks, cpus; /* CPUS of each task; 0: as the user's options or Slurm say */
	const char *const *options; /* the user's, NULL-terminated */
};

/* Submits an array. ERR_MISSING without sbatch, ERR_NETWORK if the controller does not answer,
 * ERR_REFUSED with what sbatch said. */
int slurm_submit(const struct slurm_job *job, struct error **err);

/* A task that has not ended. */
struct slurm_task {
	unsigned int job, index;
	bool runs;		       /* or its processes may still run; else it waits */
	char reason[SLURM_STATE_SIZE]; /* why it waits */
};

/* Lists the user's tasks of the jobs called NAME. ERR_NETWORK if the controller does not answer.
 * The caller frees the list. */
int slurm_list(const char *name, struct slurm_task **list, size_t *count, struct error **err);

/* Says how a task ended ("NODE_FAIL") and on which node; "" if Slurm no longer knows. */
void slurm_explain(unsigned int job, unsigned int index, char state[static SLURM_STATE_SIZE],
		   char node[static SLURM_NODE_SIZE]);

/* Cancels all tasks of the jobs called NAME, and waits until none is left, for a minute,
 * even if the controller does not answer. */
int slurm_cancel(const char *name, struct error **err);
