/* Results as JUnit has them. */
#pragma once

#include "frontend/fstests/results.h"

int junit_write(const char *path, const struct results *results, const char *suite,
		struct error **err);
