/* frontend/bisect/bisect_plan.c: how many kernels are tested, and how often. */
#include "frontend/bisect/bisect_plan.h"

#include <math.h>

#include "tap.h"

/* How often a bisect of STEPS kernels is wrong at most: all are bad, and one passes by chance. */
static double wrong(double rate, unsigned int steps, unsigned int repeats)
{
	return (steps + 1) * pow(1 - rate, repeats);
}

int main(void)
{
	static const struct {
		size_t commits;
		unsigned int steps;
	} counts[] = { { 0, 0 },     { 1, 0 },	   { 2, 1 },	 { 3, 2 },  { 4, 2 },
		       { 5, 3 },     { 8, 3 },	   { 9, 4 },	 { 24, 5 }, { 1000, 10 },
		       { 1024, 10 }, { 1025, 11 }, { 13000, 14 } };
	static const double rates[] = { 0.001, 0.02, 0.1, 0.25, 0.5, 0.72, 0.9, 0.999 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		tap_check(bisect_steps(counts[i].commits) == counts[i].steps,
			  "%zu commits: %u steps", counts[i].commits, counts[i].steps);
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++)
		for (unsigned int steps = 0; steps <= 14; steps += 7) {
			unsigned int repeats = bisect_repeats(rates[i], steps);

			tap_check(wrong(rates[i], steps, repeats) <= BISECT_ERROR,
				  "rate %g, %u steps: wrong in less than 1 %% of cases", rates[i],
				  steps);
			tap_check(repeats == 1 ||
					  wrong(rates[i], steps, repeats - 1) > BISECT_ERROR,
				  "rate %g, %u steps: not more often than necessary", rates[i],
				  steps);
		}
	tap_check(bisect_repeats(1, 14) == 1, "what always fails needs one pass");
	tap_check(bisect_repeats(0, 14) == 0, "what never fails cannot be bisected");
	tap_check(bisect_repeats(1e-9, 14) == 0, "nor what fails too rarely");
	return tap_done();
}
