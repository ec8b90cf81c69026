/* What the index of all runs (run_index.h) has of one run, and how to read that from its directory.
 */
#pragma once

#include <stdint.h>

#include "frontend/fstests/results.h"

enum run_readable {
	RUN_READABLE,
	RUN_DAMAGED, /* its run.json cannot be read */
	RUN_NEWER,   /* of a format that this rootlet does not know */
};

/* One result: a test that was repeated has several. */
struct run_outcome {
	unsigned int test : 24;	 /* position in the tests of the index */
	unsigned int status : 8; /* enum test_status */
	float seconds;
};

struct indexed_run {
	char *id;
	/* From run.json; NULL if missing. KERNEL is the same for runs with one and the same kernel:
	 * the hash of its image, or its version in a run that has none. */
	char *status, *fstype, *kernel_version, *kernel;
	int64_t began; /* seconds since 1970; 0 if missing */
	enum run_readable readable;
	unsigned int counts[TEST_STATUSES];
	struct run_outcome *outcomes; /* NULL if not asked for */
	size_t outcome_count;
};

void indexed_run_clear(struct indexed_run *run);

/* Whether the run is in progress: it has no status, and its process lives. */
bool indexed_run_busy(const struct indexed_run *run);

/* "passed"; "running"; "cut off" if it has no status and no process; "damaged", "newer format". */
const char *indexed_run_state(const struct indexed_run *run);

/* A sum of bytes: the first call gets SUM_FIRST, each further one what the last returned. */
#define SUM_FIRST UINT64_C(0xcbf29ce484222325)
uint64_t sum_bytes(uint64_t sum, const void *data, size_t size);

enum stamp_result {
	STAMP_GOOD,
	STAMP_FRESH,   /* the files may have changed since without a difference in the stamp */
	STAMP_MISSING, /* there is no run.json: the directory is no run yet */
};

/* Sets STAMP, which changes whenever the run's files do: RUNS is the directory of all runs. */
enum stamp_result run_stamp(int runs, const char *id, uint64_t *stamp);

/* Finds the position of a test, which it adds if it is new. False if there is no memory or no room.
 */
typedef bool find_test(void *context, const char *section, const char *name, unsigned int *at);

/* Reads the run ID, with its outcomes. Returns 0; 1 if there is no such run; or -1 with ERR set if
 * FIND is false, or out of memory. The caller frees RUN's members even then. */
int indexed_run_read(const char *id, find_test *find, void *context, struct indexed_run *run,
		     struct error **err);
