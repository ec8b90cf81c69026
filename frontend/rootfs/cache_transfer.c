#include "frontend/rootfs/cache_transfer.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/sums.h"
#include "frontend/cli/directory.h"
#include "frontend/cli/events.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/lock_wait.h"
#include "frontend/cli/text.h"
#include "frontend/client/remove_rootfs.h"
#include "frontend/client/view.h"
#include "frontend/rootfs/cache_pack.h"
#include "frontend/rootfs/snapshot.h"
#include "frontend/rootfs/snapshot_tree.h"
#include "lib/hash.h"
#include "lib/hex_read.h"
#include "lib/pwrite_all.h"
#include "lib/read_all.h"

#define KERNELS "kernels"
#define IMPORT "import" /* in the cache: what is being imported, in NEW */
#define NEW "new"
#define RECIPE ".recipe"
#define TREE ".tar"
#define LINK ".link"
#define RECIPE_MAX ((size_t)1 << 20)
#define LINK_MAX 512
#define STAGING ".rootlet-staging." /* STAGING_PREFIX of helper/jailer/staging.h */
#define KEY_LENGTH ((size_t)2 * SHA256_LEN)

struct cache_transfer {
	struct helper *helper; /* NULL in installed mode */
	struct progress *progress;
	struct cache_moved *moved;
	struct cache_pack *pack; /* export */
	int from, to; /* a directory of this kind: import: in the staging directory, in the cache */
};

static void cache_transfer_clear(struct cache_transfer *t)
{
	helper_stop(&t->helper);
	cache_pack_free(&t->pack);
	closep(&t->from);
	closep(&t->to);
}

/* An installed helper makes its own snapshots, and counts no others: see SECURITY.md. */
static int cache_transfer_start(struct cache_transfer *t, struct error **err)
{
	if (!helper_is_installed())
		return helper_start("cache", t->progress, &t->helper, err);
	progress_note(t->progress, "snapshots are left out: those of an installed rootlet-helper "
				   "are of use to itself only");
	return 0;
}

static int cache_transfer_open(struct cache_transfer *t, const char *kind, struct error **err)
{
	_cleanup_free_ char *path = cache_path(kind, err);

	if (!path)
		return -1;
	closep(&t->to);
	t->to = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return t->to < 0 ? error_errno(err, ERR_SYSTEM, "cannot open %s", path) : 0;
}

/* Calls VISIT for each entry of DIR that is not hidden. */
static int each_cache_entry(int dir,
			    int (*visit)(struct cache_transfer *t, const char *name,
					 struct error **err),
			    struct cache_transfer *t, struct error **err)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (!d) {
		closep(&copy);
		return error_errno(err, ERR_SYSTEM, "cannot scan the cache");
	}
	while (r == 0 && (entry = readdir(d))) {
		if (interrupt_caught())
			r = error_set(err, ERR_INTERRUPTED, "interrupted");
		else if (entry->d_name[0] != '.')
			r = visit(t, entry->d_name, err);
	}
	closedir(d);
	return r;
}

static bool is_key(const char *name)
{
	uint8_t hash[SHA256_LEN];

	return sha256_from_hex(name, strlen(name), hash);
}

/* The text of a snapshot's lock. NULL if its name is not the hash of the recipe in there. The
 * caller frees it. */
static char *read_recipe(int fd, const char *key)
{
	_cleanup_free_ char *text = NULL;
	char hex[2 * SHA256_LEN + 1];
	uint8_t sum[SHA256_LEN];
	size_t size;

	text = fd < 0 ? NULL : read_all(fd, RECIPE_MAX, &size);
	if (!text)
		return NULL;
	hash_of(text, base_recipe_length(text), sum);
	sha256_to_hex(sum, hex);
	return strcmp(hex, key) == 0 ? STEAL_PTR(text) : NULL;
}

/* --- export --- */

/* A snapshot that another process builds or removes is left out. */
static int export_snapshot(struct cache_transfer *t, const char *key, struct error **err)
{
	char name[sizeof(BASES_DIR) + KEY_LENGTH + 16];
	_cleanup_close_ int lock = -1, tree = -1, tar = -1;
	_cleanup_free_ char *recipe = NULL;

	if (!is_key(key))
		return 0;
	snprintf(name, sizeof(name), ".%s.lock", key);
	lock = openat(t->to, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (lock < 0 || flock(lock, LOCK_SH | LOCK_NB) < 0)
		return 0;
	recipe = read_recipe(lock, key);
	if (!recipe)
		return 0;
	if (view_open_at(t->helper, t->to, key, &tree, err) < 0)
		return -1;
	tar = snapshot_archive(t->helper, tree, t->to, err);
	if (tar < 0)
		return -1;
	snprintf(name, sizeof(name), BASES_DIR "/%s" RECIPE, key);
	if (cache_pack_text(t->pack, name, recipe, err) < 0)
		return -1;
	snprintf(name, sizeof(name), BASES_DIR "/%s" TREE, key);
	t->moved->snapshots++;
	return cache_pack_file(t->pack, name, tar, false, err);
}

/* Adds the files in the directory PATH of the cache's kernels. Links in it are made again. */
static int export_files(struct cache_transfer *t, const char *path, struct error **err)
{
	int fd = openat(t->to, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!d) {
		closep(&fd);
		return error_errno(err, ERR_SYSTEM, "cannot read %s", path);
	}
	while (r == 0 && (entry = readdir(d))) {
		char inner[PATH_MAX - 16], name[PATH_MAX];
		_cleanup_close_ int file = -1;
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) >=
		    (int)sizeof(inner))
			r = error_set(err, ERR_SYSTEM, "%s has a name that is too long", path);
		else if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			r = error_errno(err, ERR_SYSTEM, "cannot read %s", inner);
		else if (S_ISDIR(st.st_mode))
			r = export_files(t, inner, err);
		else if (S_ISREG(st.st_mode)) {
			snprintf(name, sizeof(name), KERNELS "/%s", inner);
			file = openat(fd, entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
			r = file < 0 ? error_errno(err, ERR_SYSTEM, "cannot read %s", inner)
				     : cache_pack_file(t->pack, name, file, st.st_mode & 0100, err);
		}
	}
	closedir(d);
	return r;
}

/* A kernel, or the link of a release to its kernel. */
static int export_kernel(struct cache_transfer *t, const char *name, struct error **err)
{
	char target[NAME_MAX + 1], text[LINK_MAX],
		packed[sizeof(KERNELS) + NAME_MAX + sizeof(LINK)];
	_cleanup_close_ int dir = -1;
	struct stat st;
	ssize_t size;

	if (fstatat(t->to, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISLNK(st.st_mode)) {
		size = readlinkat(t->to, name, target, sizeof(target) - 1);
		if (size <= 0)
			return 0;
		target[size] = '\0';
		snprintf(packed, sizeof(packed), KERNELS "/%s" LINK, name);
		snprintf(text, sizeof(text), "%jd %s", (intmax_t)st.st_mtime, target);
		return cache_pack_text(t->pack, packed, text, err);
	}
	dir = openat(t->to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || flock(dir, LOCK_SH | LOCK_NB) < 0 || !sums_exist(dir, NULL))
		return 0;
	t->moved->kernels++;
	return export_files(t, name, err);
}

int cache_export(const char *path, struct progress *progress, struct cache_moved *moved,
		 struct error **err)
{
	_cleanup_(cache_transfer_clear) struct cache_transfer t = {
		.progress = progress, .moved = moved, .from = -1, .to = -1
	};

	progress_stage(progress, "Exporting the cache");
	if (cache_transfer_start(&t, err) < 0)
		return -1;
	t.pack = cache_pack_begin(path, err);
	if (!t.pack || cache_transfer_open(&t, KERNELS, err) < 0 ||
	    each_cache_entry(t.to, export_kernel, &t, err) < 0)
		return -1;
	if (t.helper && (cache_transfer_open(&t, BASES_DIR, err) < 0 ||
			 each_cache_entry(t.to, export_snapshot, &t, err) < 0))
		return -1;
	return cache_pack_finish(t.pack, &moved->bytes, err);
}

/* --- import --- */

static void reject(struct cache_transfer *t, const char *kind, const char *name, const char *why)
{
	progress_note(t->progress, "not imported: %s/%s: %s", kind, name, why);
	json_array_append_new(t->moved->rejected,
			      json_pack("{s:s, s:o, s:o}", "kind", kind, "name", json_text(name),
					"message", json_text(why)));
}

/* Rejects an object for which there is an error; passes on what is not its fault. */
static int reject_for(struct cache_transfer *t, const char *kind, const char *name,
		      struct error *why, struct error **err)
{
	if (why->code != ERR_INPUT && why->code != ERR_TRUST && why->code != ERR_MISSING)
		return error_set(err, why->code, "%s", why->message);
	reject(t, kind, name, why->message);
	return 0;
}

static int import_kernel(struct cache_transfer *t, const char *name, struct error **err)
{
	_cleanup_close_ int dir =
		openat(t->from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_error_ struct error *why = NULL;

	if (dir < 0)
		return errno == ENOTDIR ? 0 : error_errno(err, ERR_SYSTEM, "cannot open %s", name);
	if (faccessat(t->to, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		t->moved->present++;
		return 0;
	}
	/* As in kernel_package.c. */
	if ((mkdirat(dir, "usr", 0755) < 0 && errno != EEXIST) ||
	    (symlinkat("../lib", dir, "usr/lib") < 0 && errno != EEXIST))
		return error_errno(err, ERR_SYSTEM, "cannot complete the kernel %s", name);
	if (sums_check(dir, NULL, &why) < 0)
		return why ? reject_for(t, KERNELS, name, why, err) : error_no_memory(err);
	if (renameat2(t->from, name, t->to, name, RENAME_NOREPLACE) < 0 && errno != EEXIST)
		return error_errno(err, ERR_SYSTEM, "cannot place the kernel %s", name);
	t->moved->kernels++;
	return 0;
}

/* "bookworm-amd64.link" has the time of the link and its target: a kernel of the cache. */
static int import_link(struct cache_transfer *t, const char *entry, struct error **err)
{
	size_t length = strlen(entry), end = strlen(LINK);
	_cleanup_close_ int fd = openat(t->from, entry, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	char name[NAME_MAX + 1], *target;
	struct stat st;
	size_t size;

	if (length <= end || strcmp(entry + length - end, LINK) != 0 || fd < 0 ||
	    fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	text = read_all(fd, LINK_MAX, &size);
	snprintf(name, sizeof(name), "%.*s", (int)(length - end), entry);
	times[1].tv_sec = text ? (time_t)strtoll(text, &target, 10) : 0;
	if (!text || *target++ != ' ' || !*target || *target == '.' || strchr(target, '/') ||
	    times[1].tv_sec > time(NULL) || fstatat(t->to, target, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode)) {
		reject(t, KERNELS, entry, "it names no kernel of the cache");
		return 0;
	}
	if (symlinkat(target, t->to, name) < 0)
		return errno == EEXIST ? 0 : error_errno(err, ERR_SYSTEM, "cannot create %s", name);
	utimensat(t->to, name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

/* Why the snapshot KEY of the staging directory cannot be used here, or NULL. */
static const char *refuse_recipe(const struct cache_transfer *t, const char *key)
{
	const struct host_ids *ids = helper_ids(t->helper);
	char name[KEY_LENGTH + sizeof(RECIPE)], line[64];
	_cleanup_free_ char *recipe = NULL;
	_cleanup_close_ int fd = -1;

	snprintf(name, sizeof(name), "%s" RECIPE, key);
	fd = openat(t->from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	recipe = read_recipe(fd, key);
	if (!recipe)
		return "its name is not the hash of its recipe";
	snprintf(line, sizeof(line), "\nids %u %u\n", ids->first_uid, ids->first_gid);
	return strstr(recipe, line) ? NULL : "it was made with other ids than those of your range";
}

static int verify_staging(const struct cache_transfer *t, const char *staging, struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Verify message = ROOTLET__VERIFY__INIT;
	_cleanup_close_ int tree = -1;

	if (view_open_at(t->helper, t->to, staging, &tree, err) < 0)
		return -1;
	request.kind_case = ROOTLET__REQUEST__KIND_VERIFY;
	request.verify = &message;
	return helper_call(t->helper, &request, &tree, 1, NULL, err);
}

static int place_snapshot(const struct cache_transfer *t, const char *key, int tar,
			  struct error **err)
{
	char staging[sizeof(STAGING) + KEY_LENGTH];
	int r;

	snprintf(staging, sizeof(staging), STAGING "%s", key);
	remove_rootfs(t->helper, t->to, key, true, NULL);
	r = snapshot_unpack(t->helper, tar, t->to, staging, err);
	if (r == 0)
		r = verify_staging(t, staging, err);
	if (r == 0 && renameat2(t->to, staging, t->to, key, RENAME_NOREPLACE) < 0)
		r = error_errno(err, ERR_SYSTEM, "cannot name the snapshot %.12s", key);
	if (r < 0)
		remove_rootfs(t->helper, t->to, key, true, NULL);
	return r;
}

static void keep_recipe(const struct cache_transfer *t, const char *key, int lock)
{
	char name[KEY_LENGTH + sizeof(RECIPE)];
	_cleanup_free_ char *recipe = NULL;
	_cleanup_close_ int fd = -1;

	snprintf(name, sizeof(name), "%s" RECIPE, key);
	fd = openat(t->from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	recipe = read_recipe(fd, key);
	(void)!(recipe && ftruncate(lock, 0) == 0 && pwrite_all(lock, recipe, strlen(recipe), 0));
}

static int import_snapshot(struct cache_transfer *t, const char *entry, struct error **err)
{
	char key[KEY_LENGTH + 1], lock_name[KEY_LENGTH + 8];
	_cleanup_close_ int lock = -1, tar = -1;
	_cleanup_error_ struct error *why = NULL;
	const char *refused;

	if (strlen(entry) != KEY_LENGTH + strlen(TREE) || strcmp(entry + KEY_LENGTH, TREE) != 0)
		return 0;
	snprintf(key, sizeof(key), "%.*s", (int)KEY_LENGTH, entry);
	refused = is_key(key) ? refuse_recipe(t, key) : "its name is no hash";
	if (refused) {
		reject(t, BASES_DIR, key, refused);
		return 0;
	}
	snprintf(lock_name, sizeof(lock_name), ".%s.lock", key);
	lock = openat(t->to, lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	tar = openat(t->from, entry, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (lock < 0 || tar < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open snapshot %.12s", key);
	if (lock_wait(lock, "a snapshot in the cache", "another rootlet is building it: waiting",
		      t->progress, err) < 0)
		return -1;
	if (faccessat(t->to, key, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		t->moved->present++;
		return 0;
	}
	if (place_snapshot(t, key, tar, &why) < 0)
		return why ? reject_for(t, BASES_DIR, key, why, err) : error_no_memory(err);
	t->moved->snapshots++;
	/* For people, and for the next export: snapshot.c. */
	keep_recipe(t, key, lock);
	return 0;
}

typedef int import_visit(struct cache_transfer *t, const char *name, struct error **err);

static int import_kind(struct cache_transfer *t, int staging, const char *kind, import_visit *visit,
		       struct error **err)
{
	closep(&t->from);
	t->from = openat(staging, kind, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (t->from < 0)
		return errno == ENOENT ? 0 : error_errno(err, ERR_SYSTEM, "cannot open %s", kind);
	return cache_transfer_open(t, kind, err) < 0 ? -1
						     : each_cache_entry(t->from, visit, t, err);
}

static int import_from(struct cache_transfer *t, const char *path, int new, const char *directory,
		       struct error **err)
{
	_cleanup_close_ int pack = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (pack < 0 || fstat(pack, &st) < 0)
		return error_errno(err, ERR_INPUT, "cannot open %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_INPUT, "%s is not a regular file", path);
	t->moved->bytes = (uint64_t)st.st_size;
	if (cache_unpack(pack, directory, err) < 0 || cache_transfer_start(t, err) < 0 ||
	    import_kind(t, new, KERNELS, import_kernel, err) < 0 ||
	    import_kind(t, new, KERNELS, import_link, err) < 0)
		return -1;
	return t->helper ? import_kind(t, new, BASES_DIR, import_snapshot, err) : 0;
}

int cache_import(const char *path, struct progress *progress, struct cache_moved *moved,
		 struct error **err)
{
	_cleanup_(cache_transfer_clear) struct cache_transfer t = {
		.progress = progress, .moved = moved, .from = -1, .to = -1
	};
	_cleanup_free_ char *parent = cache_path(IMPORT, err), *directory = NULL;
	_cleanup_close_ int staging = -1, new = -1;
	int r;

	if (!parent || asprintf(&directory, "%s/" NEW, parent) < 0)
		return parent ? error_no_memory(err) : -1;
	progress_stage(progress, "Importing into the cache");
	staging = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (staging < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", parent);
	if (lock_wait(staging, parent, "another rootlet is importing: waiting for it", progress,
		      err) < 0)
		return -1;
	/* A killed import may have left something. */
	if ((dir_remove(staging, NEW) < 0 && errno != ENOENT) || mkdirat(staging, NEW, 0700) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create %s", directory);
	new = openat(staging, NEW, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = new < 0 ? error_errno(err, ERR_SYSTEM, "cannot open %s", directory)
		    : import_from(&t, path, new, directory, err);
	dir_remove(staging, NEW);
	return r;
}
