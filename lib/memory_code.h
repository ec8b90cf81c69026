/* Keeps a process from making code of its writable memory: PR_SET_MDWE in prctl(2). */
#pragma once

#include <stdbool.h>
#include <sys/prctl.h>

/* INHERITED: this also holds for children and for programs that the process executes. Cannot be
 * undone. Linux before 6.3 lacks the call, and before 6.6 it is always inherited: then the process
 * stays as it is. */
static inline void memory_refuse_code(bool inherited)
{
	const int set_mdwe = 65, refuse_exec_gain = 1, no_inherit = 2;

	prctl(set_mdwe, inherited ? refuse_exec_gain : refuse_exec_gain | no_inherit, 0, 0, 0);
}
