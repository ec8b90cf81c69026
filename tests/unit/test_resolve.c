/* frontend/archive/resolve.c: which packages are chosen, and which input is refused. */
#include "frontend/archive/resolve.h"

#include <fcntl.h>

#include "frontend/archive/kept_file.h"

#include "lib/pwrite_all.h"
#include "package_lists.h"
#include "scratch.h"
#include "tap.h"

#define INDEXES 2

static char dir[SCRATCH_SIZE] = "resolve";

#define ONE "0000000000000000000000000000000000000000000000000000000000000001"

struct row {
	const char *what;
	const char *indexes[INDEXES]; /* the second belongs to a pocket */
	const char *wanted; /* "+" first: in addition to the minimal set, "=": exactly; "?a":
			       optional */
	const char *chosen; /* "name=version …", "-a": left out; NULL: refused */
	const char *says;
	enum error_code code;
	bool malformed; /* part of the index, so that its cached form is not complete */
};

static const struct row rows[] = {
	{ "a package", { "aa 1\nbb 1\n" }, "aa", "aa=1" },
	{ "a package of another source", { "aa 1;Source: bb\n" }, "aa", "aa=1<bb_1" },
	{ "a package built again from its source",
	  { "aa 1+b1;Source: aa (1)\nbb 1\n" },
	  "aa bb",
	  "aa=1+b1<aa_1 bb=1" },
	{ "a source with another name and version",
	  { "aa 1;Source: bb (2:3-1~x)\n" },
	  "aa",
	  "aa=1<bb_2:3-1~x" },
	{ "the version of a source in an index that is malformed elsewhere",
	  { "aa 1;Source: bb (2);SHA256: " ONE "\ncc 1;SHA256: 00\n" },
	  "aa",
	  .chosen = "aa=1<bb_2",
	  .malformed = true },
	{ "a malformed source", { "aa 1;Source: ../bb\n" }, "aa", NULL, "../bb", ERR_TRUST },
	{ "the first of two alternatives", { "aa 1\nbb 1\n" }, "aa|bb", "aa=1" },
	{ "the second alternative if the first is missing", { "bb 1\n" }, "aa|bb", "bb=1" },
	{ "neither alternative exists",
	  { "cc 1\n" },
	  "aa|bb cc",
	  NULL,
	  "no package aa|bb in testing",
	  ERR_INPUT },
	{ "an alternative with an invalid name",
	  { "aa 1\n" },
	  "aa|/bb",
	  NULL,
	  "not a package name",
	  ERR_INPUT },
	{ "an optional package", { "aa 1\nbb 1\n" }, "aa ?bb", "aa=1 bb=1" },
	{ "a missing optional package", { "aa 1\n" }, "aa ?bb", "aa=1 -bb" },
	{ "two missing optional packages, with alternatives",
	  { "aa 1\ncc 1\n" },
	  "aa ?bb ?cc|dd ?ee|ff",
	  "aa=1 cc=1 -bb -ee|ff" },
	{ "an optional package with an invalid name",
	  { "aa 1\n" },
	  "aa ?/bb",
	  NULL,
	  "not a package name",
	  ERR_INPUT },
	{ "the dependencies of an optional package are not optional",
	  { "aa 1\nbb 1;Depends: cc\n" },
	  "aa ?bb",
	  NULL,
	  "nothing provides cc",
	  ERR_INPUT },
	{ "both optional and wanted", { "aa 1\n" }, "aa bb ?bb", NULL, "no package bb", ERR_INPUT },
	{ "dependencies",
	  { "aa 1;Depends: bb\nbb 1;Pre-Depends: cc (>= 1)\ncc 1\n" },
	  "aa",
	  "aa=1 bb=1 cc=1" },
	{ "no recommended packages", { "aa 1;Recommends: bb;Suggests: bb\nbb 1\n" }, "aa", "aa=1" },
	{ "the newer version, from a pocket", { "aa 1\n", "aa 1.1\n" }, "aa", "aa=1.1" },
	{ "the newer version, not an older one from a pocket",
	  { "aa 2\n", "aa 1.1\n" },
	  "aa",
	  "aa=2" },
	{ "an epoch sorts above a number, a tilde below nothing",
	  { "aa 9\naa 1:1~rc\naa 1:1\n" },
	  "aa",
	  "aa=1:1" },
	{ "the first alternative", { "aa 1;Depends: zz | bb\nbb 1\nzz 1\n" }, "aa", "aa=1 zz=1" },
	{ "the second alternative if the first does not exist",
	  { "aa 1;Depends: yy | bb\nbb 1\nzz 1\n" },
	  "aa",
	  "aa=1 bb=1" },
	{ "the second alternative if it is wanted anyway",
	  { "aa 1;Depends: zz | bb\nbb 1\nzz 1\n" },
	  "aa bb",
	  "aa=1 bb=1" },
	{ "a provider of a virtual package",
	  { "aa 1;Depends: vv\nbb 1;Provides: vv\n" },
	  "aa",
	  "aa=1 bb=1" },
	{ "a virtual package by name", { "bb 1;Provides: vv\n" }, "vv", "bb=1" },
	{ "a real package instead of a provider",
	  { "aa 1;Depends: libz\nelibz 1;Provides: libz (= 1);Conflicts: libz\nlibz 1\n" },
	  "aa",
	  "aa=1 libz=1" },
	{ "a versioned provide",
	  { "aa 1;Depends: vv (>= 2)\nbb 1;Provides: vv (= 1)\ncc 1;Provides: vv (= 2)\n" },
	  "aa",
	  "aa=1 cc=1" },
	{ "around a conflict",
	  { "aa 1;Depends: bb | cc;Conflicts: bb\nbb 1\ncc 1\n" },
	  "aa",
	  "aa=1 cc=1" },
	{ "required and essential packages, and apt",
	  { "apt 1\nee 1;Essential: yes\nrr 1;Priority: required\noo 1;Priority: optional\n" },
	  "+",
	  "apt=1 ee=1 rr=1" },
	{ "the minimal set and wanted packages",
	  { "apt 1\nrr 1;Priority: required\noo 1;Priority: optional\n" },
	  "+oo",
	  "apt=1 oo=1 rr=1" },
	{ "a pocket does not determine what is required",
	  { "apt 1\n", "rr 1;Priority: required\n" },
	  "+",
	  "apt=1" },
	{ "the empty one of two packages that stand for a merged /usr",
	  { "apt 1;Depends: usrmerge | usr-is-merged\nperl 1\nusr-is-merged 1\n"
	    "usrmerge 1;Depends: perl\n" },
	  "+",
	  "apt=1 usr-is-merged=1" },
	{ "any architecture",
	  { "aa 1;Architecture: all;Depends: bb\nbb 1;Architecture: amd64\n" },
	  "aa",
	  "aa=1 bb=1" },
	{ "exactly the versions given, and no dependencies",
	  { "aa 1;Depends: bb\nbb 1\naa 2\n" },
	  "=aa=1",
	  "aa=1" },
	{ "an exact version from a pocket", { "aa 1\n", "aa 2\n" }, "=aa=2", "aa=2" },
	{ "an exact version that is gone",
	  { "aa 2\n", "aa 3\n" },
	  "=aa=1",
	  NULL,
	  "unavailable in testing: aa 1 (the mirror has 2, 3)",
	  ERR_NETWORK },
	{ "an exact package that only another provides",
	  { "bb 1;Provides: aa (= 1)\n" },
	  "=aa=1",
	  NULL,
	  "aa 1 (the mirror has none)",
	  ERR_NETWORK },
	{ "five exact packages that are gone",
	  { "xx 1\n" },
	  "=aa=1 bb=1 cc=1 dd=1 ee=1",
	  NULL,
	  "cc 1 (the mirror has none) and 2 more",
	  ERR_NETWORK },
	{ "an exact package without a version",
	  { "aa 1\n" },
	  "=aa",
	  NULL,
	  "\"aa\" is not a package and its version",
	  ERR_INPUT },
	{ "an exact package of another architecture",
	  { "aa 1;Architecture: i386\n" },
	  "=aa=1",
	  NULL,
	  "aa 1 (the mirror has none)",
	  ERR_NETWORK },
	{ "no packages if none are wanted", { "aa 1\n" }, "", "" },

	{ "an unknown package", { "aa 1\n" }, "nosuch aa", NULL, "nosuch", ERR_INPUT },
	{ "everything missing in one message",
	  { "aa 1\n" },
	  "x1 aa x2",
	  NULL,
	  "x1, x2",
	  ERR_INPUT },
	{ "a missing dependency", { "aa 1;Depends: gone\n" }, "aa", NULL, "gone", ERR_INPUT },
	{ "a missing version",
	  { "aa 1;Depends: bb (>= 2)\nbb 1\n" },
	  "aa",
	  NULL,
	  "bb >= 2",
	  ERR_INPUT },
	{ "two packages that conflict",
	  { "aa 1;Conflicts: bb\nbb 1\n" },
	  "aa bb",
	  NULL,
	  "conflict",
	  ERR_INPUT },
	{ "only another architecture",
	  { "aa 1;Architecture: s390xx\n" },
	  "aa",
	  NULL,
	  "aa",
	  ERR_INPUT },
	{ "no apt", { "aa 1\n" }, "+", NULL, "apt", ERR_INPUT },
	{ "an empty index", { "" }, "aa", NULL, "aa", ERR_INPUT },
	{ "a wanted name with a slash", { "aa 1\n" }, "../aa", NULL, "name", ERR_INPUT },
	{ "a wanted name that is an option", { "aa 1\n" }, "-aa", NULL, "name", ERR_INPUT },

	{ "a name with a slash in the index",
	  { "aa 1;Depends: bb/cc\nbb/cc 1\n" },
	  "aa",
	  NULL,
	  "bb/cc",
	  ERR_TRUST },
	{ "a file name that leaves the archive",
	  { "aa 1;Filename: ../../etc/passwd\n" },
	  "aa",
	  NULL,
	  "malformed",
	  ERR_TRUST },
	{ "a file name that leaves the archive later",
	  { "aa 1;Filename: pool/../../xx\n" },
	  "aa",
	  NULL,
	  "malformed",
	  ERR_TRUST },
	{ "an absolute file name",
	  { "aa 1;Filename: /etc/passwd\n" },
	  "aa",
	  NULL,
	  "malformed",
	  ERR_TRUST },
	{ "a file name with a query",
	  { "aa 1;Filename: pool/aa?bb\n" },
	  "aa",
	  NULL,
	  "malformed",
	  ERR_TRUST },
	{ "a version with a slash", { "aa 1/2\n" }, "aa", NULL, "malformed", ERR_TRUST },
	{ "no size", { "aa 1;Size: 0\n" }, "aa", NULL, "size", ERR_TRUST },
	{ "a negative size", { "aa 1;Size: -1\n" }, "aa", NULL, "size", ERR_TRUST },
	{ "an enormous size",
	  { "aa 1;Size: 99999999999999999999\n" },
	  "aa",
	  NULL,
	  "size",
	  ERR_TRUST },
	{ "no hash", { "aa 1;SHA256: 00\n" }, "aa", NULL, "SHA-256", ERR_TRUST },
	{ "only an MD5 hash",
	  { "aa 1;SHA256:;MD5sum: 00112233445566778899aabbccddeeff\n" },
	  "aa",
	  NULL,
	  "SHA-256",
	  ERR_TRUST },
};

/* The source of the indexes. */
enum source {
	FROM_TEXT,
	KEEPING,   /* from the text; also writes the cached form */
	FROM_KEPT, /* from the cached form; the text is garbage now */
};

static int play(const struct row *row, enum source source, struct choices *choices,
		struct error **err)
{
	struct resolve_index indexes[INDEXES] = { 0 };
	char paths[INDEXES][256], kept[INDEXES][272], *rest, *word;
	enum package_base base = row->wanted[0] == '+'	 ? BASE_MINIMAL
				 : row->wanted[0] == '=' ? BASE_EXACT
							 : BASE_NONE;
	_cleanup_free_ char *copy = strdup(row->wanted + (base != BASE_NONE));
	const char *wanted[8] = { NULL }, *optional[8] = { NULL };
	size_t count = 0, words = 0, optionals = 0;
	int result;

	for (; count < INDEXES && row->indexes[count]; count++) {
		snprintf(paths[count], sizeof(paths[count]), "%s/%zu", dir, count);
		snprintf(kept[count], sizeof(kept[count]), "%s/%zu.kept", dir, count);
		if (!index_write(paths[count],
				 source == FROM_KEPT ? "none 1\n" : row->indexes[count]))
			return -1;
		indexes[count] = (struct resolve_index){
			.packages = paths[count],
			.base = count == 0,
			.kept = source == FROM_TEXT ? NULL : kept[count],
			.sha256 = { (uint8_t)(row - rows), (uint8_t)count },
		};
	}
	for (word = strtok_r(copy, " ", &rest); word && words < 7;
	     word = strtok_r(NULL, " ", &rest))
		if (*word == '?')
			optional[optionals++] = word + 1;
		else
			wanted[words++] = word;
	result = resolve(indexes, count, "testing", "amd64", base,
			 &(struct wanted){ wanted, optional }, choices, err);
	while (count--)
		unlink(paths[count]);
	return result;
}

/* Names and versions, and the sources if they differ; each must have a size, hash and path. */
static bool same(const struct choices *choices, const char *expected)
{
	char found[512] = "";

	for (size_t i = 0; i < choices->count; i++) {
		const struct choice *c = &choices->list[i];

		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s=%s",
			 i ? " " : "", c->name, c->version);
		if (strcmp(c->source, c->name) != 0 || strcmp(c->source_version, c->version) != 0)
			snprintf(found + strlen(found), sizeof(found) - strlen(found), "<%s_%s",
				 c->source, c->source_version);
		if (!c->size || strncmp(c->filename, "pool/", 5) != 0 ||
		    c->sha256[SHA256_LEN - 1] != c->size || c->index >= INDEXES)
			return false;
	}
	for (char **word = choices->left_out; word && *word; word++)
		snprintf(found + strlen(found), sizeof(found) - strlen(found), " -%s", *word);
	if (strcmp(found, expected) != 0)
		printf("# chosen: %s\n", found);
	return strcmp(found, expected) == 0;
}

/* Whether ROW gives the expected result. */
static bool try(const struct row *row, enum source source)
{
	_cleanup_(choices_clear) struct choices choices = { 0 };
	_cleanup_error_ struct error *err = NULL;
	int result = play(row, source, &choices, &err);

	if (err)
		printf("# %s\n", err->message);
	if (row->chosen)
		return result == 0 && same(&choices, row->chosen);
	return result == -1 && err && err->code == row->code && strstr(err->message, row->says) &&
	       !choices.list;
}

static void remove_kept(void)
{
	char path[256];

	for (size_t i = 0; i < INDEXES; i++) {
		snprintf(path, sizeof(path), "%s/%zu.kept", dir, i);
		unlink(path);
	}
}

/* Changes one byte of the first index's cached form, at offset AT from its start or (negative) its
 * end. */
static bool change(off_t at)
{
	char path[256], byte = 0;
	int fd;
	bool done;

	snprintf(path, sizeof(path), "%s/0.kept", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	at = at < 0 ? lseek(fd, at, SEEK_END) : at;
	done = fd >= 0 && pread(fd, &byte, 1, at) == 1 && (byte ^= 1, true) &&
	       pwrite_all(fd, &byte, 1, at) == 0;
	close(fd);
	return done;
}

static bool verifies(void)
{
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int fd = -1;
	char path[256];

	snprintf(path, sizeof(path), "%s/0.kept", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return kept_file_verify(fd, &err) == 0 || !err || err->code != ERR_TRUST;
}

static const struct row *row_of(const char *what)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(rows[i].what, what) == 0)
			return &rows[i];
	abort();
}

/* A damaged cached form is ignored. */
static void damage(void)
{
	static const struct {
		const char *what;
		off_t at;
	} damages[] = {
		{ "its checksum", 40 + SHA256_LEN + 1 }, { "a byte of libsolv's", -9 },
		{ "the version of libsolv", 16 },	 { "the index's hash", 40 + 5 },
		{ "a name", 40 + 2 * SHA256_LEN + 8 },
	};
	const struct row *row = row_of("required and essential packages, and apt");

	for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
		remove_kept();
		tap_check(try(row, KEEPING) && verifies() && change(damages[i].at) && !verifies() &&
				  try(row, KEEPING) && verifies() && try(row, FROM_KEPT),
			  "%s changed: the text is read and cached again", damages[i].what);
	}
	remove_kept();
	tap_check(try(&rows[0], KEEPING) && try(&rows[1], KEEPING),
		  "another index's cached form is not used");
}

int main(void)
{
	if (!scratch_make(dir))
		return 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *kind = rows[i].chosen ? "chosen" : "refused";

		tap_check(try(&rows[i], FROM_TEXT), "%s: %s", kind, rows[i].what);
		tap_check(try(&rows[i], KEEPING), "%s, and kept: %s", kind, rows[i].what);
		if (rows[i].chosen && !rows[i].malformed)
			tap_check(try(&rows[i], FROM_KEPT), "%s, from the cached form: %s", kind,
				  rows[i].what);
		remove_kept();
	}
	damage();
	remove_kept();
	rmdir(dir);
	return tap_done();
}
