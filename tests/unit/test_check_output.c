/* frontend/fstests/check_output.c on recorded output of fstests' check:
 * tests/recorded/check/NAME.out, each with the expected results in NAME.expected,
 * "SECTION|NAME|STATUS|SECONDS|REASON" per line; SECONDS is "-" if check does not print them.
 * Complaints of check about its arguments are "check|LINE|TEST", with TEST unknown to it. */
#include "frontend/fstests/check_output.h"

#include "recorded.h"
#include "tap.h"

struct found {
	char text[65536];
	size_t started, ended;
	bool details; /* of everything that failed */
};

static void started(const char *section, const char *name, void *context)
{
	struct found *found = context;

	(void)section;
	(void)name;
	found->started++;
}

static void ended(const struct test_result *result, void *context)
{
	struct found *found = context;
	size_t used = strlen(found->text);
	char seconds[32] = "-";

	if (result->status == TEST_PASS)
		snprintf(seconds, sizeof(seconds), "%.0f", result->seconds);
	snprintf(found->text + used, sizeof(found->text) - used, "%s|%s|%s|%s|%s\n",
		 result->section, result->name, test_status_name(result->status), seconds,
		 result->reason ? result->reason : "");
	found->ended++;
}

static void complained(const char *line, const char *unknown, void *context)
{
	struct found *found = context;
	size_t used = strlen(found->text);

	snprintf(found->text + used, sizeof(found->text) - used, "check|%s|%s\n", line,
		 unknown ? unknown : "");
}

/* Returns whether a test was still running at the end. */
static bool feed(struct found *found, const char *text, size_t size, size_t step)
{
	const struct check_events events = {
		.started = started, .ended = ended, .complained = complained, .context = found
	};
	struct check_output *output = check_output_new(&events);
	bool running;

	*found = (struct found){ 0 };
	for (size_t at = 0; at < size; at += step)
		check_output_feed(output, text + at, size - at < step ? size - at : step);
	running = check_output_end(output);
	check_output_free(&output);
	return running;
}

/* Whether WHOLE starts with the lines of PART, except the last, which may be incomplete. */
static bool is_start(const char *part, const char *whole)
{
	const char *end = strrchr(part, '\n');

	if (!end)
		return true;
	while (end > part && end[-1] != '\n')
		end--;
	return strncmp(part, whole, (size_t)(end - part)) == 0;
}

static void try_one(const char *name, const char *text, size_t size, const char *expected)
{
	static struct found whole, part;
	bool good = true;

	feed(&whole, text, size, size ? size : 1);
	tap_check(strcmp(whole.text, expected) == 0, "output %s", name);
	if (strcmp(whole.text, expected) != 0)
		tap_note(whole.text);
	feed(&part, text, size, 1);
	tap_check(strcmp(whole.text, part.text) == 0, "output %s, byte by byte", name);
	for (size_t cut = 0; cut < size; cut++) {
		bool running = feed(&part, text, cut, cut ? cut : 1);

		good = good && is_start(part.text, whole.text) && part.ended <= whole.ended &&
		       part.started == part.ended + running;
	}
	tap_check(good, "output %s, truncated anywhere", name);
}

static void names(void)
{
	static const struct {
		const char *text;
		size_t length;
	} rows[] = {
		{ "generic/001", 11 },	    { "generic/001 4s ...", 11 },
		{ "xfs/1234-name x", 13 },  { "generic/01", 0 },
		{ "Generic/001", 0 },	    { "/001", 0 },
		{ "generic", 0 },	    { "", 0 },
		{ "generic/abc", 0 },	    { "../generic/001", 0 },
		{ "selftest/007.out", 12 }, { "a b/001", 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		tap_check(test_name_length(rows[i].text) == rows[i].length, "test name in \"%s\"",
			  rows[i].text);
}

int main(void)
{
	names();
	recorded_each("check", ".out", try_one);
	return tap_done();
}
