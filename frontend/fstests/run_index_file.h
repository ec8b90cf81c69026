/* The index of runs (run_index.h) as a database. Each row has a sum over what it holds, because
 * SQLite does not notice every damage. */
#pragma once

#include "frontend/fstests/indexed_run.h"

struct indexed_test {
	char *section, *name;
};

struct run_index {
	struct indexed_run *runs; /* by id, the oldest first */
	size_t run_count;
	struct indexed_test *tests;
	size_t test_count;
};

void run_index_clear(struct run_index *index);

/* Adds the run NAME, as run_dir_open() takes it, with its outcomes, as the last one. */
int run_index_add(struct run_index *index, const char *name, struct error **err);

enum index_result {
	INDEX_GOOD,
	INDEX_DAMAGED,	/* make it again */
	INDEX_UNUSABLE, /* use another one */
	INDEX_ERROR,	/* with ERR set */
};

/* Opens the database PATH, brings it up to date with the runs IDS (sorted), which are in the
 * directory RUNS, and reads it into OUT. PATH NULL: in memory, beginning as a copy of the file
 * COPIED if that is good. */
enum index_result index_file_read(const char *path, const char *copied, int runs, char *const *ids,
				  size_t count, bool outcomes, struct run_index *out,
				  struct error **err);
