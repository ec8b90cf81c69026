/* frontend/fstests/test_queue.c: which guest runs which tests next. */
#include "frontend/fstests/test_queue.h"

#include <stdlib.h>
#include <time.h>

#include "tap.h"

#define LIST_MOST 64
#define PLENTY 1000000

/* Tests are "SECTION:NAME=SECONDS", with ! at the end if they must run alone. Steps begin with the
 * number of a guest:
 *
 *   0<a,b    takes, and gets these tests of its section in this order; a number after @ is the most
 *            seconds, one after # the most tests: 0@10#2<a
 *   0?       must wait
 *   0.       learns that everything has ended
 *   0-a      ended a
 *   0xa      is lost while it runs a; 0x: between tests
 *   =1,2,3,4 waiting, taken, ended, and seconds left
 */
static const struct {
	const char *claim;
	unsigned int guests;
	const char *tests, *steps;
} rows[] = {
	{ "an empty queue is finished", 1, "", "0. =0,0,0,0" },
	{ "the longest comes first, and equal ones in their order", 1, ":a=1 :b=9 :c=1 :d=2",
	  "0#1<b 0-b 0#3<d 0-d 0#1<a 0-a 0#1<c 0-c 0." },
	{ "one test is given even if it takes longer than the most seconds", 1, ":a=50 :b=40",
	  "0@10<a" },
	{ "no more tests are given than fit into the most seconds", 1, ":a=5 :b=5 :c=5 :d=85 :e=5",
	  "0@85<d 0@10<a,b" },
	{ "no more tests are given than the most", 1, ":a=1 :b=1 :c=1 :d=1 :e=1 :f=1 :g=1 :h=1",
	  "0#2<a,b" },
	{ "one guest gets no more than half of what is left", 1, ":a=1 :b=1 :c=1 :d=1", "0<a,b" },
	{ "two guests get no more than half of their share", 2,
	  ":a=1 :b=1 :c=1 :d=1 :e=1 :f=1 :g=1 :h=1", "0<a,b 1<c 0<d" },
	{ "a guest waits while another one has the last test", 2, ":a=1", "0<a 1? 0-a 1. 0." },
	{ "what a lost guest had goes back", 2, ":a=2 :b=2 :c=8",
	  "0#1<c =2,1,0,12 0x =3,0,0,12 1#1<c 1-c" },
	{ "the test that ended a guest does not go back", 2, ":a=2 :b=2 :c=8 :d=8",
	  "0#1<c 0#1<d 0xc =3,0,1,12 1<d" },
	{ "a guest that waits gets what a lost one had", 2, ":a=1", "0<a 1? 0x 1<a 0? 1-a 0." },
	{ "a guest with the number of a lost one starts with nothing", 1, ":a=1",
	  "0<a 0x 0<a 0-a 0." },
	{ "a guest stays in its section", 1, "s:a=2 s:b=2 t:c=3 t:d=3",
	  "0#1<t:c 0-c 0#1<t:d 0-d 0#1<s:a" },
	{ "a guest takes the section with the most work", 2, "s:a=1 s:b=1 s:c=1 t:d=1 t:e=1",
	  "0#1<s:a 1#1<s:b 0-a 0#1<s:c" },
	{ "two guests begin with two sections of equal work", 2, "s:a=1 s:b=1 t:c=1 t:d=1",
	  "0#1<s:a 1#1<t:c" },
	{ "a guest leaves its section for a much longer test that would end last", 2,
	  "s:a=50 s:b=50 s:c=20 s:d=10 t:e=45", "0#1<s:a 1#1<s:b 0-a 1-b 0#1<t:e" },
	{ "a guest does not leave its section for a test that is only a little longer", 1,
	  "s:a=40 s:b=40 t:c=50", "0#1<s:a 0-a 0#1<s:b" },
	{ "the same name in two sections is two tests", 2, "s:a=2 t:a=1",
	  "0<s:a 1<t:a 0-a =0,1,1,1 1-a 0." },
	{ "tests that run alone come last", 1, ":a=9! :b=1", "0<b 0-b 0<a 0-a 0." },
	{ "a test that runs alone waits until no other guest has anything", 2, ":a=9! :b=1",
	  "0<b 1? 0-b 1<a 0? 1-a 0." },
	{ "no guest gets anything while another one runs a test alone", 2, ":a=9! :b=8!",
	  "0#1<a 1? 0-a 1#1<b 0? 1-b 0. 1." },
	{ "a guest gets more tests that run alone while it has some", 2, ":a=9! :b=8!",
	  "0#1<a 0#1<b 1? 0-a 1? 0-b 1." },
	{ "a test that runs alone goes back with a lost guest", 2, ":a=9!",
	  "0<a 0x 1<a 0? 1xa 0. =0,0,1,0" },
	{ "tests that a lost guest gives back run before those that run alone", 2, ":a=9! :b=1",
	  "0<b 1? 0x 1<b 0? 1-b 0<a" },
	{ "a test of another guest cannot end", 2, ":a=1 :b=1", "0#1<a 1#1<b 1~a 0~b 0-a 1-b 0." },
	{ "a test cannot end twice", 1, ":a=1", "0<a 0-a 0~a 0." },
	{ "tests end in any order", 1, ":a=4 :b=3 :c=2 :d=50",
	  "0#1<d 0#1<a 0#1<b 0-a 0-b 0-d 0<c =0,1,3,2 0-c 0." },
	{ "tests of unknown length are given one by one", 2, ":a=0 :b=0", "0<a,b 1?" },
};

/* Ends TEXT at the first STOP and returns what follows. */
static char *cut(char *text, char stop)
{
	char *at = strchr(text, stop);

	if (!at)
		return text + strlen(text);
	*at = '\0';
	return at + 1;
}

static struct test_queue *queue_of(const char *tests, unsigned int guests)
{
	struct test_queue *q = test_queue_new(guests);
	char text[1024], *rest = NULL;

	snprintf(text, sizeof(text), "%s", tests);
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *name = cut(word, ':'), *seconds = cut(name, '=');
		struct queued_test test = { word, name, strtod(seconds, NULL),
					    strchr(seconds, '!') };

		if (test_queue_add(q, &test) < 0)
			test_queue_free(&q);
	}
	return q;
}

/* What a guest has, in the form of a step: "s:a,b". */
static void write_given(const struct queued_test *list, size_t count, char *out, size_t size)
{
	snprintf(out, size, "%s%s", *list[0].section ? list[0].section : "",
		 *list[0].section ? ":" : "");
	for (size_t i = 0; i < count; i++)
		snprintf(out + strlen(out), size - strlen(out), "%s%s", i ? "," : "", list[i].name);
}

static bool takes(struct test_queue *q, unsigned int guest, char *step, char *seen, size_t size)
{
	struct queued_test list[LIST_MOST];
	const char *at = strchr(step, '@'), *hash = strchr(step, '#');
	size_t most = hash ? strtoul(hash + 1, NULL, 10) : LIST_MOST, count;
	double seconds = at ? strtod(at + 1, NULL) : PLENTY;
	enum test_queue_answer answer = test_queue_take(q, guest, seconds, most, list, &count);

	snprintf(seen, size, "%s", answer == QUEUE_WAIT ? "?" : ".");
	if (answer == QUEUE_GIVEN)
		write_given(list, count, seen, size);
	return strcmp(seen, strchr(step, '<') ? strchr(step, '<') + 1 : step) == 0;
}

/* The section in which a guest of these rows has a test of that name. */
static bool ends(struct test_queue *q, unsigned int guest, const char *name)
{
	static const char *const sections[] = { "", "s", "t" };

	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++)
		if (test_queue_ended(q, guest, sections[i], name))
			return true;
	return false;
}

static bool step_holds(struct test_queue *q, char *step, char *seen, size_t size)
{
	const struct test_queue_state state = test_queue_state(q);
	unsigned int guest = (unsigned int)(*step - '0');

	if (*step == '=') {
		snprintf(seen, size, "=%zu,%zu,%zu,%.0f", state.waiting, state.taken, state.ended,
			 state.seconds_left);
		return strcmp(seen, step) == 0;
	}
	switch (step[1]) {
	case '-':
		return ends(q, guest, step + 2);
	case '~':
		return !ends(q, guest, step + 2);
	case 'x':
		test_queue_lost(q, guest, "", step[2] ? step + 2 : NULL);
		return test_queue_held(q, guest) == 0;
	default:
		return takes(q, guest, step + 1, seen, size);
	}
}

static void claims(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct test_queue *q = queue_of(rows[i].tests, rows[i].guests);
		char text[1024], seen[256] = "", *rest = NULL, *step;
		bool good = q;

		snprintf(text, sizeof(text), "%s", rows[i].steps);
		for (step = strtok_r(text, " ", &rest); good && step;
		     step = good ? strtok_r(NULL, " ", &rest) : step)
			good = step_holds(q, step, seen, sizeof(seen));
		tap_check(good, "%s%s%s%s%s", rows[i].claim, good ? "" : ": step ",
			  good ? "" : step, good ? "" : " had ", good ? "" : seen);
		test_queue_free(&q);
	}
}

/* Every test ends once, whatever order guests ask in and whichever are lost. */
static void nothing_is_lost_or_doubled(void)
{
	enum { GUESTS = 1024, SECTIONS = 20, TESTS = 2000 };
	struct test_queue *q = test_queue_new(GUESTS);
	struct queued_test list[LIST_MOST];
	unsigned int seed = 1, waits = 0;
	size_t ended = 0, count;
	clock_t began = clock();

	for (unsigned int i = 0; q && i < SECTIONS * TESTS; i++) {
		char section[16], name[32];
		struct queued_test test = { section, name, (double)(rand_r(&seed) % 100),
					    i % 200 == 0 };

		snprintf(section, sizeof(section), "s%u", i / TESTS);
		snprintf(name, sizeof(name), "generic/%u", i % TESTS);
		if (test_queue_add(q, &test) < 0)
			test_queue_free(&q);
	}
	while (q && waits < 100 * GUESTS) {
		unsigned int guest = (unsigned int)rand_r(&seed) % GUESTS;

		if (test_queue_take(q, guest, 60, LIST_MOST, list, &count) == QUEUE_FINISHED)
			break;
		waits += count == 0;
		if (count && rand_r(&seed) % 20 == 0) {
			ended++;
			test_queue_lost(q, guest, list[0].section, list[0].name);
			continue;
		}
		for (size_t i = 0; i < count; i++)
			ended += test_queue_ended(q, guest, list[i].section, list[i].name);
	}
	tap_check(q && ended == SECTIONS * TESTS && test_queue_state(q).ended == ended,
		  "40,000 tests on 1,024 guests end once each, although guests are lost: %zu",
		  ended);
	tap_check(clock() - began < 10 * CLOCKS_PER_SEC, "and that takes less than ten seconds");
	test_queue_free(&q);
}

int main(void)
{
	claims();
	nothing_is_lost_or_doubled();
	return tap_done();
}
