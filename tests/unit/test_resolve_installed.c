/* frontend/archive/resolve.c with the packages that a rootfs has: what it gets, what it loses, and
 * what is refused. */
#include "frontend/archive/resolve.h"

#include <fcntl.h>
#include <unistd.h>

#include "package_lists.h"
#include "scratch.h"
#include "tap.h"

#define INDEXES 2
#define WORDS 8

static char dir[SCRATCH_SIZE] = "installed";

struct row {
	const char *what;
	const char *installed;
	const char *indexes[INDEXES]; /* the second belongs to a pocket */
	const char
		*words; /* "^" first: upgrade. "aa", "?aa": optional, "-aa": remove, "=aa": keep */
	const char *changes; /* "name=version … -name": removed; NULL: refused */
	const char *says;    /* all of these words, if refused */
};

static const struct row rows[] = {
	{ "nothing", "aa 1\n", { "aa 1\nbb 1\n" }, "", "" },
	{ "a package", "aa 1\n", { "aa 1\nbb 1\n" }, "bb", "bb=1" },
	{ "a package that is there", "aa 1\n", { "aa 1\n" }, "aa", "" },
	{ "a package that is there, not its newer version", "aa 1\n", { "aa 2\n" }, "aa", "" },
	{ "a package that is there in a version that the archive lacks",
	  "aa 3\n",
	  { "aa 2\n" },
	  "aa",
	  "" },
	{ "a dependency that is there", "aa 1\n", { "aa 1\nbb 1;Depends: aa\n" }, "bb", "bb=1" },
	{ "a dependency that is missing",
	  "aa 1\n",
	  { "aa 1\nbb 1;Depends: cc\ncc 1\n" },
	  "bb",
	  "bb=1 cc=1" },
	{ "a dependency that is there, but too old",
	  "aa 1\n",
	  { "aa 2\nbb 1;Depends: aa (>= 2)\n" },
	  "bb",
	  "aa=2 bb=1" },
	{ "only that dependency in its newer version",
	  "aa 1\ncc 1\n",
	  { "aa 2\nbb 1;Depends: aa (>= 2)\ncc 2\n" },
	  "bb",
	  "aa=2 bb=1" },
	{ "a dependency that is too old, on hold",
	  "aa 1;Status: hold ok installed\n",
	  { "aa 2\nbb 1;Depends: aa (>= 2)\n" },
	  "bb",
	  NULL,
	  "aa bb" },
	{ "a virtual dependency that is there",
	  "aa 1;Provides: vv\n",
	  { "aa 1;Provides: vv\nbb 1;Depends: vv\ncc 1;Provides: vv\n" },
	  "bb",
	  "bb=1" },
	{ "the alternative that is there",
	  "cc 1\n",
	  { "aa 1;Depends: bb | cc\nbb 1\ncc 1\n" },
	  "aa",
	  "aa=1" },
	{ "a package that is installed, but that no archive has",
	  "aa 1\nlocal 1\n",
	  { "aa 1\nbb 1\n" },
	  "bb",
	  "bb=1" },
	{ "a package that conflicts with one that is there",
	  "aa 1\n",
	  { "aa 1\nbb 1;Conflicts: aa\n" },
	  "bb",
	  NULL,
	  "aa bb conflicts" },
	{ "an unknown package", "aa 1\n", { "aa 1\n" }, "bb", NULL, "bb" },
	{ "packages of which only the configuration is left",
	  "aa 1\nbb 1;Status: deinstall ok config-files\ncc 1;Status: unknown ok not-installed\n",
	  { "aa 1\nbb 1\ncc 1\n" },
	  "bb cc",
	  "bb=1 cc=1" },

	{ "removed: a package", "aa 1\nbb 1\n", { "aa 1\nbb 1\n" }, "-aa", "-aa" },
	{ "removed: a package that no archive has", "aa 1\nbb 1\n", { "bb 1\n" }, "-aa", "-aa" },
	{ "removed: with the dependencies that only it needed",
	  "aa 1;Depends: bb\nbb 1;Depends: cc\ncc 1\ndd 1\n",
	  { "aa 1;Depends: bb\nbb 1;Depends: cc\ncc 1\ndd 1\n" },
	  "-aa",
	  "-aa -bb -cc" },
	{ "removed: without a dependency that is kept",
	  "aa 1;Depends: bb\nbb 1;Depends: cc\ncc 1\n",
	  { "aa 1\n" },
	  "-aa =bb",
	  "-aa" },
	{ "removed: without a dependency that is one of two to keep",
	  "aa 1;Depends: bb\nbb 1\n",
	  { "aa 1\n" },
	  "-aa =xx|bb",
	  "-aa" },
	{ "removed: without a dependency that another package needs",
	  "aa 1;Depends: bb\nbb 1\ncc 1;Depends: bb\n",
	  { "aa 1\n" },
	  "-aa",
	  "-aa" },
	{ "removed: without a dependency that every rootfs needs",
	  "aa 1;Depends: rr\nrr 1\n",
	  { "rr 1;Priority: required\n" },
	  "-aa",
	  "-aa" },
	{ "removed: a package of the profile",
	  "aa 1\nbb 1\n",
	  { "aa 1\nbb 1\n" },
	  "-aa =aa",
	  "-aa" },
	{ "removed: one that another needs, together with it",
	  "aa 1;Depends: bb\nbb 1\n",
	  { "aa 1\n" },
	  "-aa -bb",
	  "-aa -bb" },
	{ "removed: one that another needs",
	  "aa 1;Depends: bb\nbb 1\n",
	  { "aa 1;Depends: bb\nbb 1\n" },
	  "-bb",
	  NULL,
	  "aa bb" },
	{ "removed: one that provides what another needs",
	  "aa 1;Depends: vv\nbb 1;Provides: vv\n",
	  { "aa 1;Depends: vv\nbb 1;Provides: vv\n" },
	  "-bb",
	  NULL,
	  "aa vv" },
	{ "removed: one that is not installed", "aa 1\n", { "aa 1\nbb 1\n" }, "-bb", NULL, "bb" },
	{ "removed: one of which only the configuration is left",
	  "aa 1\nbb 1;Status: deinstall ok config-files\n",
	  { "aa 1\n" },
	  "-bb",
	  NULL,
	  "bb" },
	{ "removed: two names", "aa 1\n", { "aa 1\n" }, "-xx|aa", NULL, "xx|aa" },
	{ "removed: a required package",
	  "rr 1\n",
	  { "rr 1;Priority: required\n" },
	  "-rr",
	  NULL,
	  "rr" },
	{ "removed: an essential package",
	  "ee 1\n",
	  { "ee 1;Essential: yes\n" },
	  "-ee",
	  NULL,
	  "ee" },
	{ "removed: apt", "apt 1\n", { "apt 1\n" }, "-apt", NULL, "apt" },

	{ "upgraded: a package", "aa 1\nbb 1\n", { "aa 2\nbb 1\n" }, "^", "aa=2" },
	{ "upgraded: from a pocket", "aa 1\n", { "aa 1\n", "aa 1.1\n" }, "^", "aa=1.1" },
	{ "upgraded: to the newer of two versions", "aa 1\n", { "aa 3\n", "aa 2\n" }, "^", "aa=3" },
	{ "upgraded: an epoch counts more than a number", "aa 9\n", { "aa 1:1\n" }, "^", "aa=1:1" },
	{ "upgraded: a tilde sorts below nothing", "aa 1\n", { "aa 1~rc1\n" }, "^", "" },
	{ "upgraded: never to an older version", "aa 3\n", { "aa 2\n" }, "^", "" },
	{ "upgraded: not a package that no archive has", "aa 1\n", { "bb 1\n" }, "^", "" },
	{ "upgraded: with a new dependency",
	  "aa 1\n",
	  { "aa 2;Depends: bb\nbb 1\n" },
	  "^",
	  "aa=2 bb=1" },
	{ "upgraded: not a package on hold",
	  "aa 1;Status: hold ok installed\nbb 1\n",
	  { "aa 2\nbb 2\n" },
	  "^",
	  "bb=2" },
	{ "upgraded: not one that needs another in a version that a hold prevents",
	  "aa 1\nbb 1;Status: hold ok installed\n",
	  { "aa 2;Depends: bb (>= 2)\nbb 2\n" },
	  "^",
	  "" },
	{ "upgraded: not one that would remove another",
	  "aa 1\nbb 1\n",
	  { "aa 2;Conflicts: bb\nbb 1\n" },
	  "^",
	  "" },
	{ "upgraded: not one with a missing dependency",
	  "aa 1\n",
	  { "aa 2;Depends: gone\n" },
	  "^",
	  "" },
	{ "upgraded: together with a wanted package",
	  "aa 1\n",
	  { "aa 2\nbb 1\n" },
	  "^bb ?cc",
	  "aa=2 bb=1" },

	{ "an empty status file", "", { "aa 1\n" }, "aa", NULL, "no installed" },
	{ "no installed package",
	  "aa 1;Status: deinstall ok config-files\n",
	  { "aa 1\n" },
	  "aa",
	  NULL,
	  "no installed" },
	{ "a half-installed package",
	  "aa 1\nbb 1;Status: install ok half-installed\n",
	  { "aa 1\n" },
	  "aa",
	  NULL,
	  "bb half" },
	{ "an unpacked package",
	  "aa 1\nbb 1;Status: install ok unpacked\n",
	  { "aa 1\n" },
	  "aa",
	  NULL,
	  "bb half" },
	{ "a package that waits for triggers",
	  "aa 1\nbb 1;Status: install ok triggers-pending\n",
	  { "aa 1\n" },
	  "aa",
	  NULL,
	  "bb half" },
};

static int play(const struct row *row, struct choices *choices, struct error **err)
{
	struct resolve_index indexes[INDEXES] = { 0 };
	char paths[INDEXES][256], status[256], *rest, *word;
	bool upgrade = row->words[0] == '^';
	_cleanup_free_ char *copy = strdup(row->words + upgrade);
	const char *lists[4][WORDS] = { { NULL } };
	struct wanted wanted = { lists[0], lists[1], lists[2], lists[3] };
	size_t count = 0, used[4] = { 0 };
	int result;

	for (; count < INDEXES && row->indexes[count]; count++) {
		snprintf(paths[count], sizeof(paths[count]), "%s/%zu", dir, count);
		if (!index_write(paths[count], row->indexes[count]))
			return -1;
		indexes[count] =
			(struct resolve_index){ .packages = paths[count], .base = count == 0 };
	}
	snprintf(status, sizeof(status), "%s/status", dir);
	if (!status_write(status, row->installed))
		return -1;
	for (word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		const char *kind = strchr("?-=", *word);
		size_t list = kind ? (size_t)(kind - "?-=") + 1 : 0;

		lists[list][used[list]++] = word + (kind != NULL);
	}
	wanted.installed = open(status, O_RDONLY | O_CLOEXEC);
	result = resolve(indexes, count, "testing", "amd64",
			 upgrade ? BASE_UPGRADED : BASE_INSTALLED, &wanted, choices, err);
	close(wanted.installed);
	unlink(status);
	while (count--)
		unlink(paths[count]);
	return result;
}

static bool same(const struct choices *choices, const char *expected)
{
	char found[512] = "";
	size_t at = 0;

	for (size_t i = 0; i < choices->count; i++)
		at += (size_t)snprintf(found + at, sizeof(found) - at, "%s%s=%s", at ? " " : "",
				       choices->list[i].name, choices->list[i].version);
	for (char **word = choices->removed; word && *word; word++)
		at += (size_t)snprintf(found + at, sizeof(found) - at, "%s-%s", at ? " " : "",
				       *word);
	if (strcmp(found, expected) != 0)
		printf("# changes: %s\n", found);
	return strcmp(found, expected) == 0;
}

static bool says_all(const char *message, const char *words)
{
	_cleanup_free_ char *copy = strdup(words);
	char *rest, *word;

	for (word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		if (!strstr(message, word))
			return false;
	return true;
}

static bool try(const struct row *row)
{
	_cleanup_(choices_clear) struct choices choices = { 0 };
	_cleanup_error_ struct error *err = NULL;
	int result = play(row, &choices, &err);

	if (err)
		printf("# %s\n", err->message);
	if (row->changes)
		return result == 0 && same(&choices, row->changes);
	return result == -1 && err && err->code == ERR_INPUT && says_all(err->message, row->says);
}

int main(void)
{
	if (!scratch_make(dir))
		return 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		tap_check(try(&rows[i]), "%s: %s", rows[i].changes ? "chosen" : "refused",
			  rows[i].what);
	return tap_done();
}
