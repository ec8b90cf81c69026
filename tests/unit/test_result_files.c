/* frontend/fstests/result_files.c: how files left by fstests are read; a hostile guest may have
 * written them. */
#include "frontend/fstests/result_files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/cli/directory.h"
#include "lib/write_all.h"
#include "scratch.h"
#include "tap.h"

static void put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write_all(fd, text, strlen(text)) < 0)
		tap_check(false, "%s is written", name);
	close(fd);
}

static struct result_text text;

static struct test_result read_one(int dir, const char *name, enum test_status status,
				   const char *reason, const char *detail)
{
	struct test_result result = {
		.section = "", .name = name, .status = status, .reason = reason, .detail = detail
	};

	result_files_add(dir, &result, &text);
	return result;
}

static bool has(const char *where, const char *what)
{
	return where && strstr(where, what);
}

static void reasons(int dir)
{
	struct test_result r;

	put(dir, "generic/001.notrun", "needs a thing\n\nand \033[2Janother\n");
	r = read_one(dir, "generic/001", TEST_NOTRUN, "needs a thing", NULL);
	tap_check(tap_same(r.reason, "needs a thing; and ?[2Janother"),
		  "all lines of .notrun, cleaned: %s", r.reason);
	put(dir, "generic/001.notrun", "");
	r = read_one(dir, "generic/001", TEST_NOTRUN, "as printed", NULL);
	tap_check(tap_same(r.reason, "as printed"), "an empty .notrun changes nothing");
	r = read_one(dir, "generic/002", TEST_NOTRUN, "as printed", NULL);
	tap_check(tap_same(r.reason, "as printed"), "a missing .notrun changes nothing");
	put(dir, "generic/001.notrun", "of another status");
	r = read_one(dir, "generic/001", TEST_PASS, NULL, NULL);
	tap_check(!r.reason && !r.detail, "a test that passed has no reason");
}

static void leaks(int dir)
{
	static const char reason[] = "_check_kmemleak: something found in kmemleak (see x)";
	static const char file[] = "EXPERIMENTAL\nunreferenced object 0x1 (size 8):\n  comm \"a\"\n"
				   "unreferenced object 0x2 (size 8):\n";
	struct test_result r = { .section = "", .name = "generic/006", .status = TEST_FAIL };
	char *found;

	put(dir, "generic/006.kmemleak", file);
	r = read_one(dir, "generic/006", TEST_FAIL, reason, reason);
	tap_check(tap_same(r.reason, "kmemleak: 2 objects leaked") &&
			  has(r.detail, "\nunreferenced object 0x2") &&
			  !has(r.detail, "EXPERIMENTAL"),
		  "leaked objects are the reason and the detail: %s", r.reason);
	r = read_one(dir, "generic/006", TEST_FAIL, "output mismatch", reason);
	tap_check(tap_same(r.reason, "output mismatch") && has(r.detail, "unreferenced"),
		  "another reason stays");
	r.status = TEST_PASS;
	tap_check(!result_files_leaks(dir, &r), "a test that passed leaked nothing");
	r = (struct test_result){
		.section = "", .name = "generic/006", .status = TEST_FAIL, .reason = "x"
	};
	tap_check(!result_files_leaks(dir, &r), "nor did one whose check found nothing");
	r.reason = reason;
	found = result_files_leaks(dir, &r);
	tap_check(tap_same(found, file), "the file can be read");
	free(found);
}

static void outputs(int dir)
{
	struct test_result r;

	put(dir, "generic/003.out.bad", "QA output created by 003\nboom\n");
	r = read_one(dir, "generic/003", TEST_FAIL, "no qualified output", NULL);
	tap_check(has(r.detail, "it printed:\nQA output created by 003\nboom"),
		  ".out.bad is shown if check shows no diff");
	r = read_one(dir, "generic/003", TEST_FAIL, "output mismatch", "--- a\n+++ b\n-x\n+boom");
	tap_check(tap_same(r.detail, "--- a\n+++ b\n-x\n+boom"),
		  "otherwise only check's diff is shown");
}

static void kernel(int dir)
{
	static const char reason[] = "_check_dmesg: something found in dmesg (see x)";
	struct test_result r;

	put(dir, "generic/004.dmesg",
	    "[    1.000000] run fstests generic/004 at 2026-11-24 23:57:53\n"
	    "[    1.500000] EXT4-fs (vda): mounted\n"
	    "[    2.000000] WARNING: CPU: 0 PID: 7 at fs/ext4/inode.c:1 ext4_x+0x1/0x2\n"
	    "[    2.000001] Call Trace:\n[    2.000002]  ext4_y+0x3/0x4\n");
	r = read_one(dir, "generic/004", TEST_FAIL, reason, reason);
	tap_check(tap_same(r.reason, "in dmesg: WARNING: CPU: 0 PID: 7 at fs/ext4/inode.c:1 "
				     "ext4_x+0x1/0x2"),
		  "the reason is the kernel's complaint: %s", r.reason);
	tap_check(has(r.detail, "_check_dmesg") && has(r.detail, "ext4_y+0x3/0x4") &&
			  !has(r.detail, "mounted"),
		  "the detail has the kernel's trace");
	r = read_one(dir, "generic/004", TEST_FAIL, "output mismatch", "--- a\n+++ b\n+x");
	tap_check(!has(r.detail, "ext4_y"), "no dmesg is shown if check found nothing in it");
	put(dir, "generic/004.dmesg", "INFO: something odd\n");
	r = read_one(dir, "generic/004", TEST_FAIL, reason, reason);
	tap_check(tap_same(r.reason, reason) && has(r.detail, "INFO: something odd"),
		  "unknown kernel messages are shown unchanged");
}

static void sections(int dir)
{
	struct test_result r = { .section = "one", .name = "generic/001", .status = TEST_NOTRUN };

	mkdirat(dir, "one", 0755);
	mkdirat(dir, "one/generic", 0755);
	put(dir, "one/generic/001.notrun", "in this section");
	result_files_add(dir, &r, &text);
	tap_check(tap_same(r.reason, "in this section"), "files of a section are read");
	r = (struct test_result){ .section = "../..", .name = "etc/001", .status = TEST_NOTRUN };
	result_files_add(dir, &r, &text);
	tap_check(!r.reason, "a section that is a path is not followed");
}

/* OUTSIDE is beside the results directory. */
static void hostile(int dir, const char *outside)
{
	static char large[3 << 20];
	struct test_result r;

	unlinkat(dir, "generic/001.notrun", 0);
	tap_check(symlinkat(outside, dir, "generic/001.notrun") == 0, "a link is created");
	r = read_one(dir, "generic/001", TEST_NOTRUN, "as printed", NULL);
	tap_check(tap_same(r.reason, "as printed"), "a link is not followed");
	unlinkat(dir, "generic/001.notrun", 0);
	mkfifoat(dir, "generic/001.notrun", 0644);
	r = read_one(dir, "generic/001", TEST_NOTRUN, "as printed", NULL);
	tap_check(tap_same(r.reason, "as printed"), "a pipe does not block");
	memset(large, 'x', sizeof(large) - 1);
	put(dir, "generic/005.out.bad", large);
	put(dir, "generic/005.dmesg", large);
	r = read_one(dir, "generic/005", TEST_FAIL, "_check_dmesg", "_check_dmesg");
	tap_check(r.detail && strlen(r.detail) > 4000 && strlen(r.detail) < sizeof(text.detail),
		  "only the start of a 3 MB file is read");
	put(dir, "generic/001.out.bad", "\033[2J\a\n");
	r = read_one(dir, "generic/001", TEST_FAIL, NULL, NULL);
	tap_check(r.detail && !strchr(r.detail, '\033') && !strchr(r.detail, '\a'),
		  "control characters are removed");
}

static const struct {
	const char *line;
	bool unstartable;
} lines[] = {
	{ "/opt/rootlet/fstests/ltp/fsstress: error while loading shared libraries: liburing.so.2: "
	  "cannot open shared object file: No such file or directory",
	  true },
	{ "./ltp/fsx: error while loading shared libraries: liba.so: cannot open", true },
	{ "fio: error while loading shared libraries: liba.so: cannot open", true },
	{ "/mnt/scratch/ls: error while loading shared libraries: liba.so: cannot open", false },
	{ "./ls: error while loading shared libraries: liba.so: cannot open", false },
	{ "src/lstat64: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required "
	  "by src/lstat64)",
	  true },
	{ "xfs_io: version `5' is old", false },
	{ "/opt/rootlet/fstests/common/rc: line 12: /opt/rootlet/fstests/src/x: cannot execute: "
	  "required file not found",
	  true },
	{ "./common/rc: line 12: /mnt/test/x: cannot execute: required file not found", false },
	{ "/opt/rootlet/fstests/tests/generic/001: /opt/rootlet/fstests/src/x.pl: /usr/bin/pearl: "
	  "bad interpreter: No such file or directory",
	  true },
	{ "./common/rc: line 3: /mnt/test/x: /bin/nosh: bad interpreter: No such file", false },
	{ "./common/rc: line 3: src/x: cannot execute binary file: Exec format error", true },
	{ "/usr/bin/env: 'pearl': No such file or directory", true },
	{ "env: 'of-the-test': No such file or directory", false },
	{ "cat: /etc/nosuch: No such file or directory", false },
};

/* A pass does not count if a background program of the test did not start. */
static void unstartable(int dir)
{
	static const struct {
		const char *file;
		enum test_status status;
	} places[] = { { "generic/007.out.bad", TEST_FAIL },
		       { "generic/007.full", TEST_PASS },
		       { "generic/007.notrun", TEST_NOTRUN } };
	struct test_result result = { .section = "", .name = "generic/007" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		_cleanup_free_ char *found = NULL;
		char output[512];

		snprintf(output, sizeof(output), "QA output\n%s\nmore\n", lines[i].line);
		put(dir, places[i % 3].file, output);
		result.status = places[i % 3].status;
		found = result_files_unstartable(dir, &result);
		tap_check(lines[i].unstartable ? tap_same(found, lines[i].line) : !found,
			  "a program that %s: %s",
			  lines[i].unstartable ? "cannot start" : "is harmless", lines[i].line);
		unlinkat(dir, places[i % 3].file, 0);
	}
}

static void add(struct results *results, const char *section, const char *name,
		enum test_status status)
{
	const struct test_result result = { .section = section, .name = name, .status = status };

	if (results_add(results, &result, NULL) < 0)
		tap_check(false, "result of %s", name);
}

static void log_of_check(int dir)
{
	struct results r = { 0 }, again = { 0 };

	add(&r, "", "generic/001", TEST_PASS);
	add(&r, "a", "generic/001", TEST_PASS);
	add(&r, "a", "generic/002", TEST_FAIL);
	add(&r, "b", "generic/001", TEST_PASS);
	add(&r, "b", "generic/003", TEST_PASS);
	add(&r, "b", "generic/003", TEST_FAIL);
	tap_check(result_files_compare(dir, 0, &r, NULL) == 0, "without a check.log");
	put(dir, "check.log",
	    "\nTue Nov 24 23:57:53 UTC 2026\nRan: generic/001\nPassed all 1 tests\n");
	mkdirat(dir, "a", 0755);
	mkdirat(dir, "b", 0755);
	put(dir, "a/check.log", "Ran: generic/001 generic/002\nFailures: generic/002\n");
	put(dir, "b/check.log",
	    "Failures: generic/001 generic/003 generic/nosuch\nFailed 2 of 2 tests\n");
	tap_check(result_files_compare(dir, 0, &r, NULL) == 1, "check.log changes one result");
	tap_check(r.list[0].status == TEST_PASS && r.list[1].status == TEST_PASS &&
			  r.list[3].status == TEST_FAIL && has(r.list[3].reason, "check.log") &&
			  r.list[4].status == TEST_PASS,
		  "a test that check.log lists as failed in its section has failed");
	tap_check(results_write(dir, "list", &r, NULL) == 0 &&
			  results_read(dir, "list", &again, NULL) == 0 && again.count == 6 &&
			  again.list[3].status == TEST_FAIL && tap_same(again.list[3].section, "b"),
		  "the rewritten list is right");
	results_clear(&r);
	results_clear(&again);
}

int main(void)
{
	char path[SCRATCH_SIZE] = "files";
	char outside[256];
	int parent, dir;

	if (!scratch_make(path) || (parent = open(path, O_RDONLY | O_DIRECTORY)) < 0)
		return 1;
	snprintf(outside, sizeof(outside), "%s/outside", path);
	put(parent, "outside", "of the host");
	mkdirat(parent, "results", 0755);
	dir = openat(parent, "results", O_RDONLY | O_DIRECTORY);
	mkdirat(dir, "generic", 0755);
	reasons(dir);
	leaks(dir);
	outputs(dir);
	kernel(dir);
	sections(dir);
	hostile(dir, outside);
	unstartable(dir);
	log_of_check(dir);
	close(dir);
	close(parent);
	dir_remove(AT_FDCWD, path);
	return tap_done();
}
