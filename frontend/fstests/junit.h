/* Writes results as JUnit XML. */
#pragma once

#include "frontend/fstests/results.h"

int junit_write(const char *path, const struct results *results, const char *suite,
		struct error **err);
