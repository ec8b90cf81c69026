/* What is said of a run at its end. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "frontend/fstests/fstests.h"

void summary_print(const struct fstests_run *run, int status);
json_t *summary_to_json(const struct fstests_run *run, int status);
const char *fstests_status_name(int status); /* "passed", … */

/* What failed, with its first lines, and the reasons for what did not run. */
void results_print(FILE *out, const struct results *results);

/* What fails in AFTER and did not in BEFORE, and so on; returns the number of those. */
size_t comparison_print(FILE *out, const struct results *before, const struct results *after);
json_t *comparison_to_json(const struct results *before, const struct results *after);
