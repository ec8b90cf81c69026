/* Adds source lines to a run's traces, if the kernel's build directory has a vmlinux with debug
 * information: "ext4_find_extent+0x5c1/0x6b0 (fs/ext4/extents.c:874)". */
#pragma once

#include "frontend/fstests/kernel_traces.h"
#include "frontend/fstests/run_directory.h"

/* Sets the source of the innermost function in each of TRACES, and writes the first of each kind of
 * trace to RUN_DECODED. BUILD: the kernel's build directory. Does nothing if there are no traces or
 * no vmlinux. */
int trace_decode(const struct kernel_traces *traces, const char *build, const struct run_dir *run,
		 struct error **err);
