/* The tests of a run, and check's arguments for the remaining ones. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "frontend/fstests/results.h"

struct planned {
	char *section, *name; /* section "" if none */
};

struct test_plan {
	struct planned *list;
	size_t count;
};

/* Reads a plan from the output of `check -n`. EXCLUDED gets the tests that the user left out. */
int test_plan_read(int dir, const char *file, struct test_plan *plan, struct test_plan *excluded,
		   struct error **err);

/* Makes a plan from check's arguments. Returns false if they are anything but single test names. */
bool test_plan_of_words(char *const *words, size_t count, struct test_plan *plan);

/* False if out of memory. */
bool test_plan_add(struct test_plan *plan, const char *section, const char *name);

bool test_plan_has(const struct test_plan *plan, const char *section, const char *name);
void test_plan_clear(struct test_plan *plan);

/* check's arguments for one boot. */
struct batch {
	char **words; /* NULL-terminated */
	size_t count;
};

/* Returns how many planned tests have no result. */
size_t test_plan_left(const struct test_plan *plan, const struct results *results);

/* Builds a batch with the remaining tests of the first unfinished section; the plan's sections are
 * contiguous. Returns false if nothing is left. The caller clears BATCH. */
bool test_plan_next(const struct test_plan *plan, const struct results *results,
		    struct batch *batch);

/* Appends a copy of WORD. Returns -1 if out of memory. */
int batch_add(struct batch *batch, const char *word);
void batch_clear(struct batch *batch);
