/* How many guests run at once, and how many processors and how much memory each of them gets. */
#pragma once

#include "frontend/vm/vm_options.h"
#include "lib/error.h"

struct guest_count {
	unsigned int guests;
	char cpus[CPUS_TEXT], memory[24]; /* of each, in qemu's syntax */
};

/* What the host has. */
struct guest_host {
	unsigned int cpus;
	uint64_t memory; /* MiB that new programs can use */
};

struct guest_host guest_host_read(void);

/* GUESTS is a number or "auto". CPUS and MEMORY are what the user wants for each guest, or NULL:
 * then the host's are divided, and a guest gets at most USUAL of memory. ERR_INPUT if GUESTS is
 * neither, or more than fit into the memory that the host has free. */
int guest_count_choose(const struct guest_host *host, const char *guests, const char *cpus,
		       const char *memory, const char *usual, struct guest_count *out,
		       struct error **err);
