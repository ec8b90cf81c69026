/* schedule NAME=VALUE…: simulates a run on several guests with the queue of rootlet fstests
 * (frontend/fstests/test_queue.c). Reads the tests from standard input, a line each:
 *
 *   SECONDS ALONE SECTION NAME
 *
 * the test's usual duration, 0 or 1, and the rest as in the queue. With guess=TREE no earlier run
 * is known: the queue expects what rootlet guesses (frontend/fstests/durations.c), with the groups
 * that the tests have in TREE. Prints the makespan and the lower bound boot + alone + max(sum /
 * guests, longest), both in seconds, and the number of boots. See tests/bench/schedule for the
 * values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/durations.h"
#include "frontend/fstests/test_index.h"
#include "frontend/fstests/test_queue.h"
#include "lib/cleanup.h"

#define TESTS_AT_ONCE 64
#define GUESS "guess="

static struct {
	double guests;	/* number of guests at once */
	double boot;	/* seconds until a guest is ready */
	double check;	/* seconds between two batches of one guest */
	double section; /* more seconds for a batch in another section */
	double batch;	/* most seconds of a batch */
	double most;	/* most tests of a batch */
	double sigma;	/* of the lognormal noise of each of the two runs */
	double crash;	/* probability that a test crashes its guest */
	double loss;	/* node losses for each guest and hour */
	double seed;
} given = { .guests = 1, .batch = 60, .most = 16 };

static const struct {
	const char *name;
	double *value;
} options[] = {
	{ "guests", &given.guests },   { "boot", &given.boot },	  { "check", &given.check },
	{ "section", &given.section }, { "batch", &given.batch }, { "most", &given.most },
	{ "sigma", &given.sigma },     { "crash", &given.crash }, { "loss", &given.loss },
	{ "seed", &given.seed },
};

struct simulated_test {
	char section[32], name[32];
	double actual;
	int alone;
};

/* What happens to a guest next. */
enum simulated_event { GUEST_READY, GUEST_TEST_ENDS, GUEST_CRASHES, GUEST_LOST, GUEST_IDLE };

struct simulated_guest {
	double at; /* time of EVENT; without meaning for GUEST_IDLE */
	enum simulated_event event;
	double lost_at;	     /* when its node is lost; infinite if never */
	const char *section; /* of the last batch */
	struct queued_test batch[TESTS_AT_ONCE];
	size_t count, done;
};

struct simulation {
	struct simulated_test *tests;
	size_t count;
	struct test_index index;
	struct test_queue *queue;
	struct test_groups *groups; /* NULL: an earlier run is known */
	struct simulated_guest *guests;
	double now;
	unsigned int boots;
};

/* --- chance --------------------------------------------------------------------------------- */

/* From 0 to 1, without either. */
static double chance(void)
{
	return drand48() * (1 - 2e-12) + 1e-12;
}

/* A factor of mean 1, by the transform of Box and Muller. */
static double noise(double sigma)
{
	double normal = sqrt(-2 * log(chance())) * cos(2 * M_PI * chance());

	return exp(sigma * normal - sigma * sigma / 2);
}

/* --- tests ---------------------------------------------------------------------------------- */

static struct test_key simulated_key_at(const void *list, size_t position)
{
	const struct simulated_test *test = (const struct simulated_test *)list + position;

	return (struct test_key){ test->section, test->name };
}

static double simulated_seconds(const struct simulation *s, const struct queued_test *test)
{
	return s->tests[test_index_find(&s->index, s->tests, simulated_key_at, test->section,
					test->name)]
		.actual;
}

static bool simulation_read(struct simulation *s)
{
	double seconds;
	struct simulated_test test;

	while (scanf("%lf %d %31s %31s", &seconds, &test.alone, test.section, test.name) == 4) {
		struct simulated_test *added = array_double(&s->tests, s->count, sizeof(*added));
		struct queued_test queued = { test.section, test.name, 0, test.alone };

		if (!added)
			return false;
		test.actual = seconds * noise(given.sigma);
		queued.seconds = seconds * noise(given.sigma);
		if (s->groups)
			queued.seconds = durations_expect(NULL, s->groups, test.section, test.name);
		*added = test;
		if (!test_index_add(&s->index, s->tests, simulated_key_at, s->count++) ||
		    test_queue_add(s->queue, &queued) < 0)
			return false;
	}
	return s->count > 0;
}

static double lower_bound(const struct simulation *s)
{
	double alone = 0, sum = 0, longest = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct simulated_test *t = &s->tests[i];

		*(t->alone ? &alone : &sum) += t->actual;
		if (!t->alone && t->actual > longest)
			longest = t->actual;
	}
	return given.boot + alone + fmax(sum / given.guests, longest);
}

/* --- guests --------------------------------------------------------------------------------- */

static void guest_boots(struct simulation *s, struct simulated_guest *g)
{
	g->event = GUEST_READY;
	g->at = s->now + given.boot;
	g->lost_at = given.loss > 0 ? s->now - log(chance()) * 3600 / given.loss : INFINITY;
	g->section = NULL;
	g->count = g->done = 0;
	s->boots++;
}

/* Starts the next test of the guest's batch AFTER some seconds. */
static void guest_runs(struct simulation *s, struct simulated_guest *g, double after)
{
	double seconds = simulated_seconds(s, &g->batch[g->done]);

	g->event = GUEST_TEST_ENDS;
	if (chance() < given.crash) {
		g->event = GUEST_CRASHES;
		seconds *= chance();
	}
	g->at = s->now + after + seconds;
}

/* An idle guest asks for work. */
static void guest_asks(struct simulation *s, struct simulated_guest *g)
{
	double after = given.check;
	enum test_queue_answer answer =
		test_queue_take(s->queue, (unsigned int)(g - s->guests), given.batch,
				(size_t)given.most, g->batch, &g->count);

	g->event = GUEST_IDLE;
	if (answer != QUEUE_GIVEN)
		return;
	if (!g->section || strcmp(g->section, g->batch[0].section) != 0)
		after += given.section;
	g->section = g->batch[0].section;
	g->done = 0;
	guest_runs(s, g, after);
}

static void guest_event(struct simulation *s, struct simulated_guest *g)
{
	unsigned int number = (unsigned int)(g - s->guests);
	const struct queued_test *test = &g->batch[g->done];

	s->now = fmin(g->at, g->lost_at);
	if (g->lost_at < g->at) {
		test_queue_lost(s->queue, number, NULL, NULL);
		guest_boots(s, g);
	} else if (g->event == GUEST_CRASHES) {
		test_queue_lost(s->queue, number, test->section, test->name);
		guest_boots(s, g);
	} else if (g->event == GUEST_READY) {
		g->event = GUEST_IDLE;
	} else {
		test_queue_ended(s->queue, number, test->section, test->name);
		if (++g->done < g->count)
			guest_runs(s, g, 0);
		else
			g->event = GUEST_IDLE;
	}
}

/* The guest to which something happens next; NULL if all wait. Nodes are lost only while they have
 * something to do: the end of the run is not delayed by them. */
static struct simulated_guest *next_guest(const struct simulation *s)
{
	struct simulated_guest *next = NULL;

	for (size_t i = 0; i < (size_t)given.guests; i++) {
		struct simulated_guest *g = &s->guests[i];

		if (g->event != GUEST_IDLE &&
		    (!next || fmin(g->at, g->lost_at) < fmin(next->at, next->lost_at)))
			next = g;
	}
	return next;
}

static void simulate(struct simulation *s)
{
	struct simulated_guest *g;

	for (size_t i = 0; i < (size_t)given.guests; i++)
		guest_boots(s, &s->guests[i]);
	while (test_queue_state(s->queue).ended < s->count && (g = next_guest(s))) {
		guest_event(s, g);
		for (size_t i = 0; i < (size_t)given.guests; i++)
			if (s->guests[i].event == GUEST_IDLE)
				guest_asks(s, &s->guests[i]);
	}
}

/* --- the command line ------------------------------------------------------------------------ */

static bool take_option(const char *word)
{
	const char *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : 0;
	char *end;

	for (size_t i = 0; equals && i < sizeof(options) / sizeof(*options); i++) {
		if (strlen(options[i].name) != length ||
		    strncmp(options[i].name, word, length) != 0)
			continue;
		*options[i].value = strtod(equals + 1, &end);
		return end > equals + 1 && !*end && *options[i].value >= 0;
	}
	return false;
}

static bool take_groups(struct simulation *s, const char *word)
{
	return text_has_prefix(word, GUESS) &&
	       test_groups_read(word + strlen(GUESS), &s->groups, NULL) == 0;
}

int main(int argc, char **argv)
{
	struct simulation s = { 0 };
	bool good = true;

	for (int i = 1; i < argc; i++)
		good = (take_groups(&s, argv[i]) || take_option(argv[i])) && good;
	if (!good || given.guests < 1 || given.most < 1 || given.most > TESTS_AT_ONCE ||
	    given.crash >= 1) {
		fputs("usage: schedule NAME=VALUE…; see tests/bench/schedule\n", stderr);
		return 2;
	}
	srand48((long)given.seed);
	s.queue = test_queue_new((unsigned int)given.guests);
	s.guests = calloc((size_t)given.guests, sizeof(*s.guests));
	if (!s.queue || !s.guests || !simulation_read(&s)) {
		fputs("schedule: no tests on standard input, or out of memory\n", stderr);
		return 1;
	}
	simulate(&s);
	if (test_queue_state(s.queue).ended < s.count) {
		fputs("schedule: all guests wait, but tests are left\n", stderr);
		return 1;
	}
	printf("%.2f %.2f %u\n", s.now, lower_bound(&s), s.boots);
	test_queue_free(&s.queue);
	test_index_clear(&s.index);
	test_groups_free(&s.groups);
	free(s.guests);
	free(s.tests);
	return 0;
}
