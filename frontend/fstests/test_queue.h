/* Decides which guest runs which tests next: longest expected first, one section after the other.
 * Knows no clock, no files and no guests, so that simulations drive the same code as runs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct test_queue;

struct queued_test {
	const char *section, *name; /* section "" if none; valid as long as the queue */
	double seconds;		    /* expected */
	bool alone;		    /* runs only while no other guest runs anything */
};

/* A queue for guests numbered from 0 to GUESTS - 1, of which there is at least one. A guest that
 * replaces a lost one may have its number. NULL if out of memory. */
struct test_queue *test_queue_new(unsigned int guests);
void test_queue_free(struct test_queue **q);

/* Adds a copy of TEST. Tests of the same length are given in the order in which they were added.
 * Returns 0, or -1 if out of memory. */
int test_queue_add(struct test_queue *q, const struct queued_test *test);

enum test_queue_answer {
	QUEUE_GIVEN,
	QUEUE_WAIT,	/* ask again when another guest has ended a test or is lost */
	QUEUE_FINISHED, /* every test has ended */
};

/* Gives GUEST its next tests, in the order in which it must run them. They are in one section: the
 * guest's last one, unless that has no tests left or a much longer test elsewhere must start now.
 * Gives at least one test, at most MOST_TESTS, and no more than fit into MOST_SECONDS and into a
 * fair share of what is left, so that all guests end together. LIST has room for MOST_TESTS. Tests
 * that must run alone come last, and while one guest has some, the others wait. */
enum test_queue_answer test_queue_take(struct test_queue *q, unsigned int guest,
				       double most_seconds, size_t most_tests,
				       struct queued_test *list, size_t *count);

/* A test that GUEST had taken has ended. False if the guest does not have it. */
bool test_queue_ended(struct test_queue *q, unsigned int guest, const char *section,
		      const char *name);

/* GUEST is gone. What it had goes back into the queue, except the test SECTION, NAME (NULL: none),
 * which ended it and counts as ended. Returns how many tests went back. */
size_t test_queue_lost(struct test_queue *q, unsigned int guest, const char *section,
		       const char *name);

struct test_queue_state {
	size_t waiting, taken, ended;
	double seconds_left; /* expected, of those that wait or are taken */
};

struct test_queue_state test_queue_state(const struct test_queue *q);

/* How many tests GUEST has taken that have not ended. */
size_t test_queue_held(const struct test_queue *q, unsigned int guest);
