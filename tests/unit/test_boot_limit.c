/* frontend/vm/boot_limit.c: how long a guest may take to boot, by a clock and a load that this test
 * sets. */
#include "frontend/vm/boot_limit.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

static time_t now;
static double load; /* of each processor */

int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_getloadavg(double *out, int count);

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
	(void)clock;
	*out = (struct timespec){ .tv_sec = now };
	return 0;
}

int __wrap_getloadavg(double *out, int count)
{
	*out = load * (double)sysconf(_SC_NPROCESSORS_ONLN);
	return count ? 1 : 0;
}

int main(void)
{
	static const struct {
		const char *what;
		unsigned int given;
		bool kvm;
		double load;
		time_t limit; /* expected */
	} rows[] = {
		{ "KVM", 0, true, 0.1, 300 },
		{ "emulated", 0, false, 0.1, 1200 },
		{ "KVM, on a busy host", 0, true, 3, 900 },
		{ "emulated, on a host that does nothing else", 0, false, 1000, 12000 },
		{ "a limit of the user's", 7, true, 0.1, 7 },
		{ "a limit of the user's, on a busy host", 7, false, 100, 7 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct boot_limit limit;
		bool early;

		now = 1000;
		load = rows[i].load;
		boot_limit_begin(&limit, rows[i].given, rows[i].kvm);
		now += rows[i].limit - 1;
		early = boot_limit_passed(&limit);
		tap_check(!early, "%s: no limit before %ld s", rows[i].what, (long)rows[i].limit);
		now++;
		tap_check(boot_limit_passed(&limit), "%s: a limit after that", rows[i].what);
	}
	now = 1000;
	load = 0;
	tap_check(boot_limit_pace() >= 1 && boot_limit_pace() <= 1,
		  "an idle host does not extend the limit");
	return tap_done();
}
