/* frontend/fstests/not_run.c: commands in the reasons of tests that did not run. */
#include "frontend/fstests/not_run.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

static void reasons(void)
{
	static const struct {
		const char *reason, *command; /* NULL: none */
	} rows[] = {
		{ "lvm utility required, skipped this test", "lvm" },
		{ "mkfs.xfs utility required, skipped this test.", "mkfs.xfs" },
		{ "fsverity utility required", "fsverity" },
		{ "openssl command not found", "openssl" },
		{ "xz not found", "xz" },
		{ "This test requires accton utility", "accton" },
		{ "indent is not installed", "indent" },
		{ "a b utility required, skipped this test", NULL },
		{ "--force utility required, skipped this test", NULL },
		{ "../x utility required, skipped this test", NULL },
		{ " utility required, skipped this test", NULL },
		{ "lvm utility required, skipped this test, twice", NULL },
		{ "this kernel has no support for it", NULL },
		{ "", NULL },
		{ NULL, NULL },
	};
	char name[COMMAND_SIZE];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool found = not_run_command(rows[i].reason, name);

		tap_check(rows[i].command ? found && strcmp(name, rows[i].command) == 0 : !found,
			  "\"%s\": %s", rows[i].reason ? rows[i].reason : "no reason",
			  rows[i].command ? rows[i].command : "no command");
	}
}

static void long_reason(void)
{
	static const char end[] = " not found";
	char reason[1024], name[COMMAND_SIZE];

	memset(reason, 'x', sizeof(reason));
	memcpy(reason + sizeof(reason) - sizeof(end), end, sizeof(end));
	tap_check(!not_run_command(reason, name), "a command that is too long is none");
}

static void collected(void)
{
	static const struct test_result list[] = {
		{ "", "generic/001", TEST_NOTRUN, .reason = "lvm not found" },
		{ "", "generic/002", TEST_NOTRUN, .reason = "xz not found" },
		{ "", "generic/003", TEST_NOTRUN, .reason = "lvm utility required" },
		{ "", "generic/004", TEST_FAIL, .reason = "acct not found" },
		{ "", "generic/005", TEST_NOTRUN, .reason = "too slow" },
	};
	const struct results results = { (struct test_result *)(uintptr_t)list, 5, { 0 } };
	struct lackings l = { 0 };

	tap_check(not_run_collect(&results, &l) == 0 && l.count == 2,
		  "commands are collected once");
	tap_check(l.count == 2 && strcmp(l.list[0].command, "lvm") == 0 && l.list[0].tests == 2,
		  "that of most tests comes first");
	tap_check(!not_run_can_run(&l, &list[0]), "a test waits until its command is installed");
	l.list[0].installed = true;
	tap_check(not_run_can_run(&l, &list[0]) && not_run_can_run(&l, &list[2]) &&
			  !not_run_can_run(&l, &list[1]) && !not_run_can_run(&l, &list[3]),
		  "only tests that wait for what is installed can run");
	lackings_clear(&l);
}

int main(void)
{
	reasons();
	long_reason();
	collected();
	return tap_done();
}
