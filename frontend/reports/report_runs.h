/* The runs that a report is about, read once for all formats. Guests, and other machines, wrote
 * what is in them: sizes are bounded, no link leads out of a run, and text is cleaned. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "frontend/fstests/results.h"
#include "frontend/fstests/run_directory.h"

#define REPORT_RUNS_MOST 100

struct report_run {
	struct run_dir dir;
	json_t *record; /* run.json */
	struct results results;
	json_t *kernel;	   /* the objects of kernel.jsonl */
	const char *state; /* its status, "running" or "cut off" */
	int64_t began;	   /* seconds since 1970; 0 if unknown */
	size_t unread;	   /* lines that are damaged, or that a newer rootlet wrote */
};

struct report {
	struct report_run *runs; /* the oldest first */
	size_t count;
};

/* Reads the runs NAMES, NULL-terminated. ERR_INPUT if one is damaged, has a newer format, or is
 * named twice. The caller clears R in any case. */
int report_read(char *const *names, struct report *r, struct error **err);
void report_runs_clear(struct report *r);

/* A text of the run's record, or NULL. */
const char *report_text(const struct report_run *run, const char *key);

/* The result's configuration: its section or, if it has none, the run's filesystem. */
const char *report_configuration(const struct report_run *run, const struct test_result *result);

/* Whether the test failed, crashed the kernel or timed out. */
bool report_is_bad(enum test_status status);

/* Whether it failed, and that does not fail the run: --retry-failed, --quarantine. */
bool report_is_excused(const struct test_result *result);

/* The word for people: "failed", "not run". */
const char *report_word(enum test_status status);

/* Reads the beginning of a file that the test left in results/, as text: SUFFIX is "out.bad".
 * *SIZE becomes the size of the file. NULL if it is missing. The caller frees it. */
char *report_read_file(const struct report_run *run, const struct test_result *result,
		       const char *suffix, size_t most, uint64_t *size);
