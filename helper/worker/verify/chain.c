#include "helper/worker/verify/chain.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "helper/worker/copy.h"
#include "lib/error_wrap.h"
#include "lib/hash.h"
#include "lib/hex_read.h"
#include "lib/read_all.h"
#include "lib/release_memory.h"
#include "lib/release_text.h"
#include "lib/signature.h"

#define KEYRING "/tmp/keyring"
#define REPOSITORY_KEYRING "/tmp/repository"
#define SIGNED "/tmp/InRelease"
#define TEXT "/tmp/Release"
#define STATUS "/tmp/status"
#define KEYRING_MAX (16 << 20)
#define RELEASE_MAX (16 << 20)
#define INDEX_MAX (UINT64_C(1) << 30)

static int chain_copy_to(int from, const char *path, uint64_t most, uint8_t sum[static SHA256_LEN],
			 uint64_t *size, struct error **err)
{
	_cleanup_close_ int to = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (to < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make %s", path);
	return copy_hashed(from, to, most, sum, size, err);
}

/* Reads a whole small file as a string. */
static char *slurp(const char *path, size_t most, size_t *size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || (size_t)st.st_size > most)
		return NULL;
	return read_all(fd, (size_t)st.st_size, size);
}

static int take_keyring(int keyring, const char *path, uint8_t sum[static SHA256_LEN],
			struct error **err)
{
	uint64_t size;

	if (chain_copy_to(keyring, path, KEYRING_MAX, sum, &size, err) < 0)
		return error_wrap(err, "cannot copy the keyring");
	return 0;
}

int chain_begin(struct chain *c, const struct task *task, int keyring, struct error **err)
{
	bool change = task->operation == OP_CHANGE;
	uint8_t sum[SHA256_LEN];

	memcpy(c->suite, change ? task->change.suite : task->begin.suite, sizeof(c->suite));
	memcpy(c->arch, change ? task->change.arch : task->begin.arch, sizeof(c->arch));
	c->copies = !change && strcmp(task->begin.engine, "debootstrap") == 0;
	if (take_keyring(keyring, KEYRING, sum, err) < 0)
		return -1;
	if (mkdir(MIRROR, 0755) < 0 || mkdir(MIRROR "/pool", 0755) < 0 ||
	    mkdir(STAGING "/lists", 0700) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the directories of the mirror");
	return 0;
}

/* One signed text and nothing before it, so that gpgv's output is all that the file says. */
static int check_armor(struct error **err)
{
	size_t size, signature_size;
	_cleanup_free_ char *file = slurp(SIGNED, RELEASE_MAX, &size);
	_cleanup_free_ char *text = file ? malloc(size + 2) : NULL;
	const char *signature;

	if (!text || !signature_split(file, size, text, &signature, &signature_size))
		return error_set(
			err, ERR_TRUST,
			"it is not one complete signed text: it was cut short or altered, or it is "
			"a page from a proxy; try again later, or name another mirror with "
			"--mirror URL");
	return 0;
}

static pid_t start_gpgv(const char *keyring)
{
	pid_t pid = fork();

	if (pid == 0) {
		int status = open(STATUS, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		if (status >= 0 && dup2(status, 1) == 1) {
			close(3);
			execl("/usr/bin/gpgv", "gpgv", "--homedir", "/tmp", "--keyring", keyring,
			      "--status-fd", "1", "--output", TEXT, SIGNED, (char *)NULL);
		}
		_exit(127);
	}
	return pid;
}

static int verify_signature(const struct chain_pocket *p, struct error **err)
{
	_cleanup_free_ char *status = NULL;
	const char *wrong;
	size_t size;
	pid_t pid;
	int code;

	if (check_armor(err) < 0)
		return -1;
	unlink(TEXT);
	pid = start_gpgv(*p->keyring ? REPOSITORY_KEYRING : KEYRING);
	if (pid < 0 || RETRY_ON_EINTR(waitpid(pid, &code, 0)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start gpgv");
	if (WIFEXITED(code) && WEXITSTATUS(code) == 127)
		return error_set(err, ERR_HOST, "gpgv is missing; run: apt install gpgv");
	status = slurp(STATUS, RELEASE_MAX, &size);
	wrong = status ? signature_judge(status) : "gpgv failed";
	if (!wrong)
		return 0;
	return error_set(err, ERR_TRUST, "its signature is not valid: %s; %s", wrong,
			 *p->keyring ? "pass the right URL and signed-by with --repository"
				     : "name another mirror with --mirror URL or the right keyring "
				       "with --keyring FILE");
}

/* The archive's origin, as one word, cut off if it is long. */
static void take_origin(const char *text, char origin[static WORD_SIZE])
{
	size_t size = 0;
	const char *found = stanza_field(text, strlen(text), "Origin", &size);

	snprintf(origin, WORD_SIZE, "%.*s", size < WORD_SIZE ? (int)size : WORD_SIZE - 1,
		 found ? found : "");
	for (char *c = origin; *c; c++)
		if (*c <= ' ' || *c > '~')
			*c = '_';
}

/* Checks the text's dates: as of DATED, but at the latest as of now. */
static int check_text(const char *text, const char *suite, uint32_t dated, struct error **err)
{
	char when[RELEASE_DATE_SIZE];
	int64_t now = time(NULL);

	if (!dated)
		return release_text_check(text, suite, "", now, err);
	if (release_text_check(text, suite, "", dated < now ? dated : now, err) == 0)
		return 0;
	return error_wrap(err, "checked as of %s", release_memory_date(dated, when));
}

/* Adds NEW, whose name, suite and keyring are set. */
static int chain_add(struct chain *c, struct chain_pocket *new, int inrelease, uint32_t dated,
		     struct error **err)
{
	_cleanup_free_ char *text = NULL;
	uint8_t sum[SHA256_LEN];
	uint64_t copied;
	size_t size;

	if (c->pocket_count == CHAIN_POCKETS_MAX)
		return error_set(err, ERR_REFUSED, "too many pockets");
	if (chain_copy_to(inrelease, SIGNED, RELEASE_MAX, sum, &copied, err) < 0 ||
	    verify_signature(new, err) < 0)
		return error_wrap(err, "InRelease of %s", new->suite);
	text = slurp(TEXT, RELEASE_MAX, &size);
	if (!text || strlen(text) != size)
		return error_set(err, ERR_TRUST, "InRelease of %s: it is not text", new->suite);
	if (check_text(text, new->suite, dated, err) < 0)
		return error_wrap(err, "InRelease of %s", new->suite);
	new->date = release_text_time(text, "Date");
	take_origin(text, new->origin);
	new->release = STEAL_PTR(text);
	c->pockets[c->pocket_count++] = *new;
	return 0;
}

int chain_release(struct chain *c, const char *pocket, int inrelease, uint32_t dated,
		  struct error **err)
{
	struct chain_pocket p = { 0 };

	snprintf(p.name, sizeof(p.name), "%s", pocket);
	snprintf(p.suite, sizeof(p.suite), "%s%s%s", c->suite, *pocket ? "-" : "", pocket);
	return chain_add(c, &p, inrelease, dated, err);
}

static int chain_add_repository(struct chain *c, const char *name, const char *suite, int inrelease,
				int keyring, struct error **err)
{
	struct chain_pocket p = { 0 };
	char hex[2 * SHA256_LEN + 1];
	uint8_t sum[SHA256_LEN];

	if (take_keyring(keyring, REPOSITORY_KEYRING, sum, err) < 0)
		return -1;
	sha256_to_hex(sum, hex);
	memcpy(p.keyring, hex, sizeof(p.keyring) - 1);
	snprintf(p.name, sizeof(p.name), "%s", name);
	snprintf(p.suite, sizeof(p.suite), "%s", suite);
	return chain_add(c, &p, inrelease, 0, err);
}

int chain_repository(struct chain *c, const struct task *task, int inrelease, int keyring,
		     struct error **err)
{
	return chain_add_repository(c, task->repository.name, task->repository.suite, inrelease,
				    keyring, err);
}

int chain_check_release(struct chain *c, const struct task *task, int inrelease, int keyring,
			struct error **err)
{
	uint8_t sum[SHA256_LEN];

	if (task->check_release.repository)
		return chain_add_repository(c, "", task->check_release.suite, inrelease, keyring,
					    err);
	memcpy(c->suite, task->check_release.suite, sizeof(c->suite));
	if (take_keyring(keyring, KEYRING, sum, err) < 0)
		return -1;
	return chain_release(c, task->check_release.pocket, inrelease, task->check_release.dated,
			     err);
}

static int add_stanza(struct chain *c, const char *text, size_t length)
{
	struct stanza s = { .text = text, .length = (uint32_t)length };
	size_t size;
	const char *hash = stanza_field(text, length, "SHA256", &size);
	const char *bytes;

	if (!hash || !sha256_from_hex(hash, size, s.sha256))
		return 0;
	bytes = stanza_field(text, length, "Size", &size);
	s.size = bytes && size < 20 ? strtoumax(bytes, NULL, 10) : 0;
	if (c->stanza_count == c->stanza_room) {
		size_t room = c->stanza_room ? 2 * c->stanza_room : 65536;
		struct stanza *more = reallocarray(c->stanzas, room, sizeof(*more));

		if (!more)
			return -1;
		c->stanzas = more;
		c->stanza_room = room;
	}
	c->stanzas[c->stanza_count++] = s;
	c->sorted = false;
	return 0;
}

static int scan_index(struct chain *c, const struct chain_index *index)
{
	/* An empty index is not mapped. */
	const char *at = index->text, *end = at ? at + index->size : NULL, *stanza;
	size_t length;

	while ((stanza = stanza_next(&at, end, &length)))
		if (add_stanza(c, stanza, length) < 0)
			return -1;
	return 0;
}

static int map_index(struct chain *c, int fd, uint64_t size, struct error **err)
{
	struct chain_index *index = &c->indexes[c->index_count];

	index->size = size;
	index->text = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	if (index->text == MAP_FAILED)
		return error_errno(err, ERR_SYSTEM, "cannot map an index");
	c->index_count++;
	if (scan_index(c, index) < 0)
		return error_no_memory(err);
	return 0;
}

int chain_index(struct chain *c, const char *pocket, const char *component, int packages,
		struct error **err)
{
	const struct chain_pocket *p = NULL;
	char path[256], copy[64];
	uint8_t want[SHA256_LEN], have[SHA256_LEN];
	uint64_t want_size, size;
	_cleanup_close_ int fd = -1;

	for (size_t i = 0; i < c->pocket_count; i++)
		if (strcmp(c->pockets[i].name, pocket) == 0)
			p = &c->pockets[i];
	if (!p || c->index_count == CHAIN_INDEXES_MAX)
		return error_set(err, ERR_REFUSED, "index refused: its pocket has no InRelease");
	snprintf(path, sizeof(path), "%s/binary-%s/Packages", component, c->arch);
	if (!release_text_find(p->release, path, want, &want_size) || want_size > INDEX_MAX)
		return error_set(err, ERR_TRUST, "InRelease of %s does not name %s", p->suite,
				 path);
	snprintf(copy, sizeof(copy), STAGING "/lists/%zu", c->index_count);
	fd = open(copy, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make %s", copy);
	if (copy_hashed(packages, fd, want_size, have, &size, err) < 0)
		return error_wrap(err, "%s of %s", path, p->suite);
	if (size != want_size || memcmp(have, want, SHA256_LEN) != 0)
		return error_set(err, ERR_TRUST, "%s of %s: hash differs from the signed InRelease",
				 path, p->suite);
	return map_index(c, fd, size, err);
}

static int compare_stanzas(const void *a, const void *b)
{
	return memcmp(((const struct stanza *)a)->sha256, ((const struct stanza *)b)->sha256,
		      SHA256_LEN);
}

static const struct stanza *find_stanza(struct chain *c, const uint8_t sha256[static SHA256_LEN])
{
	struct stanza key = { 0 };

	if (!c->sorted) {
		qsort(c->stanzas, c->stanza_count, sizeof(*c->stanzas), compare_stanzas);
		c->sorted = true;
	}
	memcpy(key.sha256, sha256, SHA256_LEN);
	return bsearch(&key, c->stanzas, c->stanza_count, sizeof(key), compare_stanzas);
}

static int keep_package(struct chain *c, const struct stanza *s, const char *name, int deb,
			struct error **err)
{
	struct chosen *chosen = &c->chosen[c->chosen_count];
	char hex[2 * SHA256_LEN + 1], path[256];
	uint8_t have[SHA256_LEN];
	uint64_t size = 0;

	sha256_to_hex(s->sha256, hex);
	snprintf(path, sizeof(path), MIRROR "/pool/%s.deb", hex);
	if (chain_copy_to(deb, path, s->size, have, &size, err) < 0)
		return error_wrap(err, "package %s", name);
	if (size != s->size || memcmp(have, s->sha256, SHA256_LEN) != 0)
		return error_set(err, ERR_TRUST, "package %s: hash differs from the signed index",
				 name);
	snprintf(chosen->name, sizeof(chosen->name), "%s", name);
	chosen->stanza = *s;
	c->chosen_count++;
	return 0;
}

int chain_package(struct chain *c, const char *name, const uint8_t sha256[static SHA256_LEN],
		  int deb, struct error **err)
{
	const struct stanza *s = c->stanza_count ? find_stanza(c, sha256) : NULL;
	struct stat st;

	if (c->chosen_count == PACKAGES_MAX)
		return error_set(err, ERR_REFUSED, "more than %d packages", PACKAGES_MAX);
	if (!s || !stanza_field_is(s->text, s->length, "Package", name) ||
	    (!stanza_field_is(s->text, s->length, "Architecture", c->arch) &&
	     !stanza_field_is(s->text, s->length, "Architecture", "all")))
		return error_set(err, ERR_TRUST,
				 "package %s: no signed index names it with this "
				 "hash",
				 name);
	if (fstat(deb, &st) < 0 || (uint64_t)st.st_size != s->size)
		return error_set(err, ERR_TRUST, "package %s: size differs from the signed index",
				 name);
	return c->copies ? keep_package(c, s, name, deb, err) : 0;
}
