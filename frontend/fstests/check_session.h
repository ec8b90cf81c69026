/* Runs the tests: boots guests and runs check in them. */
#pragma once

#include "frontend/fstests/fstests.h"

/* Boots as often as needed. Returns an enum fstests_exit, or -1 with ERR set if the tests could not
 * run or on ERR_INTERRUPTED. FSTESTS_NOT_RUN also sets ERR: check ran only some of the tests. */
int fstests_session(struct fstests_run *run, struct error **err);
