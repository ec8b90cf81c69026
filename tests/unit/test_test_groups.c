/* frontend/fstests/test_groups.c: which groups a test belongs to. */
#include "frontend/fstests/test_groups.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "scratch.h"
#include "tap.h"

static const struct {
	const char *path, *text;
} files[] = {
	{ "generic/group.list",
	  "# QA groups control file, automatically generated.\n\n001 rw auto quick\n"
	  "002\tmetadata\tauto\n003 auto # stress\n004 auto unreliable_in_parallel\n005\n"
	  "../xfs/001 soak\nMakefile quick\n010 auto quick" },
	{ "xfs/001",
	  "#!/bin/bash\n# FS QA Test\n. ./common/preamble\n_begin_fstest auto quick rw\n" },
	{ "xfs/002", "#!/bin/bash\n# no line of that kind: _begin_fstest soak\n" },
	{ "xfs/003.out", "\n_begin_fstest quick\n" },
	{ "xfs/004", "\n_begin_fstest auto \\\n\tquick\n_begin_fstest soak\n" },
	{ "ext4/group", "# QA groups control file\nfsr\n001 auto\n002 auto stress\n" },
	{ "ext4/001", "\n_begin_fstest soak\n" },
	{ "README", "001 quick\n" },
};

static const struct {
	const char *test, *group;
	bool has;
} rows[] = {
	{ "generic/001", "rw", true },	      { "generic/001", "quick", true },
	{ "generic/001", "qui", false },      { "generic/001", "w", false },
	{ "generic/001", "", false },	      { "generic/001", "stress", false },
	{ "generic/002", "metadata", true },  { "generic/002", "auto", true },
	{ "generic/002", "quick", false },    { "generic/003", "stress", false },
	{ "generic/004", GROUP_ALONE, true }, { "generic/003", GROUP_ALONE, false },
	{ "generic/005", "auto", false },     { "generic/010", "quick", true },
	{ "generic/999", "auto", false },     { "xfs/001", "quick", true },
	{ "xfs/001", "soak", false },	      { "xfs/002", "soak", false },
	{ "xfs/003", "quick", false },	      { "xfs/004", "auto", true },
	{ "xfs/004", "soak", false },	      { "ext4/002", "stress", true },
	{ "ext4/001", "auto", true },	      { "ext4/001", "soak", false },
	{ "../xfs/001", "soak", false },      { "README", "quick", false },
};

static bool write_text(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");
	bool good = out && fputs(text, out) >= 0;

	return out && fclose(out) == 0 && good;
}

static void make_tree(const char *tree)
{
	static const char *const directories[] = { "", "/generic", "/xfs", "/ext4" };
	char path[256];
	bool good = true;

	for (size_t i = 0; i < sizeof(directories) / sizeof(*directories); i++) {
		snprintf(path, sizeof(path), "%s/tests%s", tree, directories[i]);
		good = mkdir(path, 0755) == 0 && good;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "%s/tests/%s", tree, files[i].path);
		good = write_text(path, files[i].text) && good;
	}
	tap_check(good, "the tree is written");
}

static void groups_of_tree(const char *tree)
{
	struct test_groups *groups;

	tap_check(test_groups_read(tree, &groups, NULL) == 0, "the groups are read");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		tap_check(test_groups_has(groups, rows[i].test, rows[i].group) == rows[i].has,
			  "%s is %sin group \"%s\"", rows[i].test, rows[i].has ? "" : "not ",
			  rows[i].group);
	test_groups_free(&groups);
	tap_check(!test_groups_has(NULL, "generic/001", "auto"), "without groups, no test has one");
}

static void large(const char *tree)
{
	char path[256], *text = NULL;
	struct test_groups *groups;
	clock_t began;
	bool found = true;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (int i = 1; i <= 2000; i++)
		fprintf(out, "%03d auto quick rw metadata log\n", i);
	fclose(out);
	snprintf(path, sizeof(path), "%s/tests/generic/group.list", tree);
	tap_check(write_text(path, text), "a list of 2,000 tests is written");
	free(text);
	began = clock();
	tap_check(test_groups_read(tree, &groups, NULL) == 0, "it is read");
	for (int i = 1; i <= 2000; i++) {
		snprintf(path, sizeof(path), "generic/%03d", i);
		found = test_groups_has(groups, path, "log") && found;
	}
	tap_check(found, "and has every test");
	tap_check(clock() - began < CLOCKS_PER_SEC, "in less than a second");
	test_groups_free(&groups);
}

static void wrong(const char *tree)
{
	struct test_groups *groups;
	struct error *err = NULL;
	char path[256];

	tap_check(test_groups_read("/nonexistent", &groups, &err) < 0 && err &&
			  err->code == ERR_MISSING && !groups,
		  "a missing tree is an error");
	error_free(&err);
	snprintf(path, sizeof(path), "%s/tests/xfs", tree);
	tap_check(test_groups_read(path, &groups, &err) < 0 && err && err->code == ERR_MISSING,
		  "so is one without tests");
	error_free(&err);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

int main(void)
{
	char tree[SCRATCH_SIZE] = "groups";

	if (!scratch_make(tree))
		return 1;
	make_tree(tree);
	groups_of_tree(tree);
	wrong(tree);
	large(tree);
	nftw(tree, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
