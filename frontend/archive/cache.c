#include "frontend/archive/cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/cli/directory.h"
#include "lib/hash.h"
#include "lib/write_all.h"

#define BLOCK_SIZE (256 * 1024)

/* XDG base directory rules: a relative path in the variable is ignored. */
static char *cache_base(void)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	const struct passwd *account;
	char *base = NULL;
	int length;

	if (xdg && xdg[0] == '/') {
		length = asprintf(&base, "%s/rootlet", xdg);
		return length < 0 ? NULL : base;
	}
	if ((!home || home[0] != '/') && (account = getpwuid(getuid())))
		home = account->pw_dir;
	if (!home || home[0] != '/')
		return NULL;
	length = asprintf(&base, "%s/.cache/rootlet", home);
	return length < 0 ? NULL : base;
}

char *cache_path(const char *subdirectory, struct error **err)
{
	_cleanup_free_ char *base = cache_base();
	char *path = NULL;

	if (!base) {
		error_set(err, ERR_HOST,
			  "no directory for the cache: neither XDG_CACHE_HOME nor HOME is set; set "
			  "HOME");
		return NULL;
	}
	if (asprintf(&path, "%s/%s", base, subdirectory) < 0) {
		error_errno(err, ERR_SYSTEM, "cannot create the cache directory");
		return NULL;
	}
	if (dir_make(path) == 0 && access(path, W_OK | X_OK) == 0)
		return path;
	error_errno(err, ERR_HOST,
		    "cannot write to the cache directory %s (set XDG_CACHE_HOME to a writable one)",
		    path);
	free(path);
	return NULL;
}

char *cache_file(const char *dir, const uint8_t sha256[static SHA256_LEN], struct error **err)
{
	char hex[2 * SHA256_LEN + 1], *path = NULL;

	sha256_to_hex(sha256, hex);
	if (asprintf(&path, "%s/%s", dir, hex) < 0) {
		error_errno(err, ERR_SYSTEM, "cannot name a file in %s", dir);
		return NULL;
	}
	return path;
}

int file_sha256(int fd, uint8_t sha256[static SHA256_LEN], struct error **err)
{
	_cleanup_free_ uint8_t *block = malloc(BLOCK_SIZE);
	struct sha256_ctx hash;
	off_t at = 0;
	ssize_t n;

	if (!block)
		return error_no_memory(err);
	sha256_init(&hash);
	while ((n = RETRY_ON_EINTR(pread(fd, block, BLOCK_SIZE, at))) > 0) {
		hash_add(&hash, block, (size_t)n);
		at += n;
	}
	if (n < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read a file in the cache");
	hash_end(&hash, sha256);
	return 0;
}

/* Does not follow links: anyone who could plant one could redirect our writes. */
int cache_find(const char *dir, const uint8_t sha256[static SHA256_LEN], uint64_t size, char **path,
	       struct error **err)
{
	_cleanup_free_ char *file = cache_file(dir, sha256, err);
	_cleanup_close_ int fd = -1;
	uint8_t have[SHA256_LEN];
	struct stat st;

	if (!file)
		return -1;
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", file);
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size == size) {
		if (file_sha256(fd, have, err) < 0)
			return -1;
		if (memcmp(have, sha256, SHA256_LEN) == 0) {
			*path = STEAL_PTR(file);
			return 1;
		}
	}
	if (unlink(file) < 0 && errno != ENOENT)
		return error_errno(err, ERR_SYSTEM, "cannot remove the damaged %s", file);
	return 0;
}

int cache_begin_alone(const char *dir, struct cache_draft *draft, struct error **err)
{
	*draft = CACHE_DRAFT_NONE;
	if (asprintf(&draft->path, "%s/.XXXXXX.part", dir) < 0) {
		draft->path = NULL;
		return error_errno(err, ERR_SYSTEM, "cannot create a file in %s", dir);
	}
	draft->private = true;
	draft->fd = mkostemps(draft->path, 5, O_CLOEXEC);
	if (draft->fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create a file in %s", dir);
	return 0;
}

/* Returns 0 if we got the lock and the name still refers to this file, 1 if another process holds
 * it, -1 if the filesystem has no locks. Without the check of the name we could write to a file
 * that was renamed to its final name in the meantime. */
static int draft_lock(const struct cache_draft *draft, struct stat *ours)
{
	struct stat named;

	if (fstat(draft->fd, ours) < 0 || !S_ISREG(ours->st_mode))
		return -1;
	if (flock(draft->fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 1 : -1;
	return lstat(draft->path, &named) < 0 || ours->st_ino != named.st_ino ||
	       ours->st_dev != named.st_dev || fstat(draft->fd, ours) < 0;
}

int cache_begin(const char *dir, const uint8_t sha256[static SHA256_LEN], struct cache_draft *draft,
		uint64_t *other, struct error **err)
{
	char hex[2 * SHA256_LEN + 1];
	struct stat st;
	int locked;

	*draft = CACHE_DRAFT_NONE;
	sha256_to_hex(sha256, hex);
	if (asprintf(&draft->path, "%s/.%s.part", dir, hex) < 0) {
		draft->path = NULL;
		return error_errno(err, ERR_SYSTEM, "cannot create a file in %s", dir);
	}
	draft->fd = open(draft->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (draft->fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create %s", draft->path);
	locked = draft_lock(draft, &st);
	if (locked == 0) {
		draft->kept = (uint64_t)st.st_size;
		return 0;
	}
	closep(&draft->fd);
	free(draft->path);
	*draft = CACHE_DRAFT_NONE;
	*other = (uint64_t)st.st_size;
	return locked > 0 ? 1 : cache_begin_alone(dir, draft, err);
}

int cache_commit(const char *dir, const uint8_t sha256[static SHA256_LEN],
		 struct cache_draft *draft, struct error **err)
{
	_cleanup_free_ char *file = cache_file(dir, sha256, err);
	uint8_t have[SHA256_LEN];

	if (!file || file_sha256(draft->fd, have, err) < 0)
		return -1;
	if (memcmp(have, sha256, SHA256_LEN) != 0) {
		draft->kept = 0;
		if (ftruncate(draft->fd, 0) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot empty %s", draft->path);
		return 1;
	}
	if (fchmod(draft->fd, 0644) < 0 || rename(draft->path, file) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create %s", file);
	closep(&draft->fd);
	free(draft->path);
	*draft = CACHE_DRAFT_NONE;
	return 0;
}

void cache_draft_end(struct cache_draft *draft)
{
	struct stat st;

	if (draft->fd >= 0 && (draft->private || (fstat(draft->fd, &st) == 0 && st.st_size == 0)))
		unlink(draft->path);
	closep(&draft->fd);
	free(draft->path);
	*draft = CACHE_DRAFT_NONE;
}

void cache_hold(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	/* The descriptor stays open, and the lock held, until the process exits. */
	if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0)
		closep(&fd);
}

void cache_touch(const char *path)
{
	utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
}

void cache_prune(const char *dir, int64_t seconds)
{
	DIR *directory = opendir(dir);
	time_t oldest = time(NULL) - (time_t)seconds;
	const struct dirent *entry;
	struct stat st;

	if (!directory)
		return;
	while ((entry = readdir(directory)))
		if (fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_mtime < oldest)
			unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
}
