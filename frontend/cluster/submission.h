/* The submitting side of a run on a cluster: prepares it, submits tasks, watches them and collects
 * their results. If its process dies, the tasks go on. */
#pragma once

#include "frontend/cluster/cluster.h"
#include "frontend/fstests/fstests.h"

/* Prepares RUN in the directory that its machines share, as DIRECTORY/ID, which changes nothing
 * else. */
int submission_prepare(struct fstests_run *run, const struct cluster_request *request,
		       struct error **err);

/* Runs the tests: submits tasks while some are needed, and returns the batches of lost tasks to the
 * queue. Fills RUN's plan and results, and its directory. Returns an enum fstests_exit, or -1 with
 * ERR set: ERR_BUSY if another process watches the run. Removes the shared directory if it returns
 * an exit status and no batch is left; otherwise the directory stays for another call. */
int submission_run(struct fstests_run *run, const struct cluster_request *request, const char *path,
		   struct error **err);

/* The parts of the command line that submission_prepare() stored; the strings are JOB's. */
struct submission_kept {
	json_t *job;
	struct cluster_request request;
	struct fstests_options options;
	char **words; /* check's arguments, as the guest gets them */
	size_t word_count;
	const char *tree; /* the built fstests tree on the machine that submitted; may be NULL */
};

int submission_read(const char *path, struct submission_kept *kept, struct error **err);
void submission_kept_clear(struct submission_kept *kept);
