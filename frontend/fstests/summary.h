/* The summary at the end of a run. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "frontend/fstests/fstests.h"

void summary_print(const struct fstests_run *run, int status);
json_t *summary_to_json(const struct fstests_run *run, int status);
const char *fstests_status_name(int status); /* "passed", … */

/* Prints "failed: 7 passed, 1 failed, 0 not run", without a newline. */
void summary_print_counts(const struct results *results, int status);

/* Sets "counts" and "failures" in OBJECT. */
void summary_add_results(json_t *object, const struct results *results);

/* Prints the failed tests with the first lines of their output, and the reasons of tests that did
 * not run. */
void results_print(FILE *out, const struct results *results);
