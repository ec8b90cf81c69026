/* frontend/rootfs/manifest.c and manifest_change.c: what is written is read again, and so is what
 * older versions wrote; and what a change of packages does to a manifest. */
#include "frontend/rootfs/manifest_change.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/read_all.h"
#include "tap.h"

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define BASE                                                                                       \
	"\"created\": \"2026-01-02T03:04:05Z\", \"profile\": \"test\", "                           \
	"\"profile_sha256\": \"" HASH "\", \"suite\": \"jammy\", \"arch\": \"amd64\", "            \
	"\"distribution\": \"Ubuntu\", \"mirror\": \"http://m.example\", "                         \
	"\"id_range\": {\"first_uid\": 100000, \"first_gid\": 200000, \"count\": 65536}, "         \
	"\"groups\": [], \"users\": [], "
#define PACKAGE(name, version)                                                                     \
	"\"" name "\": {\"version\": \"" version "\", \"arch\": \"amd64\", \"sha256\": \"" HASH    \
	"\", \"source\": \"" name "\", \"source_version\": \"" version "\"}"

/* MORE: further fields, each with a comma at its end. */
#define MANIFEST(more)                                                                             \
	"{\"format\": 2, " BASE more "\"engine\": \"native\", \"filters\": [], \"releases\": [], " \
	"\"packages\": {" PACKAGE("aa", "1") ", " PACKAGE("bb", "1:2-3") ", " PACKAGE("cc",        \
										      "3") "}}"
#define FORMAT_1                                                                                   \
	"{\"format\": 1, " BASE "\"packages\": {\"aa\": \"1\", \"bb\": \"1:2-3\", \"cc\": \"3\"}}"

static struct manifest *parse(const char *text)
{
	_cleanup_error_ struct error *err = NULL;
	struct manifest *m = NULL;

	if (manifest_parse(text, strlen(text), &m, &err) < 0)
		printf("# %s\n", error_text(err));
	return m;
}

static bool words_are(char *const *words, const char *expected)
{
	char found[256] = "";

	for (; words && *words; words++)
		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s",
			 *found ? " " : "", *words);
	if (strcmp(found, expected) != 0)
		printf("# words: %s\n", found);
	return strcmp(found, expected) == 0;
}

static bool packages_are(const struct manifest *m, const char *expected)
{
	char found[256] = "";

	for (size_t i = 0; i < m->package_count; i++)
		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s=%s",
			 *found ? " " : "", m->packages[i].name, m->packages[i].version);
	if (strcmp(found, expected) != 0)
		printf("# packages: %s\n", found);
	return strcmp(found, expected) == 0;
}

/* --- reading and writing --- */

/* TEXT as a manifest, written and read once more. The caller frees it. */
static struct manifest *parse_twice(const char *text)
{
	_cleanup_(manifest_free) struct manifest *m = parse(text);
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *again = NULL;
	size_t size = 0;

	if (!m || manifest_write(m, &fd, NULL) < 0 || !(again = read_all(fd, 1 << 16, &size)))
		return NULL;
	return parse(again);
}

static void test_old(void)
{
	_cleanup_(manifest_free) struct manifest *m = parse_twice(FORMAT_1);

	tap_check(m && m->generation == 1 && m->changed == 0 && !m->engine && !m->requested &&
			  !m->packages[0].arch && packages_are(m, "aa=1 bb=1:2-3 cc=3"),
		  "a manifest of format 1 is one of generation 1, and stays in its format");
}

static void test_again(void)
{
	_cleanup_(manifest_free) struct manifest *m = parse_twice(MANIFEST(
		"\"generation\": 7, \"changed\": \"2026-02-03T04:05:06Z\", "
		"\"published\": {\"name\": \"lab\", \"generation\": 3}, "
		"\"requested\": [\"aa\", \"xx|cc\"], \"components\": [\"main\", \"universe\"], "));

	tap_check(m && m->generation == 7 && m->changed == 1770091506 && m->created == 1767323045 &&
			  m->published && strcmp(m->published, "lab") == 0 &&
			  m->published_generation == 3 && words_are(m->requested, "aa xx|cc") &&
			  words_are(m->components, "main universe") &&
			  packages_are(m, "aa=1 bb=1:2-3 cc=3") &&
			  strcmp(m->packages[2].sha256, HASH) == 0,
		  "what is written is read again");
}

static const struct {
	const char *what, *text;
} refused[] = {
	{ "a generation of words", MANIFEST("\"generation\": \"two\", ") },
	{ "a negative generation", MANIFEST("\"generation\": -1, ") },
	{ "a generation above 32 bits", MANIFEST("\"generation\": 4294967296, ") },
	{ "a change at no time", MANIFEST("\"changed\": \"yesterday\", ") },
	{ "a change at a time with more text",
	  MANIFEST("\"changed\": \"2026-01-02T03:04:05Z x\", ") },
	{ "requested packages that are no list", MANIFEST("\"requested\": \"aa\", ") },
	{ "a requested package with a slash", MANIFEST("\"requested\": [\"../aa\"], ") },
	{ "a requested package that is an option", MANIFEST("\"requested\": [\"-aa\"], ") },
	{ "a requested package that is a number", MANIFEST("\"requested\": [1], ") },
	{ "a component that is an option", MANIFEST("\"components\": [\"-x\"], ") },
	{ "a component with a slash", MANIFEST("\"components\": [\"a/b\"], ") },
	{ "a published name with a slash",
	  MANIFEST("\"published\": {\"name\": \"a/b\", \"generation\": 3}, ") },
	{ "a published name without a generation",
	  MANIFEST("\"published\": {\"name\": \"lab\"}, ") },
	{ "a published generation that is no object", MANIFEST("\"published\": 3, ") },
	{ "two generations", MANIFEST("\"generation\": 2, \"generation\": 3, ") },
};

static void test_refused(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		_cleanup_error_ struct error *err = NULL;
		struct manifest *m = NULL;
		int r = manifest_parse(refused[i].text, strlen(refused[i].text), &m, &err);

		tap_check(r < 0 && !m && err && err->code == ERR_INPUT, "refused: %s",
			  refused[i].what);
		manifest_free(&m);
	}
}

/* --- changes --- */

/* PACKAGES: "name=version …"; the words of the others are names. */
static const struct change_row {
	const char *what;
	const char *before; /* requested */
	const char *packages, *gone, *added, *removed;
	const char *then_packages, *then_requested;
} changes[] = {
	{ "a new package", "", "dd=4", "", "dd", "", "aa=1 bb=1:2-3 cc=3 dd=4", "dd" },
	{ "a new package and its dependency", "", "dd=4 ee=5", "", "dd", "",
	  "aa=1 bb=1:2-3 cc=3 dd=4 ee=5", "dd" },
	{ "a newer version", "", "bb=2:0", "", "", "", "aa=1 bb=2:0 cc=3", "" },
	{ "the first package removed", "", "", "aa", "", "aa", "bb=1:2-3 cc=3", "" },
	{ "the last package removed", "", "", "cc", "", "cc", "aa=1 bb=1:2-3", "" },
	{ "a package and its dependency removed", "", "", "cc aa", "", "cc", "bb=1:2-3", "" },
	{ "all packages removed", "", "", "aa bb cc", "", "aa bb cc", "", "" },
	{ "an unknown package removed", "", "", "xx", "", "xx", "aa=1 bb=1:2-3 cc=3", "" },
	{ "a requested package removed", "\"bb\", \"cc\"", "", "cc", "", "cc", "aa=1 bb=1:2-3",
	  "bb" },
	{ "the first requested package removed", "\"bb\", \"cc\", \"aa\"", "", "bb", "", "bb",
	  "aa=1 cc=3", "cc aa" },
	{ "one more requested package", "\"bb\"", "dd=4", "", "dd", "", "aa=1 bb=1:2-3 cc=3 dd=4",
	  "bb dd" },
	{ "a package requested twice", "\"bb\"", "dd=4", "", "bb dd", "", "aa=1 bb=1:2-3 cc=3 dd=4",
	  "bb dd" },
};

/* Splits COPY into at most 7 words. */
static void split(char *copy, char *words[static 8])
{
	char *rest = copy, *word;
	size_t count = 0;

	while ((word = strsep(&rest, " ")) && count < 7)
		if (*word)
			words[count++] = word;
	words[count] = NULL;
}

static void test_change(const struct change_row *row)
{
	_cleanup_free_ char *text = NULL, *packages = strdup(row->packages),
			    *gone = strdup(row->gone), *added = strdup(row->added),
			    *removed = strdup(row->removed);
	char *words[8], *gone_words[8], *added_words[8], *removed_words[8];
	static struct pocket pocket = { .name = "updates",
					.place = "http://m.example",
					.sha256_hex = HASH,
					.date = "Sat, 11 Jul 2026 10:16:37 UTC" };
	static char arch[] = "amd64";
	struct package list[8] = { 0 };
	struct package_set set = {
		.packages = list, .removed = gone_words, .pockets = &pocket, .pocket_count = 1
	};
	_cleanup_(manifest_free) struct manifest *m = NULL;
	struct manifest_requests requests = { 0 };
	int r;

	if (asprintf(&text, MANIFEST("\"generation\": 4, \"requested\": [%s], "), row->before) <
		    0 ||
	    !(m = parse(text))) {
		tap_check(false, "changed: %s: the manifest is read", row->what);
		return;
	}
	split(packages, words);
	split(gone, gone_words);
	split(added, added_words);
	split(removed, removed_words);
	for (; words[set.package_count]; set.package_count++) {
		list[set.package_count].version = strchr(words[set.package_count], '=') + 1;
		list[set.package_count].version[-1] = '\0';
		list[set.package_count].name = words[set.package_count];
		list[set.package_count].arch = list[set.package_count].source = arch;
		list[set.package_count].source_version = list[set.package_count].version;
		list[set.package_count].pocket = &pocket;
	}
	requests.packages = (const char *const *)added_words;
	requests.removed = (const char *const *)removed_words;
	r = manifest_change(m, &set, &requests, NULL);
	tap_check(r == 0 && packages_are(m, row->then_packages) &&
			  words_are(m->requested, row->then_requested) && m->generation == 5 &&
			  m->changed > m->created,
		  "changed: %s", row->what);
	tap_check(m->release_count == (set.package_count > 0) &&
			  (!m->release_count || (strcmp(m->releases[0].pocket, "updates") == 0 &&
						 m->releases[0].date == 1783764997)),
		  "its release files: %s", row->what);
}

/* The release file that a change used takes the place of the older one of its pocket. */
static void test_releases(void)
{
	static const char text[] =
		"{\"format\": 2, " BASE
		"\"engine\": \"native\", \"filters\": [], \"optional\": [], "
		"\"releases\": [{\"pocket\": \"\", \"mirror\": \"http://m.example\", "
		"\"date\": \"2026-01-02T03:04:05Z\", \"sha256\": \"" HASH "\"}], "
		"\"packages\": {" PACKAGE("aa", "1") "}}";
	static char name[] = "aa", version[] = "2", arch[] = "amd64", place[] = "http://n.example",
		    hash[] = HASH, date[] = "Sat, 11 Jul 2026 10:16:37 UTC";
	static const char *const optional[] = { "bb", NULL };
	struct pocket pockets[] = {
		{ .name = "", .place = place, .sha256_hex = hash, .date = date },
		{ .name = "security", .place = place, .sha256_hex = hash, .date = date },
	};
	struct package package = { name, version, arch, name, version, .pocket = pockets };
	const struct package_set set = {
		.packages = &package, .package_count = 1, .pockets = pockets, .pocket_count = 2
	};
	const struct manifest_requests requests = { .optional = optional };
	_cleanup_(manifest_free) struct manifest *m = parse(text);

	tap_check(m && manifest_change(m, &set, &requests, NULL) == 0 && m->release_count == 2 &&
			  m->releases[0].date == 1783764997 &&
			  strcmp(m->releases[0].mirror, place) == 0 &&
			  strcmp(m->releases[1].pocket, "security") == 0,
		  "a change replaces the release files that listed the packages");
	tap_check(m && words_are(m->optional, "bb"), "a change adds optional packages");
}

/* A rootfs from a dated archive stays with it until its packages come from another mirror. */
static void test_dated(void)
{
	static char name[] = "aa", version[] = "2", arch[] = "amd64", place[] = "http://n.example";
	struct package package = { name, version, arch, name, version };
	static const struct {
		const char *what;
		size_t packages;
		int64_t dated;
		bool stays;
	} rows[] = {
		{ "packages of the dated archive", 1, 1709262245, true },
		{ "no package of another mirror", 0, 0, true },
		{ "packages of another mirror", 1, 0, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct package_set set = { .packages = &package,
						 .package_count = rows[i].packages,
						 .mirror = place,
						 .dated = rows[i].dated };
		const struct manifest_requests requests = { 0 };
		_cleanup_(manifest_free) struct manifest *m =
			parse(MANIFEST("\"dated\": \"2024-03-01T03:04:05Z\", "));
		bool read = m && m->dated == 1709262245;

		tap_check(read && manifest_change(m, &set, &requests, NULL) == 0 &&
				  m->dated == (rows[i].stays ? 1709262245 : 0) &&
				  (strcmp(m->mirror, place) != 0) == rows[i].stays,
			  "a dated rootfs: %s", rows[i].what);
	}
}

static void test_version(void)
{
	_cleanup_(manifest_free) struct manifest *m = parse(MANIFEST(""));

	tap_check(m && strcmp(manifest_version(m, "bb"), "1:2-3") == 0 &&
			  !manifest_version(m, "b") && !manifest_version(m, "bbb"),
		  "the version of a package");
}

int main(void)
{
	test_old();
	test_again();
	test_refused();
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++)
		test_change(&changes[i]);
	test_releases();
	test_dated();
	test_version();
	return tap_done();
}
