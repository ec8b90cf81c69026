/* What the user sees while tests run, or the events of --json. GUEST is 0 if the run has only one.
 */
#pragma once

#include "frontend/fstests/fstests.h"

void display_begin(const struct fstests_run *run);
void display_started(const struct fstests_run *run, unsigned int guest, const char *section,
		     const char *name);
void display_ended(const struct fstests_run *run, const struct test_result *result);
void display_kernel(const struct fstests_run *run, json_t *report); /* a line of kernel.jsonl */
void display_boot(const struct fstests_run *run, unsigned int guest, const char *why);
void display_retired(const struct fstests_run *run, unsigned int guest, const char *why);
void display_complaint(const struct fstests_run *run, const char *line); /* check's */
void display_corrected(const struct fstests_run *run, int count);

/* RUNNING names the COUNT tests that run now, with their times. */
void display_tick(const struct fstests_run *run, const char *running, unsigned int count);
