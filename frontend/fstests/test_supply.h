/* Where the guests of a run get their tests from while it goes on, if not from the run's own plan:
 * from a queue that several machines share. */
#pragma once

#include "frontend/fstests/test_plan.h"
#include "frontend/fstests/test_queue.h"
#include "lib/error.h"

enum supply_answer {
	SUPPLY_ADDED, /* there is more in the queue */
	SUPPLY_LIST,  /* list the tests first, and hand the list to `listed` */
	SUPPLY_WAIT,  /* ask again later */
	SUPPLY_OVER,  /* there will be no more */
	SUPPLY_ERROR, /* with ERR set: the run ends */
};

struct test_supply {
	/* Adds tests to QUEUE. Called often, whenever a guest has nothing to do. */
	enum supply_answer (*more)(struct test_queue *queue, void *context, struct error **err);
	/* check -n has listed the tests in the file LIST of the run's results, with STATUS. */
	int (*listed)(int status, void *context, struct error **err);
	/* A test from here has its result, or was skipped by check. */
	int (*ended)(const char *section, const char *name, void *context, struct error **err);
	void *context;
};
