/* frontend/archive/program_list.c and program_index.c: from Contents indexes to a list of programs,
 * and the search in it. */
#include <stdlib.h>

#include "frontend/archive/program_index.h"
#include "frontend/archive/program_list.h"
#include "lib/cleanup.h"
#include "tap.h"

static const char *const universe[] = { "main", "universe", NULL };

/* The list made from an index, without tabs: "PROGRAM PACKAGE|…". */
static const struct {
	const char *what, *text, *list;
} rows[] = {
	{ "Debian's form", "usr/bin/fio     admin/fio\nusr/sbin/lvm\tadmin/lvm2\n",
	  "fio fio|lvm lvm2|" },
	{ "directories of /", "bin/ls  utils/coreutils\nsbin/fsck  admin/util-linux\n",
	  "fsck util-linux|ls coreutils|" },
	{ "a leading dot", "./usr/bin/fio admin/fio\n", "fio fio|" },
	{ "other files", "usr/share/man/man1/fio.1.gz admin/fio\nusr/lib/bin/x a/b\nx a/b\n", "" },
	{ "files below", "usr/bin/X11/xterm  x11/xterm\nusr/bin/ x11/xterm\n", "" },
	{ "components",
	  "usr/bin/a admin/aa\nusr/bin/b universe/admin/bb\nusr/bin/c "
	  "multiverse/admin/cc\n",
	  "a aa|b bb|" },
	{ "several packages", "usr/bin/x  admin/xa,universe/net/xb,multiverse/net/xc,net/xd\n",
	  "x xa|x xb|x xd|" },
	{ "the same program in two directories", "usr/bin/x a/xx\nusr/sbin/x a/xx\n", "x xx|" },
	{ "the order of bytes",
	  "usr/bin/b a/bb\nusr/bin/B a/bb\nusr/bin/a-b a/bb\nusr/bin/a a/bb\n",
	  "B bb|a bb|a-b bb|b bb|" },
	{ "a heading", "This file maps each file …\nFILE    LOCATION\nusr/bin/a  x/aa\n", "a aa|" },
	{ "names with blanks", "usr/bin/a b  x/aa\nusr/bin/c d\t x/aa\n", "" },
	{ "control characters", "usr/bin/a\033[31m x/aa\nusr/bin/b\001 x/aa\n", "" },
	{ "malformed packages",
	  "usr/bin/a x/A_\nusr/bin/b x/\nusr/bin/c\nusr/bin/d x/-y\n"
	  "usr/bin/e ,,x/ee,\n",
	  "e ee|" },
	{ "no newline at the end", "usr/bin/a x/aa", "a aa|" },
	{ "empty lines", "\n\n \nusr/bin/a x/aa\n", "a aa|" },
	{ "nothing", "", "" },
};

/* Feeds TEXT in pieces of STEP bytes and returns the list with blanks and "|". */
static char *reduce(const char *text, size_t size, size_t step)
{
	_cleanup_(program_list_free) struct program_list *list = program_list_new(universe);
	_cleanup_error_ struct error *err = NULL;
	size_t length = 0;
	char *result;

	for (size_t at = 0; at < size; at += step)
		if (program_list_take(text + at, at + step < size ? step : size - at, list, &err) <
		    0)
			return NULL;
	if (program_list_end(list, &err) < 0)
		return NULL;
	result = program_list_text(list, &length, &err);
	for (size_t i = 0; result && i < length; i++)
		result[i] = result[i] == '\t' ? ' ' : result[i] == '\n' ? '|' : result[i];
	return result;
}

static void check_rows(void)
{
	static const size_t steps[] = { 1, 7, 4096 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool good = true;

		for (size_t j = 0; j < sizeof(steps) / sizeof(*steps); j++) {
			_cleanup_free_ char *list =
				reduce(rows[i].text, strlen(rows[i].text), steps[j]);

			good = good && tap_same(list, rows[i].list);
			if (!tap_same(list, rows[i].list))
				printf("# in pieces of %zu: %s\n", steps[j], list ? list : "NULL");
		}
		tap_check(good, "an index with %s becomes a list", rows[i].what);
	}
}

/* A line of LENGTH characters between two others. */
static void check_long_line(size_t length, bool kept)
{
	static const char before[] = "usr/bin/a x/aa\n", after[] = "\nusr/bin/c x/cc\n";
	size_t size = strlen(before) + length + strlen(after);
	_cleanup_free_ char *text = malloc(size + 1), *list = NULL;

	memcpy(text, before, strlen(before));
	memset(text + strlen(before), ' ', length);
	memcpy(text + strlen(before), "usr/bin/b", strlen("usr/bin/b"));
	memcpy(text + strlen(before) + length - 4, "x/bb", 4);
	memcpy(text + strlen(before) + length, after, strlen(after));
	list = reduce(text, size, 1000);
	tap_check(tap_same(list, kept ? "a aa|b bb|c cc|" : "a aa|c cc|"),
		  "a line of %zu characters is %s", length, kept ? "read" : "skipped");
}

static void check_many(void)
{
	_cleanup_(program_list_free) struct program_list *list = program_list_new(NULL);
	_cleanup_error_ struct error *err = NULL;
	int r = 0;

	for (int i = 0; i < 1000001 && r == 0; i++) {
		char line[64];
		int length = snprintf(line, sizeof(line), "usr/bin/%d x/aa\n", i);

		r = program_list_take(line, (size_t)length, list, &err);
	}
	tap_check(r < 0 && err && err->code == ERR_TRUST,
		  "an index of a million programs is refused");
}

static const struct {
	const char *what, *text, *program, *packages;
} searches[] = {
	{ "the first", "a\taa\nb\tbb\nc\tcc\n", "a", "aa" },
	{ "one in the middle", "a\taa\nb\tbb\nc\tcc\n", "b", "bb" },
	{ "the last", "a\taa\nb\tbb\nc\tcc\n", "c", "cc" },
	{ "one before the first", "b\tbb\n", "a", "" },
	{ "one behind the last", "b\tbb\n", "c", "" },
	{ "a prefix of another", "fio2\tzz\n", "fio", "" },
	{ "a longer name", "fio\tfio\n", "fio2", "" },
	{ "several packages", "a\taa\nb\tb1\nb\tb2\nb\tb3\nc\tcc\n", "b", "b1 b2 b3" },
	{ "an empty list", "", "a", "" },
	{ "an empty name", "a\taa\n", "", "" },
	{ "a list that is cut off", "a\taa\nb\tb", "b", "" },
	{ "lines without packages", "a\nb\nc\n", "b", "" },
	{ "malformed packages", "b\tB!\nb\tbb\n", "b", "bb" },
	{ "no newline at all", "b\tbb", "b", "bb" },
	{ "only newlines", "\n\n\n\n", "b", "" },
};

static void check_searches(void)
{
	for (size_t i = 0; i < sizeof(searches) / sizeof(*searches); i++) {
		const struct program_index index = {
			.text = (char *)(uintptr_t)searches[i].text,
			.size = strlen(searches[i].text),
		};
		char packages[PROGRAM_PACKAGES_MAX][PACKAGE_NAME_MAX + 1], found[2048] = "";
		size_t count = program_index_find(&index, searches[i].program, packages);

		for (size_t j = 0; j < count; j++)
			snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s",
				 j ? " " : "", packages[j]);
		tap_check(tap_same(found, searches[i].packages), "searching for %s finds \"%s\"",
			  searches[i].what, searches[i].packages);
	}
}

/* Every program of a long list is found. */
static void check_all(void)
{
	char *text = NULL;
	size_t size = 0, found = 0;
	FILE *out = open_memstream(&text, &size);
	char packages[PROGRAM_PACKAGES_MAX][PACKAGE_NAME_MAX + 1];
	struct program_index index;

	for (int i = 10000; out && i < 30000; i++)
		fprintf(out, "p%d\tk%d\n", i, i);
	if (!out || fclose(out) != 0) {
		tap_check(false, "a list is made");
		return;
	}
	index = (struct program_index){ .text = text, .size = size };
	for (int i = 10000; i < 30000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%d", i);
		found += program_index_find(&index, name, packages) == 1 &&
			 strcmp(packages[0] + 1, name + 1) == 0;
	}
	tap_check(found == 20000, "all of 20,000 programs are found");
	free(text);
}

int main(void)
{
	check_rows();
	check_long_line(4000, true);
	check_long_line(4095, true);
	check_long_line(4096, false);
	check_long_line(1000000, false);
	check_many();
	check_searches();
	check_all();
	return tap_done();
}
