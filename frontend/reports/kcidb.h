/* Results for KCIDB, the database of kernel test results: version 5.3 of its format, checked
 * against kcidb-io. Each test is "xfstests.NAME", with '_' for the slash: KCIDB's paths have two
 * parts. */
#pragma once

#include "frontend/reports/report_runs.h"

/* ORIGIN: the CI system's name; BUILD: the id of the kernel's build at KCIDB, or NULL. Returns a
 * new reference, or NULL with ERR set: ERR_INPUT if one of these is not what KCIDB accepts. */
json_t *kcidb_of_report(const struct report *r, const char *origin, const char *build,
			struct error **err);
