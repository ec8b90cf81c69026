/* frontend/cluster/batches.c: the batches into which tasks of a cluster get a run. */
#include "frontend/cluster/batches.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "scratch.h"
#include "tap.h"

/* --- cutting -------------------------------------------------------------------------------- */

/* Each test is "SECTION:NAME=SECONDS"; each batch "SECTION:NAME,NAME". g/9… must run alone. */
static const struct {
	const char *tests;
	unsigned int workers;
	const char *batches, *claim;
} cuts[] = {
	{ ":g/001=100", 1, ":g/001", "one test" },
	{ ":g/001=100", 4096, ":g/001", "one test for many guests" },
	{ ":g/001=10 :g/002=30 :g/003=20", 1, ":g/002 :g/003 :g/001", "the longest first" },
	{ ":g/003=10 :g/001=10 :g/002=10", 4, ":g/001 :g/002 :g/003", "tests as long by name" },
	{ ":g/001=400 :g/002=1 :g/003=1 :g/004=1", 1, ":g/001 :g/002,g/003,g/004",
	  "short tests in one batch" },
	{ ":g/001=400 :g/002=1 :g/003=1 :g/004=1", 1000, ":g/001 :g/002 :g/003 :g/004",
	  "smaller batches for more guests" },
	{ ":g/001=9000 :g/002=40 :g/003=30 :g/004=20", 1, ":g/001 :g/002 :g/003,g/004",
	  "no batch takes more than a minute" },
	{ ":g/001=9000 :g/011=1 :g/012=1 :g/013=1 :g/014=1 :g/015=1 :g/016=1 :g/017=1 :g/018=1 "
	  ":g/019=1",
	  1, ":g/001 :g/011,g/012,g/013,g/014,g/015,g/016,g/017,g/018 :g/019", "at most 8 tests" },
	{ "b:g/001=100 a:g/002=1 b:g/002=1 a:g/003=1 b:g/003=1", 1,
	  "b:g/001 a:g/002,g/003 b:g/002,g/003", "one section in a batch" },
	{ ":g/901=1000 :g/001=10 :g/902=1 :g/002=1", 1, ":g/001,g/002 :g/901 :g/902",
	  "what runs alone comes last" },
	{ "a:g/901=500 a:g/902=1 a:g/001=1 a:g/002=1", 1, "a:g/001,g/002 a:g/901 a:g/902",
	  "and with no other test" },
};

/* Groups in which the tests above that begin with g/9 must run alone. */
static struct test_groups *make_groups(void)
{
	char tree[SCRATCH_SIZE] = "batches", path[256];
	struct test_groups *groups = NULL;
	const char *const parts[] = { "tests", "tests/g" };
	FILE *file;

	if (!scratch_make(tree))
		return NULL;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		snprintf(path, sizeof(path), "%s/%s", tree, parts[i]);
		mkdir(path, 0755);
	}
	snprintf(path, sizeof(path), "%s/tests/g/group.list", tree);
	file = fopen(path, "w");
	if (file) {
		fputs("901 auto " GROUP_ALONE "\n902 auto " GROUP_ALONE "\n", file);
		fclose(file);
	}
	test_groups_read(tree, &groups, NULL);
	unlink(path);
	for (size_t i = sizeof(parts) / sizeof(*parts); i-- > 0;) {
		snprintf(path, sizeof(path), "%s/%s", tree, parts[i]);
		rmdir(path);
	}
	rmdir(tree);
	return groups;
}

/* The plan and the durations of TESTS, which the caller clears and frees. */
static struct test_plan read_tests(const char *tests, struct durations *d)
{
	_cleanup_free_ char *copy = strdup(tests);
	struct test_plan plan = { calloc(strlen(tests), sizeof(*plan.list)), 0 };
	char *rest = NULL;

	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char section[32] = "", name[32] = "", *colon = strchr(word, ':');
		double seconds;

		snprintf(section, sizeof(section), "%.*s", (int)(colon - word), word);
		if (sscanf(colon + 1, "%31[^=]=%lf", name, &seconds) != 2 || strlen(name) != 5)
			continue;
		durations_add(d, section, name, seconds);
		plan.list[plan.count++] = (struct planned){ strdup(section), strdup(name) };
	}
	return plan;
}

/* "SECTION:NAME,NAME SECTION:NAME": the caller frees it. */
static char *describe_batches(char *const *texts, size_t count)
{
	char *said = NULL;
	size_t size;
	FILE *out = open_memstream(&said, &size);

	for (size_t i = 0; i < count; i++) {
		json_t *batch = batch_parse(texts[i], NULL);

		fprintf(out, "%s%s:", i ? " " : "", batch ? batch_test(batch, 0).section : "bad");
		for (size_t t = 0; t < json_array_size(batch); t++)
			fprintf(out, "%s%s", t ? "," : "", batch_test(batch, t).name);
		json_decref(batch);
	}
	fclose(out);
	return said;
}

static void free_texts(char **texts)
{
	for (size_t i = 0; texts && texts[i]; i++)
		free(texts[i]);
	free(texts);
}

static void plans_are_cut(const struct test_groups *groups)
{
	for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
		struct durations *d = durations_new();
		struct test_plan plan = read_tests(cuts[i].tests, d);
		_cleanup_free_ char *said = NULL;
		char **texts = NULL;
		size_t count = 0;

		batches_cut(&plan, d, groups, cuts[i].workers, &texts, &count, NULL);
		said = describe_batches(texts, count);
		tap_check(tap_same(said, cuts[i].batches), "%s: %s", cuts[i].claim, said);
		free_texts(texts);
		test_plan_clear(&plan);
		durations_free(&d);
	}
}

/* COUNT tests of which each is in SECTIONS sections in turn. */
static struct test_plan make_plan(unsigned int count, unsigned int sections)
{
	struct test_plan plan = { calloc(count + 1, sizeof(*plan.list)), count };

	for (unsigned int i = 0; i < count; i++)
		if (asprintf(&plan.list[i].section, "s%u", i % sections) < 0 ||
		    asprintf(&plan.list[i].name, "generic/%03u", i) < 0)
			abort();
	return plan;
}

static void every_test_is_in_one_batch(void)
{
	struct test_plan plan = make_plan(1781, 3);
	struct durations *d = durations_new();
	_cleanup_free_ char *seen = calloc(1781, 1);
	size_t count = 0, tests = 0;
	char **texts = NULL;
	bool good;

	for (size_t i = 0; i < plan.count; i++)
		durations_add(d, plan.list[i].section, plan.list[i].name, (double)(1 + i % 60));
	good = batches_cut(&plan, d, NULL, 64, &texts, &count, NULL) == 0;
	for (size_t i = 0; i < count; i++) {
		json_t *batch = batch_parse(texts[i], NULL);

		for (size_t t = 0; t < json_array_size(batch); t++) {
			unsigned int number = 0, section = 3;
			const struct queued_test test = batch_test(batch, t);

			sscanf(test.name, "generic/%u", &number);
			sscanf(test.section, "s%u", &section);
			good = good && number < 1781 && !seen[number]++ && section == number % 3;
			tests++;
		}
		json_decref(batch);
	}
	tap_check(good && tests == 1781, "each of 1781 tests in 3 sections is in one batch");
	tap_check(count > 8 * 64 && count < 1781, "for 64 guests, there are %zu batches", count);
	free_texts(texts);
	test_plan_clear(&plan);
	durations_free(&d);
}

/* A guest may have written the list from which the plan comes. */
static void large_plans_are_refused(void)
{
	static const struct {
		unsigned int count, sections;
		bool good;
	} plans[] = {
		{ 0, 1, true }, { 50000, 20, true }, { 5000, 5000, true }, { 50001, 1, false }
	};

	for (size_t i = 0; i < sizeof(plans) / sizeof(*plans); i++) {
		struct test_plan plan = make_plan(plans[i].count, plans[i].sections);
		struct error *err = NULL;
		char **texts = NULL;
		size_t count = 0;
		int result = batches_cut(&plan, NULL, NULL, 1, &texts, &count, &err);

		tap_check(plans[i].good ? result == 0 : result < 0 && err && err->code == ERR_INPUT,
			  "%u tests in %u sections: %s", plans[i].count, plans[i].sections,
			  err ? err->message : "cut");
		error_free(&err);
		free_texts(texts);
		test_plan_clear(&plan);
	}
}

/* --- reading -------------------------------------------------------------------------------- */

#define TEST(section, name)                                                                        \
	"{\"section\":\"" section "\",\"name\":\"" name "\",\"seconds\":1.5,\"alone\":false}"
#define X10 "xxxxxxxxxx"
#define X120 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static const struct {
	const char *text;
	size_t tests; /* 0: damaged */
} texts_to_read[] = {
	{ "[" TEST("", "generic/001") "]", 1 },
	{ "[" TEST("a", "generic/001") "," TEST("a", "xfs/1234-x") "]", 2 },
	{ "[{\"section\":\"\",\"name\":\"g/001\",\"seconds\":2,\"alone\":true,\"more\":1}]", 1 },
	{ "", 0 },
	{ BATCH_LIST, 0 },
	{ "[]", 0 },
	{ "{}", 0 },
	{ "null", 0 },
	{ "[", 0 },
	{ "[" TEST("", "generic/001"), 0 },
	{ "[" TEST("", "generic/001") "] x", 0 },
	{ "[" TEST("", "generic/001") ",1]", 0 },
	{ "[1]", 0 },
	{ "[[]]", 0 },
	{ "[{}]", 0 },
	{ "[{\"name\":\"generic/001\",\"seconds\":1,\"alone\":false}]", 0 },
	{ "[{\"section\":\"\",\"seconds\":1,\"alone\":false}]", 0 },
	{ "[{\"section\":\"\",\"name\":\"generic/001\",\"alone\":false}]", 0 },
	{ "[{\"section\":\"\",\"name\":\"generic/001\",\"seconds\":1}]", 0 },
	{ "[{\"section\":1,\"name\":\"generic/001\",\"seconds\":1,\"alone\":false}]", 0 },
	{ "[{\"section\":\"\",\"name\":\"generic/001\",\"seconds\":\"1\",\"alone\":false}]", 0 },
	{ "[{\"section\":\"\",\"name\":\"generic/001\",\"seconds\":1,\"alone\":0}]", 0 },
	{ "[" TEST("", "") "]", 0 },
	{ "[" TEST("", "generic") "]", 0 },
	{ "[" TEST("", "-g") "]", 0 },
	{ "[" TEST("", "../001") "]", 0 },
	{ "[" TEST("", "generic/001 generic/002") "]", 0 },
	{ "[" TEST("", "generic/001\\n") "]", 0 },
	{ "[" TEST("", "generic/001\\u0000") "]", 0 },
	{ "[" TEST("", "generic/001-" X120) "]", 0 },
	{ "[" TEST(X120 X10, "generic/001") "]", 0 },
	{ "[" TEST("\xff", "generic/001") "]", 0 },
};

static void texts_are_read(void)
{
	for (size_t i = 0; i < sizeof(texts_to_read) / sizeof(*texts_to_read); i++) {
		const char *text = texts_to_read[i].text;
		struct error *err = NULL;
		json_t *batch = batch_parse(text, &err);

		tap_check(texts_to_read[i].tests ? json_array_size(batch) == texts_to_read[i].tests
						 : !batch && err && err->code == ERR_INPUT,
			  "row %zu is %s", i, texts_to_read[i].tests ? "a batch" : "damaged");
		json_decref(batch);
		error_free(&err);
	}
}

static void tests_keep_what_they_are(void)
{
	json_t *batch = batch_parse("[{\"section\":\"a\",\"name\":\"g/001\",\"seconds\":2.5,"
				    "\"alone\":true}]",
				    NULL);
	const struct queued_test test = batch_test(batch, 0);

	tap_check(tap_same(test.section, "a") && tap_same(test.name, "g/001") &&
			  test.seconds > 2.4 && test.seconds < 2.6 && test.alone,
		  "a test has its section, name, duration and whether it runs alone");
	json_decref(batch);
}

int main(void)
{
	struct test_groups *groups = make_groups();

	tap_check(test_groups_has(groups, "g/901", GROUP_ALONE), "the groups are read");
	plans_are_cut(groups);
	test_groups_free(&groups);
	every_test_is_in_one_batch();
	large_plans_are_refused();
	texts_are_read();
	tests_keep_what_they_are();
	return tap_done();
}
