/* Runs tests of a run again, once the rootfs has what they did not find. */
#pragma once

#include "frontend/fstests/fstests.h"
#include "frontend/fstests/not_run.h"

/* Forgets the results of tests that can run now, and makes them the run's plan. Returns how many
 * these are, or -1 with ERR set. fstests_session() then runs them, and no others. */
int second_pass_plan(struct fstests_run *run, const struct lackings *lackings, struct error **err);
