#include "frontend/rootfs/cache_objects.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/kept_file.h"
#include "frontend/archive/sums.h"
#include "frontend/cli/directory.h"
#include "frontend/client/inspection.h"
#include "frontend/client/remove_rootfs.h"
#include "frontend/client/tree_digest.h"
#include "frontend/client/view.h"
#include "frontend/rootfs/snapshot.h"
#include "frontend/rootfs/store.h"
#include "lib/hex_read.h"

/* How the objects of a kind are stored. */
enum form {
	FORM_HASHED, /* files named by their hash */
	FORM_KEPT,   /* files with a checksum, named by the hash of an index */
	FORM_BASE,   /* snapshots: trees owned by the sub-range, with a digest inside */
	FORM_FILE,   /* the user's files, with checksums; locked while in use: cache_hold() */
	FORM_DIR,    /* directories, likewise */
	FORM_ROOTFS, /* trees owned by the sub-range, with a digest beside them: tree_digest.h */
};

const char *const cache_kinds[CACHE_KINDS] = { "packages", "indexes", KEPT_FILES_DIRECTORY,
					       BASES_DIR,  "images",  "kernels",
					       "build",	   "fstests" };
static const enum form forms[CACHE_KINDS] = {
	FORM_HASHED, FORM_HASHED, FORM_KEPT, FORM_BASE, FORM_FILE, FORM_DIR, FORM_ROOTFS, FORM_DIR,
};

void cache_objects_clear(struct cache_objects *objects)
{
	helper_stop(&objects->helper);
	for (size_t i = 0; i < CACHE_KINDS; i++)
		closep(&objects->dirs[i]);
	free(objects->list);
}

static int start_helper(struct cache_objects *objects, struct error **err)
{
	return objects->helper ? 0 : helper_start("cache", NULL, &objects->helper, err);
}

static int cache_objects_open_dir(const struct cache_objects *objects, size_t kind,
				  const char *name)
{
	return openat(objects->dirs[kind], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* --- scanning --- */

/* The last use of a snapshot is when its lock was last taken. */
static int measure_tree(struct cache_objects *objects, struct cache_object *o, struct error **err)
{
	_cleanup_close_ int tree = -1;
	char lock[sizeof(o->name) + 8];
	struct answer answer;
	struct stat st;

	if (start_helper(objects, err) < 0 ||
	    view_open_at(objects->helper, objects->dirs[o->kind], o->name, &tree, err) < 0 ||
	    inspect_tree(objects->helper, tree, false, &answer, err) < 0)
		return -1;
	o->bytes = answer.bytes;
	snprintf(lock, sizeof(lock), ".%s.lock", o->name);
	if (forms[o->kind] == FORM_BASE &&
	    fstatat(objects->dirs[o->kind], lock, &st, AT_SYMLINK_NOFOLLOW) == 0)
		o->used = st.st_mtime;
	return 0;
}

/* nftw(3) passes no context to its callback. */
static uint64_t dir_bytes;

static int add_bytes(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)path;
	(void)where;
	if (type != FTW_NS)
		dir_bytes += (uint64_t)st->st_blocks * 512;
	return 0;
}

static int measure_dir(struct cache_object *o, struct error **err)
{
	_cleanup_free_ char *parent = cache_path(cache_kinds[o->kind], err);
	_cleanup_free_ char *path = NULL;

	dir_bytes = 0;
	if (!parent)
		return -1;
	if (asprintf(&path, "%s/%s", parent, o->name) < 0)
		return error_no_memory(err);
	if (nftw(path, add_bytes, 64, FTW_PHYS) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot scan %s", path);
	o->bytes = dir_bytes;
	return 0;
}

static int cache_objects_add(struct cache_objects *objects, size_t kind, const char *name,
			     const struct stat *st, struct error **err)
{
	struct cache_object *more = reallocarray(objects->list, objects->count + 1, sizeof(*more));

	if (!more)
		return error_no_memory(err);
	objects->list = more;
	more += objects->count++;
	*more = (struct cache_object){ .kind = kind,
				       .bytes = (uint64_t)st->st_blocks * 512,
				       .used = st->st_mtime };
	snprintf(more->name, sizeof(more->name), "%s", name);
	if (forms[kind] == FORM_FILE)
		more->used = sums_used(objects->dirs[kind], name);
	if (forms[kind] == FORM_BASE || forms[kind] == FORM_ROOTFS)
		return measure_tree(objects, more, err);
	return forms[kind] == FORM_DIR ? measure_dir(more, err) : 0;
}

static bool cache_objects_is_rootfs(int dir, const char *name)
{
	_cleanup_close_ int tree = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return tree >= 0 && store_may_be_rootfs(tree);
}

/* Other entries are unfinished, or locks and links of objects. */
static bool is_object(int dir, enum form form, const char *name, const struct stat *st)
{
	uint8_t hash[SHA256_LEN];

	if (form == FORM_HASHED || form == FORM_KEPT || form == FORM_BASE)
		return sha256_from_hex(name, strlen(name), hash);
	if (name[0] == '.')
		return false;
	if (form == FORM_FILE)
		return S_ISREG(st->st_mode);
	return S_ISDIR(st->st_mode) && (form == FORM_DIR || cache_objects_is_rootfs(dir, name));
}

static int scan_dir(struct cache_objects *objects, size_t kind, struct error **err)
{
	_cleanup_free_ char *path = cache_path(cache_kinds[kind], err);
	DIR *d = path ? opendir(path) : NULL;
	const struct dirent *entry;
	int *dir = &objects->dirs[kind], r = 0;
	struct stat st;

	if (!path)
		return -1;
	*dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!d || *dir < 0) {
		if (d)
			closedir(d);
		return error_errno(err, ERR_SYSTEM, "cannot scan the cache");
	}
	while (r == 0 && (entry = readdir(d)))
		if (fstatat(*dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    is_object(*dir, forms[kind], entry->d_name, &st))
			r = cache_objects_add(objects, kind, entry->d_name, &st, err);
	closedir(d);
	return r;
}

int cache_objects_scan(struct cache_objects *objects, struct error **err)
{
	for (size_t i = 0; i < CACHE_KINDS; i++)
		if (scan_dir(objects, i, err) < 0)
			return -1;
	return 0;
}

/* --- removing --- */

/* Fails if a create is using it. */
static int remove_base(struct cache_objects *objects, const struct cache_object *o,
		       struct error **err)
{
	char name[sizeof(o->name) + 8];
	_cleanup_close_ int lock = -1;

	snprintf(name, sizeof(name), ".%s.lock", o->name);
	lock = openat(objects->dirs[o->kind], name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		      0600);
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
		return error_errno(err, ERR_BUSY, "snapshot %.12s is in use", o->name);
	if (start_helper(objects, err) < 0 ||
	    remove_rootfs(objects->helper, objects->dirs[o->kind], o->name, false, err) < 0)
		return -1;
	unlinkat(objects->dirs[o->kind], name, 0);
	return 0;
}

/* The helper refuses if the rootfs is in use; the lock covers processes about to use it. */
static int cache_objects_remove_rootfs(struct cache_objects *objects, const struct cache_object *o,
				       struct error **err)
{
	int dir = objects->dirs[o->kind];
	_cleanup_close_ int lock = digest_lock(dir, o->name, LOCK_EX | LOCK_NB, err);

	if (lock < 0 || start_helper(objects, err) < 0 ||
	    remove_rootfs(objects->helper, dir, o->name, false, err) < 0)
		return -1;
	digest_remove(dir, o->name);
	return 0;
}

/* A process that looks up an object holds its directory's lock until it has locked the object. */
static int remove_held(int dir, const struct cache_object *o, struct error **err)
{
	_cleanup_close_ int lock = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = openat(dir, o->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0 ||
	    (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0))
		return error_errno(err, ERR_BUSY, "%s is in use", o->name);
	if (dir_remove(dir, o->name) < 0 && errno != ENOENT)
		return error_errno(err, ERR_SYSTEM, "cannot remove %s/%s", cache_kinds[o->kind],
				   o->name);
	sums_remove(dir, o->name);
	return 0;
}

int cache_object_remove(struct cache_objects *objects, const struct cache_object *o,
			struct error **err)
{
	int dir = objects->dirs[o->kind];

	switch (forms[o->kind]) {
	case FORM_BASE:
		return remove_base(objects, o, err);
	case FORM_ROOTFS:
		return cache_objects_remove_rootfs(objects, o, err);
	case FORM_FILE:
	case FORM_DIR:
		return remove_held(dir, o, err);
	case FORM_HASHED:
	case FORM_KEPT:
		break;
	}
	if (unlinkat(dir, o->name, 0) < 0 && errno != ENOENT)
		return error_errno(err, ERR_SYSTEM, "cannot remove %s/%s", cache_kinds[o->kind],
				   o->name);
	return 0;
}

/* --- verifying --- */

static int verify_base(struct cache_objects *objects, const struct cache_object *o,
		       struct error **err)
{
	_cleanup_close_ int base = -1;
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Verify message = ROOTLET__VERIFY__INIT;

	request.kind_case = ROOTLET__REQUEST__KIND_VERIFY;
	request.verify = &message;
	/* Another process has removed it. */
	if (faccessat(objects->dirs[o->kind], o->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (start_helper(objects, err) < 0 ||
	    view_open_at(objects->helper, objects->dirs[o->kind], o->name, &base, err) < 0)
		return -1;
	return helper_call(objects->helper, &request, &base, 1, NULL, err);
}

static int verify_file(const struct cache_objects *objects, const struct cache_object *o,
		       struct error **err)
{
	_cleanup_close_ int fd =
		openat(objects->dirs[o->kind], o->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	uint8_t want[SHA256_LEN], have[SHA256_LEN];

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, ERR_TRUST, "cannot read %s", o->name);
	if (forms[o->kind] == FORM_KEPT)
		return kept_file_verify(fd, err);
	sha256_from_hex(o->name, strlen(o->name), want);
	if (file_sha256(fd, have, err) < 0)
		return -1;
	if (memcmp(want, have, SHA256_LEN) != 0)
		return error_set(err, ERR_TRUST, "its hash differs from its name");
	return 0;
}

/* The process that builds an image keeps the directory locked until the checksums are written. So
 * an image without checksums was never finished: nothing uses it, and it is removed. A directory
 * that is being replaced stays while anyone has it locked. A damaged object loses its checksums, so
 * that it is not used even if it cannot be removed. */
static int verify_sums(const struct cache_objects *objects, const struct cache_object *o,
		       struct error **err)
{
	const char *name = forms[o->kind] == FORM_FILE ? o->name : NULL;
	_cleanup_close_ int fd = cache_objects_open_dir(objects, o->kind, name ? "." : o->name);
	_cleanup_error_ struct error *why = NULL;

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, ERR_TRUST, "cannot read %s", o->name);
	if (flock(fd, LOCK_SH) < 0)
		return error_errno(err, ERR_INTERRUPTED, "cannot lock %s", o->name);
	if (name && faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (name && !sums_exist(fd, name)) {
		unlinkat(fd, name, 0);
		return 0;
	}
	if (sums_verify(fd, name, &why) == 0)
		return 0;
	if (why && why->code == ERR_TRUST)
		sums_remove(fd, name);
	if (err)
		*err = STEAL_PTR(why);
	return -1;
}

/* Waits for a process that builds it or builds in it. */
static int verify_rootfs(struct cache_objects *objects, const struct cache_object *o,
			 struct error **err)
{
	int dir = objects->dirs[o->kind];
	_cleanup_close_ int lock = digest_lock(dir, o->name, LOCK_SH, err);

	if (lock < 0)
		return -1;
	if (faccessat(dir, o->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
		digest_remove(dir, o->name);
		return 0;
	}
	if (start_helper(objects, err) < 0)
		return -1;
	return digest_check(objects->helper, lock, dir, o->name, err);
}

int cache_object_verify(struct cache_objects *objects, const struct cache_object *o,
			struct error **err)
{
	switch (forms[o->kind]) {
	case FORM_BASE:
		return verify_base(objects, o, err);
	case FORM_FILE:
	case FORM_DIR:
		return verify_sums(objects, o, err);
	case FORM_ROOTFS:
		return verify_rootfs(objects, o, err);
	case FORM_HASHED:
	case FORM_KEPT:
		break;
	}
	return verify_file(objects, o, err);
}
