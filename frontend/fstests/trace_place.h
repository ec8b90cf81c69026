/* Places in the kernel's code, as its traces name them: "ext4_find_extent+0x5c1/0x6b0 [ext4]".
 * Source: Linux Documentation/core-api/printk-formats.rst, %pS and %pB. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace_place {
	const char *name, *module; /* not terminated; no module: its length is 0 */
	size_t name_length, module_length;
	uint64_t offset, size;
	const char *end; /* of its text */
	bool sure;	 /* not "? NAME+…", for which the unwinder does not vouch */
	bool frame;	 /* a frame of the stack: a return address, behind the call */
};

/* Finds the first place between FROM and END in a line that begins at LINE. */
bool trace_place_find(const char *line, const char *from, const char *end,
		      struct trace_place *place);
