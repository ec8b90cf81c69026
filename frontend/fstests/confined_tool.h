/* Runs a program of the host that parses what a guest, or the builder of a kernel, may have
 * written. It can use the system's programs and libraries and the places that it is given, and
 * reaches no network and no other process. */
#pragma once

#include <sys/resource.h>

#include "lib/error.h"
#include "lib/landlock_domain.h"

#define CONFINED_TOOL_PLACES 8

struct confined_tool {
	const char *const *argv; /* argv[0] is looked up in the system's directories */
	struct landlock_place places[CONFINED_TOOL_PLACES]; /* a path NULL ends them */
	const char *work;				    /* TMPDIR and HOME; NULL for none */
	rlim_t seconds, memory, file; /* of processor time; bytes; 0: no limit */
};

/* STDIO as for child_start(). Returns the exit status, as child_wait() does: 126 if the program
 * could not be confined, 127 if it is not installed; or -1 with ERR set. */
int confined_tool_run(const struct confined_tool *tool, const int stdio[3], struct error **err);
