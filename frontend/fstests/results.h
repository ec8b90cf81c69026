/* The results of tests, as a list that is kept in a run's folder: one JSON object a line, appended
 * as each test ends, so that what was known survives whatever happens afterwards. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "lib/error.h"

enum test_status {
	TEST_PASS,
	TEST_FAIL,
	TEST_NOTRUN,
	TEST_EXPUNGED, /* left out on the user's wish */
	TEST_CRASH,    /* the kernel did, under this test */
	TEST_TIMEOUT,
	TEST_UNREACHED, /* the run ended before it */
	TEST_STATUSES,
};

struct test_result {
	const char *section; /* "" where there is none */
	const char *name;
	enum test_status status;
	double seconds;
	const char *reason; /* one line; may be NULL */
	const char *detail; /* the first lines of the difference, of a trace; may be NULL */
};

/* Its strings are its own. */
struct results {
	struct test_result *list;
	size_t count;
};

const char *test_status_name(enum test_status status); /* "pass", … */

/* Copies RESULT to the end. */
int results_add(struct results *r, const struct test_result *result, struct error **err);
const struct test_result *results_find(const struct results *r, const char *section,
				       const char *name);
size_t results_count(const struct results *r, enum test_status status);

/* What --json and the run's folder have of one result; a new reference. */
json_t *result_to_json(const struct test_result *result);

/* Reads a run's list, as far as it goes: a last line that is cut is passed over. */
int results_read(int folder, const char *name, struct results *r, struct error **err);

/* Writes the list anew, in one step. */
int results_write(int folder, const char *name, const struct results *r, struct error **err);
void results_clear(struct results *r);
