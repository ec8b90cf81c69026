/* frontend/fstests/shard.c: the parts of a run that several machines share. */
#include "frontend/fstests/shard.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "scratch.h"
#include "tap.h"

/* TEXT and the environment, and the part and the number of parts; 0: refused, with SAYS. */
static const struct {
	const char *text, *environment;
	unsigned int part, parts;
	const char *says;
} options[] = {
	{ "1/1", "", 1, 1, "" },
	{ "3/8", "", 3, 8, "" },
	{ "8/8", "", 8, 8, "" },
	{ "65536/65536", "", 65536, 65536, "" },
	{ "0/3", "", 0, 0, "I from 1 to N" },
	{ "4/3", "", 0, 0, "I from 1 to N" },
	{ "x/y", "", 0, 0, "must be I/N" },
	{ "1", "", 0, 0, "must be I/N" },
	{ "", "", 0, 0, "must be I/N" },
	{ "/3", "", 0, 0, "must be I/N" },
	{ "1/", "", 0, 0, "must be I/N" },
	{ "-1/3", "", 0, 0, "must be I/N" },
	{ "1/3/3", "", 0, 0, "must be I/N" },
	{ "1/65537", "", 0, 0, "at most 65536" },
	{ "1/99999999999999999999", "", 0, 0, "must be I/N" },
	{ "auto", "", 0, 0, "CI_NODE_INDEX, JOB_COMPLETION_INDEX and SLURM_ARRAY_TASK_ID are not" },
	{ "automatic", "CI_NODE_INDEX=1 CI_NODE_TOTAL=1", 0, 0, "must be I/N" },
	{ "auto/", "CI_NODE_INDEX=1 CI_NODE_TOTAL=1", 0, 0, "must be I/N" },
	{ "auto/0", "JOB_COMPLETION_INDEX=0", 0, 0, "must be I/N" },
	{ "auto", "CI_NODE_INDEX=2 CI_NODE_TOTAL=5", 2, 5, "" },
	{ "auto/5", "CI_NODE_INDEX=2 CI_NODE_TOTAL=5", 2, 5, "" },
	{ "auto/4", "CI_NODE_INDEX=2 CI_NODE_TOTAL=5", 0, 0, "there are 5 parts" },
	{ "auto", "CI_NODE_INDEX=6 CI_NODE_TOTAL=5", 0, 0, "I from 1 to N" },
	{ "auto", "CI_NODE_INDEX=0 CI_NODE_TOTAL=5", 0, 0, "I from 1 to N" },
	{ "auto", "CI_NODE_INDEX=2", 0, 0, "CI_NODE_TOTAL is not set" },
	{ "auto", "CI_NODE_TOTAL=1", 0, 0, "are not set" },
	{ "auto", "CI_NODE_INDEX=two CI_NODE_TOTAL=5", 0, 0, "CI_NODE_INDEX is not a number" },
	{ "auto/4", "JOB_COMPLETION_INDEX=0", 1, 4, "" },
	{ "auto/4", "JOB_COMPLETION_INDEX=3", 4, 4, "" },
	{ "auto/4", "JOB_COMPLETION_INDEX=4", 0, 0, "I from 1 to N" },
	{ "auto", "JOB_COMPLETION_INDEX=0", 0, 0, "--shard auto/N" },
	{ "auto",
	  "SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_MIN=5 SLURM_ARRAY_TASK_COUNT=4 "
	  "SLURM_ARRAY_TASK_STEP=1",
	  3, 4, "" },
	{ "auto", "SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=4", 1, 4,
	  "" },
	{ "auto",
	  "SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_MIN=5 SLURM_ARRAY_TASK_COUNT=4 "
	  "SLURM_ARRAY_TASK_STEP=2",
	  0, 0, "must be consecutive" },
	{ "auto", "SLURM_ARRAY_TASK_ID=9 SLURM_ARRAY_TASK_MIN=5 SLURM_ARRAY_TASK_COUNT=4", 0, 0,
	  "must be consecutive" },
	{ "auto", "SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_MIN=5 SLURM_ARRAY_TASK_COUNT=4", 0, 0,
	  "must be consecutive" },
	{ "auto", "SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_COUNT=4", 0, 0,
	  "SLURM_ARRAY_TASK_MIN is not set" },
	{ "auto/4", "CI_NODE_INDEX=1 CI_NODE_TOTAL=4 JOB_COMPLETION_INDEX=0", 0, 0,
	  "both CI_NODE_INDEX and JOB_COMPLETION_INDEX" },
	{ "2/3", "CI_NODE_INDEX=1 CI_NODE_TOTAL=4", 2, 3, "" },
};

static void set_environment(const char *words)
{
	char text[256], *rest = NULL;

	clearenv();
	snprintf(text, sizeof(text), "%s", words);
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *value = strchr(word, '=');

		if (!value)
			continue;
		*value++ = '\0';
		setenv(word, value, 1);
	}
}

static void parts_of_options(void)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		struct error *err = NULL;
		struct shard shard;
		int result;

		set_environment(options[i].environment);
		result = shard_parse(options[i].text, &shard, &err);
		tap_check(options[i].parts ? result == 0 && shard.part == options[i].part &&
						     shard.parts == options[i].parts
					   : result < 0 && err && err->code == ERR_INPUT &&
						     strstr(err->message, options[i].says),
			  "--shard %s with %s is %s", options[i].text,
			  *options[i].environment ? options[i].environment : "no variables",
			  err ? err->message : "a part");
		error_free(&err);
	}
}

static char *plan_name(unsigned int i)
{
	char *name;

	return asprintf(&name, "generic/%03u", i) < 0 ? NULL : name;
}

/* COUNT tests in each of two sections; REVERSED: in the other order. */
static struct test_plan make_plan(unsigned int count, bool reversed)
{
	struct test_plan plan = { calloc(2 * count, sizeof(*plan.list)), 2 * count };

	for (unsigned int i = 0; i < 2 * count; i++) {
		struct planned *test = &plan.list[reversed ? 2 * count - 1 - i : i];

		test->section = strdup(i < count ? "a" : "b");
		test->name = plan_name(i % count);
	}
	return plan;
}

/* The first test takes 100 seconds, the others 1 to 20. */
static struct durations *make_durations(unsigned int count)
{
	struct durations *d = durations_new();

	for (unsigned int i = 0; i < count; i++) {
		char *name = plan_name(i);

		durations_add(d, "a", name, i ? i % 20 + 1 : 100);
		durations_add(d, "b", name, i ? i % 20 + 1 : 100);
		free(name);
	}
	return d;
}

static void split(unsigned int parts, unsigned int tests, const struct durations *d)
{
	double least = 1e9, most = 0, sum = 0;
	size_t count = 0, all = 0;
	char first[sizeof(((struct shard *)NULL)->hash)] = "";
	bool same = true;

	for (unsigned int part = 1; part <= parts; part++) {
		struct test_plan plan = make_plan(tests, part % 2);
		struct shard shard = { .part = part, .parts = parts };

		same = shard_cut(&shard, &plan, NULL, d, NULL) == 0 && same;
		same = same && plan.count == shard.count && shard.all == 2 * tests;
		if (part == 1)
			snprintf(first, sizeof(first), "%s", shard.hash);
		same = same && strcmp(first, shard.hash) == 0;
		count += shard.count;
		all = shard.all;
		sum += shard.seconds;
		least = shard.seconds < least ? shard.seconds : least;
		most = shard.seconds > most ? shard.seconds : most;
		test_plan_clear(&plan);
		shard_clear(&shard);
	}
	tap_check(same, "%u parts of %u tests: all have the same hash, whatever the list's order",
		  parts, 2 * tests);
	tap_check(count == all && all == 2 * tests, "%u parts: each test is in one", parts);
	tap_check(most <= 100.001 || most <= sum / parts * 1.1,
		  "%u parts are balanced: %.0f to %.0f s", parts, least, most);
}

static char *hash_of_split(unsigned int parts, unsigned int tests, const struct durations *d)
{
	struct test_plan plan = make_plan(tests, false);
	struct shard shard = { .part = 1, .parts = parts };
	char *hash;

	shard_cut(&shard, &plan, NULL, d, NULL);
	hash = strdup(shard.hash);
	test_plan_clear(&plan);
	shard_clear(&shard);
	return hash;
}

static void hashes(const struct durations *d)
{
	const struct {
		const char *what;
		unsigned int parts, tests;
		const struct durations *durations;
	} others[] = {
		{ "number of parts", 5, 50, d },
		{ "list of tests", 4, 51, d },
		{ "file of durations", 4, 50, NULL },
	};
	char *hash = hash_of_split(4, 50, d);

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		char *other = hash_of_split(others[i].parts, others[i].tests, others[i].durations);

		tap_check(strcmp(hash, other) != 0, "with another %s, the hash is another",
			  others[i].what);
		free(other);
	}
	free(hash);
}

static void empty_parts(void)
{
	size_t empty = 0, tests = 0;

	for (unsigned int part = 1; part <= 5; part++) {
		struct test_plan plan = make_plan(1, false);
		struct shard shard = { .part = part, .parts = 5 };

		tap_check(shard_cut(&shard, &plan, NULL, NULL, NULL) == 0, "part %u of 5 is cut",
			  part);
		empty += plan.count == 0;
		tests += plan.count;
		test_plan_clear(&plan);
		shard_clear(&shard);
	}
	tap_check(empty == 3 && tests == 2, "two tests in five parts: three are empty");
}

static void repeated(void)
{
	struct test_plan plan = { 0 };
	static const char *const words[] = { "generic/001", "generic/002", "generic/001" };
	struct shard shard = { .part = 1, .parts = 1 };

	tap_check(test_plan_of_words((char *const *)words, 3, &plan) &&
			  shard_cut(&shard, &plan, NULL, NULL, NULL) == 0 && shard.all == 2 &&
			  plan.count == 2,
		  "a test that is named twice runs once");
	test_plan_clear(&plan);
	shard_clear(&shard);
}

static void kept(void)
{
	struct test_plan plan = make_plan(3, false), again = { 0 };
	struct shard shard = { .part = 2, .parts = 2 };
	unsigned int *parts = NULL, counts[3] = { 0 };
	struct error *err = NULL;

	tap_check(shard_cut(&shard, &plan, NULL, NULL, NULL) == 0 &&
			  shard_read_plan(shard.text, &again, &parts, NULL) == 0,
		  "a plan can be read again");
	for (size_t i = 0; i < again.count; i++)
		counts[parts[i] < 3 ? parts[i] : 0]++;
	tap_check(again.count == 6 && counts[1] == 3 && counts[2] == 3 &&
			  tap_same(again.list[0].section, "a") &&
			  tap_same(again.list[0].name, "generic/000"),
		  "with the part of each test");
	free(parts);
	test_plan_clear(&again);
	tap_check(shard_read_plan("# rootlet plan 1\n1 5.00 passwd\n", &again, &parts, &err) < 0 &&
			  err->code == ERR_INPUT,
		  "a damaged plan is refused");
	error_free(&err);
	tap_check(shard_read_plan("1 5.00 generic/001\n", &again, &parts, &err) < 0 && err,
		  "so is another file");
	error_free(&err);
	test_plan_clear(&plan);
	shard_clear(&shard);
}

/* Tests that run alone are short here, but each part has to wait for its own. */
static void alone(void)
{
	char tree[SCRATCH_SIZE] = "shard", path[256];
	struct test_groups *groups = NULL;
	bool spread = scratch_make(tree);
	FILE *out;

	snprintf(path, sizeof(path), "%s/tests", tree);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/tests/generic", tree);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/tests/generic/group.list", tree);
	out = fopen(path, "w");
	for (unsigned int i = 0; out && i < 4; i++)
		fprintf(out, "%03u quick " GROUP_ALONE "\n", i);
	spread = out && fclose(out) == 0 && test_groups_read(tree, &groups, NULL) == 0 && spread;
	for (unsigned int part = 1; part <= 4; part++) {
		struct test_plan plan = make_plan(4, false);
		struct shard shard = { .part = part, .parts = 4 };
		size_t count = 0;

		spread = shard_cut(&shard, &plan, groups, NULL, NULL) == 0 && spread;
		for (const char *p = shard.text; p && (p = strchr(p, '!')); p++)
			count++;
		spread = spread && plan.count == 2 && count == 8;
		test_plan_clear(&plan);
		shard_clear(&shard);
	}
	tap_check(spread, "tests that run alone are spread over the parts");
	test_groups_free(&groups);
	unlink(path);
	for (int i = 0; i < 3; i++) {
		*strrchr(path, '/') = '\0';
		rmdir(path);
	}
}

int main(void)
{
	struct durations *d = make_durations(1000);
	clock_t began;

	parts_of_options();
	for (unsigned int parts = 1; parts <= 64; parts *= 4)
		split(parts, 1000, d);
	began = clock();
	hashes(d);
	free(hash_of_split(1024, 1000, d));
	tap_check(clock() - began < CLOCKS_PER_SEC,
		  "1,024 parts of 2,000 tests take less than a second");
	empty_parts();
	repeated();
	kept();
	alone();
	durations_free(&d);
	return tap_done();
}
