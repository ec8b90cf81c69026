/* How often each kernel must be tested, so that a bisect ends at the right commit. */
#pragma once

#include <stddef.h>

/* How often the whole bisect may be wrong, if the rate of failures is right. */
#define BISECT_ERROR 0.01

/* How many kernels git tests between COMMITS commits, at most: rounded up log2. */
unsigned int bisect_steps(size_t commits);

/* How often a kernel must pass to count as good. RATE: how often the bad end fails. A bad commit
 * passes N times by chance with (1 - RATE)^N; STEPS such commits must not add up to more than
 * BISECT_ERROR. A rate of 1 needs one pass. 0: the rate is 0, and no number is enough. */
unsigned int bisect_repeats(double rate, unsigned int steps);
