/* The process that downloads files and parses them: forked from the front end, confined, and served
 * by its parent through one channel (fetch_message.h). It has its own session, so that Ctrl-C
 * reaches only its parent, and is killed when the parent exits. */
#pragma once

#include <sys/types.h>

#include "frontend/archive/fetch_sandbox.h"
#include "lib/error.h"

struct fetch_process {
	pid_t pid;   /* -1: none */
	int channel; /* to it; -1: none */
};
#define FETCH_PROCESS_NONE ((struct fetch_process){ -1, -1 })

/* The code that runs in the process. */
struct fetch_task {
	/* Called before the process is confined; may be NULL. CHANNEL leads to the parent, and is
	 * the only descriptor left of the parent's. Returns 0, or -1 with ERR set. */
	int (*prepare)(int channel, void *context, struct error **err);
	/* Called in the sandbox. Returns an exit status. */
	int (*run)(int channel, void *context);
	void *context;
};

/* Returns 0 once the process is confined and running, or -1 with ERR set and no process left. */
int fetch_process_start(const struct fetch_task *task, const struct fetch_sandbox *sandbox,
			struct fetch_process *process, struct error **err);

/* Closes the channel, gives the process half a second to save its drafts, then kills it. Returns
 * its waitpid(2) status, or -1 if there was none. */
int fetch_process_stop(struct fetch_process *process);

/* Sets ERR_SYSTEM: it exited without a reply. STATUS comes from fetch_process_stop(). */
int fetch_process_lost(int status, struct error **err);
