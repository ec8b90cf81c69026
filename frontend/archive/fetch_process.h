/* The process that downloads, and parses what comes: forked from the front end, confined, and
 * served by its parent through one channel (fetch_message.h). It has a session of its own, so that
 * Ctrl-C reaches its parent alone, and ends when that does. */
#pragma once

#include <sys/types.h>

#include "frontend/archive/fetch_sandbox.h"
#include "lib/error.h"

struct fetch_process {
	pid_t pid;   /* -1: none */
	int channel; /* to it; -1: none */
};
#define FETCH_PROCESS_NONE ((struct fetch_process){ -1, -1 })

/* What runs in it. */
struct fetch_task {
	/* Before it is confined; NULL: nothing. CHANNEL leads to its parent, and is all that it has
	 * of its parent's descriptors. Returns 0, or -1 with ERR set. */
	int (*prepare)(int channel, void *context, struct error **err);
	/* Afterwards. Returns an exit status. */
	int (*run)(int channel, void *context);
	void *context;
};

/* Returns 0 once it is confined and runs, or -1 with ERR set and nothing left. */
int fetch_process_start(const struct fetch_task *task, const struct fetch_sandbox *sandbox,
			struct fetch_process *process, struct error **err);

/* Closes the channel, gives the process half a second to put its drafts away, and ends it. Returns
 * its status as waitpid(2) has it, or -1 if there was none. */
int fetch_process_stop(struct fetch_process *process);

/* ERR_SYSTEM: it left without an answer. STATUS is that of fetch_process_stop(). */
int fetch_process_lost(int status, struct error **err);
