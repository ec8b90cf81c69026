/* Boots a kernel with vng and runs one command (or a shell) in it, as root of the guest. The VM
 * lives in a pid namespace that ends when vm_run() returns, and when its caller dies by whatever
 * cause. The guest's root is never changed: what it writes there is in its own memory. */
#pragma once

#include "frontend/vm/vm_config.h"
#include "lib/error.h"

struct vm_result {
	bool timed_out;	    /* TIMEOUT has passed */
	bool ended;	    /* WATCH wanted it */
	bool started;	    /* the command did begin */
	bool panicked;	    /* the kernel did */
	int status;	    /* the guest command's, where 0 was returned and nothing of the above */
	char console[2048]; /* what the console said last; lines without control characters */
};

/* Blocks until the VM is gone. The guest's output goes to standard output and error while it runs,
 * and what is on standard input goes to it, unless OUTPUT takes it. Before the command has begun,
 * no standard input is read, and Ctrl-C on the caller's terminal is a signal to us. From then on,
 * with TERMINAL, keys go to the guest, but "~." at the start of a line ends the VM
 * (ERR_INTERRUPTED). Returns 0, or -1 with ERR set: ERR_INTERRUPTED after a signal, ERR_HOST where
 * the host lacks what it needs, ERR_SYSTEM where the VM failed (a panic, no boot, no exit status).
 */
int vm_run(const struct vm_config *config, struct vm_result *result, struct error **err);
