/* frontend/vm/host_tsc.c: the rate is that of this host, whatever else it does meanwhile. */
#include "frontend/vm/host_tsc.h"

#include <stdlib.h>

#include "tap.h"

#define RUNS 5

int main(void)
{
	unsigned first = host_tsc_khz();

	if (first == 0) {
		printf("ok %u - the rate is measured # SKIP this host has no steady counter\n",
		       ++tap_count);
		return tap_done();
	}
	tap_check(first > 100 * 1000 && first < 10 * 1000 * 1000, "%u kHz is a processor's rate",
		  first);
	for (int i = 0; i < RUNS; i++) {
		unsigned khz = host_tsc_khz();

		/* 0: interrupted too often to measure */
		tap_check(khz == 0 || (unsigned)abs((int)(khz - first)) <= first / 1000,
			  "%u kHz is the same rate", khz);
	}
	return tap_done();
}
