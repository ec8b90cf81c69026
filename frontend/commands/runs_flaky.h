/* rootlet runs flaky: how often each test failed over the kept runs. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

struct flaky_request {
	/* The runs and tests that count. NULL: all. */
	const char *fstype;
	const char *configuration; /* a pattern, as is `kernel`: fnmatch(3) */
	const char *kernel;
	bool json;
};

/* Returns an exit status, or -1 with ERR set. */
int runs_flaky(const struct flaky_request *request, struct error **err);
