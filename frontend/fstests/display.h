/* What the user sees while tests run, or the events of --json. */
#pragma once

#include "frontend/fstests/fstests.h"

void display_begin(const struct fstests_run *run);
void display_started(const struct fstests_run *run, const char *section, const char *name);
void display_ended(const struct fstests_run *run, const struct test_result *result);
void display_kernel(const struct fstests_run *run, const struct complaint *complaint);
void display_boot(const struct fstests_run *run, const char *why);
void display_complaint(const struct fstests_run *run, const char *line); /* check's */
void display_corrected(const struct fstests_run *run, int count);
void display_tick(const struct fstests_run *run, const char *name, double since);
