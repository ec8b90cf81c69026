/* How long tests will probably take: from earlier results, a file, or else a guess.
 *
 * The file, which `rootlet runs durations` prints: the line DURATIONS_HEADER, then one line for
 * each test, with its seconds, its name and, if it has one, its section: "12.5 generic/013
 * ext4_1k". */
#pragma once

#include <stdio.h>

#include "frontend/fstests/results.h"
#include "frontend/fstests/test_groups.h"

#define DURATIONS_HEADER "# rootlet durations 1"

struct durations;

/* NULL if out of memory. */
struct durations *durations_new(void);
void durations_free(struct durations **d);

/* Adds a duration in seconds, unless that test in that section has one: so add the newest first.
 * Ignores what no test takes. Returns 0, or -1 if out of memory. */
int durations_add(struct durations *d, const char *section, const char *name, double seconds);

/* The same for each result of a test that was started. */
int durations_add_results(struct durations *d, const struct results *results);

/* Reads the file PATH. ERR_INPUT if it is damaged. The caller frees OUT. */
int durations_read(const char *path, struct durations **out, struct error **err);

/* Writes the file, sorted. Returns 0, or -1 with errno set. */
int durations_write(FILE *out, const struct durations *d);

size_t durations_count(const struct durations *d);

/* The duration at POSITION in the order in which they were added. */
struct duration {
	const char *section, *name;
	double seconds;
};
struct duration durations_at(const struct durations *d, size_t position);

/* Whether the test has a duration in any section. D may be NULL. */
bool durations_has(const struct durations *d, const char *name);

/* The expected seconds of a test: its duration in that section, else the mean of those in others,
 * else duration_guess(). D and GROUPS may be NULL. */
double durations_expect(const struct durations *d, const struct test_groups *groups,
			const char *section, const char *name);

/* A guess in seconds, for a test without a duration: what it usually takes, if it is known to take
 * long, else what its groups tell. */
double duration_guess(const struct test_groups *groups, const char *name);
