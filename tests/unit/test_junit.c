/* frontend/fstests/junit.c: the JUnit report for CI systems. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/fstests/fstests.h"
#include "frontend/fstests/junit.h"
#include "frontend/rootfs/manifest_fields.h"
#include "tap.h"

static const struct test_result rows[] = {
	{ .section = "", .name = "generic/001", .status = TEST_PASS, .seconds = 1.25 },
	{ .section = "ext4 <1k>",
	  .name = "generic/002",
	  .status = TEST_FAIL,
	  .seconds = 2,
	  .reason = "output & mismatch",
	  .detail = "a\tb\n\x1b[0m\"quoted\"\xc3\xa9\x7f" },
	{ .section = "", .name = "generic/003", .status = TEST_NOTRUN, .reason = "no scratch" },
	{ .section = "", .name = "generic/004", .status = TEST_EXPUNGED },
	{ .section = "", .name = "generic/005", .status = TEST_CRASH, .reason = "panic" },
	{ .section = "", .name = "generic/006", .status = TEST_TIMEOUT },
	{ .section = "", .name = "generic/007", .status = TEST_UNREACHED },
};

static const char wanted[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	"<testsuite name=\"run &gt; 1\" tests=\"7\" failures=\"1\" errors=\"2\" skipped=\"3\">\n"
	"  <properties>\n"
	"    <property name=\"kernel_version\" value=\"6.1 &lt;x&gt;\"/>\n"
	"    <property name=\"boot\" value=\"elf\"/>\n"
	"    <property name=\"sha256.kernel\" value=\"ab\"/>\n"
	"    <property name=\"sha256.rootfs\" value=\"cd\"/>\n"
	"  </properties>\n"
	"  <testcase classname=\"fstests\" name=\"generic/001\" time=\"1.2\">\n"
	"  </testcase>\n"
	"  <testcase classname=\"fstests.ext4 &lt;1k&gt;\" name=\"generic/002\" time=\"2.0\">\n"
	"    <failure message=\"output &amp; mismatch\" type=\"fail\">a\tb\n"
	"?[0m&quot;quoted&quot;?\?\?</failure>\n"
	"    <system-err>kernel: WARNING: WARNING: at &lt;x&gt;\n"
	"kernel: BUG: BUG: y\n"
	"</system-err>\n"
	"  </testcase>\n"
	"  <testcase classname=\"fstests\" name=\"generic/003\" time=\"0.0\">\n"
	"    <skipped message=\"no scratch\" type=\"notrun\"></skipped>\n"
	"  </testcase>\n"
	"  <testcase classname=\"fstests\" name=\"generic/004\" time=\"0.0\">\n"
	"    <skipped message=\"expunged\" type=\"expunged\"></skipped>\n"
	"  </testcase>\n"
	"  <testcase classname=\"fstests\" name=\"generic/005\" time=\"0.0\">\n"
	"    <error message=\"panic\" type=\"crash\"></error>\n"
	"  </testcase>\n"
	"  <testcase classname=\"fstests\" name=\"generic/006\" time=\"0.0\">\n"
	"    <error message=\"timeout\" type=\"timeout\"></error>\n"
	"  </testcase>\n"
	"  <testcase classname=\"fstests\" name=\"generic/007\" time=\"0.0\">\n"
	"    <skipped message=\"unreached\" type=\"unreached\"></skipped>\n"
	"  </testcase>\n"
	"</testsuite>\n";

static void check_lines(const char *text)
{
	const char *want = wanted;

	for (int line = 1; *want || *text; line++) {
		size_t length = strcspn(want, "\n"), other = strcspn(text, "\n");

		tap_check(length == other && strncmp(want, text, length) == 0, "line %d: %.*s",
			  line, (int)other, text);
		want += length + (want[length] == '\n');
		text += other + (text[other] == '\n');
	}
}

/* A reader that has the old file open keeps all of it. */
static void check_replaced(const char *path, const struct results *results)
{
	_cleanup_free_ char *draft = NULL;
	struct stat before, after;

	tap_check(stat(path, &before) == 0 && junit_write(path, results, "run", NULL, NULL) == 0 &&
			  stat(path, &after) == 0 && before.st_ino != after.st_ino,
		  "an older file is replaced, not rewritten");
	tap_check(asprintf(&draft, "/tmp/.%s.rootlet", strrchr(path, '/') + 1) > 0 &&
			  access(draft, F_OK) < 0,
		  "no draft is left");
}

int main(void)
{
	char path[] = "/tmp/rootlet-test-junit.XXXXXX", text[8192] = "";
	_cleanup_error_ struct error *err = NULL;
	/* Numbers, and what is not listed, are no properties. */
	_cleanup_(json_free) json_t *record = json_pack(
		"{s:s, s:s, s:i, s:s, s:{s:s, s:s}, s:[{s:s, s:s, s:[s, s]}, {s:s, s:s, s:[s]}]}",
		"kernel_version", "6.1 <x>", "boot", "elf", "fstype", 1, "status", "passed",
		"identity", "kernel", "ab", "rootfs", "cd", "kernel", "kind", "WARNING", "line",
		"WARNING: at <x>", "tests", "generic/002", "generic/999", "kind", "BUG", "line",
		"BUG: y", "tests", "generic/002");
	struct results results = { 0 };
	int fd = mkstemp(path);
	ssize_t n;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (results_add(&results, &rows[i], NULL) < 0)
			return 1;
	tap_check(fd >= 0 && junit_write(path, &results, "run > 1", record, NULL) == 0,
		  "the report is written");
	close(fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	check_lines(text);
	tap_check(junit_write("/nowhere/x.xml", &results, "run", NULL, &err) == -1 && err &&
			  err->code == ERR_SYSTEM && strstr(err->message, "/nowhere/x.xml"),
		  "failing to create the report is an error");
	error_free(&err);
	check_replaced(path, &results);
	tap_check(junit_write("/dev/full", &results, "run", NULL, &err) == -1 && err,
		  "failing to write the report is an error");
	results_clear(&results);
	close(fd);
	unlink(path);
	return tap_done();
}
