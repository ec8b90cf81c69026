/* Writes results as JUnit XML. */
#pragma once

#include <jansson.h>

#include "frontend/fstests/results.h"

struct junit_suite {
	const char *name;
	const struct results *results;
	const json_t *record; /* as below */
};

/* SUITE: the name of the test suite. RECORD: the run's run.json; what it says of the kernel, the
 * rootfs and their hashes becomes properties. NULL: none. */
int junit_write(const char *path, const struct results *results, const char *suite,
		const json_t *record, struct error **err);

/* The same for several runs. */
int junit_write_suites(const char *path, const struct junit_suite *suites, size_t count,
		       struct error **err);
