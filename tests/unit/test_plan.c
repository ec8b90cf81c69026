/* frontend/fstests/test_plan.c: the tests that check still has to run. */
#include "frontend/fstests/test_plan.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/fstests/results.h"
#include "lib/write_all.h"
#include "scratch.h"
#include "tap.h"

static char *words_of(const struct batch *batch)
{
	static char text[1024];

	*text = '\0';
	for (size_t i = 0; i < batch->count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			 batch->words[i]);
	return text;
}

static void of_words(void)
{
	static const struct {
		const char *words[4];
		size_t count; /* 0: not a plan */
	} rows[] = {
		{ { "generic/001", "xfs/002" }, 2 },
		{ { "-g", "quick" }, 0 },
		{ { "generic/001", "generic/*" }, 0 },
		{ { "-e", "generic/001" }, 0 },
		{ { NULL }, 0 },
		{ { "generic/001.out" }, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct test_plan plan;
		size_t count = 0;

		while (rows[i].words[count])
			count++;
		tap_check(test_plan_of_words((char *const *)rows[i].words, count, &plan) ==
					  (rows[i].count > 0) &&
				  plan.count == rows[i].count,
			  "words that begin with %s",
			  rows[i].words[0] ? rows[i].words[0] : "nothing");
		test_plan_clear(&plan);
	}
}

static void write_list(int dir, const char *text)
{
	int fd = openat(dir, "list", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	tap_check(write_all(fd, text, strlen(text)) == 0, "the list is written");
	close(fd);
}

static void add(struct results *results, const char *section, const char *name)
{
	const struct test_result result = { .section = section, .name = name };

	tap_check(results_add(results, &result, NULL) == 0, "result of %s", name);
}

static void left(int dir)
{
	struct test_plan plan, excluded;
	struct results results = { 0 };
	struct batch batch = { 0 };

	write_list(dir, "SECTION       -- a\nFSTYP         -- ext4\n\ngeneric/001\ngeneric/002 \n"
			"generic/003       [expunged]\ngeneric/004\nSECTION       -- b\n"
			"generic/001\ngeneric/002\nRan: \nPassed all 0 tests\n");
	tap_check(test_plan_read(dir, "list", &plan, &excluded, NULL) == 0 && plan.count == 5,
		  "check -n: excluded tests are not planned");
	tap_check(excluded.count == 1 && test_plan_has(&excluded, "a", "generic/003"),
		  "check -n: excluded tests are listed");
	test_plan_clear(&excluded);
	tap_check(test_plan_has(&plan, "a", "generic/004") &&
			  !test_plan_has(&plan, "b", "generic/004"),
		  "check -n: by section");
	add(&results, "a", "generic/001");
	add(&results, "a", "generic/002");
	tap_check(test_plan_next(&plan, &results, &batch) &&
			  strcmp(words_of(&batch), "-s a generic/004") == 0,
		  "the rest of the first section: %s", words_of(&batch));
	batch_clear(&batch);
	add(&results, "a", "generic/004");
	tap_check(test_plan_next(&plan, &results, &batch) &&
			  strcmp(words_of(&batch), "-s b generic/001 generic/002") == 0,
		  "then the second: %s", words_of(&batch));
	batch_clear(&batch);
	add(&results, "b", "generic/002");
	add(&results, "b", "generic/001");
	tap_check(test_plan_left(&plan, &results) == 0 && !test_plan_next(&plan, &results, &batch),
		  "then nothing");
	test_plan_clear(&plan);
	results_clear(&results);
}

static void lists(int dir)
{
	static const char text[] =
		"{\"name\":\"generic/001\",\"status\":\"pass\",\"seconds\":1.5}\n"
		"{\"name\":\"generic/002\",\"status\":\"fail\",\"reason\":\"x\"}\n"
		"{\"name\":\"generic/003\",\"status\":\"what\"}\n"
		"no json\n"
		"{\"section\":\"s\",\"name\":\"generic/004\",\"status\":\"crash\"}\n"
		"{\"name\":\"generic/005\",\"status\":\"pa";
	struct results results;

	write_list(dir, text);
	tap_check(results_read(dir, "list", &results, NULL) == 0 && results.count == 3,
		  "a list of results: invalid and truncated lines are skipped");
	tap_check(results.count == 3 && results.list[0].seconds > 1.4 &&
			  results.list[1].status == TEST_FAIL &&
			  tap_same(results.list[1].reason, "x") &&
			  tap_same(results.list[2].section, "s"),
		  "a list of results: its fields");
	results_clear(&results);
}

int main(void)
{
	char path[SCRATCH_SIZE] = "plan";
	int dir;

	if (!scratch_make(path))
		return 1;
	dir = open(path, O_RDONLY | O_DIRECTORY);
	of_words();
	left(dir);
	lists(dir);
	unlinkat(dir, "list", 0);
	rmdir(path);
	return tap_done();
}
