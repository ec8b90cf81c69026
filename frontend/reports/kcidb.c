/* Format: schema v5.3 of https://github.com/kernelci/kcidb-io. */
#include "frontend/reports/kcidb.h"

#include <string.h>
#include <time.h>

#include "frontend/cli/events.h"
#include "frontend/cli/text.h"

#define SUITE "xfstests" /* in KCIDB's catalog of tests */
#define EXCERPT_MOST 16384
#define ORIGIN_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_"
#define PATH_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ" ORIGIN_LETTERS "-"

static const char *kcidb_status(enum test_status status)
{
	switch (status) {
	case TEST_PASS:
		return "PASS";
	case TEST_FAIL:
	case TEST_CRASH: /* the kernel is at fault */
		return "FAIL";
	case TEST_TIMEOUT:
		return "ERROR";
	case TEST_UNREACHED:
		return "MISS";
	default:
		return "SKIP";
	}
}

/* "xfstests.generic_001"; the caller frees it. */
static char *kcidb_path(const char *name)
{
	char *path;

	if (asprintf(&path, SUITE ".%s", name) < 0)
		return NULL;
	for (char *p = path + strlen(SUITE "."); *p; p++)
		if (!strchr(PATH_LETTERS, *p))
			*p = '_';
	return path;
}

static json_t *kcidb_id(const char *origin, const char *what, const char *more)
{
	_cleanup_free_ char *id = NULL;

	return asprintf(&id, "%s:%s%s", origin, what, more) < 0 ? NULL : json_text(id);
}

/* The same kernel has the same build in all runs. */
static json_t *kcidb_kernel(const struct report_run *run, const char *origin)
{
	const char *hash = json_string_value(
		json_object_get(json_object_get(run->record, "identity"), "kernel"));

	return kcidb_id(origin, hash ? "kernel-" : "kernel-of-", hash ? hash : run->dir.id);
}

static bool kcidb_has(const json_t *list, const json_t *id)
{
	const json_t *one;
	size_t at;

	json_array_foreach(list, at,
			   one) if (json_equal(json_object_get(one, "id"), id)) return true;
	return false;
}

/* Describes the run's kernel, of which a run knows the version and the hash. */
static void kcidb_add_build(json_t *checkouts, json_t *builds, const struct report_run *run,
			    const char *origin)
{
	const char *version = report_text(run, "kernel_version");
	_cleanup_free_ char *comment = NULL;
	json_t *identity = json_object_get(run->record, "identity");
	json_t *id = kcidb_kernel(run, origin), *build;

	if (asprintf(&comment, "Linux %s", version ? version : "of unknown version") < 0 ||
	    kcidb_has(builds, id)) {
		json_decref(id);
		return;
	}
	json_array_append_new(checkouts, json_pack("{s:O, s:s, s:o}", "id", id, "origin", origin,
						   "comment", json_text(comment)));
	build = json_pack("{s:O, s:O, s:s, s:o}", "id", id, "checkout_id", id, "origin", origin,
			  "comment", json_text(comment));
	if (identity)
		json_object_set_new(build, "misc", json_pack("{s:O}", "identity", identity));
	json_array_append_new(builds, build);
	json_decref(id);
}

static json_t *kcidb_environment(const struct report_run *run, const struct test_result *result)
{
	static const char *const known[] = { "fstype", "root", "image" };
	json_t *misc =
		json_pack("{s:o}", "configuration", json_text(report_configuration(run, result)));

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (report_text(run, known[i]))
			json_object_set_new(misc, known[i], json_text(report_text(run, known[i])));
	return json_pack("{s:s, s:o}", "comment", "guest of rootlet", "misc", misc);
}

static json_t *kcidb_excerpt(const struct test_result *result)
{
	const char *whole = result->detail ? result->detail : result->reason;
	_cleanup_free_ char *text = strndup(whole, text_fitting(whole, EXCERPT_MOST));

	return json_text(text);
}

/* A test that ran more than once has several ids. */
static json_t *kcidb_test_id(const struct report_run *run, size_t at, const char *origin)
{
	const struct test_result *result = &run->results.list[at];
	const struct test_result *first =
		results_find(&run->results, result->section, result->name);
	_cleanup_free_ char *rest = NULL;
	char number[32] = "";

	if (first != result)
		snprintf(number, sizeof(number), ":%zu", at + 1);
	if (asprintf(&rest, ":%s:%s%s", result->section, result->name, number) < 0)
		return NULL;
	return kcidb_id(origin, run->dir.id, rest);
}

static json_t *kcidb_test(const struct report_run *run, size_t at, const char *origin,
			  const char *build)
{
	const struct test_result *result = &run->results.list[at];
	_cleanup_free_ char *path = kcidb_path(result->name);
	_cleanup_free_ char *comment = NULL;
	json_t *test;

	if (!path ||
	    asprintf(&comment, "%s on %s%s%s", result->name, report_configuration(run, result),
		     result->reason ? ": " : "", result->reason ? result->reason : "") < 0)
		return NULL;
	test = json_pack("{s:o, s:s, s:o, s:s, s:s, s:o, s:o, s:f}", "id",
			 kcidb_test_id(run, at, origin), "origin", origin, "build_id",
			 build ? json_text(build) : kcidb_kernel(run, origin), "path", path,
			 "status", kcidb_status(result->status), "comment", json_text(comment),
			 "environment", kcidb_environment(run, result), "duration",
			 result->seconds > 0 ? result->seconds : 0.0);
	if (result->detail || result->reason)
		json_object_set_new(test, "log_excerpt", kcidb_excerpt(result));
	return test;
}

static int kcidb_check(const char *origin, const char *build, struct error **err)
{
	size_t length = strspn(origin, ORIGIN_LETTERS);

	if (!length || origin[length])
		return error_set(err, ERR_INPUT,
				 "--origin must be of lower-case letters, digits and _: \"%.80s\"",
				 origin);
	length = build ? strspn(build, ORIGIN_LETTERS) : 0;
	if (build && (!length || build[length] != ':'))
		return error_set(err, ERR_INPUT,
				 "--build-id must be an id of KCIDB, ORIGIN:ID: \"%.80s\"", build);
	return 0;
}

json_t *kcidb_of_report(const struct report *r, const char *origin, const char *build,
			struct error **err)
{
	json_t *object, *checkouts, *builds, *tests;

	if (kcidb_check(origin, build, err) < 0)
		return NULL;
	checkouts = json_array();
	builds = json_array();
	tests = json_array();
	for (size_t i = 0; i < r->count; i++) {
		if (!build)
			kcidb_add_build(checkouts, builds, &r->runs[i], origin);
		for (size_t k = 0; k < r->runs[i].results.count; k++)
			json_array_append_new(tests, kcidb_test(&r->runs[i], k, origin, build));
	}
	object = json_pack("{s:{s:i, s:i}, s:o, s:o, s:o}", "version", "major", 5, "minor", 3,
			   "checkouts", checkouts, "builds", builds, "tests", tests);
	if (!object)
		error_no_memory(err);
	return object;
}
