#include "helper/tree.h"

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

void tree_close_folder(DIR **d)
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

int tree_make_folders(int folder, const char *path)
{
	char part[256];
	size_t length = 0;

	while (path[length]) {
		length += strspn(path + length, "/");
		length += strcspn(path + length, "/");
		if (length >= sizeof(part)) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(part, path, length);
		part[length] = '\0';
		if (mkdirat(folder, part, 0755) < 0 && errno != EEXIST)
			return -1;
	}
	return tree_open_beneath(folder, path, O_PATH | O_DIRECTORY, 0);
}

char *tree_read_file(int folder, const char *path, size_t most, size_t *size)
{
	_cleanup_close_ int fd = tree_open_beneath(folder, path, O_RDONLY | O_NONBLOCK, 0);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > most) {
		errno = EFBIG;
		return NULL;
	}
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return NULL;
	*size = 0;
	while ((n = RETRY_ON_EINTR(read(fd, text + *size, (size_t)st.st_size - *size))) > 0)
		*size += (size_t)n;
	if (n < 0)
		return NULL;
	text[*size] = '\0';
	return STEAL_PTR(text);
}

int tree_copy_data(int from, int to)
{
	char data[16384];
	ssize_t n;

	while ((n = RETRY_ON_EINTR(read(from, data, sizeof(data)))) > 0)
		for (ssize_t done = 0, w; done < n; done += w)
			if ((w = RETRY_ON_EINTR(write(to, data + done, (size_t)(n - done)))) < 0)
				return -1;
	return n < 0 ? -1 : 0;
}

DIR *tree_open_folder(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d && fd >= 0)
		close(fd);
	return d;
}

bool tree_is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* What to do with an entry; folders are visited after what is in them. */
typedef int (*visit_function)(int folder, const char *name, const struct stat *st, void *context);

static int walk(int parent, const char *name, visit_function visit, void *context, int depth)
{
	_cleanup_(tree_close_folder) DIR *d = tree_open_folder(parent, name);
	struct dirent *entry;
	struct stat st;

	if (!d)
		return -1;
	if (depth > DEPTH_MAX) {
		errno = ELOOP;
		return -1;
	}
	while ((errno = 0, entry = readdir(d))) {
		if (tree_is_dots(entry->d_name))
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

static int visit_count(int folder, const char *name, const struct stat *st, void *context)
{
	struct tree_census *census = context;

	(void)folder;
	(void)name;
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
