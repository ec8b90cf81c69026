/* frontend/fstests/durations.c: how long tests will probably take. */
#include "frontend/fstests/durations.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/write_all.h"
#include "scratch.h"
#include "tap.h"

#define HEAD DURATIONS_HEADER "\n"

static const struct {
	const char *claim, *text;
	size_t count;
	bool good;
} damaged[] = {
	{ "a file without tests", HEAD, 0, true },
	{ "a file with tests", HEAD "12.50 generic/001\n3 generic/001 ext4_1k\n", 2, true },
	{ "a test that is there twice", HEAD "1.00 generic/001\n2.00 generic/001\n", 1, true },
	{ "an empty file", "", 0, false },
	{ "another file", "generic/001 12\n", 0, false },
	{ "a newer format", "# rootlet durations 2\n1 generic/001\n", 0, false },
	{ "a line without its end", HEAD "12.50 generic/001\n3 gener", 0, false },
	{ "a line without a duration", HEAD "generic/001\n", 0, false },
	{ "a negative duration", HEAD "-1 generic/001\n", 0, false },
	{ "a duration of a year", HEAD "31536000 generic/001\n", 0, false },
	{ "a duration that is no number", HEAD "nan generic/001\n", 0, false },
	{ "an infinite duration", HEAD "inf generic/001\n", 0, false },
	{ "a line without a test", HEAD "12\n", 0, false },
	{ "a name that no test has", HEAD "12 ../etc/passwd\n", 0, false },
	{ "an empty section", HEAD "12 generic/001 \n", 0, false },
	{ "a control character", HEAD "12 generic/001 \x1b[31m\n", 0, false },
	{ "an empty line", HEAD "\n", 0, false },
};

static void files(const char *path)
{
	for (size_t i = 0; i < sizeof(damaged) / sizeof(*damaged); i++) {
		struct durations *d = NULL;
		struct error *err = NULL;
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644), result;

		write_all(fd, damaged[i].text, strlen(damaged[i].text));
		close(fd);
		result = durations_read(path, &d, &err);
		tap_check(damaged[i].good ? result == 0 && durations_count(d) == damaged[i].count
					  : result < 0 && err && err->code == ERR_INPUT,
			  "%s is %s", damaged[i].claim, damaged[i].good ? "read" : "refused");
		durations_free(&d);
		error_free(&err);
	}
}

static const struct {
	const char *claim, *section, *name;
	double seconds;
} expected[] = {
	{ "a duration in its section", "a", "generic/001", 10 },
	{ "the newest of two durations", "b", "generic/001", 30 },
	{ "the mean of the other sections", "c", "generic/001", 20 },
	{ "the mean, for a run without sections", "", "generic/001", 20 },
	{ "a run without sections, for one that has some", "a", "generic/002", 7 },
	{ "a guess for an unknown test", "a", "generic/003", 60 },
};

static struct durations *make(void)
{
	struct durations *d = durations_new();
	struct test_result list[] = {
		{ .section = "", .name = "generic/002", .seconds = 7 },
		{ .section = "", .name = "generic/003", .status = TEST_UNREACHED },
		{ .section = "", .name = "generic/003", .status = TEST_EXPUNGED },
		{ .section = "", .name = "generic/004", .status = TEST_TIMEOUT, .seconds = 99 },
	};
	const struct results results = { .list = list, .count = 4 };

	tap_check(d && durations_add(d, "a", "generic/001", 10) == 0 &&
			  durations_add(d, "b", "generic/001", 30) == 0 &&
			  durations_add(d, "b", "generic/001", 50) == 0 &&
			  durations_add(d, "b", "generic/001", NAN) == 0 &&
			  durations_add(d, "b", "no test", 1) == 0 &&
			  durations_add_results(d, &results) == 0,
		  "durations are added");
	return d;
}

static void expectations(const struct durations *d)
{
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		tap_check(fabs(durations_expect(d, NULL, expected[i].section, expected[i].name) -
			       expected[i].seconds) < 0.01,
			  "expects %s", expected[i].claim);
	tap_check(durations_has(d, "generic/004") && !durations_has(d, "generic/003") &&
			  !durations_has(NULL, "generic/001"),
		  "tests that were not started have no duration");
	tap_check(durations_expect(NULL, NULL, "", "generic/001") > 0,
		  "expects something of nothing");
}

static void written(const struct durations *d, const char *path)
{
	static const char text[] = HEAD "7.00 generic/002\n99.00 generic/004\n10.00 generic/001 a\n"
					"30.00 generic/001 b\n";
	struct durations *again = NULL;
	char seen[512] = "";
	FILE *out = fopen(path, "w+");

	tap_check(out && durations_write(out, d) == 0, "durations are written");
	rewind(out);
	seen[fread(seen, 1, sizeof(seen) - 1, out)] = '\0';
	fclose(out);
	tap_check(tap_same(seen, text), "sorted by section and name: %s", seen);
	tap_check(durations_read(path, &again, NULL) == 0 && durations_count(again) == 4,
		  "and read again");
	expectations(again);
	durations_free(&again);
}

static void by_group(char *tree)
{
	static const struct {
		const char *test, *more;
	} order[] = {
		/* The second takes longer than the first. */
		{ "generic/001", "generic/002" },
		{ "generic/002", "generic/003" },
		{ "generic/003", "generic/004" },
		{ "generic/005", "generic/003" },
		/* Known to take long, whatever its groups are. */
		{ "generic/003", "generic/127" },
		{ "generic/001", "btrfs/060" },
		{ "generic/001", "xfs/305" },
	};
	static const char text[] = "001 auto quick stress\n002 auto\n003 auto stress\n"
				   "004 auto quick soak\n005 dangerous\n127 auto quick\n";
	struct test_groups *groups = NULL;
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/tests", tree);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/tests/generic", tree);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/tests/generic/group.list", tree);
	out = fopen(path, "w");
	tap_check(out && fputs(text, out) >= 0 && fclose(out) == 0 &&
			  test_groups_read(tree, &groups, NULL) == 0,
		  "groups are read");
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
		tap_check(duration_guess(groups, order[i].test) <
				  duration_guess(groups, order[i].more),
			  "%s is expected to be shorter than %s", order[i].test, order[i].more);
	test_groups_free(&groups);
	unlink(path);
	for (int i = 0; i < 3; i++) {
		*strrchr(path, '/') = '\0';
		rmdir(path);
	}
}

int main(void)
{
	char tree[SCRATCH_SIZE] = "durations", path[256];
	struct durations *d;

	if (!scratch_make(tree))
		return 1;
	snprintf(path, sizeof(path), "%s/file", tree);
	files(path);
	d = make();
	expectations(d);
	written(d, path);
	durations_free(&d);
	unlink(path);
	by_group(tree);
	return tap_done();
}
