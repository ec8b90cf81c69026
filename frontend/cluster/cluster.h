/* What the command line asks of a cluster: --cluster and the options that go with it. */
#pragma once

#include <stddef.h>

#define CLUSTER_OPTIONS_MOST 64

struct cluster_request {
	const char *engine;    /* NULL: none */
	const char *directory; /* shared by all machines; an absolute path once checked */
	unsigned int tasks;
	const char *options[CLUSTER_OPTIONS_MOST + 1]; /* for the engine, NULL-terminated */
	/* The guests of a task, as on the command line; NULL if not given. The machine that runs
	 * the task works out the numbers. USUAL_MEMORY is the default. */
	const char *jobs, *cpus, *memory, *usual_memory;
	unsigned int task_cpus; /* that the guests of a task use together; 0: unknown */
};
