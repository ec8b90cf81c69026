/* Where the runs are: $XDG_STATE_HOME/rootlet/runs/ID/, one folder each (or a link to the folder
 * that
 * --results named). In it:
 *
 *   run.json        what was asked for, and in the end how it went
 *   tests.jsonl     a line for each test that has ended    (results.h)
 *   kernel.jsonl    a line for each thing the kernel complained of
 *   check.out       what fstests' check printed
 *   console.log     what the kernel printed, over all boots
 *   results/        fstests' own files; the guest writes them
 *
 * A run holds a lock on its folder, so that one that was cut off can be told from one under way. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "lib/error.h"

#define RUN_TESTS "tests.jsonl"
#define RUN_KERNEL "kernel.jsonl"
#define RUN_OUTPUT "check.out"
#define RUN_CONSOLE "console.log"
#define RUN_RESULTS "results"

struct run_folder {
	char *id, *path; /* path: absolute */
	int fd;
};

#define RUN_FOLDER_NONE ((struct run_folder){ .fd = -1 })

/* Whether PATH can be given as RESULTS below: it is not there, or an empty folder. */
int run_folder_check(const char *path, struct error **err);

/* Makes a new one, locked. WHAT goes into its id ("ext4"). RESULTS: a folder that is empty or not
 * there yet; NULL: below the state folder. */
int run_folder_make(const char *what, const char *results, struct run_folder *run,
		    struct error **err);

/* Opens one by its id, "last", or its path. ERR_MISSING where there is none. */
int run_folder_open(const char *name, struct run_folder *run, struct error **err);
void run_folder_close(struct run_folder *run);

/* Whether its run is under way. */
bool run_folder_busy(const struct run_folder *run);

/* Ids of all, oldest first, as a NULL-terminated vector that belongs to the caller, words and all.
 */
int run_folder_list(char ***ids, size_t *count, struct error **err);

/* Removes one with all that is in it. ERR_BUSY where its run is under way. */
int run_folder_remove(const char *id, struct error **err);

/* run.json as an object (a new reference), or written in one step. */
json_t *run_folder_read(const struct run_folder *run, struct error **err);
int run_folder_write(const struct run_folder *run, const json_t *object, struct error **err);

/* The last run.json: what it sums up is on disk before it. */
int run_folder_finish(const struct run_folder *run, const json_t *object, struct error **err);

/* Appends one line to a file of the run. */
int run_folder_append(const struct run_folder *run, const char *name, const json_t *object,
		      struct error **err);
