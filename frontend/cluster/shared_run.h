/* The directory of one run that several machines share: DIRECTORY/ID of --cluster-directory.
 *
 *   job.json        what to run and with what, in paths relative to this directory
 *   kernel/         image and modules; root.TYPE, fstests.TYPE: images
 *   results/        the initial contents of each task's results directory
 *   queue/, claims/, done/, watcher.…   see claims.h and lease.h
 *   losses/         see losses.h
 *   tasks/TASK/     the run directory of each task (run_directory.h), without a lock
 *   tasks/JOB-INDEX.log   output of the task's rootlet
 *
 * It appears complete, and nothing but the parts that the last four lines name changes after that.
 * Only its owner can look into it. Directories on NFS cannot be locked: nothing here is. */
#pragma once

#include <jansson.h>

#include "frontend/fstests/fstests.h"

#define SHARED_TASKS "tasks"
#define SHARED_STATUS "list.status" /* in a task's directory: that of check -n */

struct shared_run {
	char *path; /* absolute */
	int fd;
	json_t *job;
};

#define SHARED_RUN_NONE ((struct shared_run){ .fd = -1 })

/* Creates DIRECTORY/ID for RUN, whose root is an image, and copies everything into it. FIRST is as
 * for claims_make(); MORE is added to the job. ERR_EXISTS if DIRECTORY/ID exists, ERR_MISSING if
 * DIRECTORY does not. */
int shared_run_create(const char *directory, const struct fstests_run *run, const char *first,
		      json_t *more, struct shared_run *out, struct error **err);

/* Opens the one at PATH. ERR_MISSING if it does not exist, ERR_REFUSED if it is another user's,
 * ERR_INPUT if another version of rootlet made it. */
int shared_run_open(const char *path, struct shared_run *out, struct error **err);

/* The same to remove it: whichever version made it. ERR_REFUSED if it is not that of the run ID. */
int shared_run_open_own(const char *path, const char *id, struct shared_run *out,
			struct error **err);
void shared_run_close(struct shared_run *s);

/* Read the options and the arguments of check. The strings are the job's; the caller frees the
 * array. */
void shared_run_options(const struct shared_run *s, struct fstests_options *options);
char **shared_run_words(const struct shared_run *s, size_t *count);

/* Whether NAME is ".ID", a draft or what is left of a run that was being removed. */
bool shared_run_is_hidden(const char *name);

/* Removes the directory and everything in it. */
int shared_run_remove(struct shared_run *s, struct error **err);

/* Creates tasks/TASK with a copy of results/. */
int shared_run_add_task(const struct shared_run *s, const char *task, struct run_dir *dir,
			struct error **err);

/* A run as a node sees it. */
struct shared_guest {
	struct fstests_options options;
	struct fstests_run run;
	struct kernel *kernel;
	struct vm_disk disks[VM_DISKS_MAX];
	struct vm_share share;
	char *root, *fstests, *results; /* paths */
	char **words, **vng_words;
};

/* Fills G, whose strings are the job's, for the guests of the task with that run directory. The
 * caller adds the number of guests, and their processors and memory. */
int shared_run_read(const struct shared_run *s, const struct run_dir *dir, struct shared_guest *g,
		    struct error **err);
void shared_guest_clear(struct shared_guest *g);
