/* frontend/fstests/requirements.c: what the tests of a small fstests ask for, and trees that are
 * none. */
#include "frontend/fstests/requirements.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/cli/text.h"
#include "lib/cleanup.h"
#include "scratch.h"
#include "tap.h"

static const struct {
	const char *path, *text;
} files[] = {
	{ "common/config",
	  "export PERL_PROG=\"$(type -P perl)\"\n"
	  "[ \"$PERL_PROG\" = \"\" ] && _fatal \"perl not found\"\n"
	  "export KEYCTL_PROG=$(type -P keyctl)\n"
	  "export FSX_PROG=\"$here/ltp/fsx\"\n"
	  "[ ! -x $FSX_PROG ] && _fatal \"fsx not found\"\n"
	  "export __DUMP_PROG=\"$(type -P xfsdump)\"\n"
	  "export DUMP_PROG=\"$__DUMP_PROG -e\"\n"
	  "export OLD_PROG=\"`set_prog_path old-style`\"\n"
	  "export MKFS_BTRFS_PROG=$(set_mkfs_prog_path_with_opts btrfs)\n"
	  "export LOG_PROG=\"$(type -P logprint)\"\n"
	  "export TRIM_PROG=\"$(type -P fstrim)\"\n"
	  "export SELF_PROG=\"$SELF_PROG -F\"\n"
	  "export LOOP1_PROG=\"$LOOP2_PROG\"\nexport LOOP2_PROG=\"$LOOP1_PROG\"\n"
	  "export FILEFRAG_PROG=\"$(type -P filefrag)\"\n"
	  "_source_specific()\n{\n"
	  "\tlocal fs=$1\n"
	  "\tcase \"$fs\" in\n"
	  "\txfs)\n\t\t[ \"$LOG_PROG\" = \"\" ] && _fatal \"logprint not found\"\n\t\t;;\n"
	  "\tbtrfs)\n\t\t[ \"$MKFS_BTRFS_PROG\" = \"\" ] && _fatal \"no mkfs.btrfs\"\n\t\t;;\n"
	  "\tesac\n}\n" },
	{ "common/rc",
	  ". ./common/config\n"
	  "_require_command()\n{\n\tlocal command=$1\n"
	  "\t[ -x \"$command\" ] || _notrun \"$name utility required\"\n}\n"
	  "_require_nested()\n{\n\t_require_deeper \"$@\" # _require_command \"$PERL_PROG\"\n}\n"
	  "function _require_deeper\n{\n\t_require_command \"$KEYCTL_PROG\" keyctl\n"
	  "\t_require_nested\n}\n"
	  "_require_trim() {\n\tif [ -z \"$TRIM_PROG\" ]; then\n"
	  "\t\t_notrun \"This test requires fstrim utility.\"\n\tfi\n}\n"
	  "_require_jq()\n{\n\ttype -P jq >/dev/null || _notrun \"no jq\"\n}\n"
	  "_require_maybe()\n{\n\tif [ -n \"$LOG_PROG\" ]; then\n"
	  "\t\t_require_command $LOG_PROG log\n\tfi\n}\n"
	  "_require_debug()\n{\n\tgrep -q x /proc/x || \\\n"
	  "\t\t_notrun \"kernel not built with \\\n\t\tCONFIG_MY_DEBUG\"\n}\n"
	  "_require_no_debug()\n{\n\t_notrun \"built without CONFIG_NOT_THIS\"\n}\n"
	  "_require_loop()\n{\n\tmodprobe loop >/dev/null 2>&1\n}\n"
	  "_load_something()\n{\n\tmodprobe something\n}\n"
	  "_require_dm_target()\n{\n\tlocal target=$1\n"
	  "\tmodprobe dm-$target >/dev/null 2>&1\n}\n"
	  "_require_defrag()\n{\n"
	  "\tcase \"$FSTYP\" in\n"
	  "\txfs)\tDEFRAG_PROG=\"$LOG_PROG\";;\n"
	  "\text2|ext3|ext4)\tDEFRAG_PROG=\"$FILEFRAG_PROG -x\"\n\t;;\n"
	  "\t*)\t_notrun \"not for $FSTYP\"\n\t;;\n\tesac\n"
	  "\t_require_command \"$DEFRAG_PROG\" defragment\n}\n"
	  "_require_ext4_tool()\n{\n\tif [ \"$FSTYP\" = \"ext4\" ]; then\n"
	  "\t\t_require_command \"$(type -P ext4tool)\" ext4tool\n\telse\n"
	  "\t\t_require_command \"$(type -P othertool)\" othertool\n\tfi\n}\n"
	  "_require_xfs_tool()\n{\n\t[ \"$FSTYP\" != xfs ] && return\n"
	  "\t_require_command \"$(type -P xfstool)\" xfstool\n}\n"
	  "_one_line() { _require_command \"$(type -P oneliner)\"; }\n" },
	{ "common/dump", "[ \"$DUMP_PROG\" = \"\" ] && _notrun \"xfsdump not found\"\n"
			 "_require_user_exists daemon\n_require_group sys\n" },
	{ "common/odd\033name", "_require_odd()\n{\n\t_require_user odd\n}\n" },
	{ "tests/generic/001",
	  ". ./common/preamble\n. ./common/rc\n_require_nested\n_require_user\n" },
	{ "tests/generic/002", "_require_command \"$KEYCTL_PROG\" keyctl\n_require_trim\n"
			       "_require_user 123456-fsgqa\n_require_group\n" },
	{ "tests/generic/003", "_require_kernel_config CONFIG_ONE CONFIG_TWO\n_require_debug\n"
			       "_require_no_debug\n_require_dm_target thin-pool\n_require_loop\n"
			       "_load_something\n" },
	{ "tests/generic/004", "_require_defrag\n_require_ext4_tool\n_require_xfs_tool\n" },
	{ "tests/generic/005", "_exclude_fs ext4 xfs\n_require_defrag\n" },
	{ "tests/generic/006",
	  "CAT=zcat\n_require_command \"$(type -P $CAT)\" $CAT\n"
	  "_require_command \"$DUMP_PROG\" dump\n_require_command $OLD_PROG\n"
	  "_require_command $here/src/built\n_require_command src/built2\n"
	  "_require_command $UNKNOWN_PROG named\n_require_command $UNKNOWN_PROG\n"
	  "_require_maybe\n_require_jq\n_one_line\nmodprobe direct\n"
	  "_require_command \"$LOOP1_PROG\"\n_require_command $SELF_PROG\n"
	  "# _require_user commented\necho a_require_user inside\necho $_require_user variable\n" },
	{ "tests/generic/006.out", "_require_user output\n" },
	{ "tests/generic/group.list", "_require_user list\n" },
	{ "tests/xfs/001", "  . ./common/dump\n_require_user fsgqa\n_source_specific $FSTYP\n" },
	{ "tests/generic/007", "_require_user $(whoami)\n_require_user \"a b\"\n"
			       "_require_user bad\033[31m\n_require_command \"x\033y\"\n"
			       "_require_command ../../bin/sh\n_require_command -x\n"
			       "_require_kernel_config CONFIG_\n_require_kernel_config FOO\n"
			       "_require_dm_target $1\n_require_odd\n" },
};

/* All of it, in the order of the report. */
static const struct {
	enum requirement_kind kind;
	const char *name, *tests, *filesystem;
} rows[] = {
	{ NEEDS_COMMAND, "filefrag", "generic/004 generic/005", "ext4" },
	{ NEEDS_COMMAND, "keyctl", "generic/001 generic/002", "any" },
	{ NEEDS_COMMAND, "logprint", "generic/004 xfs/001", "xfs" },
	{ NEEDS_COMMAND, "xfsdump", "generic/006 xfs/001", "any" },
	{ NEEDS_COMMAND, "ext4tool", "generic/004", "ext4" },
	{ NEEDS_COMMAND, "fstrim", "generic/002", "any" },
	{ NEEDS_COMMAND, "jq", "generic/006", "any" },
	{ NEEDS_COMMAND, "named", "generic/006", "any" },
	{ NEEDS_COMMAND, "old-style", "generic/006", "any" },
	{ NEEDS_COMMAND, "oneliner", "generic/006", "any" },
	{ NEEDS_COMMAND, "othertool", "generic/004", "some" },
	{ NEEDS_COMMAND, "perl", "generic/001", "any" },
	{ NEEDS_COMMAND, "xfstool", "generic/004", "xfs" },
	{ NEEDS_COMMAND, "zcat", "generic/006", "any" },
	{ NEEDS_USER, "fsgqa", "generic/001 xfs/001", "any" },
	{ NEEDS_USER, "123456-fsgqa", "generic/002", "any" },
	{ NEEDS_USER, "daemon", "xfs/001", "xfs" },
	{ NEEDS_USER, "odd", "generic/007", "any" },
	{ NEEDS_GROUP, "fsgqa", "generic/002", "any" },
	{ NEEDS_GROUP, "sys", "xfs/001", "xfs" },
	{ NEEDS_OPTION, "MY_DEBUG", "generic/003", "any" },
	{ NEEDS_OPTION, "ONE", "generic/003", "any" },
	{ NEEDS_OPTION, "TWO", "generic/003", "any" },
	{ NEEDS_MODULE, "direct", "generic/006", "any" },
	{ NEEDS_MODULE, "dm-thin-pool", "generic/003", "any" },
	{ NEEDS_MODULE, "loop", "generic/003", "any" },
};
#define ROWS (sizeof(rows) / sizeof(*rows))

static char tree[SCRATCH_SIZE] = "requirements";

static bool write_text(const char *path, const char *text, size_t size)
{
	FILE *out = fopen(path, "we");
	bool good = out && fwrite(text, 1, size, out) == size;

	return out && fclose(out) == 0 && good;
}

static void make_tree(void)
{
	static const char *const directories[] = { "common", "tests", "tests/generic",
						   "tests/xfs" };
	char path[256];
	bool good = scratch_make(tree);

	for (size_t i = 0; i < sizeof(directories) / sizeof(*directories); i++) {
		snprintf(path, sizeof(path), "%s/%s", tree, directories[i]);
		good = good && mkdir(path, 0755) == 0;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "%s/%s", tree, files[i].path);
		good = good && write_text(path, files[i].text, strlen(files[i].text));
	}
	tap_check(good, "the tree is made");
}

static const char *list_tests(const struct requirements *r, const struct requirement *q, char *out,
			      size_t size)
{
	size_t length = 0;

	out[0] = '\0';
	for (size_t i = 0; i < q->test_count && length < size; i++)
		length += (size_t)snprintf(out + length, size - length, "%s%s", i ? " " : "",
					   r->tests[q->tests[i]]);
	return out;
}

static void check_rows(void)
{
	_cleanup_(requirements_free) struct requirements *r = NULL;
	_cleanup_error_ struct error *err = NULL;
	char tests[256];

	tap_check(requirements_read(tree, REQUIREMENTS_ALL, &r, &err) == 0, "the tree is read");
	if (!r) {
		printf("# %s\n", error_text(err));
		return;
	}
	tap_check(r->test_count == 8, "its tests are counted");
	for (size_t i = 0; i < r->count; i++) {
		const struct requirement *q = &r->list[i];
		bool good = i < ROWS && q->kind == rows[i].kind &&
			    tap_same(q->name, rows[i].name) &&
			    tap_same(list_tests(r, q, tests, sizeof(tests)), rows[i].tests) &&
			    tap_same(requirement_filesystem(r, q), rows[i].filesystem);

		if (!good)
			printf("# %s %s: %s (%s)\n", requirement_kind_name(q->kind), q->name,
			       list_tests(r, q, tests, sizeof(tests)),
			       requirement_filesystem(r, q));
		tap_check(good, "%s %s is found with its tests and filesystem",
			  i < ROWS ? requirement_kind_name(rows[i].kind) : "nothing",
			  i < ROWS ? rows[i].name : "more");
	}
	tap_check(r->count == ROWS, "nothing is missing");
}

/* How many tests need NAME on FSTYPES; -1: it is not asked for. */
static int count_waiting(const char *fstypes, const char *name)
{
	_cleanup_(requirements_free) struct requirements *r = NULL;
	_cleanup_error_ struct error *err = NULL;

	if (requirements_read(tree, fstypes, &r, &err) < 0)
		return -2;
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->list[i].name, name) == 0)
			return (int)r->list[i].test_count;
	return -1;
}

static void check_filesystems(void)
{
	static const struct {
		const char *fstypes, *name;
		int tests;
	} choices[] = {
		{ "xfs", "logprint", 2 },     { "ext4", "logprint", -1 },
		{ "ext4", "ext4tool", 1 },    { "xfs", "ext4tool", -1 },
		{ "ext4", "daemon", -1 },     { "xfs,ext4", "daemon", 1 },
		{ "ext4", "filefrag", 2 },    { "btrfs", "filefrag", -1 },
		{ "new-fs", "othertool", 1 }, { "ext4/", "keyctl", -2 },
	};

	for (size_t i = 0; i < sizeof(choices) / sizeof(*choices); i++)
		tap_check(count_waiting(choices[i].fstypes, choices[i].name) == choices[i].tests,
			  "%s on %s is asked for by %d tests", choices[i].name, choices[i].fstypes,
			  choices[i].tests);
}

/* --- odd trees ------------------------------------------------------------------------------ */

static enum error_code read_tree(void)
{
	_cleanup_(requirements_free) struct requirements *r = NULL;
	_cleanup_error_ struct error *err = NULL;

	return requirements_read(tree, REQUIREMENTS_ALL, &r, &err) == 0 ? ERR_NONE
	       : err							? err->code
									: ERR_LAST;
}

/* Writes COUNT times TEXT to the tree's file NAME, reads the tree, and removes the file. */
static enum error_code read_repeated(const char *name, const char *text, size_t count)
{
	size_t size = strlen(text) * count;
	_cleanup_free_ char *all = malloc(size + 1);
	enum error_code code;
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", tree, name);
	for (size_t i = 0; all && i < count; i++)
		memcpy(all + i * strlen(text), text, strlen(text));
	if (!all || !write_text(path, all, size))
		return ERR_LAST;
	code = read_tree();
	unlink(path);
	return code;
}

static void check_large(void)
{
	static const struct {
		const char *what, *file, *text;
		size_t count;
	} odd[] = {
		{ "a line of a megabyte", "tests/generic/900", "_require_user x ", 60000 },
		{ "continued lines", "tests/generic/900", "_require_user x\\\n", 60000 },
		{ "nested conditions", "tests/generic/900", "if [ $FSTYP = xfs ]; then\n", 30000 },
		{ "nested substitutions", "tests/generic/900", "_require_user $($($($(", 40000 },
		{ "unknown variables", "tests/generic/900", "_require_command $A_B c\n", 40000 },
		{ "ends without beginnings", "common/zzz", "}\nfi\nesac\n;;\n*)\n", 60000 },
		{ "assignments to one variable", "common/zzz", "A_PROG=\"$(type -P a)\"\n", 40000 },
		{ "a file of more than a megabyte", "common/zzz", "_require_user x\n", 80000 },
		{ "other bytes", "tests/generic/900", "\001\377\n_\n$\n$(\n\"\n", 60000 },
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		tap_check(read_repeated(odd[i].file, odd[i].text, odd[i].count) == ERR_NONE,
			  "a tree with %s is read", odd[i].what);
}

/* Many functions that call each other: each call is an edge. */
static void check_excessive(void)
{
	char *text = NULL, path[256];
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool good;

	for (int i = 0; out && i < 700; i++) {
		fprintf(out, "_f%d()\n{\n", i);
		for (int j = 0; j < 700; j++)
			fprintf(out, "_f%d%c", j, j % 7 == 6 ? '\n' : ' ');
		fputs("}\n", out);
	}
	snprintf(path, sizeof(path), "%s/common/zzz", tree);
	/* Too long for one file. */
	good = out && fclose(out) == 0 && write_text(path, text, size / 3);
	snprintf(path, sizeof(path), "%s/common/zzzz", tree);
	tap_check(good && write_text(path, text + size / 3, size / 3), "two files are made");
	free(text);
	tap_check(read_tree() == ERR_INPUT, "a tree with too many calls is refused");
	unlink(path);
	snprintf(path, sizeof(path), "%s/common/zzz", tree);
	unlink(path);
}

static void check_links(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/tests/generic/800", tree);
	tap_check(symlink("/etc/passwd", path) == 0 && read_tree() == ERR_NONE,
		  "a test that is a link out of the tree is left out");
	unlink(path);
	tap_check(mkfifo(path, 0644) == 0 && read_tree() == ERR_NONE,
		  "a test that is a pipe is left out");
	unlink(path);
	snprintf(path, sizeof(path), "%s/tests/loop", tree);
	tap_check(symlink(".", path) == 0 && read_tree() == ERR_NONE,
		  "a directory that links to its parent is read once");
	unlink(path);
}

int main(void)
{
	char path[256];

	make_tree();
	check_rows();
	check_filesystems();
	check_large();
	check_excessive();
	check_links();
	snprintf(path, sizeof(path), "%s/common", tree);
	scratch_remove(path);
	tap_check(read_tree() == ERR_INPUT, "a tree without common/ is refused");
	scratch_remove(tree);
	tap_check(read_tree() == ERR_INPUT, "a missing tree is refused");
	return tap_done();
}
