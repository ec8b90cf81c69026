#include "helper/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#define ROOM_LEAST (16u << 20) /* bytes; with less a package of middling size does not unpack */
#define FILES_LEAST 256
#define DEPTH_MAX 1000 /* one descriptor each */
#define FIRST_FOREIGN                                                                              \
	65534 /* what the kernel shows for an id that is not mapped; 65535: the caller */

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

int tree_open_beneath(int folder, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)RETRY_ON_EINTR(syscall(SYS_openat2, folder, path, &how, sizeof(how)));
}

/* A stream over FOLDER/NAME (or FOLDER itself for "."), which must be a directory. */
static DIR *open_folder(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d && fd >= 0)
		close(fd);
	return d;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* What to do with an entry; folders are visited after what is in them. */
typedef int (*visit_function)(int folder, const char *name, const struct stat *st, void *context);

static int walk(int parent, const char *name, visit_function visit, void *context, int depth)
{
	_cleanup_(closedirp) DIR *d = open_folder(parent, name);
	struct dirent *entry;
	struct stat st;

	if (!d)
		return -1;
	if (depth > DEPTH_MAX) {
		errno = ELOOP;
		return -1;
	}
	while ((errno = 0, entry = readdir(d))) {
		if (is_dots(entry->d_name))
			continue;
		if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -1;
		if (S_ISDIR(st.st_mode) &&
		    walk(dirfd(d), entry->d_name, visit, context, depth + 1) < 0)
			return -1;
		if (visit(dirfd(d), entry->d_name, &st, context) < 0)
			return -1;
	}
	return errno ? -1 : 0;
}

static int visit_remove(int folder, const char *name, const struct stat *st, void *context)
{
	(void)context;
	return unlinkat(folder, name, S_ISDIR(st->st_mode) ? AT_REMOVEDIR : 0);
}

int tree_remove(int parent, const char *name, struct error **err)
{
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return 0;
		return error_errno(err, ERR_SYSTEM, "cannot look at %s", name);
	}
	if (S_ISDIR(st.st_mode) && walk(parent, name, visit_remove, NULL, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot remove everything below %s", name);
	if (visit_remove(parent, name, &st, NULL) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot remove %s", name);
	return 0;
}

/* FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* st_ctime: nothing but the kernel's own clock sets it. */
static uint64_t hash_entry(const char *name, const struct stat *st)
{
	const int64_t facts[] = { (int64_t)st->st_ino, st->st_ctim.tv_sec, st->st_ctim.tv_nsec,
				  st->st_size };

	return hash_bytes(hash_bytes(UINT64_C(0xcbf29ce484222325), name, strlen(name)), facts,
			  sizeof(facts));
}

static int visit_count(int folder, const char *name, const struct stat *st, void *context)
{
	struct tree_census *census = context;

	(void)folder;
	census->fingerprint += hash_entry(name, st);
	/* A file with several names counts once for all of them. */
	if (S_ISDIR(st->st_mode) || st->st_nlink == 1)
		census->bytes += (uint64_t)st->st_blocks * 512;
	else
		census->bytes += (uint64_t)st->st_blocks * 512 / st->st_nlink;
	census->files++;
	if (st->st_uid >= FIRST_FOREIGN || st->st_gid >= FIRST_FOREIGN)
		census->foreign++;
	return 0;
}

int tree_count(int tree, struct tree_census *census, struct error **err)
{
	struct stat st;

	*census = (struct tree_census){ 0 };
	if (fstat(tree, &st) < 0 || visit_count(tree, ".", &st, census) < 0 ||
	    walk(tree, ".", visit_count, census, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot look through the rootfs");
	return 0;
}

bool tree_disk_full(int folder)
{
	struct statfs fs;

	return fstatfs(folder, &fs) == 0 &&
	       ((uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < ROOM_LEAST ||
		(fs.f_files && fs.f_ffree < FILES_LEAST));
}
