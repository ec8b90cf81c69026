/* Reads what fstests' `check` prints, while it prints it: which test runs, and how each ended.
 * Knows the forms of check's _dump_err, its "[not run]", "[expunged]" and "[failed, exit status
 * N]", and that a line may be cut anywhere, where a guest died. Source: check and common/rc of
 * fstests. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "frontend/fstests/results.h"

struct check_output;

/* Each may be NULL. SECTION is "" where the configuration has none. A RESULT is the callee's to
 * keep: its strings are the parser's and gone afterwards. */
struct check_events {
	void (*section)(const char *name, void *context);
	void (*started)(const char *section, const char *name, void *context);
	void (*ended)(const struct test_result *result, void *context);
	/* Of its own words or configuration, in a line of its own. UNKNOWN: the name of a test that
	 * it does not know and leaves out; NULL: it said something else. */
	void (*complained)(const char *line, const char *unknown, void *context);
	void *context;
};

struct check_output *check_output_new(const struct check_events *events);
void check_output_feed(struct check_output *c, const char *data, size_t size);

/* The output has ended. A test whose result had been seen is reported; the name of one that was
 * still running is returned (valid until check_output_free), else NULL. */
const char *check_output_end(struct check_output *c);
void check_output_free(struct check_output **c);

/* The length of a test's name ("generic/001", "xfs/1234-x") at the start of TEXT; 0: none. */
size_t test_name_length(const char *text);
