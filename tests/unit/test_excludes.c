/* frontend/fstests/excludes.c: tests that are left out, with reasons. */
#include "frontend/fstests/excludes.h"

#include <stdlib.h>
#include <unistd.h>

#include "frontend/fstests/exclude_values.h"
#include "lib/write_all.h"
#include "scratch.h"
#include "tap.h"

/* --- what is refused ------------------------------------------------------------------------ */

static const struct {
	const char *claim, *text, *message;
} refused[] = {
	{ "an entry without a reason", "generic/001\n", "f:1: no reason: an entry is TEST" },
	{ "an entry without text after the colon", "\ngeneric/001:\n",
	  "f:2: no reason after the colon" },
	{ "an entry without a test", "fstype=xfs: slow\n", "f:1: no test before the reason" },
	{ "an unknown field", "generic/001 fstyp=xfs: slow\n",
	  "f:1: unknown field \"fstyp\"; did you mean: fstype" },
	{ "a field that is given twice", "generic/001 fstype=xfs fstype=ext4: slow\n",
	  "f:1: fstype is given twice" },
	{ "a number instead of a test", "475: slow\n", "f:1: \"475\" is neither a test" },
	{ "a pattern of every test", "*: slow\n", "f:1: \"*\" is neither a test" },
	{ "a test's name without its number", "generic: slow\n", "f:1: \"generic\" is neither" },
	{ "a path", "tests/generic/001: slow\n", "f:1: \"tests/generic/001\" is neither" },
	{ "a day that does not exist", "generic/001 until=2027-02-29: slow\n",
	  "f:1: until=2027-02-29: must be a date such as 2027-01-31" },
	{ "a date of another form", "generic/001 until=31.1.2027: slow\n",
	  "f:1: until=31.1.2027: must be a date" },
	{ "a version without a number", "generic/001 kernel=<: slow\n",
	  "f:1: kernel=<: must be versions" },
	{ "a range with an empty part", "generic/001 kernel=>6.1,,<6.5: slow\n",
	  "f:1: kernel=>6.1,,<6.5: must be versions" },
	{ "a reference that leads nowhere", "generic/001 see=bug: slow\n",
	  "f:1: see=bug: must be a URL or the hash of a commit" },
	{ "an empty condition", "generic/001 fstype=: slow\n", "f:1: fstype=: must be names" },
	{ "an indented line at the start", "  generic/001: slow\n",
	  "f:1: an indented line without an entry" },
	{ "an indented line after an empty one", "generic/001: slow\n\n  very\n",
	  "f:3: an indented line without an entry" },
	{ "a terminal escape", "generic/001: \x1b[31mslow\n", "f:1: a control character" },
	{ "text that is not UTF-8", "# caf\xe9\n", "f:1: a control character" },
};

static void refusals(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct excludes e = { 0 };
		struct error *err = NULL;
		int result = excludes_parse(&e, "f", refused[i].text, NULL, &err);

		tap_check(result < 0 && err && err->code == ERR_INPUT &&
				  strncmp(err->message, refused[i].message,
					  strlen(refused[i].message)) == 0,
			  "refuses %s: %s", refused[i].claim, error_text(err));
		excludes_clear(&e);
		error_free(&err);
	}
}

/* --- what is read --------------------------------------------------------------------------- */

static const char text[] =
	"# Tests that need a day.\n"
	"generic/388 generic/475  kernel=<6.5 until=2027-01-31 see=https://example.org/a:b: "
	"hangs\r\n"
	"\tunder emulation\n"
	"    # not a part of it\n"
	"    and elsewhere\n"
	"\n"
	"xfs/5?? fstype=xfs arch=x86_64 configuration=xfs/4k,xfs/1k : too: slow\n"
	"ext4/* configuration=ext4_* see=0123abc: \xe2\x80\xa6";

static const char composed[] =
	"generic/388 generic/475 kernel=<6.5 until=2027-01-31 see=https://example.org/a:b: hangs "
	"under emulation and elsewhere\n"
	"xfs/5?? configuration=xfs/4k,xfs/1k fstype=xfs arch=x86_64: too: slow\n"
	"ext4/* configuration=ext4_* see=0123abc: \xe2\x80\xa6\n";

static void reading(void)
{
	struct excludes e = { 0 }, again = { 0 };
	struct error *err = NULL;
	char *out = NULL, *twice = NULL, *why = NULL;

	tap_check(excludes_parse(&e, "f", text, NULL, &err) == 0 && e.count == 3,
		  "entries are read: %s", err ? err->message : "");
	tap_check(e.count == 3 && tap_same(e.list[1].origin, "f:7"), "each has its line");
	out = excludes_compose(&e);
	tap_check(tap_same(out, composed), "and written, one a line: %s", out);
	tap_check(excludes_parse(&again, "g", out, NULL, NULL) == 0 &&
			  tap_same(twice = excludes_compose(&again), out),
		  "what was written is read as the same");
	why = exclude_explain(&e.list[0]);
	tap_check(tap_same(why, "hangs under emulation and elsewhere (https://example.org/a:b)"),
		  "the reason has its reference: %s", why);
	free(out);
	out = NULL;
	free(twice);
	free(why);
	excludes_clear(&e);
	excludes_clear(&again);
	tap_check(excludes_parse(&e, "f", "generic/001: a\ngeneric/002 configuration=b: c\n",
				 "xfs/4k", NULL) == 0 &&
			  tap_same(out = excludes_compose(&e),
				   "generic/001 configuration=xfs/4k: a\n"
				   "generic/002 configuration=b: c\n"),
		  "those of a configuration hold only there, unless they say where");
	free(out);
	excludes_clear(&e);
}

/* --- what is left out ----------------------------------------------------------------------- */

#define PLACE                                                                                      \
	{                                                                                          \
		.configuration = "xfs/4k", .section = "xfs_4k", .fstype = "xfs",                   \
		.kernel = "6.1.9-28-amd64", .arch = { "x86_64", "amd64" }, .today = "2027-01-31"   \
	}

static const struct {
	const char *claim, *line, *test;
	bool excluded;
} matched[] = {
	{ "a test that is named", "generic/475: a", "generic/475", true },
	{ "the second of two names", "generic/474 generic/475: a", "generic/475", true },
	{ "another test", "generic/475: a", "generic/476", false },
	{ "a test whose name begins so", "generic/475: a", "generic/4750", false },
	{ "a test that fits a pattern", "generic/4[67]?: a", "generic/475", true },
	{ "a test that does not fit a pattern", "generic/4[67]?: a", "generic/485", false },
	{ "all tests of a directory", "xfs/*: a", "xfs/001", true },
	{ "a test of another directory", "xfs/*: a", "generic/001", false },
	{ "on that filesystem", "generic/475 fstype=ext4,xfs: a", "generic/475", true },
	{ "on another filesystem", "generic/475 fstype=ext*: a", "generic/475", false },
	{ "in that configuration", "generic/475 configuration=xfs/*: a", "generic/475", true },
	{ "in another configuration", "generic/475 configuration=xfs/1k: a", "generic/475", false },
	{ "in that section", "generic/475 configuration=xfs_4k: a", "generic/475", true },
	{ "in another section", "generic/475 configuration=xfs: a", "generic/475", false },
	{ "on that architecture", "generic/475 arch=x86_64: a", "generic/475", true },
	{ "on that architecture, by Debian's name", "generic/475 arch=arm64,amd64: a",
	  "generic/475", true },
	{ "on another architecture", "generic/475 arch=aarch64: a", "generic/475", false },
	{ "on the last day", "generic/475 until=2027-01-31: a", "generic/475", true },
	{ "on the day after that", "generic/475 until=2027-01-30: a", "generic/475", false },
	{ "if only one of two conditions holds", "generic/475 fstype=xfs kernel=<5: a",
	  "generic/475", false },
	{ "if all conditions hold", "generic/475 fstype=xfs kernel=6.1 arch=x86_64: a",
	  "generic/475", true },
};

static void matches(void)
{
	static const struct exclude_place place = PLACE;
	static const struct exclude_place unknown = { .arch = { NULL } };

	for (size_t i = 0; i < sizeof(matched) / sizeof(*matched); i++) {
		struct excludes e = { 0 };
		const struct exclude *found;

		excludes_parse(&e, "f", matched[i].line, NULL, NULL);
		found = e.count ? excludes_find(&e, &place, matched[i].test) : NULL;
		tap_check(e.count == 1 && (found != NULL) == matched[i].excluded &&
				  e.list[0].used == matched[i].excluded,
			  "%s %s", matched[i].excluded ? "leaves out" : "does not leave out",
			  matched[i].claim);
		excludes_clear(&e);
	}
	for (size_t i = 0; i < EXCLUDE_CONDITIONS; i++) {
		static const char *const lines[] = { "generic/001 configuration=*: a",
						     "generic/001 fstype=*: a",
						     "generic/001 kernel=>0: a",
						     "generic/001 arch=*: a" };
		struct excludes e = { 0 };

		excludes_parse(&e, "f", lines[i], NULL, NULL);
		tap_check(e.count == 1 && !excludes_find(&e, &unknown, "generic/001"),
			  "a condition on what is unknown does not hold: %s", lines[i]);
		excludes_clear(&e);
	}
}

static void precedence(void)
{
	static const struct exclude_place place = PLACE;
	struct excludes e = { 0 };
	const struct exclude *found;

	excludes_parse(&e, "f",
		       "generic/475 fstype=ext4: a\ngeneric/475 until=2020-01-01: b\n"
		       "generic/47?: c\ngeneric/475: d\n",
		       NULL, NULL);
	found = excludes_find(&e, &place, "generic/475");
	tap_check(found && tap_same(found->reason, "c"), "the first entry that holds is the one");
	tap_check(e.count == 4 && !e.list[3].used && exclude_expired(&e.list[1], place.today) &&
			  !exclude_expired(&e.list[0], place.today),
		  "others are not used, and one has expired");
	excludes_clear(&e);
}

static const struct {
	const char *range, *version;
	bool fits;
} versions[] = {
	{ "6.1", "6.1.0-28-amd64", true }, { "6.1", "6.1.119", true },
	{ "6.1", "6.10.1", false },	   { "=6.1.9", "6.1.9", true },
	{ "6", "6.18.0", true },	   { "<6.5", "6.4.16", true },
	{ "<6.5", "6.5.0-rc1", false },	   { "<=6.5", "6.5.13", true },
	{ "<=6.5", "6.6.0", false },	   { "<6.5.3", "6.5", true },
	{ ">6.5", "6.5.13", false },	   { ">6.5", "6.6.1", true },
	{ ">=6.5", "6.5.0", true },	   { ">=5.15,<6.1", "6.0.5", true },
	{ ">=5.15,<6.1", "6.1.5", false }, { ">=5.15,<6.1", "5.14.21", false },
	{ "<6.5", "linux", false },
};

static const struct {
	const char *value;
	bool date, reference;
} words[] = {
	{ "2028-02-29", true, false },	{ "2100-02-29", false, false },
	{ "2027-13-01", false, false }, { "2027-00-01", false, false },
	{ "2027-1-1", false, false },	{ "2027-01-31x", false, false },
	{ "", false, false },		{ "https://lore.kernel.org/r/x", false, true },
	{ "https://", false, false },	{ "ftp://example.org", false, false },
	{ "0123456", false, true },	{ "012345", false, false },
	{ "0123456g", false, false },
};

static void values(void)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++)
		tap_check(exclude_kernel_valid(versions[i].range) &&
				  exclude_kernel_matches(versions[i].range, versions[i].version) ==
					  versions[i].fits,
			  "%s %s %s", versions[i].version, versions[i].fits ? "is" : "is not",
			  versions[i].range);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		tap_check(exclude_date_valid(words[i].value) == words[i].date &&
				  exclude_reference_valid(words[i].value) == words[i].reference,
			  "\"%s\" is %s", words[i].value,
			  words[i].date	       ? "a date"
			  : words[i].reference ? "a reference"
					       : "neither a date nor a reference");
}

/* --- files ---------------------------------------------------------------------------------- */

static void write_file(const char *directory, const char *name, const char *content, size_t size)
{
	char path[SCRATCH_SIZE + 32];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	tap_check(fd >= 0 && write_all(fd, content, size) == 0, "%s is written", name);
	close(fd);
}

static void check_file(const char *directory, const char *claim, const char *content, size_t size,
		       const char *message)
{
	struct excludes e = { 0 };
	struct error *err = NULL;
	char path[SCRATCH_SIZE + 32];
	int result;

	write_file(directory, "one", content, size);
	snprintf(path, sizeof(path), "%s/one", directory);
	result = excludes_read(&e, path, &err);
	tap_check(result < 0 && err && err->code == ERR_INPUT && strstr(err->message, path) &&
			  strstr(err->message, message),
		  "refuses %s: %.200s", claim, error_text(err));
	unlink(path);
	excludes_clear(&e);
	error_free(&err);
}

static char *repeat(const char *line, size_t times)
{
	size_t length = strlen(line);
	char *all = malloc(length * times + 1);

	for (size_t i = 0; i < times; i++)
		memcpy(all + i * length, line, length + 1);
	return all;
}

static void bad_files(const char *directory)
{
	static const char doubled[] = "generic/001 fstype=xfs: a\ngeneric/001 fstype=ext4: b\n"
				      "generic/002 generic/001 until=2027-01-01 fstype=xfs: c\n";
	char *huge = repeat("# a comment of twenty-seven\n", 40000);
	char *many = repeat("generic/001: a\n", 20001);
	char *wide = repeat("a ", 600);
	const char *const paths[] = { "/nonexistent/excludes", directory };
	char reason[1300];

	check_file(directory, "an entry that is there twice", doubled, strlen(doubled),
		   ":3: generic/001 is excluded under the same conditions in line 1");
	check_file(directory, "a huge file", huge, strlen(huge), "at most 1048576 bytes");
	check_file(directory, "too many entries", many, strlen(many), "more than 20000 entries");
	check_file(directory, "a binary file", "generic/001: a\n\0", 16, "a binary file");
	snprintf(reason, sizeof(reason), "generic/001: %s\n", wide);
	check_file(directory, "a long reason", reason, strlen(reason), "more than 1000 bytes");
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct excludes e = { 0 };
		struct error *err = NULL;
		int result = excludes_read(&e, paths[i], &err);

		tap_check(result < 0 && err && err->code == ERR_INPUT,
			  "refuses what is no file: %s", error_text(err));
		error_free(&err);
	}
	free(huge);
	free(many);
	free(wide);
}

static void directories(const char *directory)
{
	struct excludes e = { 0 };
	char *out = NULL, path[SCRATCH_SIZE + 32];

	write_file(directory, "b", "generic/002: b\n", 15);
	write_file(directory, "a", "generic/001: a\n", 15);
	write_file(directory, "b~", "what an editor leaves\n", 22);
	write_file(directory, ".hidden", "what else is there\n", 19);
	snprintf(path, sizeof(path), "%s/more", directory);
	mkdir(path, 0755);
	tap_check(excludes_read_directory(&e, directory, NULL) == 0, "a directory is read");
	out = excludes_compose(&e);
	tap_check(tap_same(out, "generic/001: a\ngeneric/002: b\n"), "its files by name: %s", out);
	free(out);
	tap_check(excludes_read_directory(&e, "/nonexistent/excludes", NULL) == 0 && e.count == 2,
		  "a missing directory is empty");
	excludes_clear(&e);
}

int main(void)
{
	char directory[SCRATCH_SIZE] = "excludes";

	if (!scratch_make(directory))
		return 1;
	refusals();
	reading();
	matches();
	precedence();
	values();
	bad_files(directory);
	directories(directory);
	return tap_done();
}
