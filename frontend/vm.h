/* Boots a kernel on a rootfs with vng and runs one command (or a shell) in it, as root of the
 * guest. The VM lives in a pid namespace that ends when vm_run() returns, and when its caller dies
 * by whatever cause. The guest sees the tree read-only, under layers in its own memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/kernel.h"
#include "proto/error.h"

#define VM_RWDIRS_MAX 16
#define VM_DISKS_MAX 16

struct vm_config {
	const char *tree; /* absolute path of the rootfs */
	const struct kernel *kernel;
	const char *memory; /* as qemu has it: "2G" */
	const char *cpus;
	const char *append;	   /* for the kernel's command line; may be NULL */
	const char *const *rwdirs; /* absolute; mounted read-write at the same path in the guest */
	size_t rwdir_count;
	const uint64_t *disks; /* sizes in bytes of the scratch disks: /dev/vda, /dev/vdb … */
	size_t disk_count;
	unsigned int timeout; /* seconds; 0: none */
	bool kvm;	      /* else emulation */
	char *const *argv;    /* NULL: a shell on the caller's terminal */
	/* Where set, these get the command's standard output and error instead of our own; false
	 * ends the VM, as nobody reads it any more. */
	bool (*output)(const char *data, size_t size, void *context);
	void *out_context, *error_context;
};

struct vm_result {
	bool timed_out;
	int status;	    /* the guest command's, where it did not time out */
	char console[2048]; /* what the console said last; lines without control characters */
};

/* Blocks until the VM is gone. USERNS is the helper's level-1 user namespace. The guest's output
 * goes to standard output and error while it runs, and what is on standard input goes to it.
 * Returns 0, or -1 with ERR set: ERR_INTERRUPTED after a signal, ERR_HOST where the host lacks what
 * it needs, ERR_SYSTEM where the VM failed (a panic, no boot, no exit status). */
int vm_run(int userns, const struct vm_config *config, struct vm_result *result,
	   struct error **err);
