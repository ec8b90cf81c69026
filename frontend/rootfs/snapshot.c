#include "frontend/rootfs/snapshot.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/archive/cache.h"
#include "frontend/cli/lock_wait.h"
#include "frontend/client/remove_rootfs.h"
#include "lib/hash.h"
#include "lib/hex_read.h"
#include "lib/pwrite_all.h"
#include "lib/read_all.h"

#define FORMAT 5 /* of the snapshots; those with another number are rebuilt */
#define KEEP_SECONDS (30 * 24 * 60 * 60)
#define LOCK_NAME_SIZE (2 * SHA256_LEN + 8) /* ".KEY.lock" */
#define LOCK_TEXT_MAX (1 << 20)
#define KEYRING_MAX ((size_t)16 << 20)

/* In the text of a lock: the end of the recipe, and what base_note() adds. */
#define POLICY_LINE "policy\n"
#define KEYRING_LINE "keyring "
#define EXTENDS_LINE "extends "

/* The recipe as text, which the key is the hash of; NULL if out of memory. */
static char *base_text(const struct base_recipe *r)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "rootlet base %d\nengine %s\nsuite %s\narch %s\n%s %s\nids %u %u\n", FORMAT,
		r->engine, r->set->suite, r->set->arch, r->lock ? "lock" : "mirror",
		r->lock ? r->lock : r->set->mirror, r->ids->first_uid, r->ids->first_gid);
	if (r->set->dated && !r->lock)
		fprintf(f, "dated %jd\n", (intmax_t)r->set->dated);
	for (size_t i = 0; i < r->set->pocket_count && !r->lock; i++)
		fprintf(f, "pocket %s %s %s\n", r->set->pockets[i].name, r->set->pockets[i].date,
			r->set->pockets[i].sha256_hex);
	for (size_t i = 0; i < r->set->repository_count && !r->lock; i++) {
		const struct repository *repository = &r->set->repositories[i];

		fprintf(f, "repository %s %s %s", repository->mirror, repository->suite,
			repository->keyring);
		for (char *const *word = repository->components; *word; word++)
			fprintf(f, " %s", *word);
		fputc('\n', f);
	}
	for (size_t i = 0; r->components && r->components[i]; i++)
		fprintf(f, "component %s\n", r->components[i]);
	fprintf(f, "profile %s %s\n", r->profile->name, r->profile->sha256);
	for (size_t i = 0; i < r->profile->package_count; i++)
		fprintf(f, "package %s\n", r->profile->packages[i]);
	for (size_t i = 0; i < r->profile->optional_count; i++)
		fprintf(f, "optional %s\n", r->profile->optional[i]);
	fprintf(f, POLICY_LINE "%s\n", r->policy);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static void text_key(const char *text, char key[static 2 * SHA256_LEN + 1])
{
	uint8_t sum[SHA256_LEN];

	hash_of(text, strlen(text), sum);
	sha256_to_hex(sum, key);
}

int base_key(const struct base_recipe *recipe, char key[static 2 * SHA256_LEN + 1])
{
	_cleanup_free_ char *text = base_text(recipe);

	if (!text)
		return -1;
	text_key(text, key);
	return 0;
}

static void lock_name(const char *key, char name[static LOCK_NAME_SIZE])
{
	snprintf(name, LOCK_NAME_SIZE, ".%s.lock", key);
}

/* The lock's text, for people, says what the snapshot was made of; it must not fail on a full disk.
 * Its mtime records the last use. What base_note() added stays. */
static void describe(struct base *base, const char *text)
{
	size_t length = strlen(text);
	_cleanup_free_ char *before = malloc(length);

	base->described = (off_t)length;
	if (before && pread(base->lock, before, length, 0) == (ssize_t)length &&
	    memcmp(before, text, length) == 0)
		return;
	(void)!(ftruncate(base->lock, 0) || pwrite_all(base->lock, text, length, 0));
}

int base_open(const struct base_recipe *recipe, struct progress *progress, struct base *base,
	      struct error **err)
{
	_cleanup_free_ char *dir = cache_path(BASES_DIR, err), *text = NULL;
	char name[LOCK_NAME_SIZE];

	if (!dir)
		return -1;
	text = base_text(recipe);
	if (!text)
		return error_no_memory(err);
	text_key(text, base->key);
	base->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	lock_name(base->key, name);
	if (base->dir >= 0)
		base->lock =
			openat(base->dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	/* Only the lock is made here: the helper, with another uid, creates the snapshot. */
	if (base->lock < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", dir);
	if (lock_wait(base->lock, "a snapshot in the cache",
		      "another rootlet is building the same: waiting for it", progress, err) < 0)
		return -1;
	describe(base, text);
	futimens(base->lock, NULL);
	return 0;
}

int base_hash_keyring(const char *path, char hex[static 2 * SHA256_LEN + 1], struct error **err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *data = NULL;
	uint8_t sum[SHA256_LEN];
	size_t size;

	data = fd < 0 ? NULL : read_all(fd, KEYRING_MAX, &size);
	if (!data)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", path);
	hash_of(data, size, sum);
	sha256_to_hex(sum, hex);
	return 0;
}

void base_note(const struct base *base, const char *keyring, const char *extended)
{
	char note[2 * (2 * SHA256_LEN + 1) + 32];
	int used = snprintf(note, sizeof(note), KEYRING_LINE "%s\n", keyring);

	if (extended)
		used += snprintf(note + used, sizeof(note) - (size_t)used, EXTENDS_LINE "%s\n",
				 extended);
	(void)!(ftruncate(base->lock, base->described) ||
		pwrite_all(base->lock, note, (size_t)used, base->described));
}

size_t base_recipe_length(const char *text)
{
	const char *note = strstr(text, "\n" KEYRING_LINE);

	return note ? (size_t)(note + 1 - text) : strlen(text);
}

/* HASH becomes what follows LINE in TEXT, or "". */
static void read_hash(const char *text, const char *line, char hash[static 2 * SHA256_LEN + 1])
{
	const char *found = strstr(text, line);

	snprintf(hash, 2 * SHA256_LEN + 1, "%s", found ? found + strlen(line) : "");
}

void base_read_note(int dir, const char *key, struct base_note *note)
{
	char name[LOCK_NAME_SIZE];
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	size_t size;

	*note = (struct base_note){ .extended = false };
	lock_name(key, name);
	fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	text = fd < 0 ? NULL : read_all(fd, LOCK_TEXT_MAX, &size);
	if (!text)
		return;
	note->extended = strstr(text, "\n" EXTENDS_LINE);
	read_hash(text, "\n" POLICY_LINE, note->policy);
	read_hash(text, "\n" KEYRING_LINE, note->keyring);
}

void base_touch(int dir, const char *key)
{
	char name[LOCK_NAME_SIZE];

	lock_name(key, name);
	utimensat(dir, name, NULL, AT_SYMLINK_NOFOLLOW);
}

void base_close(struct base *base)
{
	closep(&base->dir);
	closep(&base->lock);
	base->dir = base->lock = -1;
}

int base_find(const struct base *base)
{
	return base->dir < 0 ? -1
			     : openat(base->dir, base->key,
				      O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Removes the snapshot whose lock file is ENTRY, if it was unused for a month and is not in use. */
static void prune_one(struct helper *h, int dir, const char *entry)
{
	char key[2 * SHA256_LEN + 1];
	uint8_t hash[SHA256_LEN];
	_cleanup_close_ int lock = -1;
	struct stat st;

	if (strlen(entry) != sizeof(key) + 5 || entry[0] != '.')
		return;
	memcpy(key, entry + 1, sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	if (!sha256_from_hex(key, sizeof(key) - 1, hash))
		return;
	lock = openat(dir, entry, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (lock < 0 || fstat(lock, &st) < 0 || st.st_mtime > time(NULL) - KEEP_SECONDS ||
	    flock(lock, LOCK_EX | LOCK_NB) < 0)
		return;
	remove_rootfs(h, dir, key, false, NULL);
	if (faccessat(dir, key, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		unlinkat(dir, entry, 0);
}

void base_prune(struct helper *h, int dir)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (!d) {
		closep(&copy);
		return;
	}
	while ((entry = readdir(d)))
		prune_one(h, dir, entry->d_name);
	closedir(d);
}
