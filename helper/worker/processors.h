/* How many processes it takes to keep this process's processors busy: at least one, at most
 * MOST. */
#pragma once

#include <sched.h>
#include <stddef.h>

static inline size_t processors(size_t most)
{
	cpu_set_t set;
	size_t count = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		count = (size_t)CPU_COUNT(&set);
	return count < most ? count : most;
}
