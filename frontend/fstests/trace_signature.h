/* What makes two of the kernel's reports equal: their kind, what they say is wrong, and the
 * functions on the stack, without addresses, offsets, line numbers, processes and CPUs. A signature
 * is one line: "KASAN slab-use-after-free: ext4_find_extent ext4_ext_map_blocks". */
#pragma once

#include <stddef.h>

#include "frontend/fstests/incident.h"

#define SIGNATURE_SIZE 640

/* The innermost functions of the first stack; those of the reporting code do not count. */
#define SIGNATURE_FUNCTIONS 8

void trace_signature(enum incident_kind kind, const char *line, const char *trace,
		     char signature[static SIGNATURE_SIZE]);
