#include "frontend/bisect/bisect_plan.h"

#include <math.h>

#define REPEATS_MOST 100000.0

unsigned int bisect_steps(size_t commits)
{
	unsigned int steps = 0;

	while (commits > 1) {
		commits -= commits / 2;
		steps++;
	}
	return steps;
}

unsigned int bisect_repeats(double rate, unsigned int steps)
{
	double repeats;

	if (rate <= 0)
		return 0;
	if (rate >= 1)
		return 1;
	/* The good end is tested as well. */
	repeats = ceil(log(BISECT_ERROR / (steps + 1)) / log1p(-rate));
	return repeats < 1 ? 1 : repeats > REPEATS_MOST ? 0 : (unsigned int)repeats;
}
