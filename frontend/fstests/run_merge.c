#include "frontend/fstests/run_merge.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/shard.h"
#include "frontend/fstests/summary.h"
#include "lib/error_wrap.h"
#include "lib/hash.h"
#include "lib/write_all.h"

#define PLAN_MOST (64u << 20)
#define KERNEL_MOST (64u << 20)
#define NAMES_SHOWN 5

struct merged_shard {
	struct run_dir dir; /* closed */
	json_t *record;
	struct results results;
	unsigned int part, parts;
	char *plan; /* of the first shard only */
	char hash[2 * SHA256_LEN + 1];
};

struct merge {
	struct merged_shard *shards;
	size_t count;
	const struct merged_shard *first; /* the first with a plan */
	char *kernel;			  /* all shards' RUN_KERNEL */
	struct kernel_traces traces;	  /* the same, counted */
};

static void merge_clear(struct merge *m)
{
	for (size_t i = 0; i < m->count; i++) {
		run_dir_close(&m->shards[i].dir);
		json_decref(m->shards[i].record);
		results_clear(&m->shards[i].results);
		free(m->shards[i].plan);
	}
	free(m->shards);
	free(m->kernel);
	kernel_traces_clear(&m->traces);
}

void run_merge_clear(struct run_merge *m)
{
	run_dir_close(&m->dir);
	json_decref(m->record);
	json_decref(m->missing);
	results_clear(&m->results);
	kernel_traces_clear(&m->kernel);
}

/* --- reading -------------------------------------------------------------------------------- */

/* Reads a file that a shard may lack. 1 if it does. */
static int merge_read_file(const struct run_dir *dir, const char *name, size_t most, char **text,
			   struct error **err)
{
	_cleanup_error_ struct error *why = NULL;

	*text = tree_read(dir->fd, name, most, NULL, &why);
	if (*text)
		return 0;
	if (why->code == ERR_MISSING)
		return 1;
	*err = STEAL_PTR(why);
	return error_wrap(err, "%s", dir->path);
}

/* The plan's hash is that of the file; a run that was cut off has none in run.json. */
static int merge_read_plan(struct merged_shard *s, struct error **err)
{
	const json_t *shard = json_object_get(s->record, "shard");
	const char *hash = json_string_value(json_object_get(shard, "plan"));
	int result = merge_read_file(&s->dir, RUN_PLAN, PLAN_MOST, &s->plan, err);
	uint8_t sum[SHA256_LEN];

	if (result < 0 || (result > 0 && !hash))
		return result < 0 ? -1 : 0;
	if (result > 0)
		return error_set(err, ERR_INPUT, "%s: its file " RUN_PLAN " is missing",
				 s->dir.path);
	hash_of(s->plan, strlen(s->plan), sum);
	sha256_to_hex(sum, s->hash);
	if (hash && strcmp(hash, s->hash) != 0)
		return error_set(err, ERR_INPUT,
				 "%s: its file " RUN_PLAN " is not the one in run.json",
				 s->dir.path);
	return 0;
}

static int merge_read_results(struct merged_shard *s, struct error **err)
{
	_cleanup_error_ struct error *why = NULL;

	if (results_read(s->dir.fd, RUN_TESTS, &s->results, &why) == 0 || why->code == ERR_MISSING)
		return 0;
	*err = STEAL_PTR(why);
	return error_wrap(err, "%s", s->dir.path);
}

static int merge_add_kernel(const struct merged_shard *s, FILE *kernel,
			    struct kernel_traces *traces, struct error **err)
{
	_cleanup_free_ char *text = NULL;

	if (merge_read_file(&s->dir, RUN_KERNEL, KERNEL_MOST, &text, err) < 0)
		return -1;
	for (const char *line = text, *end; line && (end = strchr(line, '\n')); line = end + 1) {
		json_t *object = json_loadb(line, (size_t)(end - line), 0, NULL);

		if (json_is_object(object)) {
			json_clean(object);
			json_object_set_new(object, "shard", json_integer(s->part));
			kernel_traces_add(traces, object);
			json_dumpf(object, kernel, JSON_COMPACT);
			fputc('\n', kernel);
		}
		json_decref(object);
	}
	return 0;
}

static int merge_read_shard(const char *name, struct merged_shard *s, FILE *kernel,
			    struct kernel_traces *traces, struct error **err)
{
	const json_t *shard;

	if (run_dir_open(name, &s->dir, err) < 0)
		return -1;
	if (run_dir_busy(&s->dir))
		return error_set(err, ERR_BUSY, "run %s is still in progress", name);
	s->record = run_dir_read(&s->dir, err);
	if (!s->record)
		return -1;
	shard = json_object_get(s->record, "shard");
	s->part = (unsigned int)json_integer_value(json_object_get(shard, "part"));
	s->parts = (unsigned int)json_integer_value(json_object_get(shard, "parts"));
	if (s->part < 1 || s->part > s->parts)
		return error_set(err, ERR_INPUT,
				 "%s is no shard: it was not run with rootlet fstests --shard",
				 name);
	if (merge_read_plan(s, err) < 0 || merge_read_results(s, err) < 0 ||
	    merge_add_kernel(s, kernel, traces, err) < 0)
		return -1;
	/* There may be more shards than descriptors. */
	closep(&s->dir.fd);
	s->dir.fd = -1;
	return 0;
}

static int merge_read(struct merge *m, char *const *names, struct error **err)
{
	size_t size;
	FILE *kernel = open_memstream(&m->kernel, &size);
	int result = kernel ? 0 : error_no_memory(err);
	bool planned = false;

	for (; result == 0 && *names; names++) {
		struct merged_shard *s = array_grow(&m->shards, m->count, sizeof(*s));

		if (!s) {
			result = error_no_memory(err);
			break;
		}
		s->dir = RUN_DIR_NONE;
		m->count++;
		result = merge_read_shard(*names, s, kernel, &m->traces, err);
		/* All have the same; one is enough. */
		if (planned)
			free(STEAL_PTR(s->plan));
		planned = planned || s->plan;
	}
	for (size_t i = m->count; i-- > 0;)
		if (m->shards[i].plan)
			m->first = &m->shards[i];
	if (kernel && fclose(kernel) != 0 && result == 0)
		return error_no_memory(err);
	return result;
}

/* --- comparing ------------------------------------------------------------------------------ */

static const char *merge_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "none";
}

static int merge_refuse(const struct merged_shard *a, const struct merged_shard *b,
			const char *field, const char *one, const char *other, struct error **err)
{
	return error_set(err, ERR_INPUT,
			 "%s and %s differ in %s (%.60s and %.60s): they are no "
			 "shards of one run",
			 a->dir.path, b->dir.path, field, one, other);
}

/* Names the first field in which two shards differ. */
static int merge_compare(const struct merged_shard *a, const struct merged_shard *b,
			 struct error **err)
{
	static const struct {
		const char *object, *key, *field;
	} rows[] = {
		{ NULL, "kernel_version", "kernel" },
		{ "identity", "kernel", "kernel" },
		{ "identity", "rootfs", "rootfs" },
		{ "identity", "overlays", "overlays" },
		{ "identity", "fstests", "fstests" },
		{ NULL, "fstype", "configuration" },
		{ "identity", "configuration", "configuration" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *object = rows[i].object;
		const char *one = merge_text(
			object ? json_object_get(a->record, object) : a->record, rows[i].key);
		const char *other = merge_text(
			object ? json_object_get(b->record, object) : b->record, rows[i].key);

		if (strcmp(one, other) != 0)
			return merge_refuse(a, b, rows[i].field, one, other, err);
	}
	if (a->parts != b->parts)
		return error_set(err, ERR_INPUT,
				 "%s is part of %u and %s of %u: they are no shards of one run",
				 a->dir.path, a->parts, b->dir.path, b->parts);
	if (*a->hash && *b->hash && strcmp(a->hash, b->hash) != 0)
		return merge_refuse(a, b, "plan", a->hash, b->hash, err);
	return 0;
}

/* "generic/001, ext4_1k generic/002 and 7 more" */
struct name_list {
	char text[512];
	size_t count;
};

static void names_note(struct name_list *n, const struct test_result *r)
{
	size_t used = strlen(n->text);

	if (n->count++ < NAMES_SHOWN)
		snprintf(n->text + used, sizeof(n->text) - used, "%s%s%s%s", used ? ", " : "",
			 r->section, *r->section ? " " : "", r->name);
}

static const char *names_end(struct name_list *n)
{
	size_t used = strlen(n->text);

	if (n->count > NAMES_SHOWN)
		snprintf(n->text + used, sizeof(n->text) - used, " and %zu more",
			 n->count - NAMES_SHOWN);
	return n->text;
}

/* Adds the results of one shard. Refuses what another shard has, too. */
static int merge_add_results(const struct merged_shard *s, struct results *all, struct error **err)
{
	struct name_list doubled = { .count = 0 };
	size_t before = all->count;

	for (size_t i = 0; i < s->results.count; i++) {
		const struct test_result *r = &s->results.list[i];
		const struct test_result *known = results_find(all, r->section, r->name);

		if (known && known < all->list + before)
			names_note(&doubled, r);
		else if (!known && results_add(all, r, err) < 0)
			return -1;
	}
	if (doubled.count)
		return error_set(err, ERR_INPUT, "%s has tests that another shard has, too: %s",
				 s->dir.path, names_end(&doubled));
	return 0;
}

static int merge_check(const struct merge *m, struct error **err)
{
	for (size_t i = 1; i < m->count; i++)
		if (merge_compare(m->first ? m->first : m->shards, &m->shards[i], err) < 0)
			return -1;
	if (!m->first)
		return error_set(err, ERR_INPUT,
				 "none of these shards has a plan: all ended before their tests "
				 "were listed");
	return merge_compare(m->first, m->shards, err);
}

/* Two runs of one part, of which nobody knows which one counts. */
static int merge_check_parts(const struct merge *m, struct error **err)
{
	_cleanup_free_ size_t *seen = calloc((size_t)m->shards->parts + 1, sizeof(*seen));

	if (!seen)
		return error_no_memory(err);
	for (size_t i = 0; i < m->count; i++) {
		size_t *other = &seen[m->shards[i].part];

		if (*other)
			return error_set(err, ERR_INPUT, "%s and %s are both part %u of %u",
					 m->shards[*other - 1].dir.path, m->shards[i].dir.path,
					 m->shards[i].part, m->shards[i].parts);
		*other = i + 1;
	}
	return 0;
}

/* --- the new run ---------------------------------------------------------------------------- */

/* Takes the results in the plan's order, then those of tests that are not in it. */
static int merge_order(const struct test_plan *plan, const struct results *all,
		       struct run_merge *out, struct error **err)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct planned *p = &plan->list[i];
		const struct test_result unreached = { .section = p->section,
						       .name = p->name,
						       .status = TEST_UNREACHED };
		const struct test_result *found = results_find(all, p->section, p->name);

		if (results_find(&out->results, p->section, p->name))
			continue;
		if (!found)
			json_array_append_new(out->missing,
					      json_pack("{s:o*, s:o}", "section",
							*p->section ? json_text(p->section) : NULL,
							"name", json_text(p->name)));
		if (results_add(&out->results, found ? found : &unreached, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < all->count; i++)
		if (!results_find(&out->results, all->list[i].section, all->list[i].name) &&
		    results_add(&out->results, &all->list[i], err) < 0)
			return -1;
	return 0;
}

static int merge_results(const struct merge *m, struct run_merge *out, struct error **err)
{
	_cleanup_(test_plan_clear) struct test_plan plan = { 0 };
	_cleanup_(results_clear) struct results all = { 0 };
	_cleanup_free_ unsigned int *parts = NULL;

	for (size_t i = 0; i < m->count; i++)
		if (merge_add_results(&m->shards[i], &all, err) < 0)
			return -1;
	if (shard_read_plan(m->first->plan, &plan, &parts, err) < 0)
		return error_wrap(err, "%s", m->first->dir.path);
	out->missing = json_array();
	return merge_order(&plan, &all, out, err);
}

/* The status of one run that had all the tests: as in check_session.c, the worst comes first. */
static int merge_conclude(const struct merge *m, const struct run_merge *out)
{
	static const struct {
		int status;
		enum test_status result; /* with which the status is that, whatever a record says */
	} worst[] = { { FSTESTS_CRASHED, TEST_CRASH }, { FSTESTS_TIMED_OUT, TEST_TIMEOUT } };
	bool whole = json_array_size(out->missing) == 0 && m->count == m->shards->parts;

	for (size_t w = 0; w < sizeof(worst) / sizeof(*worst); w++) {
		if (results_count(&out->results, worst[w].result))
			return worst[w].status;
		for (size_t i = 0; i < m->count; i++)
			if (json_integer_value(json_object_get(m->shards[i].record,
							       "exit_status")) == worst[w].status)
				return worst[w].status;
	}
	for (size_t i = 0; i < m->count; i++) {
		const json_t *status = json_object_get(m->shards[i].record, "exit_status");

		/* One that was cut off has none. */
		if (!json_is_integer(status) || json_integer_value(status) > FSTESTS_FAILED)
			whole = false;
	}
	if (!whole)
		return FSTESTS_NOT_RUN;
	return results_unexcused(&out->results) || results_count(&out->results, TEST_UNREACHED)
		       ? FSTESTS_FAILED
		       : FSTESTS_PASSED;
}

static json_t *merge_describe_shards(const struct merge *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->count; i++) {
		const struct merged_shard *s = &m->shards[i];

		json_array_append_new(
			list,
			json_pack("{s:o, s:I, s:o, s:o}", "run", json_text(s->dir.id), "part",
				  (json_int_t)s->part, "results", json_text(s->dir.path), "state",
				  json_text(json_string_value(json_object_get(s->record, "status"))
						    ? merge_text(s->record, "status")
						    : "cut off")));
	}
	return list;
}

/* What the shards have in common comes from the first one. */
static json_t *merge_describe(const struct merge *m, struct run_merge *out)
{
	static const char *const common[] = { "kernel_version", "boot",	   "fstype", "rootfs",
					      "fstests",	"tests",   "root",   "identity",
					      "generation",	"excludes" };
	json_t *record = json_object();
	double seconds = 0;
	json_int_t boots = 0, began = 0;

	for (size_t i = 0; i < sizeof(common) / sizeof(*common); i++)
		json_object_set(record, common[i], json_object_get(m->first->record, common[i]));
	for (size_t i = 0; i < m->count; i++) {
		const json_t *one = m->shards[i].record;
		double took = json_number_value(json_object_get(one, "seconds"));
		json_int_t start = json_integer_value(json_object_get(one, "began"));

		seconds = took > seconds ? took : seconds;
		boots += json_integer_value(json_object_get(one, "boots"));
		began = i && began < start ? began : start;
	}
	json_object_update_new(
		record, json_pack("{s:o, s:I, s:s, s:i, s:o, s:f, s:I, s:o, s:o, s:O}", "run",
				  json_text(out->dir.id), "began", began, "status",
				  fstests_status_name(out->status), "exit_status", out->status,
				  "results", json_text(out->dir.path), "seconds", seconds, "boots",
				  boots, "kernel", kernel_traces_list(&out->kernel), "shards",
				  merge_describe_shards(m), "missing", out->missing));
	summary_add_results(record, &out->results);
	return record;
}

static int merge_write_text(const struct run_dir *dir, const char *name, const char *text,
			    struct error **err)
{
	_cleanup_free_ char *draft = NULL;
	_cleanup_close_ int fd = -1;

	if (asprintf(&draft, ".%s", name) >= 0)
		fd = openat(dir->fd, draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write_all(fd, text, strlen(text)) < 0 ||
	    dir_replace_file(dir->fd, draft, fd, name) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s/%s", dir->path, name);
	return 0;
}

/* run.json comes last: until then, the run is cut off. */
static int merge_write(const struct merge *m, struct run_merge *out, struct error **err)
{
	if (results_write(out->dir.fd, RUN_TESTS, &out->results, err) < 0 ||
	    merge_write_text(&out->dir, RUN_KERNEL, m->kernel, err) < 0 ||
	    merge_write_text(&out->dir, RUN_PLAN, m->first->plan, err) < 0)
		return -1;
	out->record = merge_describe(m, out);
	return run_dir_write(&out->dir, out->record, err);
}

/* A part of the new run's id: a filesystem's name, as far as it is one. */
static void merge_name(const struct merge *m, char *name, size_t size)
{
	const char *type = merge_text(m->first->record, "fstype");
	size_t length = strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789-_");

	snprintf(name, size, "%.*s-merged", (int)(length < size / 2 ? length : size / 2), type);
}

int run_merge(char *const *names, const char *results, struct run_merge *out, struct error **err)
{
	_cleanup_(merge_clear) struct merge m = { 0 };
	char name[64];

	*out = (struct run_merge){ .dir = RUN_DIR_NONE };
	if (merge_read(&m, names, err) < 0 || merge_check(&m, err) < 0 ||
	    merge_check_parts(&m, err) < 0 || merge_results(&m, out, err) < 0)
		return -1;
	out->status = merge_conclude(&m, out);
	merge_name(&m, name, sizeof(name));
	if (run_dir_make(name, results, &out->dir, err) < 0)
		return -1;
	out->kernel = m.traces;
	m.traces = (struct kernel_traces){ NULL };
	return merge_write(&m, out, err);
}
