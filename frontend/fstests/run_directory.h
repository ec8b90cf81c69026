/* The directories of runs: $XDG_STATE_HOME/rootlet/runs/ID/, or a link of that name to the
 * directory given with --results. Contents:
 *
 *   run.json        the request and, in the end, the outcome
 *   tests.jsonl     a line for each test that has ended (results.h)
 *   kernel.jsonl    a line for each problem that the kernel reported
 *   kernel.decoded  the first of equal traces, with source lines (trace_decode.h)
 *   check.out       the output of fstests' check
 *   console.log     the kernel's console, over all boots
 *   gcov-N.tar      what gcov counted in a guest, and gcov.info, with --gcov: coverage.h
 *   vmcore          memory of the first kernel that crashed, with --dump-on-crash: VM_DUMP_NAME
 *   results/        fstests' own files; the guest writes them
 *   plan            with --shard: all tests and their parts (shard.h)
 *   excludes        the entries that it read about tests to leave out, if any (excludes.h)
 *
 * With several guests, or if tests run more than once: check-N.out, console-N.log and
 * results/guest-N/ for each.
 *
 * A run holds a lock on its directory, which distinguishes an active run from one that was cut off.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "lib/error.h"

#define RUN_RECORD "run.json"
#define RUN_TESTS "tests.jsonl"
#define RUN_BASELINES "baselines" /* beside the directory of runs */
#define RUN_KERNEL "kernel.jsonl"
#define RUN_DECODED "kernel.decoded"
#define RUN_OUTPUT "check.out"
#define RUN_CONSOLE "console.log"
#define RUN_RESULTS "results"
#define RUN_PLAN "plan"
#define RUN_EXCLUDES "excludes"
#define GUEST_PART "guest-%u" /* in RUN_RESULTS, if the run has several guests */

struct run_dir {
	char *id, *path; /* the path is absolute */
	int fd;
};

#define RUN_DIR_NONE ((struct run_dir){ .fd = -1 })

/* Checks that PATH is usable as RESULTS below: missing, or an empty directory. */
int run_dir_check(const char *path, struct error **err);

/* Creates and locks a new run directory. WHAT becomes part of the id ("ext4"). RESULTS is an empty
 * or missing directory; NULL means below the state directory. */
int run_dir_make(const char *what, const char *results, struct run_dir *run, struct error **err);

/* Opens a run by its id, "last", its path, or the name of a baseline (baselines.h). Sets
 * ERR_MISSING if it does not exist. */
int run_dir_open(const char *name, struct run_dir *run, struct error **err);
void run_dir_close(struct run_dir *run);

/* Opens a run whose process has ended, and locks it. Sets ERR_BUSY if it is in progress. */
int run_dir_resume(const char *name, struct run_dir *run, struct error **err);

/* Whether the run is below the state directory, not in a directory of the user's choice. */
bool run_dir_is_own(const struct run_dir *run);

/* Whether the run is still in progress. */
bool run_dir_busy(const struct run_dir *run);

/* Lists the ids of all runs, and of directories that may become runs, oldest first, as a
 * NULL-terminated vector. The caller frees it and its strings. run_index.h has what is in them. */
int run_dir_list(char ***ids, size_t *count, struct error **err);

/* Removes a run and its files. Sets ERR_BUSY if it is still in progress. */
int run_dir_remove(const char *id, struct error **err);

/* Reads run.json as an object (a new reference), or replaces it atomically. ERR_REFUSED: a newer
 * rootlet wrote it, in another format. */
json_t *run_dir_read(const struct run_dir *run, struct error **err);
int run_dir_write(const struct run_dir *run, const json_t *object, struct error **err);

/* Whether run.json can be read: its other files are in the format that it names. 0, or -1 with ERR
 * set as above. */
int run_dir_check_record(const struct run_dir *run, struct error **err);

/* Writes the final run.json, after syncing the files that it sums up. */
int run_dir_finish(const struct run_dir *run, const json_t *object, struct error **err);

/* Appends one line to a file of the run. */
int run_dir_append(const struct run_dir *run, const char *name, const json_t *object,
		   struct error **err);
