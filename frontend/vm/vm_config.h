/* The configuration of a VM: root, disks, shared directories, command, and callbacks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/vm/kernel.h"

#define VM_SHARES_MAX 16
#define VM_DISKS_MAX 32
#define VM_OVERLAYS_MAX 4
#define VM_DUMP_NAME "vmcore"

/* The kind of the guest's root filesystem. */
enum vm_root_kind {
	VM_ROOT_TREE,  /* a rootfs over 9p or virtiofs, with overlays in the guest's memory */
	VM_ROOT_IMAGE, /* a filesystem on a disk, with one such overlay */
	VM_ROOT_HOST,  /* the host's own root, vng's default */
};

struct vm_root {
	enum vm_root_kind kind;
	const char *path;      /* absolute path of the rootfs or image */
	const char *fstype;    /* of the image */
	bool virtiofs;	       /* tree: use virtiofs, otherwise 9p */
	char *const *overlays; /* image: paths of images that lie on it, from the lowest on */
	size_t overlay_count;
	int userns; /* the helper's outer user namespace; owned by the caller. -1 for an image whose
		       installed helper does not share it */
};

/* A host directory that the guest sees at the path GUEST. */
struct vm_share {
	const char *host, *guest; /* absolute */
	bool read_only;
};

/* The guest sees disks as /dev/vda, /dev/vdb … in this order; those of an image root come last.
 * NAME becomes the serial number: at most 20 characters of [a-z0-9-]. */
struct vm_disk {
	uint64_t size;	  /* size in bytes of a new sparse file, deleted with the VM; or */
	const char *path; /* absolute path of an existing file or block device */
	char name[21];
	bool read_only;
	bool memory; /* keep the sparse file in memory */
};

/* The command's terminal in the guest, as under `ssh -t`. */
struct vm_terminal {
	char type[64]; /* TERM */
	unsigned short rows, columns;
};

/* A VM with config->gdb: it waits, runs under the debugger, or runs without it again. */
enum vm_debugger { VM_DEBUGGER_AWAITED, VM_DEBUGGER_ATTACHED, VM_DEBUGGER_LEFT };

/* What became of a guest's memory: config->dump. */
struct vm_dump {
	uint64_t bytes;	   /* size of the file; 0: no file */
	char failure[200]; /* why; "" if there was no reason to write one */
};

struct vm_config {
	struct vm_root root;
	const struct kernel *kernel;
	const char *memory; /* in qemu's syntax: "2G" */
	const char *cpus;
	const char *append;	      /* for the kernel command line; may be NULL */
	const char *const *vng_words; /* further options for vng, NULL-terminated; may be NULL */
	const struct vm_share *shares;
	size_t share_count;
	const struct vm_disk *disks;
	size_t disk_count;
	unsigned int timeout;	   /* seconds; 0 for none */
	unsigned int boot_timeout; /* seconds until the command starts; 0: see boot_limit.h */
	bool kvm;		   /* otherwise emulated */
	bool gdb;		   /* do not start before a debugger says so: debugger.h */
	/* Keep the memory of a kernel that panics as VM_DUMP_NAME in this directory, unless that
	 * exists: memory_dump.h. Not with the host's root. */
	bool dump;
	bool dump_virtual; /* with virtual addresses, which qemu reads from the page tables */
	int dump_directory;
	bool unsealed;	   /* vng and qemu see the whole host, read-only, and its processes */
	char *const *argv; /* NULL for a login shell, which needs TERMINAL */
	/* Connects the command to the caller's terminal, which is standard input and output. If
	 * NULL, the command has three separate streams. */
	const struct vm_terminal *terminal;
	bool input;	    /* with `output` below: still copy standard input to the guest */
	const char *script; /* what the guest runs; vm_run() sets it */

	/* Callbacks; each may be NULL. `output` receives the command's output instead of standard
	 * output and error (FD tells which); nothing is then read from standard input. `watch` is
	 * called after every event and returns the milliseconds until the next call (-1: no limit),
	 * or 0 to end the VM. `started` is called once, before the command's first output is passed
	 * on. `again` is called before a second boot, if the first kernel died before the command
	 * started, for a reason typical of a busy host (WHY, without a final period). `debugger` is
	 * called when a VM with `gdb` begins to wait at SOCKET, and each time a debugger comes or
	 * goes; until it is gone, no time limit counts. */
	void (*started)(void *context);
	void (*again)(const char *why, void *context);
	void (*output)(int fd, const char *data, size_t size, void *context);
	void (*console)(const char *data, size_t size, void *context);
	int (*watch)(void *context);
	void (*debugger)(enum vm_debugger state, const char *socket, void *context);
	void *context;
};
