/* Which tests run in which configurations. */
#pragma once

#include "frontend/fstests/configuration.h"
#include "frontend/fstests/test_plan.h"

/* Plans the tests of NAMES for each configuration. False if check might skip one, or if out of
 * memory: it runs generic tests and those of the filesystem. */
bool configurations_plan(const struct configurations *c, const struct test_plan *names,
			 struct test_plan *plan);

/* The section of a configuration without a test in PLAN, in OUT: it could not be prepared, or
 * listed. NULL if all have some. */
const char *configurations_unplanned(const struct configurations *c, const struct test_plan *plan,
				     char out[static CONFIGURATION_SIZE]);
