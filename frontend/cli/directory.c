#include "frontend/cli/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/write_all.h"

int dir_make_above(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	for (char *slash = copy; copy && (slash = strchr(slash + 1, '/'));) {
		int result;

		*slash = '\0';
		result = mkdir(copy, 0700);
		*slash = '/';
		/* An existing directory can be below one that is not writable. */
		if (result < 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
			return -1;
	}
	return copy ? 0 : -1;
}

int dir_make(const char *path)
{
	if (dir_make_above(path) < 0)
		return -1;
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

/* Opens a directory in order to empty it. A guest may have left one that its owner can neither read
 * nor write. */
static int dir_open_to_empty(int parent, const char *name)
{
	const int flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	_cleanup_close_ int fd = openat(parent, name, O_RDONLY | flags), place = -1;
	char path[sizeof("/proc/self/fd/") + 16];
	struct stat st;

	if (fd < 0 && errno == EACCES && (place = openat(parent, name, O_PATH | flags)) >= 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
		if (chmod(path, S_IRWXU) < 0)
			return -1;
		fd = openat(parent, name, O_RDONLY | flags);
	}
	if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IRWXU) != S_IRWXU)
		fchmod(fd, S_IRWXU);
	return steal_fd(&fd);
}

int dir_remove(int parent, const char *name)
{
	int fd = dir_open_to_empty(parent, name);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	int first = 0;

	if (!dir) {
		closep(&fd);
		return unlinkat(parent, name, 0);
	}
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    dir_remove(fd, entry->d_name) < 0 && !first)
			first = errno;
	closedir(dir);
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
		return 0;
	/* Report why an entry could not be removed. */
	if (errno == ENOTEMPTY && first)
		errno = first;
	return -1;
}

int dir_publish(int parent, const char *staging, const char *name)
{
	/* A later check would not notice lost contents: it trusts files whose times and sizes
	 * match. */
	if (syncfs(parent) < 0)
		return -1;
	if (renameat(parent, staging, parent, name) < 0 &&
	    ((errno != ENOTEMPTY && errno != EEXIST) ||
	     renameat2(parent, staging, parent, name, RENAME_EXCHANGE) < 0))
		return -1;
	return fsync(parent);
}

int dir_replace_file(int dir, const char *draft, int fd, const char *name)
{
	if (fsync(fd) < 0 || renameat(dir, draft, dir, name) < 0)
		return -1;
	return fsync(dir);
}

int dir_discard(int parent, const char *name)
{
	_cleanup_close_ int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 ? -1 : dir_remove(parent, name);
}

int dir_write_file(int dir, const char *name, const char *text, size_t size)
{
	_cleanup_free_ char *draft = NULL;
	_cleanup_close_ int fd = -1;

	if (asprintf(&draft, ".%s.rootlet", name) < 0)
		return -1;
	unlinkat(dir, draft, 0);
	fd = openat(dir, draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return -1;
	if (write_all(fd, text, size) == 0 && dir_replace_file(dir, draft, fd, name) == 0)
		return 0;
	unlinkat(dir, draft, 0);
	return -1;
}

static int replace_file(const char *path, const char *text, size_t size)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	_cleanup_free_ char *above =
		slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	_cleanup_close_ int directory = -1;

	if (!above)
		return -1;
	directory = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return directory < 0 ? -1 : dir_write_file(directory, name, text, size);
}

/* A pipe, a device or a link stays what it is. */
static int write_in_place(const char *path, const char *text, size_t size)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	return fd < 0 ? -1 : write_all(fd, text, size);
}

int output_write_bytes(const char *path, const char *data, size_t size, struct error **err)
{
	struct stat st;
	bool special = lstat(path, &st) == 0 && !S_ISREG(st.st_mode);

	if ((special ? write_in_place : replace_file)(path, data, size) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s", path);
	return 0;
}

int output_write(const char *path, const char *text, struct error **err)
{
	if (path)
		return output_write_bytes(path, text, strlen(text), err);
	fputs(text, stdout);
	return 0;
}
