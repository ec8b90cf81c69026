/* The code that a run's tests executed: what the guests read from the kernel's gcov, and the file
 * that lcov makes of it. */
#pragma once

#include "frontend/fstests/run_directory.h"

struct coverage {
	unsigned int tars; /* gcov-1.tar … in the run's directory */
	bool info;	   /* and gcov.info beside them */
};

/* Moves what the guests left in the results of RUN to its directory, and runs lcov, which finds the
 * compiler's notes in BUILD, the kernel's build directory; NULL if unknown. Returns -1 with ERR set
 * if there is nothing, or if lcov failed; ERR_MISSING if it is not installed. */
int coverage_collect(const struct run_dir *run, const char *build, struct coverage *coverage,
		     struct error **err);
