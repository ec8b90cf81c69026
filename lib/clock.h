/* Elapsed time, independent of the date: clock_gettime(2), CLOCK_MONOTONIC. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline int64_t clock_microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t clock_milliseconds(void)
{
	return clock_microseconds() / 1000;
}

static inline int64_t clock_seconds(void)
{
	return clock_microseconds() / 1000000;
}

/* In seconds. */
static inline double clock_precise(void)
{
	return (double)clock_microseconds() / 1e6;
}
