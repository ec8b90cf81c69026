/* The tests that a run leaves out: see excludes.h. They are taken from its plan before any of them
 * starts, and their results say why. */
#pragma once

#include <jansson.h>
#include <time.h>

#include "frontend/fstests/fstests.h"

#define EXCLUDE_NONE "none" /* instead of a file: ignore those in the user's directory */

/* Reads the files PATHS, NULL-terminated, and those in ~/.config/rootlet/excludes. */
int run_excludes_read(struct run_excludes *e, const char *const *paths, struct error **err);

/* Adds what a configuration excludes there. Nobody is told if such an entry matches nothing. */
int run_excludes_add(struct run_excludes *e, const struct test_configuration *c,
		     struct error **err);

/* Sets what the conditions are about. The strings stay the caller's. Days change at midnight UTC.
 */
void run_excludes_settle(struct run_excludes *e, const char *kernel, const char *fstypes,
			 time_t when);

/* Says which entries have expired, and which name tests that the run's tree lacks. */
void run_excludes_note(const struct fstests_run *run);

/* Writes the entries to the run's directory, or reads them from there. */
int run_excludes_keep(const struct fstests_run *run, struct error **err);
int run_excludes_reopen(struct fstests_run *run, struct error **err);

/* Moves the excluded tests from the run's plan to OUT, with reasons. Of a run in parts, the first
 * part reports them: OUT stays empty in the others. The caller clears OUT. */
int run_excludes_cut(struct fstests_run *run, struct results *out, struct error **err);

/* How many entries there are, and which have expired, name unknown tests, or left out nothing. NULL
 * for a run without entries. */
json_t *run_excludes_to_json(const struct fstests_run *run);
