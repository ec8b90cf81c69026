#include "frontend/vm/host_tsc.h"

#if defined(__x86_64__)

#include <stdint.h>
#include <time.h>
#include <x86intrin.h>

#define MEASURE_NS 20000000
#define TRIES 20
#define UNCERTAIN_NS 20000 /* a thousandth of MEASURE_NS */

/* The counter at a time, which is right to within UNCERTAIN. */
struct reading {
	int64_t ns, uncertain;
	uint64_t count;
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The best of some tries: this process may be interrupted between the two clocks. */
static struct reading take_reading(void)
{
	struct reading best = { .uncertain = INT64_MAX };

	for (int i = 0; i < TRIES; i++) {
		int64_t before = now();
		uint64_t count = __rdtsc();
		int64_t after = now();

		if (after - before < best.uncertain)
			best = (struct reading){ before + (after - before) / 2, after - before,
						 count };
	}
	return best;
}

unsigned host_tsc_khz(void)
{
	const struct timespec wait = { .tv_nsec = MEASURE_NS };
	struct reading first = take_reading(), last;
	int64_t ns;

	nanosleep(&wait, NULL);
	last = take_reading();
	ns = last.ns - first.ns;
	if (first.uncertain + last.uncertain > UNCERTAIN_NS || ns <= 0 || last.count <= first.count)
		return 0;
	return (unsigned)((last.count - first.count) * 1000000 / (uint64_t)ns);
}

#else

unsigned host_tsc_khz(void)
{
	return 0;
}

#endif
