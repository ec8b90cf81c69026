/* How long a guest may take to start its command. A kernel that never gets there would otherwise
 * keep its caller waiting for ever. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct boot_limit {
	int64_t began, deadline; /* milliseconds of the monotonic clock */
	unsigned int seconds;
	bool given; /* by the user */
};

/* Begins to measure a boot. SECONDS is the user's limit; 0: five minutes with KVM, 20 without. */
void boot_limit_begin(struct boot_limit *limit, unsigned int seconds, bool kvm);

/* Whether the guest's time limit has passed. On a slow or busy machine the usual limit is extended,
 * at most tenfold; the machine is measured only when that limit is reached. */
bool boot_limit_passed(struct boot_limit *limit);

/* How many times slower this machine is now than an idle modern one; at least 1. */
double boot_limit_pace(void);
