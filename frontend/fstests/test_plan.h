/* Which tests a run is to do, and with which words check is asked for what is left of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "frontend/fstests/results.h"

struct planned {
	char *section, *name; /* section "" : none */
};

struct test_plan {
	struct planned *list;
	size_t count;
};

/* From what `check -n` printed. */
int test_plan_read(int folder, const char *file, struct test_plan *plan, struct error **err);

/* From check's own words, where they name tests one by one and nothing else: true, else false. */
bool test_plan_of_words(char *const *words, size_t count, struct test_plan *plan);

bool test_plan_has(const struct test_plan *plan, const char *section, const char *name);
void test_plan_clear(struct test_plan *plan);

/* What check is to be asked for in one boot; words[0] on. */
struct batch {
	char **words; /* NULL-terminated */
	size_t count;
};

/* How many of the plan have no result. */
size_t test_plan_left(const struct test_plan *plan, const struct results *results);

/* What is left to do of one section after RESULTS; sections of the plan come one after the other,
 * so that each call gives a batch of the first one that is not done. Returns false where nothing is
 * left. ITSELF is the caller's to clear. */
bool test_plan_next(const struct test_plan *plan, const struct results *results,
		    struct batch *batch);
int batch_of_words(char *const *words, size_t count, struct batch *batch);
void batch_clear(struct batch *batch);
