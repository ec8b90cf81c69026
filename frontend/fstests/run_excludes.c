#include "frontend/fstests/run_excludes.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/events.h"
#include "frontend/cli/paths.h"
#include "frontend/cli/suggest.h"
#include "frontend/cli/tree.h"
#include "frontend/fstests/config.h"
#include "lib/error_wrap.h"

#define CONFIG RUN_RESULTS "/local.config"
#define CONFIG_MOST 65536
#define KEPT_MOST (64u << 20)
#define SHOWN 5	     /* entries that a note names */
#define REPORTED 100 /* entries of each kind in run.json */
#define USER_DIR "excludes"

int run_excludes_read(struct run_excludes *e, const char *const *paths, struct error **err)
{
	_cleanup_free_ char *dir = paths_config(USER_DIR, NULL);
	bool own = dir;

	for (; *paths; paths++) {
		if (strcmp(*paths, EXCLUDE_NONE) == 0)
			own = false;
		else if (excludes_read(&e->all, *paths, err) < 0)
			return error_wrap(err, "--exclude");
	}
	return own ? excludes_read_directory(&e->all, dir, err) : 0;
}

int run_excludes_add(struct run_excludes *e, const struct test_configuration *c, struct error **err)
{
	char title[CONFIGURATION_SIZE];
	size_t before = e->all.count;

	configuration_title(c, title);
	for (char *const *line = c->excludes; line && *line; line++)
		if (excludes_parse(&e->all, c->path, *line, title, err) < 0)
			return -1;
	for (size_t i = before; i < e->all.count; i++)
		e->all.list[i].built_in = true;
	return 0;
}

void run_excludes_settle(struct run_excludes *e, const char *kernel, const char *fstypes,
			 time_t when)
{
	struct tm utc;

	e->kernel = kernel;
	e->fstypes = fstypes;
	strftime(e->today, sizeof(e->today), "%Y-%m-%d", gmtime_r(&when, &utc));
}

int run_excludes_keep(const struct fstests_run *run, struct error **err)
{
	_cleanup_free_ char *text = excludes_compose(&run->excludes.all);

	if (!text)
		return error_no_memory(err);
	if (!*text || dir_write_file(run->dir.fd, RUN_EXCLUDES, text, strlen(text)) == 0)
		return 0;
	return error_errno(err, ERR_SYSTEM, "cannot write %s/" RUN_EXCLUDES, run->dir.path);
}

int run_excludes_reopen(struct fstests_run *run, struct error **err)
{
	_cleanup_error_ struct error *why = NULL;
	_cleanup_free_ char *text = tree_read(run->dir.fd, RUN_EXCLUDES, KEPT_MOST, NULL, &why);

	if (text)
		return excludes_parse(&run->excludes.all, RUN_EXCLUDES, text, NULL, err);
	if (why && why->code == ERR_MISSING)
		return 0;
	*err = STEAL_PTR(why);
	return -1;
}

/* --- the plan ------------------------------------------------------------------------------- */

/* What the conditions are about, in one section after the other. */
struct cut {
	struct fstests_run *run;
	struct exclude_place place;
	char *config;		/* the text of --config */
	char *section, *fstype; /* the current one's name and type */
	char title[CONFIGURATION_SIZE];
	struct utsname host;
};

static void cut_clear(struct cut *c)
{
	free(c->config);
	free(c->section);
	free(c->fstype);
}

/* Debian's name of the host's architecture, which is that of its guests. */
static const char *debian_name(const char *machine)
{
	static const struct {
		const char *machine, *debian;
	} names[] = { { "x86_64", "amd64" }, { "aarch64", "arm64" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i].machine, machine) == 0)
			return names[i].debian;
	return NULL;
}

static void cut_begin(struct cut *c, struct fstests_run *run)
{
	_cleanup_error_ struct error *ignored = NULL;

	*c = (struct cut){ .run = run };
	c->config = tree_read(run->dir.fd, CONFIG, CONFIG_MOST, NULL, &ignored);
	c->place.kernel = run->excludes.kernel;
	c->place.today = run->excludes.today;
	if (uname(&c->host) == 0) {
		c->place.arch[0] = c->host.machine;
		c->place.arch[1] = debian_name(c->host.machine);
	}
}

/* The configuration whose section that is, or NULL. */
static const char *cut_title(struct cut *c, const char *section)
{
	const struct configurations *all = &c->run->configurations;
	char name[CONFIGURATION_SIZE];

	for (size_t i = 0; i < all->count; i++)
		if (strcmp(configuration_section(&all->list[i], name), section) == 0)
			return configuration_title(&all->list[i], c->title);
	return NULL;
}

/* Sets the place to a section, and marks the entries that hold there. */
static int cut_enter(struct cut *c, const char *section, struct error **err)
{
	const char *fstypes = c->run->excludes.fstypes;
	_cleanup_free_ char *first = strndup(fstypes, strcspn(fstypes, ","));
	struct excludes *all = &c->run->excludes.all;

	if (c->section && strcmp(c->section, section) == 0)
		return 0;
	free(c->section);
	free(c->fstype);
	c->section = strdup(section);
	c->fstype = first ? config_section_type(first, c->config, section) : NULL;
	if (!c->section || !c->fstype)
		return error_no_memory(err);
	c->place.section = *section ? c->section : NULL;
	c->place.configuration = cut_title(c, section);
	c->place.fstype = *c->fstype ? c->fstype : NULL;
	for (size_t i = 0; i < all->count; i++)
		all->list[i].held =
			all->list[i].held || (exclude_holds(&all->list[i], &c->place) &&
					      !exclude_expired(&all->list[i], c->place.today));
	return 0;
}

static int cut_add(const struct planned *test, const struct exclude *entry, struct results *out,
		   struct error **err)
{
	_cleanup_free_ char *reason = exclude_explain(entry);
	const struct test_result result = { .section = test->section,
					    .name = test->name,
					    .status = TEST_EXCLUDED,
					    .reason = reason };

	return reason ? results_add(out, &result, err) : error_no_memory(err);
}

static int cut_plan(struct cut *c, struct results *out, struct error **err)
{
	struct test_plan *plan = &c->run->plan;
	const struct shard *shard = &c->run->shard;
	size_t kept = 0;
	int result = 0;

	for (size_t i = 0; i < plan->count; i++) {
		struct planned *test = &plan->list[i];
		const struct exclude *entry = NULL;

		if (result == 0)
			result = cut_enter(c, test->section, err);
		if (result == 0)
			entry = excludes_find(&c->run->excludes.all, &c->place, test->name);
		if (!entry) {
			plan->list[kept++] = *test;
			continue;
		}
		if (!shard->parts || shard->part == 1)
			result = cut_add(test, entry, out, err);
		free(test->section);
		free(test->name);
		c->run->excludes.count++;
	}
	plan->count = kept;
	return result;
}

/* --- what to report ------------------------------------------------------------------------- */

/* The kinds of entries that somebody should look at. */
enum odd_kind { ODD_EXPIRED, ODD_UNKNOWN, ODD_UNUSED, ODD_KINDS };

static const char *const odd_names[ODD_KINDS] = {
	[ODD_EXPIRED] = "expired",
	[ODD_UNKNOWN] = "unknown",
	[ODD_UNUSED] = "unused",
};

/* Whether a pattern fits some test of the tree. */
static bool pattern_fits(const struct test_groups *groups, const char *pattern)
{
	for (size_t i = 0; i < test_groups_count(groups); i++)
		if (fnmatch(pattern, test_groups_name(groups, i), FNM_PATHNAME) == 0)
			return true;
	return false;
}

/* The first test of an entry that the tree lacks, or NULL. */
static const char *unknown_test(const struct fstests_run *run, const struct exclude *x)
{
	for (char **test = x->tests; test_groups_count(run->groups) && *test; test++)
		if (!test_groups_has_test(run->groups, *test) &&
		    !(x->patterns && pattern_fits(run->groups, *test)))
			return *test;
	return NULL;
}

static bool is_odd(const struct fstests_run *run, const struct exclude *x, enum odd_kind kind)
{
	if (x->built_in)
		return false;
	switch (kind) {
	case ODD_EXPIRED:
		return exclude_expired(x, run->excludes.today);
	case ODD_UNKNOWN:
		return unknown_test(run, x);
	default:
		return x->held && !x->used && !unknown_test(run, x);
	}
}

/* The caller frees the list. */
static const char **list_test_names(const struct test_groups *groups)
{
	size_t count = test_groups_count(groups);
	const char **names = calloc(count + 1, sizeof(*names));

	for (size_t i = 0; names && i < count; i++)
		names[i] = test_groups_name(groups, i);
	return names;
}

static void note_unknown(const struct fstests_run *run, const struct exclude *x)
{
	const char *test = unknown_test(run, x), **names = list_test_names(run->groups), *hint;

	hint = names ? suggest(test, names, test_groups_count(run->groups)) : NULL;
	progress_note(run->progress, "%s: no test of %s is called %s%s%s", x->origin,
		      run->options->fstests, test, hint ? "; did you mean: " : "",
		      hint ? hint : "");
	free(names);
}

static void note_entry(const struct fstests_run *run, const struct exclude *x, enum odd_kind kind)
{
	if (kind == ODD_UNKNOWN)
		note_unknown(run, x);
	else
		progress_note(run->progress, "%s: %s%s was excluded until %s and runs again",
			      x->origin, x->tests[0], x->tests[1] ? " …" : "",
			      x->values[EXCLUDE_UNTIL]);
}

static void note_kind(const struct fstests_run *run, enum odd_kind kind)
{
	const struct excludes *all = &run->excludes.all;
	size_t count = 0;

	for (size_t i = 0; i < all->count; i++)
		if (is_odd(run, &all->list[i], kind) && count++ < SHOWN)
			note_entry(run, &all->list[i], kind);
	if (count > SHOWN)
		progress_note(run->progress, "and %zu more excludes like that: see run.json",
			      count - SHOWN);
}

void run_excludes_note(const struct fstests_run *run)
{
	note_kind(run, ODD_EXPIRED);
	note_kind(run, ODD_UNKNOWN);
}

/* If the user chose single tests, entries about others are none of this run's business. */
static void note_unused(const struct fstests_run *run)
{
	_cleanup_(test_plan_clear) struct test_plan named = { 0 };
	const struct excludes *all = &run->excludes.all;
	const struct exclude *first = NULL;
	size_t count = 0;

	if (test_plan_of_words(run->words, run->word_count, &named))
		return;
	for (size_t i = 0; i < all->count; i++) {
		if (!is_odd(run, &all->list[i], ODD_UNUSED))
			continue;
		first = first ? first : &all->list[i];
		count++;
	}
	if (first)
		progress_note(run->progress, "%zu exclude%s no test of this run: %s (%s)%s", count,
			      count == 1 ? " matches" : "s match", first->origin, first->tests[0],
			      count == 1 ? "" : " …");
}

int run_excludes_cut(struct fstests_run *run, struct results *out, struct error **err)
{
	struct cut c;
	int result;

	*out = (struct results){ 0 };
	if (!run->excludes.all.count)
		return 0;
	cut_begin(&c, run);
	result = cut_plan(&c, out, err);
	cut_clear(&c);
	if (result == 0)
		note_unused(run);
	return result;
}

static json_t *entry_to_json(const struct fstests_run *run, const struct exclude *x,
			     enum odd_kind kind)
{
	json_t *object = json_pack("{s:o, s:[], s:o}", "entry", json_text(x->origin), "tests",
				   "reason", json_text(x->reason));

	for (char **test = x->tests; *test; test++)
		json_array_append_new(json_object_get(object, "tests"), json_text(*test));
	if (kind == ODD_EXPIRED)
		json_object_set_new(object, "until", json_text(x->values[EXCLUDE_UNTIL]));
	else if (kind == ODD_UNKNOWN)
		json_object_set_new(object, "test", json_text(unknown_test(run, x)));
	return object;
}

json_t *run_excludes_to_json(const struct fstests_run *run)
{
	const struct excludes *all = &run->excludes.all;
	json_t *object;

	if (!all->count)
		return NULL;
	object = json_pack("{s:I}", "entries", (json_int_t)all->count);
	for (enum odd_kind kind = 0; kind < ODD_KINDS; kind++) {
		json_t *list = json_array();

		for (size_t i = 0; i < all->count && json_array_size(list) < REPORTED; i++)
			if (is_odd(run, &all->list[i], kind))
				json_array_append_new(list,
						      entry_to_json(run, &all->list[i], kind));
		json_object_set_new(object, odd_names[kind], list);
	}
	return object;
}
