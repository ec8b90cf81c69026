/* Test results, as a list in the run's directory: one JSON object per line, appended as each test
 * ends, so that known results survive whatever happens later. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "frontend/fstests/test_index.h"
#include "lib/error.h"

enum test_status {
	TEST_PASS,
	TEST_FAIL,
	TEST_NOTRUN,
	TEST_EXPUNGED, /* left out by check's -X or -E */
	TEST_EXCLUDED, /* left out by an entry of run_excludes.h, with its reason */
	TEST_CRASH,    /* the kernel crashed during this test */
	TEST_TIMEOUT,
	TEST_UNREACHED, /* the run ended before this test */
	TEST_STATUSES,
};

/* Why a failure does not fail the run. */
enum test_excuse {
	EXCUSE_NONE,
	EXCUSE_RETRIED,	    /* the test passed when it ran again: --retry-failed */
	EXCUSE_QUARANTINED, /* it is a known flake: --quarantine */
	EXCUSES,
};

struct test_result {
	const char *section; /* "" if none */
	const char *name;
	enum test_status status;
	unsigned int guest; /* from 1; 0 if the run had only one */
	enum test_excuse excuse;
	/* Set by results_add(): which result of this test this is, from 1; of the first one, also
	 * how many there are. */
	unsigned int repetition, times;
	double seconds;
	const char *reason; /* one line; may be NULL */
	const char *detail; /* the first lines of the diff or trace; may be NULL */
	/* On a cluster, else NULL: which task had it, and the SHA-256 of the root image. */
	const char *task, *image;
};

/* Owns its strings. */
struct results {
	struct test_result *list;
	size_t count;
	struct test_index index;
	size_t unread; /* lines that results_read() could not use */
};

/* Bytes that a list may have. */
#define RESULTS_MOST (64u << 20)

const char *test_status_name(enum test_status status); /* "pass", … */
const char *test_excuse_text(enum test_excuse excuse); /* "quarantined as …"; "" if none */
bool test_status_parse(const char *text, enum test_status *status);

/* Appends a copy of RESULT. */
int results_add(struct results *r, const struct test_result *result, struct error **err);

/* The test's first result, or NULL. */
const struct test_result *results_find(const struct results *r, const char *section,
				       const char *name);
size_t results_count(const struct results *r, enum test_status status);

/* How many results are failures without an excuse. */
size_t results_unexcused(const struct results *r);

/* A result as printed by --json and saved in the run's directory; returns a new reference. */
json_t *result_to_json(const struct test_result *result);

/* Reads a run's list. Ignores a truncated last line. */
int results_read(int dir, const char *name, struct results *r, struct error **err);

/* Adds what one line of a list says, which is nothing if it is damaged. */
int results_read_line(struct results *r, const char *line, size_t length, struct error **err);

/* Rewrites the list atomically. */
int results_write(int dir, const char *name, const struct results *r, struct error **err);
void results_clear(struct results *r);
