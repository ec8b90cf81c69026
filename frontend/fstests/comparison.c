#include "frontend/fstests/comparison.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/run_index.h"
#include "frontend/fstests/run_tally.h"

static const struct {
	const char *text, *key;
} changes[CHANGES] = {
	[CHANGE_REGRESSION] = { "regression", "regressions" },
	[CHANGE_BROKEN] = { "newly fails", "newly_fails" },
	[CHANGE_FLAKE] = { "known flake", "known_flakes" },
	[CHANGE_FIXED] = { "newly passes", "newly_passes" },
	[CHANGE_STILL] = { "still fails", "still_fails" },
	[CHANGE_EXCLUDED] = { "newly excluded", "newly_excluded" },
};

void comparison_clear(struct comparison *c)
{
	free(c->list);
	*c = (struct comparison){ 0 };
}

bool comparison_is_worse(const struct comparison *c)
{
	return c->changes[CHANGE_REGRESSION] + c->changes[CHANGE_BROKEN] > 0;
}

/* --- collecting ----------------------------------------------------------------------------- */

static struct test_key compared_key_at(const void *list, size_t position)
{
	const struct compared_test *t = (const struct compared_test *)list + position;

	return (struct test_key){ t->now->section, t->now->name };
}

/* Of two results of one test, a failure counts, else a pass, else the first. */
static const struct test_result *worse_result(const struct test_result *a,
					      const struct test_result *b)
{
	if (!a || (outcome_failed(b->status) && !outcome_failed(a->status)))
		return b;
	return outcome_tried(b->status) && !outcome_tried(a->status) ? b : a;
}

static int compare_take_after(struct comparison *c, struct test_index *index,
			      const struct results *after)
{
	for (size_t i = 0; i < after->count; i++) {
		const struct test_result *r = &after->list[i];
		size_t at = test_index_find(index, c->list, compared_key_at, r->section, r->name);
		struct compared_test *t;

		if (at == TEST_INDEX_NONE) {
			at = c->count;
			t = array_grow(&c->list, at, sizeof(*t));
			if (!t)
				return -1;
			t->now = r;
			if (!test_index_add(index, c->list, compared_key_at, at))
				return -1;
			c->count++;
		}
		t = &c->list[at];
		t->now = worse_result(t->now, r);
		t->trials.total += outcome_tried(r->status);
		t->trials.failed += outcome_failed(r->status);
	}
	return 0;
}

static void compare_take_before(struct comparison *c, const struct test_index *index,
				const struct results *before)
{
	for (size_t i = 0; before && i < before->count; i++) {
		const struct test_result *r = &before->list[i];
		size_t at = test_index_find(index, c->list, compared_key_at, r->section, r->name);

		if (at != TEST_INDEX_NONE)
			c->list[at].before = worse_result(c->list[at].before, r);
	}
}

/* Finds the first run in INDEX, or adds it: a directory that was copied here is not in there. */
static const struct indexed_run *compare_find_first(const struct run_dir *first,
						    struct run_index *index, struct error **err)
{
	for (size_t i = 0; i < index->run_count; i++)
		if (strcmp(index->runs[i].id, first->id) == 0)
			return &index->runs[i];
	if (run_index_add(index, first->path, err) < 0)
		return NULL;
	return &index->runs[index->run_count - 1];
}

static int compare_take_earlier(struct comparison *c, const struct test_index *by_name,
				const struct comparison_request *request, struct error **err)
{
	_cleanup_(run_index_clear) struct run_index index;
	_cleanup_(run_tally_clear) struct run_tally tally = { 0 };
	struct tally_filter filter = { .fstype = request->fstype, .except = request->second };

	if (run_index_read(true, &index, err) < 0)
		return -1;
	if (request->first) {
		const struct indexed_run *first = compare_find_first(request->first, &index, err);

		if (!first)
			return -1;
		filter.fstype = first->fstype;
		filter.until = first->began;
		if (request->second && strcmp(request->first->id, request->second) == 0)
			filter.except = NULL;
	}
	if (tally_runs(&index, &filter, &tally, err) < 0)
		return -1;
	c->runs = tally.runs;
	for (size_t i = 0; i < index.test_count; i++) {
		size_t at = test_index_find(by_name, c->list, compared_key_at,
					    index.tests[i].section, index.tests[i].name);

		if (at == TEST_INDEX_NONE)
			continue;
		c->list[at].earlier = tally.list[i].trials;
		c->list[at].flaky = tally.list[i].flaky;
	}
	return 0;
}

/* --- judging -------------------------------------------------------------------------------- */

static int compare_rates(struct comparison *c)
{
	_cleanup_free_ double *p = calloc(c->count + 1, sizeof(*p));
	_cleanup_free_ double *least = calloc(c->count + 1, sizeof(*least));
	_cleanup_free_ double *q = calloc(c->count + 1, sizeof(*q));

	if (!p || !least || !q)
		return -1;
	for (size_t i = 0; i < c->count; i++) {
		const struct compared_test *t = &c->list[i];

		p[i] = fisher_exact(t->earlier, t->trials);
		least[i] = fisher_least(t->earlier, t->trials);
	}
	if (false_discovery(p, least, c->count, COMPARISON_RATE, q) < 0)
		return -1;
	for (size_t i = 0; i < c->count; i++) {
		c->list[i].p = p[i];
		c->list[i].q = q[i];
	}
	return 0;
}

static enum change compare_judge(const struct compared_test *t)
{
	bool failed = t->before && outcome_failed(t->before->status);

	if (t->now->status == TEST_EXCLUDED)
		return t->before && t->before->status != TEST_EXCLUDED ? CHANGE_EXCLUDED
								       : CHANGE_NONE;
	if (!outcome_failed(t->now->status))
		return failed && t->now->status == TEST_PASS ? CHANGE_FIXED : CHANGE_NONE;
	if (t->q <= COMPARISON_RATE)
		return CHANGE_REGRESSION;
	if (t->flaky)
		return CHANGE_FLAKE;
	return failed ? CHANGE_STILL : CHANGE_BROKEN;
}

int comparison_make(const struct comparison_request *request, const struct results *after,
		    struct comparison *out, struct error **err)
{
	_cleanup_(test_index_clear) struct test_index index = { 0 };

	*out = (struct comparison){ 0 };
	if (compare_take_after(out, &index, after) < 0)
		return error_no_memory(err);
	compare_take_before(out, &index, request->before);
	if (compare_take_earlier(out, &index, request, err) < 0)
		return -1;
	if (compare_rates(out) < 0)
		return error_no_memory(err);
	for (size_t i = 0; i < out->count; i++) {
		struct compared_test *t = &out->list[i];

		t->change = compare_judge(t);
		out->changes[t->change]++;
	}
	return 0;
}

/* --- output --------------------------------------------------------------------------------- */

static void compare_print_test(FILE *out, const struct compared_test *t)
{
	fprintf(out, "%s: %s%s%s (%s before, %s now", changes[t->change].text, t->now->section,
		*t->now->section ? " " : "", t->now->name,
		t->before ? test_status_name(t->before->status) : "absent",
		test_status_name(t->now->status));
	if (outcome_failed(t->now->status))
		fprintf(out, "; failed %zu of %zu times before, %zu of %zu now, q = %.2g",
			t->earlier.failed, t->earlier.total, t->trials.failed, t->trials.total,
			t->q);
	fputs(")\n", out);
}

void comparison_print(FILE *out, const struct comparison *c)
{
	for (enum change change = CHANGE_REGRESSION; change < CHANGES; change++)
		for (size_t i = 0; i < c->count; i++)
			if (c->list[i].change == change)
				compare_print_test(out, &c->list[i]);
	fprintf(out, "%zu newly fail, %zu newly pass, %zu still fail", c->changes[CHANGE_BROKEN],
		c->changes[CHANGE_FIXED], c->changes[CHANGE_STILL]);
	if (c->changes[CHANGE_EXCLUDED])
		fprintf(out, ", %zu newly excluded", c->changes[CHANGE_EXCLUDED]);
	fprintf(out, ", %zu %s, %zu known flake%s\n", c->changes[CHANGE_REGRESSION],
		c->changes[CHANGE_REGRESSION] == 1 ? "regression" : "regressions",
		c->changes[CHANGE_FLAKE], c->changes[CHANGE_FLAKE] == 1 ? "" : "s");
	fprintf(out,
		"regressions: Fisher's exact test against %zu earlier run%s, with a "
		"false-discovery rate of %.0f %% over %zu test%s\n",
		c->runs, c->runs == 1 ? "" : "s", 100 * COMPARISON_RATE, c->count,
		c->count == 1 ? "" : "s");
}

static json_t *compare_rates_to_json(const struct compared_test *t)
{
	json_t *object = json_pack(
		"{s:o, s:{s:I, s:I}, s:{s:I, s:I}, s:f, s:f}", "name", json_text(t->now->name),
		"before", "failed", (json_int_t)t->earlier.failed, "ran",
		(json_int_t)t->earlier.total, "now", "failed", (json_int_t)t->trials.failed, "ran",
		(json_int_t)t->trials.total, "p", t->p, "q", t->q);

	if (*t->now->section)
		json_object_set_new(object, "section", json_text(t->now->section));
	return object;
}

json_t *comparison_to_json(const struct comparison *c)
{
	json_t *object = json_object(), *rates = json_array();

	for (enum change change = CHANGE_REGRESSION; change < CHANGES; change++)
		json_object_set_new(object, changes[change].key, json_array());
	for (size_t i = 0; i < c->count; i++) {
		const struct compared_test *t = &c->list[i];

		if (t->change == CHANGE_NONE)
			continue;
		json_array_append_new(json_object_get(object, changes[t->change].key),
				      result_to_json(t->now));
		if (outcome_failed(t->now->status))
			json_array_append_new(rates, compare_rates_to_json(t));
	}
	json_object_set_new(object, "rates", rates);
	json_object_set_new(object, "earlier_runs", json_integer((json_int_t)c->runs));
	return object;
}
