/* Keeps the memory of a guest whose kernel panicked, as an ELF file for crash(8) and gdb. qemu
 * pauses a guest that resets; told so through its monitor, it writes the memory to a FIFO. This
 * process writes the file: with holes for zeros, and only as far as the disk has room. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "frontend/vm/vm_config.h"
#include "lib/error.h"

#define DUMP_POLLED 2
#define DUMP_NONE                                                                                  \
	{                                                                                          \
		.to_monitor = -1, .from_monitor = -1, .data = -1, .file = -1                       \
	}

struct memory_dump {
	const struct vm_config *config;
	enum { DUMP_IDLE, DUMP_RUNNING, DUMP_OVER } state;
	int to_monitor, from_monitor, data, file;
	bool reset;	  /* the guest has reset or powered off, and is paused */
	bool answered;	  /* qemu has said that it has written all */
	int64_t deadline; /* for the next data: milliseconds of the monotonic clock */
	uint64_t size, stored,
		room; /* bytes of the file, without and with holes, and of free space */
	struct vm_dump *result;
	size_t length; /* of the monitor's current line */
	char line[4096];
};

/* Takes ownership of the FIFOs. RESULT is filled in when the dump is over. */
int memory_dump_open(struct memory_dump *d, const struct vm_config *config, int monitor[static 2],
		     int data, struct vm_dump *result, struct error **err);
void memory_dump_close(struct memory_dump *d);

/* Sets up POLLED, and returns how long to wait, in milliseconds; -1 for no limit. */
int memory_dump_prepare(const struct memory_dump *d, struct pollfd polled[static DUMP_POLLED]);

/* Reads what qemu says and writes. */
void memory_dump_serve(struct memory_dump *d);

/* Begins the dump, unless it has begun. */
void memory_dump_begin(struct memory_dump *d);

/* Ends a guest that has powered off. */
void memory_dump_quit(struct memory_dump *d);
