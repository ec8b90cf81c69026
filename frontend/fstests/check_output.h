/* Parses the output of fstests' `check` as it is printed: which test runs, and how each one ended.
 * Knows the forms of check's _dump_err, and "[not run]", "[expunged]" and "[failed, exit status
 * N]". If the guest dies, the output may stop in the middle of a line. Source: check and common/rc
 * of fstests. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "frontend/fstests/results.h"

struct check_output;

/* Callbacks; each may be NULL. SECTION is "" if the configuration has no sections. A RESULT's
 * strings belong to the parser and are valid only during the call; the callback copies what it
 * needs. */
struct check_events {
	void (*section)(const char *name, void *context);
	void (*started)(const char *section, const char *name, void *context);
	void (*ended)(const struct test_result *result, void *context);
	/* check complained about its arguments or configuration, in a line of its own. UNKNOWN is
	 * the name of a test that check does not know and skips, or NULL for any other complaint.
	 */
	void (*complained)(const char *line, const char *unknown, void *context);
	void *context;
};

struct check_output *check_output_new(const struct check_events *events);
void check_output_feed(struct check_output *c, const char *data, size_t size);

/* Ends the input. Reports a test whose result is complete. Returns the name of a test that was
 * still running (valid until check_output_free), or NULL. */
const char *check_output_end(struct check_output *c);
void check_output_free(struct check_output **c);

/* Returns the length of the test name ("generic/001", "xfs/1234-x") at the start of TEXT, or 0 if
 * none. */
size_t test_name_length(const char *text);
