/* The way in for a debugger: a socket in a private directory of the caller's. What arrives there
 * goes to qemu's gdb stub and back, through two FIFOs: qemu itself can neither make a socket nor
 * accept a connection. One debugger at a time; another can come when it is gone. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "frontend/cli/progress.h"
#include "frontend/cli/stream.h"
#include "frontend/vm/kernel.h"
#include "frontend/vm/vm_config.h"
#include "lib/error.h"

#define DEBUGGER_POLLED 3
#define DEBUGGER_NONE                                                                              \
	{                                                                                          \
		.listener = -1, .client = -1, .to_stub = -1, .from_stub = -1                       \
	}

struct debugger {
	enum vm_debugger state;
	int listener, client, to_stub, from_stub;
	bool resuming;	 /* the stub is being made ready for a debugger that is not the first */
	bool answered;	 /* and has begun its answer */
	int64_t settled; /* when to stop waiting for that: milliseconds of the monotonic clock */
	struct stream in, out;
	char directory[96], path[104]; /* path: that of the socket */
};

/* Opens the socket. Takes ownership of the FIFOs: what is written to TO_STUB reaches the stub. */
int debugger_open(struct debugger *d, int to_stub, int from_stub, struct error **err);
void debugger_close(struct debugger *d);

/* Sets up POLLED, and returns how long to wait, in milliseconds; -1 for no limit. */
int debugger_prepare(const struct debugger *d, struct pollfd polled[static DEBUGGER_POLLED]);

/* Moves what can be moved now. Returns true if D's state has changed. */
bool debugger_serve(struct debugger *d, const struct pollfd polled[static DEBUGGER_POLLED]);

/* Tells the user: with VM_DEBUGGER_AWAITED the command line that attaches gdb, also if PROGRESS is
 * NULL. */
void debugger_tell(struct progress *progress, const struct kernel *kernel, enum vm_debugger state,
		   const char *socket);
