/* The array jobs that run a shared run's tasks: the first one, and those that replace lost tasks.
 */
#pragma once

#include "frontend/cluster/cluster.h"
#include "frontend/cluster/shared_run.h"
#include "frontend/cluster/slurm.h"

struct array_jobs {
	const struct shared_run *shared;
	const struct cluster_request *request;
	const struct fstests_run *run;
	char name[128];	    /* of all jobs */
	char *script, *log; /* paths */
	char *avoided;	    /* nodes, separated by commas; NULL: none */
	struct slurm_task *active;
	size_t active_count;
	int64_t next_list, next_submit, pause, heard; /* milliseconds of the monotonic clock */
	size_t done_before;			      /* batches at the last submission */
	unsigned int attempts, unheard;
	bool submitted; /* some job, by this process or by an earlier one */
};

/* Writes the script that each task runs into the run's directory. The arguments stay the caller's.
 */
int array_jobs_open(struct array_jobs *j, const struct shared_run *shared,
		    const struct cluster_request *request, const struct fstests_run *run,
		    struct error **err);
void array_jobs_clear(struct array_jobs *j);

/* Updates the list of active tasks now and then. If the controller does not answer for a while, the
 * old list stays. Returns 1 if the list is new. */
int array_jobs_update(struct array_jobs *j, struct error **err);

/* Whether the task called NAME, "JOB-INDEX-RESTARTS", may still run. */
bool array_jobs_have(const struct array_jobs *j, const char *name);

/* Submits as many tasks as are missing and useful. QUEUED: number of batches in the queue; DONE:
 * that of finished ones, and of times that one was lost. Sets ERR if the tasks come to nothing. */
int array_jobs_fill_up(struct array_jobs *j, size_t queued, size_t done, struct error **err);

/* Submits no more tasks to NODE, as long as there are others. */
int array_jobs_avoid(struct array_jobs *j, const char *node, struct error **err);

/* Composes "3 tasks run, 1 waits (Resources)". */
void array_jobs_describe(const struct array_jobs *j, char *text, size_t size);

/* Lets the tasks end by themselves, because they still write. Those that wait are not needed. */
int array_jobs_wait(struct array_jobs *j, struct error **err);

/* Cancels all tasks. */
int array_jobs_cancel(const struct array_jobs *j, struct error **err);

/* The same for a run that no process watches. */
int array_jobs_cancel_run(const struct run_dir *run, struct error **err);
