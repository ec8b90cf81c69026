#include "lib/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "lib/read_all.h"
#include "lib/write_all.h"

#define ROOM_LEAST (16u << 20) /* bytes; with less, a package of average size does not unpack */
#define FILES_LEAST 256
#define OPEN_TRIES 1000

void tree_close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define BENEATH (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

static int open_by(int dir, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = resolve,
	};

	return (int)RETRY_ON_EINTR(syscall(SYS_openat2, dir, path, &how, sizeof(how)));
}

int tree_open_beneath(int dir, const char *path, int flags, mode_t mode)
{
	return open_by(dir, path, flags, mode, BENEATH);
}

int tree_open_own(int dir, const char *path, int flags)
{
	return open_by(dir, path, flags, 0, BENEATH | RESOLVE_NO_XDEV);
}

int tree_open_inside(int dir, const char *path, int flags)
{
	const uint64_t resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
	int fd = -1;

	/* openat2(2): EAGAIN means that something, anywhere on the host, was renamed at the same
	 * time. */
	for (unsigned i = 0; i < OPEN_TRIES; i++) {
		fd = open_by(dir, path, flags, 0, resolve);
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

bool tree_is(int dir, const char *name, int fd)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 && fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

char *tree_read_file(int dir, const char *path, size_t most, size_t *size)
{
	_cleanup_close_ int fd = tree_open_beneath(dir, path, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > most) {
		errno = EFBIG;
		return NULL;
	}
	return read_all(fd, (size_t)st.st_size, size);
}

off_t tree_copy_data(int from, int to, off_t most)
{
	char data[16384];
	off_t at = 0;
	ssize_t n = 1;

	while (n > 0 && at < most) {
		size_t left = most - at < (off_t)sizeof(data) ? (size_t)(most - at) : sizeof(data);

		n = RETRY_ON_EINTR(pread(from, data, left, at));
		if (n < 0 || (n > 0 && write_all(to, data, (size_t)n) < 0))
			return -1;
		at += n;
	}
	return at;
}

DIR *tree_open_dir(int dir, const char *name)
{
	int fd = tree_open_own(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d)
		closep(&fd);
	return d;
}

bool tree_is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

bool tree_disk_full(int dir)
{
	struct statfs fs;

	return fstatfs(dir, &fs) == 0 &&
	       ((uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < ROOM_LEAST ||
		(fs.f_files && fs.f_ffree < FILES_LEAST));
}
