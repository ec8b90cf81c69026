/* Boots a kernel with vng and runs one command or a shell in it, as root of the guest. The VM lives
 * in a pid namespace that ends when vm_run() returns or when its caller dies, whatever the cause.
 * The guest's writes to its root stay in its own memory. */
#pragma once

#include "frontend/vm/vm_config.h"
#include "lib/error.h"

struct vm_result {
	struct vm_dump dump;
	bool timed_out; /* the timeout expired */
	bool ended;	/* config->watch ended the VM */
	bool started;	/* the command started */
	bool panicked;	/* the kernel panicked */
	int status; /* the guest command's exit status; valid if vm_run() returned 0 and timed_out
		       and ended are false */
	char console[2048]; /* the last lines of the console, without control characters */
};

/* Blocks until the VM is gone. Copies the guest's output to standard output and error as it runs,
 * and standard input to the guest, unless config->output is set. Until the command starts, it does
 * not read standard input, and Ctrl-C on the caller's terminal is a signal to us. From then on,
 * with config->terminal, keys go to the guest, but "~." at the start of a line ends the VM
 * (ERR_INTERRUPTED). Returns 0, or -1 with ERR set: ERR_INTERRUPTED after a signal, ERR_HOST if the
 * host lacks something needed, ERR_SYSTEM if the VM failed (a panic, no boot, no exit status). */
int vm_run(const struct vm_config *config, struct vm_result *result, struct error **err);
