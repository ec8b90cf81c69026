#include "frontend/vm/boot_limit.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/clock.h"

#define KVM_SECONDS 300
#define EMULATED_SECONDS 1200 /* boots of distribution kernels take 15 to 40 s on a quiet host */
#define PACE_MOST 10

/* What the loop below takes on an idle processor of some 3 GHz: one step needs five cycles. */
#define STEPS 6000000
#define QUIET_SECONDS 0.01
#define SAMPLES 3

/* Measures wall time: other work on the machine counts, as it does for the guest. */
static double loop_seconds(void)
{
	double began = clock_precise();
	volatile uint64_t result;
	uint64_t value = 1;

	for (int i = 0; i < STEPS; i++)
		value = value * UINT64_C(6364136223846793005) + 1;
	result = value;
	(void)result;
	return clock_precise() - began;
}

double boot_limit_pace(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	double pace = 1, load;

	for (int i = 0; i < SAMPLES; i++) {
		double measured = loop_seconds() / QUIET_SECONDS;

		if (measured > pace)
			pace = measured;
	}
	if (processors > 0 && getloadavg(&load, 1) == 1 && load / (double)processors > pace)
		pace = load / (double)processors;
	return pace < PACE_MOST ? pace : PACE_MOST;
}

void boot_limit_begin(struct boot_limit *limit, unsigned int seconds, bool kvm)
{
	*limit = (struct boot_limit){
		.began = clock_milliseconds(),
		.seconds = seconds ? seconds
			   : kvm   ? KVM_SECONDS
				   : EMULATED_SECONDS,
		.given = seconds,
	};
	limit->deadline = limit->began + limit->seconds * INT64_C(1000);
}

bool boot_limit_passed(struct boot_limit *limit)
{
	int64_t extended;

	if (clock_milliseconds() < limit->deadline)
		return false;
	if (limit->given)
		return true;
	extended = limit->began + (int64_t)(boot_limit_pace() * limit->seconds * 1000);
	if (clock_milliseconds() >= extended)
		return true;
	limit->deadline = extended;
	return false;
}
