/* Files about the tests of a run, which may come from other machines: a plan, durations, and tests
 * to leave out. What is read must be whole, and names must be names of tests. */
#include "frontend/fstests/check_output.h"
#include "frontend/fstests/durations.h"
#include "frontend/fstests/excludes.h"
#include "frontend/fstests/shard.h"
#include "fuzz.h"

static void check_name(const char *section, const char *name)
{
	if (test_name_length(name) != strlen(name) || strchr(section, '\n'))
		abort();
}

static void read_plan(const char *text)
{
	struct test_plan plan;
	unsigned int *parts;

	if (shard_read_plan(text, &plan, &parts, NULL) < 0)
		return;
	for (size_t i = 0; i < plan.count; i++)
		check_name(plan.list[i].section, plan.list[i].name);
	free(parts);
	test_plan_clear(&plan);
}

/* What was read is written and read again, and stays the same. */
static void read_durations(const uint8_t *data, size_t size, bool again)
{
	int fd = fuzz_file(data, size);
	struct durations *d;
	char path[32], *text;
	size_t length;
	FILE *out;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (durations_read(path, &d, NULL) < 0) {
		close(fd);
		if (again)
			abort();
		return;
	}
	close(fd);
	for (size_t i = 0; i < durations_count(d); i++) {
		const struct duration one = durations_at(d, i);

		check_name(one.section, one.name);
		if (!(durations_expect(d, NULL, one.section, one.name) >= 0))
			abort();
	}
	out = open_memstream(&text, &length);
	if (!out || durations_write(out, d) < 0 || fclose(out) != 0)
		abort();
	if (again && (length != size || memcmp(text, data, size) != 0))
		abort();
	if (!again)
		read_durations((const uint8_t *)text, length, true);
	free(text);
	durations_free(&d);
}

/* What was read is written and read again, and stays the same. */
static void read_excludes(const char *text, bool again)
{
	static const struct exclude_place place = {
		.fstype = "xfs", .kernel = "6.1.9", .arch = { "x86_64" }, .today = "2027-01-31"
	};
	struct excludes e = { 0 };
	char *written = NULL;

	if (excludes_parse(&e, "file", text, NULL, NULL) == 0) {
		excludes_find(&e, &place, "generic/001");
		written = excludes_compose(&e);
	}
	if (again && (!written || strcmp(written, text) != 0))
		abort();
	if (written && !again)
		read_excludes(written, true);
	free(written);
	excludes_clear(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);

	read_plan(text);
	read_durations(data, size, false);
	read_excludes(text, false);
	free(text);
	return 0;
}
