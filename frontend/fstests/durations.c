#include "frontend/fstests/durations.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/check_output.h"
#include "frontend/fstests/long_tests.h"
#include "frontend/fstests/test_index.h"

#define FILE_MOST (16u << 20)
#define SECONDS_MOST (30.0 * 24 * 3600)
#define SECTION_MOST 127 /* bytes, as in check_output.c */

/* All durations of tests of one name. */
struct duration_sum {
	const char *name; /* in a duration */
	double seconds;
	size_t count;
};

struct durations {
	struct duration *list;
	size_t count;
	struct test_index index;
	struct duration_sum *sums;
	size_t sum_count;
	struct test_index sum_index;
};

static struct test_key duration_key_at(const void *list, size_t position)
{
	const struct duration *d = (const struct duration *)list + position;

	return (struct test_key){ d->section, d->name };
}

static struct test_key duration_sum_key_at(const void *list, size_t position)
{
	return (struct test_key){ "", ((const struct duration_sum *)list)[position].name };
}

struct durations *durations_new(void)
{
	return calloc(1, sizeof(struct durations));
}

void durations_free(struct durations **d)
{
	if (!*d)
		return;
	for (size_t i = 0; i < (*d)->count; i++)
		free((char *)(uintptr_t)(*d)->list[i].name);
	free((*d)->list);
	free((*d)->sums);
	test_index_clear(&(*d)->index);
	test_index_clear(&(*d)->sum_index);
	free(*d);
	*d = NULL;
}

static bool durations_sum_up(struct durations *d, const struct duration *added)
{
	size_t at = test_index_find(&d->sum_index, d->sums, duration_sum_key_at, "", added->name);

	if (at == TEST_INDEX_NONE) {
		struct duration_sum *sum = array_grow(&d->sums, d->sum_count, sizeof(*sum));

		if (!sum)
			return false;
		sum->name = added->name;
		if (!test_index_add(&d->sum_index, d->sums, duration_sum_key_at, d->sum_count))
			return false;
		at = d->sum_count++;
	}
	d->sums[at].seconds += added->seconds;
	d->sums[at].count++;
	return true;
}

int durations_add(struct durations *d, const char *section, const char *name, double seconds)
{
	struct duration *added;
	size_t length = strlen(name);
	char *text;

	/* Written so that it is false for NaN, too. */
	if (!(seconds >= 0 && seconds <= SECONDS_MOST) || strlen(section) > SECTION_MOST ||
	    test_name_length(name) != length ||
	    test_index_find(&d->index, d->list, duration_key_at, section, name) != TEST_INDEX_NONE)
		return 0;
	added = array_grow(&d->list, d->count, sizeof(*added));
	/* Both strings in one piece of memory. */
	if (!added || asprintf(&text, "%s%c%s", name, '\0', section) < 0)
		return -1;
	*added =
		(struct duration){ .section = text + length + 1, .name = text, .seconds = seconds };
	if (!test_index_add(&d->index, d->list, duration_key_at, d->count)) {
		free(text);
		return -1;
	}
	d->count++;
	return durations_sum_up(d, added) ? 0 : -1;
}

int durations_add_results(struct durations *d, const struct results *results)
{
	for (size_t i = 0; i < results->count; i++) {
		const struct test_result *r = &results->list[i];

		if (r->status != TEST_UNREACHED && r->status != TEST_EXPUNGED &&
		    r->status != TEST_EXCLUDED &&
		    durations_add(d, r->section, r->name, r->seconds) < 0)
			return -1;
	}
	return 0;
}

size_t durations_count(const struct durations *d)
{
	return d->count;
}

struct duration durations_at(const struct durations *d, size_t position)
{
	return d->list[position];
}

/* --- the file ------------------------------------------------------------------------------- */

static int compare_durations(const void *a, const void *b)
{
	const struct duration *x = a, *y = b;
	int section = strcmp(x->section, y->section);

	return section ? section : strcmp(x->name, y->name);
}

int durations_write(FILE *out, const struct durations *d)
{
	_cleanup_free_ struct duration *sorted = calloc(d->count + 1, sizeof(*sorted));

	if (!sorted)
		return -1;
	if (d->count) {
		memcpy(sorted, d->list, d->count * sizeof(*sorted));
		qsort(sorted, d->count, sizeof(*sorted), compare_durations);
	}
	fputs(DURATIONS_HEADER "\n", out);
	for (size_t i = 0; i < d->count; i++)
		fprintf(out, "%.2f %s%s%s\n", sorted[i].seconds, sorted[i].name,
			*sorted[i].section ? " " : "", sorted[i].section);
	return ferror(out) ? -1 : 0;
}

/* Takes a line, which it modifies. Returns 1 if it is malformed. */
static int durations_take_line(struct durations *d, char *line)
{
	char *rest, *name, *section;
	double seconds = strtod(line, &rest);

	if (!strchr("0123456789", *line) || *rest != ' ' ||
	    !(seconds >= 0 && seconds <= SECONDS_MOST))
		return 1;
	name = rest + 1;
	section = strchr(name, ' ');
	if (section)
		*section++ = '\0';
	if (!*name || test_name_length(name) != strlen(name) ||
	    (section && (!*section || strlen(section) > SECTION_MOST || !text_is_clean(section))))
		return 1;
	return durations_add(d, section ? section : "", name, seconds);
}

int durations_read(const char *path, struct durations **out, struct error **err)
{
	_cleanup_(durations_free) struct durations *d = durations_new();
	_cleanup_free_ char *text = NULL;
	size_t size, number = 1;

	*out = NULL;
	if (!d)
		return error_no_memory(err);
	text = file_read(path, FILE_MOST, &size, err);
	if (!text)
		return -1;
	if (!text_has_prefix(text, DURATIONS_HEADER "\n") || strlen(text) != size)
		return error_set(err, ERR_INPUT, "%s: not written by rootlet runs durations", path);
	for (char *line = text + strlen(DURATIONS_HEADER "\n"), *end; *line; line = end + 1) {
		int result = 1;

		number++;
		end = strchr(line, '\n');
		if (end) {
			*end = '\0';
			result = durations_take_line(d, line);
		}
		if (result < 0)
			return error_no_memory(err);
		if (result > 0)
			return error_set(err, ERR_INPUT, "%s: line %zu is damaged", path, number);
	}
	*out = STEAL_PTR(d);
	return 0;
}

/* --- what to expect ------------------------------------------------------------------------- */

bool durations_has(const struct durations *d, const char *name)
{
	return d && test_index_find(&d->sum_index, d->sums, duration_sum_key_at, "", name) !=
			    TEST_INDEX_NONE;
}

double duration_guess(const struct test_groups *groups, const char *name)
{
	/* A judgement, not a measurement. It rests on doc/group-names.txt of fstests, where a test
	 * of group quick takes at most 30 seconds and one of group auto at most about five minutes,
	 * and on common/fuzzy, where a race with fsstress takes 30 seconds by default. What counts
	 * for the order is which tests are longest. The first row that fits decides. */
	static const struct {
		const char *group;
		double seconds;
	} rows[] = {
		{ "soak", 300 },	 { "long_rw", 300 },	   { "quick", 5 },
		{ "recoveryloop", 180 }, { "stress", 120 },	   { "dangerous_fuzzers", 90 },
		{ "fuzzers", 60 },	 { "fsstress_scrub", 60 }, { "fsstress_online_repair", 60 },
		{ "auto", 45 },
	};
	const double other = 60; /* in no group that runs by default */
	double known = long_test_seconds(name);

	if (known > 0)
		return known;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (test_groups_has(groups, name, rows[i].group))
			return rows[i].seconds;
	return other;
}

double durations_expect(const struct durations *d, const struct test_groups *groups,
			const char *section, const char *name)
{
	size_t at;

	if (!d)
		return duration_guess(groups, name);
	at = test_index_find(&d->index, d->list, duration_key_at, section, name);
	if (at != TEST_INDEX_NONE)
		return d->list[at].seconds;
	at = test_index_find(&d->sum_index, d->sums, duration_sum_key_at, "", name);
	if (at != TEST_INDEX_NONE)
		return d->sums[at].seconds / (double)d->sums[at].count;
	return duration_guess(groups, name);
}
