/* frontend/mcp/brief.c: results that stay short. */
#include "frontend/mcp/brief.h"
#include "tap.h"

#define LONG 200

static json_t *make_packages(int count)
{
	json_t *list = json_array();

	for (int i = 0; i < count; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:b}", "name", "a-package", "from",
						"1.2.3-4", "version", "1.2.3-5", "security", 0));
	return list;
}

static json_int_t left_out(const json_t *result, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(result, "left_out"), key));
}

static void check_lists(int installed, int upgraded, bool brief)
{
	json_t *tool = brief ? json_pack("{s:b}", "brief", 1) : json_object();
	json_t *result = json_pack("{s:s, s:o, s:o, s:i}", "path", "/x", "installed",
				   make_packages(installed), "upgraded", make_packages(upgraded),
				   "exit_status", 0);
	json_t *before = json_deep_copy(result);
	json_int_t kept, lost;
	size_t size;

	brief_make(tool, result);
	size = json_dumpb(result, NULL, 0, JSON_COMPACT);
	kept = (json_int_t)json_array_size(json_object_get(result, "installed")) +
	       (json_int_t)json_array_size(json_object_get(result, "upgraded"));
	lost = left_out(result, "installed") + left_out(result, "upgraded");
	if (brief && installed + upgraded > 10)
		tap_check(size < 1300 && kept > 4 && kept + lost == installed + upgraded,
			  "%d and %d packages: %zu bytes, %d kept", installed, upgraded, size,
			  (int)kept);
	else
		tap_check(json_equal(result, before), "%d and %d packages stay, brief: %d",
			  installed, upgraded, brief);
	json_decref(tool);
	json_decref(result);
	json_decref(before);
}

static json_t *make_dependency(const char *name, const char *state)
{
	json_t *tests = json_array();

	for (int i = 0; i < LONG; i++)
		json_array_append_new(tests, json_string("generic/001"));
	return json_pack("{s:s, s:s, s:o, s:i}", "name", name, "state", state, "needed_by", tests,
			 "tests", LONG);
}

static void check_dependencies(void)
{
	json_t *tool = json_pack("{s:b}", "brief", 1), *list = json_array(), *one;
	json_t *result = json_pack("{s:o}", "dependencies", list);

	for (int i = 0; i < LONG; i++)
		json_array_append_new(list, make_dependency("there", "present"));
	json_array_append_new(list, make_dependency("unknown", "unknown"));
	json_array_append_new(list, make_dependency("lost", "missing"));
	brief_make(tool, result);
	one = json_array_get(list, 0);
	tap_check(json_array_size(list) == 1 &&
			  tap_same(json_string_value(json_object_get(one, "name")), "lost") &&
			  json_array_size(json_object_get(one, "needed_by")) == 2 &&
			  left_out(result, "dependencies") == LONG + 1,
		  "what is missing stays, behind whatever else");
	json_decref(tool);
	json_decref(result);
}

/* What rootlet runs show --json prints about all of fstests, with long reasons. */
static void check_run(int failed)
{
	json_t *tool = json_pack("{s:i}", "brief", 5000), *ended = json_array();
	json_t *failures = json_array(), *unused = json_array(), *result, *one;
	size_t size;

	for (int i = 0; i < 1781; i++) {
		const char *status = i < failed ? "fail" : i < 1500 ? "pass" : "notrun";

		one = json_pack("{s:s, s:s, s:f}", "name", "generic/001", "status", status,
				"seconds", 12.5);
		json_object_set_new(one, "reason", json_sprintf("%0*d\xe2\x80\xa6", 900, i));
		json_object_set_new(one, "detail", json_sprintf("%0*d", 16000, i));
		json_array_append_new(ended, one);
		if (i < failed)
			json_array_append(failures, one);
		json_array_append_new(unused, json_string("an entry"));
	}
	result = json_pack("{s:s, s:o, s:o, s:{s:o}, s:{s:[]}}", "run", "x", "tests_ended", ended,
			   "failures", failures, "excludes", "unused", unused, "baseline",
			   "newly_fails");
	brief_make(tool, result);
	size = json_dumpb(result, NULL, 0, JSON_COMPACT);
	one = json_array_get(failures, 0);
	tap_check(size <= 5000 && json_array_size(failures) > 0 &&
			  strlen(json_string_value(json_object_get(one, "detail"))) < 500,
		  "a run of 1781 tests, %d of which failed: %zu bytes, %zu failures", failed, size,
		  json_array_size(failures));
	tap_check(left_out(result, "failures") == failed - (json_int_t)json_array_size(failures) &&
			  left_out(result, "excludes.unused") ==
				  1781 - (json_int_t)json_array_size(unused) &&
			  left_out(result, "tests_ended") ==
				  1781 - (json_int_t)json_array_size(ended),
		  "and says what it left out, also of lists in objects");
	one = json_array_get(ended, 0);
	tap_check(!one || tap_same(json_string_value(json_object_get(one, "status")), "notrun"),
		  "tests that passed are left out first");
	json_decref(tool);
	json_decref(result);
}

int main(void)
{
	check_lists(0, 0, true);
	check_lists(2, 1, true);
	check_lists(LONG, 0, true);
	check_lists(0, LONG, true);
	check_lists(LONG, 3 * LONG, true);
	check_lists(LONG, LONG, false);
	check_dependencies();
	check_run(1);
	check_run(200);
	return tap_done();
}
