/* Results as KTAP: a test for each run, with a test for each of its configurations if it has
 * sections, with a test for each result. */
#pragma once

#include "frontend/reports/report_runs.h"

void ktap_print(FILE *out, const struct report *r);
