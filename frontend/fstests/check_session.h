/* Runs the tests: guests, and check in them. */
#pragma once

#include "frontend/fstests/fstests.h"

/* Boots as often as it takes. Returns what it came to, or -1 with ERR set where the
 * tests could not be run (or ERR_INTERRUPTED). ERR is set with FSTESTS_NOT_RUN as well, where check
 * ran a part of them only. */
int fstests_session(struct fstests_run *run, struct error **err);
