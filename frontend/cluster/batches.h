/* The batches into which a run is cut for the tasks that share it. The text of a batch is a JSON
 * array of its tests, all of one section. That of the first batch may be BATCH_LIST instead: the
 * task that takes it lists the tests. */
#pragma once

#include <jansson.h>

#include "frontend/fstests/durations.h"
#include "frontend/fstests/test_plan.h"
#include "frontend/fstests/test_queue.h"

#define BATCH_LIST "list"

/* Cuts PLAN for WORKERS guests: the longest tests first, those that run alone last. A batch has a
 * test or, if they are short, several: as much as one of many lost tasks may cost. DURATIONS and
 * GROUPS may be NULL. The caller frees the texts and their array, also after an error: ERR_INPUT
 * if the plan is one that no fstests has. */
int batches_cut(const struct test_plan *plan, const struct durations *durations,
		const struct test_groups *groups, unsigned int workers, char ***texts,
		size_t *count, struct error **err);

/* Parses a batch's text, which is not trusted; a new reference. NULL with ERR_INPUT. */
json_t *batch_parse(const char *text, struct error **err);

/* Returns test I of BATCH; the strings are the batch's. */
struct queued_test batch_test(const json_t *batch, size_t i);
