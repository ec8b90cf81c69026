#include "frontend/fstests/long_tests.h"

#include <stdlib.h>
#include <string.h>

struct long_test {
	const char *name;
	double seconds;
};

/* Tests that took at least 40 seconds in runs that were published until 2024, on xfs, btrfs, FUSE
 * and SMB: about the middle of what each took there, rounded. Machines and filesystems differ by
 * far more, but what counts for the order is which tests are the long ones. tests/bench/schedule
 * measures what the table is worth with the durations of a later run. Sorted by name. */
static const struct long_test rows[] = {
	{ "btrfs/060", 300 },	{ "btrfs/061", 75 },	{ "btrfs/062", 75 },
	{ "btrfs/063", 50 },	{ "btrfs/064", 50 },	{ "btrfs/065", 150 },
	{ "btrfs/066", 150 },	{ "btrfs/067", 250 },	{ "btrfs/068", 150 },
	{ "generic/017", 50 },	{ "generic/027", 60 },	{ "generic/051", 75 },
	{ "generic/054", 45 },	{ "generic/068", 45 },	{ "generic/074", 100 },
	{ "generic/125", 60 },	{ "generic/127", 250 }, { "generic/168", 40 },
	{ "generic/170", 50 },	{ "generic/176", 45 },	{ "generic/208", 200 },
	{ "generic/231", 75 },	{ "generic/241", 75 },	{ "generic/256", 50 },
	{ "generic/270", 40 },	{ "generic/297", 40 },	{ "generic/298", 40 },
	{ "generic/299", 110 }, { "generic/310", 65 },	{ "generic/311", 55 },
	{ "generic/323", 120 }, { "generic/333", 70 },	{ "generic/334", 70 },
	{ "generic/347", 70 },	{ "generic/387", 50 },	{ "generic/388", 80 },
	{ "generic/405", 60 },	{ "generic/415", 50 },	{ "generic/416", 100 },
	{ "generic/438", 70 },	{ "generic/464", 55 },	{ "generic/475", 80 },
	{ "generic/476", 300 }, { "generic/521", 550 }, { "generic/522", 600 },
	{ "generic/531", 250 }, { "generic/551", 100 }, { "generic/558", 60 },
	{ "generic/562", 90 },	{ "generic/590", 60 },	{ "generic/603", 55 },
	{ "generic/616", 60 },	{ "xfs/013", 120 },	{ "xfs/083", 400 },
	{ "xfs/084", 60 },	{ "xfs/113", 45 },	{ "xfs/140", 45 },
	{ "xfs/167", 60 },	{ "xfs/211", 200 },	{ "xfs/227", 300 },
	{ "xfs/291", 50 },	{ "xfs/297", 45 },	{ "xfs/305", 65 },
};

static int compare_long_tests(const void *name, const void *row)
{
	return strcmp(name, ((const struct long_test *)row)->name);
}

double long_test_seconds(const char *name)
{
	const struct long_test *found = bsearch(name, rows, sizeof(rows) / sizeof(*rows),
						sizeof(*rows), compare_long_tests);

	return found ? found->seconds : 0;
}
