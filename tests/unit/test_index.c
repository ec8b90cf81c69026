/* helper/worker/verify/chain.c after a verified release file: which index and which package a
 * signature covers. The code uses fixed paths in its jail, so this test has a private root. Also
 * tests lib/deb822.c.
 */
#include "helper/worker/copy.h"
#include "helper/worker/verify/chain.h"

#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/write_all.h"
#include "scratch.h"
#include "tap.h"

#define CONTENT "the content of a package"

static int memory_file(const char *data)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	return fd >= 0 && write_all(fd, data, strlen(data)) == 0 ? fd : -1;
}

static bool write_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write_all(fd, text, strlen(text)) == 0;
}

/* As root or not. */
static bool enter_root(const char *path)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "0 %u 1", getuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getgid());
	if (chroot(path) < 0 &&
	    (unshare(CLONE_NEWUSER) < 0 || !write_text("/proc/self/setgroups", "deny") ||
	     !write_text("/proc/self/uid_map", uids) || !write_text("/proc/self/gid_map", gids) ||
	     chroot(path) < 0))
		return false;
	return chdir("/") == 0 && mkdir("/tmp", 0700) == 0 && mkdir("/staging", 0700) == 0;
}

static void hex_of(const char *text, char hex[static 2 * SHA256_LEN + 1])
{
	uint8_t sum[SHA256_LEN];

	hash_of(text, strlen(text), sum);
	sha256_to_hex(sum, hex);
}

/* --- which index ----------------------------------------------------------------------------- */

#define INDEX "Package: toy\nArchitecture: amd64\n"
#define HASH "e2618bc242dd6a66a29217d00418bcb8a9ee48d5d75b5daff040d91880eaf782"
#define PATH "main/binary-amd64/Packages"
#define OTHER_HASH "0000000000000000000000000000000000000000000000000000000000000000"

/* SAYS: part of the refusal; NULL: the index is accepted. */
static void check_index(const char *what, const char *release, const char *pocket,
			const char *index, enum error_code code, const char *says)
{
	static struct chain chain;
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int fd = memory_file(index);
	int result;

	memset(&chain, 0, sizeof(chain));
	snprintf(chain.suite, sizeof(chain.suite), "jammy");
	snprintf(chain.arch, sizeof(chain.arch), "amd64");
	chain.pockets[0].release = (char *)(uintptr_t)release;
	chain.pocket_count = 1;
	result = chain_index(&chain, pocket, "main", fd, &err);
	if (!says)
		tap_check(result == 0 && chain.index_count == 1 &&
				  chain.indexes[0].size == strlen(index),
			  "index: %s", what);
	else
		tap_check(result == -1 && err && err->code == code && strstr(err->message, says) &&
				  chain.index_count == 0 && chain.stanza_count == 0,
			  "index: %s: refused", what);
	printf("# %s\n", err ? err->message : "taken");
	unlink(STAGING "/lists/0");
	free(chain.stanzas);
}

static void check_indexes(void)
{
	static const char good[] = "Codename: jammy\nSHA256:\n " OTHER_HASH
				   " 7 main/binary-amd64/Release\n " HASH " 33 " PATH "\n";
	static struct chain full = { .pocket_count = 1, .index_count = CHAIN_INDEXES_MAX };
	_cleanup_close_ int nothing = memory_file("");

	_Static_assert(sizeof(INDEX) - 1 == 33, "the size in the release file");
	check_index("as in the release file", good, "", INDEX, 0, NULL);
	check_index("of a pocket that has none", good, "security", INDEX, ERR_REFUSED,
		    "its pocket has no InRelease");
	check_index("of other content", good, "", "Package: bad\nArchitecture: amd64\n", ERR_TRUST,
		    "hash differs");
	check_index("a byte more", good, "", INDEX "\n", ERR_TRUST, "longer than 33");
	check_index("a byte less", good, "", "Package: toy\nArchitecture: amd64", ERR_TRUST,
		    "hash differs");
	check_index("of a size that is not its own", "X: y\nSHA256:\n " HASH " 34 " PATH "\n", "",
		    INDEX, ERR_TRUST, "hash differs");
	check_index("that only MD5 covers", "X: y\nMD5Sum:\n " HASH " 33 " PATH "\n", "", INDEX,
		    ERR_TRUST, "does not name");
	check_index("before the list", "X: y\nMD5Sum:\n " HASH " 33 " PATH "\nSHA256:\n", "", INDEX,
		    ERR_TRUST, "does not name");
	check_index("after the list", "X: y\nSHA256:\nSHA512:\n " HASH " 33 " PATH "\n", "", INDEX,
		    ERR_TRUST, "does not name");
	check_index("of another name", "X: y\nSHA256:\n " HASH " 33 " PATH ".gz\n", "", INDEX,
		    ERR_TRUST, "does not name");
	check_index("of another component", "X: y\nSHA256:\n " HASH " 34 non-" PATH "\n", "", INDEX,
		    ERR_TRUST, "does not name");
	check_index("whose hash is too short",
		    "X: y\nSHA256:\n "
		    "e2618bc242dd6a66a29217d00418bcb8a9ee48d5d75b5daff040d91880eaf7 33 " PATH "\n",
		    "", INDEX, ERR_TRUST, "does not name");
	check_index("whose hash is too long", "X: y\nSHA256:\n " HASH "a 33 " PATH "\n", "", INDEX,
		    ERR_TRUST, "does not name");
	check_index("of two gigabytes", "X: y\nSHA256:\n " HASH " 2147483648 " PATH "\n", "", INDEX,
		    ERR_TRUST, "does not name");
	full.pockets[0].release = (char *)(uintptr_t) "";
	tap_check(chain_index(&full, "", "main", nothing, NULL) == -1 &&
			  full.index_count == CHAIN_INDEXES_MAX,
		  "index: one too many is refused");
}

/* --- which package --------------------------------------------------------------------------- */

static struct chain chain;

#define MANY 70000 /* more than the initial allocation */

/* Each package of a large index is found by its hash. */
static void check_many(void)
{
	static struct chain large = { .suite = "jammy", .arch = "amd64", .pocket_count = 1 };
	char hex[2 * SHA256_LEN + 1], release[512], *text = NULL;
	_cleanup_close_ int fd = -1;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (unsigned i = 0; i < MANY; i++)
		fprintf(f, "Package: p%u\nSHA256: %064x\n\n", i, i);
	fclose(f);
	hex_of(text, hex);
	snprintf(release, sizeof(release), "X: y\nSHA256:\n %s %zu " PATH "\n", hex, size);
	large.pockets[0].release = release;
	fd = memory_file(text);
	tap_check(chain_index(&large, "", "main", fd, NULL) == 0 && large.stanza_count == MANY &&
			  large.stanzas[MANY - 1].sha256[SHA256_LEN - 1] == ((MANY - 1) & 0xff),
		  "index: of %u packages", MANY);
	unlink(STAGING "/lists/0");
	free(large.stanzas);
	free(text);
}

/* Adds an index that its release file names. */
static bool add_index(const char *component, const char *text)
{
	_cleanup_close_ int fd = memory_file(text);
	char hex[2 * SHA256_LEN + 1], release[512];

	hex_of(text, hex);
	snprintf(release, sizeof(release), "X: y\nSHA256:\n %s %zu %s/binary-amd64/Packages\n", hex,
		 strlen(text), component);
	chain.pockets[0].release = release;
	chain.pocket_count = 1;
	return chain_index(&chain, "", component, fd, NULL) == 0;
}

struct deb_row {
	const char *what, *name, *hashed,
		*content; /* content hashed for the request, content sent */
	const char *says; /* NULL: taken */
};

static void check_package(const struct deb_row *row)
{
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int fd = memory_file(row->content);
	size_t before = chain.chosen_count;
	uint8_t sum[SHA256_LEN];
	int result;

	hash_of(row->hashed, strlen(row->hashed), sum);
	result = chain_package(&chain, row->name, sum, fd, &err);
	if (!row->says)
		tap_check(result == 0 && !err && chain.chosen_count == before + chain.copies,
			  "package%s: %s", chain.copies ? ", copied" : "", row->what);
	else
		tap_check(result == -1 && err && err->code == ERR_TRUST &&
				  strstr(err->message, row->says) && chain.chosen_count == before,
			  "package%s: %s: refused", chain.copies ? ", copied" : "", row->what);
}

static void check_packages(void)
{
	static const struct deb_row rows[] = {
		{ "named by an index", "toy", CONTENT, CONTENT, NULL },
		{ "of all architectures", "data", "for all", "for all", NULL },
		{ "in a later index", "late", "came late", "came late", NULL },
		{ "under another name", "boy", CONTENT, CONTENT, "no signed index" },
		{ "under a prefix of its name", "to", CONTENT, CONTENT, "no signed index" },
		{ "for another architecture", "alien", "for arm64", "for arm64",
		  "no signed index" },
		{ "named by no index", "toy", "something else", "something else",
		  "no signed index" },
		{ "of another size", "toy", CONTENT, CONTENT "!", "size differs" },
		{ "whose entry has no hash", "bare", "bare", "bare", "no signed index" },
		{ "whose entry has no size", "sizeless", "sizeless", "sizeless", "size differs" },
	};
	static const struct deb_row forged = { "of another content", "toy", CONTENT,
					       "the CONTENT of a package", "hash differs" };
	char text[4096], toy[65], data[65], alien[65], late[65], sizeless[65];
	_cleanup_close_ int good = memory_file(CONTENT);
	uint8_t sum[SHA256_LEN];

	hex_of(CONTENT, toy);
	hex_of("for all", data);
	hex_of("for arm64", alien);
	hex_of("came late", late);
	hex_of("sizeless", sizeless);
	snprintf(text, sizeof(text),
		 "Package: toy\nArchitecture: amd64\nSize: %zu\nSHA256: %s\n\n"
		 "Package: data\nArchitecture: all\nSize: 7\nSHA256: %s\n\n"
		 "Package: alien\nArchitecture: arm64\nSize: 9\nSHA256: %s\n\n"
		 "Package: bare\nArchitecture: amd64\nSize: 4\n\n"
		 "Package: short\nArchitecture: amd64\nSize: 4\nSHA256: abc\n\n"
		 "Package: sizeless\nArchitecture: amd64\nSHA256: %s\n",
		 strlen(CONTENT), toy, data, alien, sizeless);
	snprintf(chain.suite, sizeof(chain.suite), "jammy");
	snprintf(chain.arch, sizeof(chain.arch), "amd64");
	memset(sum, 0, sizeof(sum));
	tap_check(chain_package(&chain, "toy", sum, -1, NULL) == -1,
		  "package: is refused before there is an index");
	tap_check(add_index("main", text) && chain.stanza_count == 4,
		  "packages without a hash are not in an index");
	check_package(&rows[0]);
	snprintf(text, sizeof(text), "Package: late\nArchitecture: amd64\nSize: 9\nSHA256: %s\n",
		 late);
	tap_check(add_index("universe", text) && chain.stanza_count == 5, "a second index");
	tap_check(add_index("restricted", "") && chain.stanza_count == 5 && chain.index_count == 3,
		  "an index without packages");
	for (int copies = 0; copies < 2; copies++) {
		chain.copies = copies;
		for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
			check_package(&rows[i]);
	}
	check_package(&forged);
	snprintf(text, sizeof(text), MIRROR "/pool/%s.deb", late);
	tap_check(access(text, R_OK) == 0 && strcmp(chain.chosen[0].name, "toy") == 0,
		  "a copied package is in the pool");
	chain.copies = false;
	chain.chosen_count = PACKAGES_MAX;
	hash_of(CONTENT, strlen(CONTENT), sum);
	tap_check(chain_package(&chain, "toy", sum, good, NULL) == -1,
		  "package: one too many is refused");
	chain.chosen_count = 0;
	tap_check(chain_package(&chain, "toy", sum, good, NULL) == 0,
		  "package: the refusal has that reason");
	free(chain.stanzas);
}

/* --- the keyring and hashing --------------------------------------------------------- */

static void check_begin(const char *engine, bool copies)
{
	static struct chain begun;
	static struct task task = { .operation = OP_BEGIN };
	_cleanup_close_ int keyring = memory_file("keys");
	struct stat st;

	memset(&begun, 0, sizeof(begun));
	snprintf(task.begin.suite, sizeof(task.begin.suite), "noble");
	snprintf(task.begin.arch, sizeof(task.begin.arch), "arm64");
	snprintf(task.begin.engine, sizeof(task.begin.engine), "%s", engine);
	tap_check(chain_begin(&begun, &task, keyring, NULL) == 0 &&
			  strcmp(begun.suite, "noble") == 0 && strcmp(begun.arch, "arm64") == 0 &&
			  begun.copies == copies && stat("/tmp/keyring", &st) == 0 &&
			  st.st_size == 4 && stat(STAGING "/lists", &st) == 0,
		  "a chain begins for %s", engine);
	tap_check(chain_begin(&begun, &task, keyring, NULL) == -1, "begin works only once");
	rmdir(MIRROR "/pool");
	rmdir(MIRROR);
	rmdir(STAGING "/lists");
}

static void check_copy(void)
{
	_cleanup_close_ int from = memory_file(CONTENT), to = memfd_create("to", MFD_CLOEXEC);
	_cleanup_close_ int full = open("/full", O_WRONLY | O_CLOEXEC);
	uint8_t sum[SHA256_LEN], want[SHA256_LEN];
	uint64_t size = 0;

	hash_of(CONTENT, strlen(CONTENT), want);
	tap_check(copy_hashed(from, to, strlen(CONTENT), sum, &size, NULL) == 0 &&
			  size == strlen(CONTENT) && memcmp(sum, want, SHA256_LEN) == 0,
		  "a copy has the hash of the data that was read");
	tap_check(lseek(from, 5, SEEK_SET) == 5 && ftruncate(to, 0) == 0 &&
			  copy_hashed(from, to, 100, sum, &size, NULL) == 0 &&
			  memcmp(sum, want, SHA256_LEN) == 0,
		  "a copy starts at offset 0");
	tap_check(copy_hashed(from, to, strlen(CONTENT) - 1, sum, &size, NULL) == -1,
		  "an oversized file is refused");
	tap_check(copy_hashed(from, full, 100, sum, &size, NULL) == -1,
		  "a write failure is an error");
	tap_check(copy_hashed(-1, to, 100, sum, &size, NULL) == -1, "a read failure is an error");
}

static void check_lines(void)
{
	static const struct {
		const char *what, *text, *value;
	} rows[] = {
		{ "of one line", "A: b\nC: d\n", "b" },
		{ "of two lines", "A: b\n c\nC: d\n", "b\n c" },
		{ "with a tab", "A: b\n\tc\nC: d\n", "b\n\tc" },
		{ "whose first line is empty", "A:\n b\n c\n", "\n b\n c" },
		{ "that ends without a line end", "A: b\n c", "b\n c" },
		{ "that is missing", "C: d\n A: b\n", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t size = 99;
		const char *found = stanza_lines(rows[i].text, strlen(rows[i].text), "A", &size);

		tap_check(rows[i].value ? found && size == strlen(rows[i].value) &&
						  strncmp(found, rows[i].value, size) == 0
					: !found,
			  "lines of a field %s", rows[i].what);
	}
}

/* Each stanza of a text, followed by "|". */
static void check_stanzas(void)
{
	static const struct {
		const char *text, *stanzas;
	} rows[] = {
		{ "", "" },
		{ "\n\n", "" },
		{ "A: b", "A: b|" },
		{ "A: b\nC: d\n", "A: b\nC: d\n|" },
		{ "A: b\n\nC: d\n", "A: b\n|C: d\n|" },
		{ "\n\nA: b\n\n\n\nC: d\n\n", "A: b\n|C: d\n|" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *at = rows[i].text, *end = at + strlen(at), *stanza;
		char all[64] = "";
		size_t length;

		while ((stanza = stanza_next(&at, end, &length)))
			snprintf(all + strlen(all), sizeof(all) - strlen(all), "%.*s|", (int)length,
				 stanza);
		tap_check(tap_same(all, rows[i].stanzas), "stanzas of text %zu", i);
	}
}

static void check_fields(void)
{
	static const struct {
		const char *what, *text, *field, *value; /* NULL: missing */
	} rows[] = {
		{ "the first", "Package: a\nSize: 1\n", "Package", "a" },
		{ "a later one", "Package: a\nSize: 1\n", "Size", "1" },
		{ "without a line end", "Package: a\nSize: 1", "Size", "1" },
		{ "in other case", "PACKAGE: a\n", "Package", "a" },
		{ "without blanks", "Size:1\n", "Size", "1" },
		{ "with tabs", "Size:\t 1\n", "Size", "1" },
		{ "empty", "Size:\nPackage: a\n", "Size", "" },
		{ "the first of two", "Size: 1\nSize: 2\n", "Size", "1" },
		{ "whose name ends so", "Installed-Size: 1\n", "Size", NULL },
		{ "whose name begins so", "Sizes: 1\n", "Size", NULL },
		{ "within a field of several lines", "Description: x\n Size: 1\n", "Size", NULL },
		{ "without a colon", "Size 1\n", "Size", NULL },
		{ "a name alone", "Size", "Size", NULL },
		{ "in no text", "", "Size", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t size = 99;
		const char *found =
			stanza_field(rows[i].text, strlen(rows[i].text), rows[i].field, &size);

		tap_check(rows[i].value ? found && size == strlen(rows[i].value) &&
						  strncmp(found, rows[i].value, size) == 0
					: !found,
			  "field: %s", rows[i].what);
	}
	check_lines();
	check_stanzas();
	tap_check(stanza_field_is("A: bc\n", 6, "A", "bc") &&
			  !stanza_field_is("A: bc\n", 6, "A", "b") &&
			  !stanza_field_is("A: bc\n", 6, "A", "bcd") &&
			  !stanza_field_is("A: bc\n", 6, "A", "bd") &&
			  !stanza_field_is("A: bc\n", 6, "B", "") &&
			  !stanza_field_is("A: bc\n", 4, "A", "bc"),
		  "a field is exactly its value");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

int main(void)
{
	char dir[SCRATCH_SIZE] = "index", full[256];
	_cleanup_close_ int host = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (!scratch_make(dir))
		return 1;
	/* Not everyone can create a device there. */
	snprintf(full, sizeof(full), "%s/full", dir);
	if (symlink("/proc/self/fd/99", full) < 0 || dup2(open("/dev/full", O_WRONLY), 99) != 99)
		return 1;
	if (!enter_root(dir)) {
		tap_check(false, "a private root");
	} else {
		check_begin("native", false);
		check_begin("debootstrap", true);
		mkdir(MIRROR, 0755);
		mkdir(MIRROR "/pool", 0755);
		mkdir(STAGING "/lists", 0700);
		check_indexes();
		check_many();
		check_packages();
		check_copy();
		check_fields();
	}
	if (fchdir(host) < 0 || chroot(".") < 0)
		return 1;
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
