/* What a VM is made of: its root, disks, shares and command, and who is told what happens. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/vm/kernel.h"

#define VM_SHARES_MAX 16
#define VM_DISKS_MAX 32

/* What the guest has as its root. */
enum vm_root_kind {
	VM_ROOT_TREE, /* a rootfs, exported by 9p or virtiofs, under layers in the guest's memory */
	VM_ROOT_IMAGE, /* a disk with a filesystem, under one such layer */
	VM_ROOT_HOST,  /* the host's own root, as vng has it by default */
};

struct vm_root {
	enum vm_root_kind kind;
	const char *path;   /* absolute: the rootfs, or the image */
	const char *fstype; /* of the image */
	bool virtiofs;	    /* tree: where a virtiofsd is found; else 9p */
	int userns; /* the helper's level-1 user namespace, which stays the caller's; with an
			image, -1 if an installed helper keeps it to itself */
};

/* A folder of the host that the guest sees at the path GUEST. */
struct vm_share {
	const char *host, *guest; /* absolute */
	bool read_only;
};

/* In the order given: /dev/vda, /dev/vdb … (an image root is the last). NAME is the serial number,
 * at most 20 of [a-z0-9-]. */
struct vm_disk {
	uint64_t size;	  /* bytes of a sparse file, empty, gone with the VM; or */
	const char *path; /* a file or block device, absolute */
	char name[21];
	bool read_only;
	bool memory; /* the sparse file lies in memory */
};

/* The command's terminal in the guest, as under `ssh -t`. */
struct vm_terminal {
	char type[64]; /* TERM */
	unsigned short rows, columns;
};

struct vm_config {
	struct vm_root root;
	const struct kernel *kernel;
	const char *memory; /* as qemu has it: "2G" */
	const char *cpus;
	const char *append;	      /* for the kernel's command line; may be NULL */
	const char *const *vng_words; /* further options for vng, NULL-terminated; may be NULL */
	const struct vm_share *shares;
	size_t share_count;
	const struct vm_disk *disks;
	size_t disk_count;
	unsigned int timeout; /* seconds; 0: none */
	bool kvm;	      /* else emulation */
	bool unsealed;	      /* vng and qemu see all of the host, read-only, and its processes */
	char *const *argv;    /* NULL: a login shell; TERMINAL is set then */
	/* Connected to the caller's terminal, which is standard input and output; else NULL, and
	 * the command has three separate streams. */
	const struct vm_terminal *terminal;
	const char *script; /* vm_run() sets it: what the guest runs */

	/* Who takes what the guest prints and when the VM has to end; each may be NULL. With OUTPUT
	 * (FD says which: the command's standard output or error) nothing is read from standard
	 * input. WATCH is
	 * called after every event and says after how many milliseconds again (-1: no matter), or 0
	 * to end the VM now. STARTED is called once, before the first that the command says is
	 * passed on. AGAIN is called before a second boot: the first kernel died before the command
	 * began, for a reason that a busy host causes (WHY, a sentence without its end). */
	void (*started)(void *context);
	void (*again)(const char *why, void *context);
	void (*output)(int fd, const char *data, size_t size, void *context);
	void (*console)(const char *data, size_t size, void *context);
	int (*watch)(void *context);
	void *context;
};
