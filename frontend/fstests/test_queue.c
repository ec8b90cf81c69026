#include "frontend/fstests/test_queue.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/word_list.h"
#include "lib/cleanup.h"

/* A guest never gets more than this part of its equal share of what is left. With half, what it
 * still has when the queue runs dry is small; batches get shorter towards the end, and no smaller
 * than one test. */
#define SHARE 0.5

/* A guest leaves its section early only for a test that is this many times as long as its own next
 * one: a change costs a new start of check. */
#define MUCH_LONGER 2

#define NOTHING SIZE_MAX

struct queue_test {
	struct queued_test test;
	size_t section; /* its position in the list of sections */
	size_t next;	/* of those that the same guest has */
};

/* Positions in the list of tests; the longest is the first: a binary heap. */
struct queue_heap {
	size_t *list;
	size_t count, owned, room; /* OWNED: of this heap, wherever they are now */
};

struct queue_section {
	char *name;
	struct queue_heap together, alone;
	double seconds; /* of the tests in TOGETHER */
};

struct queue_guest {
	size_t first, last; /* what it has, in its order */
	size_t count;
	size_t section; /* of its last test */
};

struct test_queue {
	struct queue_test *tests;
	size_t count, room;
	struct queue_section *sections;
	size_t section_count;
	struct queue_guest *guests;
	unsigned int guest_count;
	size_t together, alone, taken; /* numbers of tests */
	size_t alone_taken;
	double seconds_waiting, seconds_taken, seconds_together;
};

struct test_queue *test_queue_new(unsigned int guests)
{
	struct test_queue *q = calloc(1, sizeof(*q));

	if (!q || !(q->guests = calloc(guests, sizeof(*q->guests)))) {
		free(q);
		return NULL;
	}
	q->guest_count = guests;
	for (unsigned int i = 0; i < guests; i++)
		q->guests[i] = (struct queue_guest){ NOTHING, NOTHING, 0, NOTHING };
	return q;
}

void test_queue_free(struct test_queue **q)
{
	if (!*q)
		return;
	for (size_t i = 0; i < (*q)->section_count; i++) {
		free((*q)->sections[i].name);
		free((*q)->sections[i].together.list);
		free((*q)->sections[i].alone.list);
	}
	for (size_t i = 0; i < (*q)->count; i++)
		free((char *)(uintptr_t)(*q)->tests[i].test.name);
	free((*q)->sections);
	free((*q)->tests);
	free((*q)->guests);
	free(*q);
	*q = NULL;
}

/* --- heaps ---------------------------------------------------------------------------------- */

/* Whether test A is given before B. */
static bool queue_is_before(const struct test_queue *q, size_t a, size_t b)
{
	double x = q->tests[a].test.seconds, y = q->tests[b].test.seconds;

	return x > y || (x >= y && a < b);
}

static void queue_swap(struct queue_heap *h, size_t i, size_t k)
{
	size_t kept = h->list[i];

	h->list[i] = h->list[k];
	h->list[k] = kept;
}

/* There is room: each heap has room for all tests that ever belong to it. */
static void queue_push(const struct test_queue *q, struct queue_heap *h, size_t test)
{
	size_t i = h->count++;

	h->list[i] = test;
	for (; i && queue_is_before(q, h->list[i], h->list[(i - 1) / 2]); i = (i - 1) / 2)
		queue_swap(h, i, (i - 1) / 2);
}

static size_t queue_pop(const struct test_queue *q, struct queue_heap *h)
{
	size_t first = h->list[0];

	h->list[0] = h->list[--h->count];
	for (size_t i = 0, k; (k = 2 * i + 1) < h->count; i = k) {
		if (k + 1 < h->count && queue_is_before(q, h->list[k + 1], h->list[k]))
			k++;
		if (!queue_is_before(q, h->list[k], h->list[i]))
			break;
		queue_swap(h, i, k);
	}
	return first;
}

/* --- tests that wait ------------------------------------------------------------------------ */

/* Puts a test into the queue, or back into it. */
static void queue_put(struct test_queue *q, size_t test)
{
	const struct queue_test *t = &q->tests[test];
	struct queue_section *section = &q->sections[t->section];

	queue_push(q, t->test.alone ? &section->alone : &section->together, test);
	q->seconds_waiting += t->test.seconds;
	if (t->test.alone) {
		q->alone++;
		return;
	}
	q->together++;
	q->seconds_together += t->test.seconds;
	section->seconds += t->test.seconds;
}

/* Takes the longest test of SECTION out of the queue. */
static size_t queue_get(struct test_queue *q, struct queue_section *section, bool alone)
{
	size_t test = queue_pop(q, alone ? &section->alone : &section->together);
	double seconds = q->tests[test].test.seconds;

	q->seconds_waiting -= seconds;
	if (alone) {
		q->alone--;
		return test;
	}
	q->together--;
	q->seconds_together -= seconds;
	/* No remainder of rounding makes an empty section look like the one with the most work. */
	section->seconds = section->together.count ? section->seconds - seconds : 0;
	return test;
}

static struct queue_section *queue_find_section(struct test_queue *q, const char *name)
{
	struct queue_section *added;

	for (size_t i = 0; i < q->section_count; i++)
		if (strcmp(q->sections[i].name, name) == 0)
			return &q->sections[i];
	added = array_grow(&q->sections, q->section_count, sizeof(*added));
	if (!added || !(added->name = strdup(name)))
		return NULL;
	q->section_count++;
	return added;
}

/* Makes room for one more element of SIZE bytes, and often for many more: a queue has up to 40,000
 * tests. */
static bool queue_make_room(void *array, size_t count, size_t *room, size_t size)
{
	void **where = array, *larger;
	size_t more = *room ? 2 * *room : 16;

	if (count < *room)
		return true;
	larger = reallocarray(*where, more, size);
	if (!larger)
		return false;
	*where = larger;
	*room = more;
	return true;
}

int test_queue_add(struct test_queue *q, const struct queued_test *test)
{
	struct queue_section *section = queue_find_section(q, test->section);
	struct queue_heap *heap;
	struct queue_test *added;

	if (!section)
		return -1;
	heap = test->alone ? &section->alone : &section->together;
	if (!queue_make_room(&heap->list, heap->owned, &heap->room, sizeof(*heap->list)) ||
	    !queue_make_room(&q->tests, q->count, &q->room, sizeof(*q->tests)))
		return -1;
	added = &q->tests[q->count];
	*added = (struct queue_test){
		.test = { section->name, strdup(test->name), test->seconds > 0 ? test->seconds : 0,
			  test->alone },
		.section = (size_t)(section - q->sections),
		.next = NOTHING,
	};
	if (!added->test.name)
		return -1;
	heap->owned++;
	queue_put(q, q->count++);
	return 0;
}

/* --- who gets what -------------------------------------------------------------------------- */

static double queue_longest(const struct test_queue *q, const struct queue_section *section)
{
	return section->together.count ? q->tests[section->together.list[0]].test.seconds : -1;
}

/* The section of the longest test, if starting it later would make it the last to end. */
static size_t queue_urgent_section(const struct test_queue *q)
{
	double share = (q->seconds_together + q->seconds_taken) / q->guest_count, most = share;
	size_t urgent = NOTHING;

	for (size_t i = 0; i < q->section_count; i++) {
		double longest = queue_longest(q, &q->sections[i]);

		if (longest >= most) {
			urgent = i;
			most = longest;
		}
	}
	return urgent;
}

static size_t queue_fullest_section(const struct test_queue *q, bool alone)
{
	size_t fullest = NOTHING;

	for (size_t i = 0; i < q->section_count; i++) {
		const struct queue_section *s = &q->sections[i];

		if (alone ? !s->alone.count : !s->together.count)
			continue;
		if (fullest == NOTHING || (!alone && s->seconds > q->sections[fullest].seconds))
			fullest = i;
	}
	return fullest;
}

static size_t queue_choose_section(const struct test_queue *q, const struct queue_guest *guest,
				   bool alone)
{
	size_t own = guest->section, urgent = alone ? NOTHING : queue_urgent_section(q);

	if (urgent != NOTHING &&
	    (own == NOTHING || queue_longest(q, &q->sections[own]) * MUCH_LONGER <
				       queue_longest(q, &q->sections[urgent])))
		return urgent;
	if (own != NOTHING &&
	    (alone ? q->sections[own].alone.count : q->sections[own].together.count))
		return own;
	return queue_fullest_section(q, alone);
}

static void queue_hold(struct test_queue *q, struct queue_guest *guest, size_t test)
{
	struct queue_test *t = &q->tests[test];

	t->next = NOTHING;
	if (guest->count++)
		q->tests[guest->last].next = test;
	else
		guest->first = test;
	guest->last = test;
	guest->section = t->section;
	q->taken++;
	q->alone_taken += t->test.alone;
	q->seconds_taken += t->test.seconds;
}

/* The test after PREVIOUS (NOTHING: the first) is no longer with GUEST. */
static void queue_release(struct test_queue *q, struct queue_guest *guest, size_t previous)
{
	size_t test = previous == NOTHING ? guest->first : q->tests[previous].next;
	const struct queue_test *t = &q->tests[test];

	if (previous == NOTHING)
		guest->first = t->next;
	else
		q->tests[previous].next = t->next;
	if (guest->last == test)
		guest->last = previous;
	guest->count--;
	q->taken--;
	q->alone_taken -= t->test.alone;
	q->seconds_taken = q->taken ? q->seconds_taken - t->test.seconds : 0;
}

/* Whether GUEST may now get tests that run alone, or (ALONE false) with others. */
static bool queue_may_take(const struct test_queue *q, const struct queue_guest *guest, bool alone)
{
	if (alone)
		return q->alone && !q->together && q->taken == guest->count;
	return q->together && !q->alone_taken;
}

/* Gives GUEST tests of SECTION: at least one. Returns how many. */
static size_t queue_give(struct test_queue *q, struct queue_guest *guest,
			 struct queue_section *section, bool alone, double most_seconds,
			 size_t most_tests, struct queued_test *list)
{
	const struct queue_heap *heap = alone ? &section->alone : &section->together;
	double seconds = 0;
	size_t count = 0;

	do {
		size_t test = queue_get(q, section, alone);

		queue_hold(q, guest, test);
		list[count++] = q->tests[test].test;
		seconds += q->tests[test].test.seconds;
	} while (count < most_tests && heap->count &&
		 seconds + q->tests[heap->list[0]].test.seconds <= most_seconds);
	return count;
}

enum test_queue_answer test_queue_take(struct test_queue *q, unsigned int number,
				       double most_seconds, size_t most_tests,
				       struct queued_test *list, size_t *count)
{
	struct queue_guest *guest = &q->guests[number];
	bool alone = queue_may_take(q, guest, true);
	double share = q->seconds_together / q->guest_count * SHARE;
	size_t section;

	*count = 0;
	if (!alone && !queue_may_take(q, guest, false))
		return q->together || q->alone || q->taken ? QUEUE_WAIT : QUEUE_FINISHED;
	section = queue_choose_section(q, guest, alone);
	if (section == NOTHING || most_tests == 0)
		return QUEUE_WAIT;
	if (!alone && share < most_seconds)
		most_seconds = share;
	*count = queue_give(q, guest, &q->sections[section], alone, most_seconds, most_tests, list);
	return QUEUE_GIVEN;
}

bool test_queue_ended(struct test_queue *q, unsigned int number, const char *section,
		      const char *name)
{
	struct queue_guest *guest = &q->guests[number];
	size_t previous = NOTHING;

	for (size_t i = guest->first; i != NOTHING; previous = i, i = q->tests[i].next) {
		const struct queued_test *t = &q->tests[i].test;

		if (strcmp(t->name, name) != 0 || strcmp(t->section, section) != 0)
			continue;
		queue_release(q, guest, previous);
		return true;
	}
	return false;
}

size_t test_queue_lost(struct test_queue *q, unsigned int number, const char *section,
		       const char *name)
{
	struct queue_guest *guest = &q->guests[number];
	size_t back;

	if (name)
		test_queue_ended(q, number, section, name);
	for (back = 0; guest->count; back++) {
		size_t test = guest->first;

		queue_release(q, guest, NOTHING);
		queue_put(q, test);
	}
	guest->section = NOTHING;
	return back;
}

struct test_queue_state test_queue_state(const struct test_queue *q)
{
	size_t waiting = q->together + q->alone;

	return (struct test_queue_state){
		.waiting = waiting,
		.taken = q->taken,
		.ended = q->count - waiting - q->taken,
		.seconds_left = (waiting ? q->seconds_waiting : 0) + q->seconds_taken,
	};
}

size_t test_queue_held(const struct test_queue *q, unsigned int guest)
{
	return q->guests[guest].count;
}
