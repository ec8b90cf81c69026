#include "frontend/cli/tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "lib/read_all.h"

/* If a process does nothing but rename, about one try in a hundred fails. */
#define OPEN_TRIES 1000

int tree_open(int tree, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	int fd = -1;

	/* openat2(2): EAGAIN means that something was renamed meanwhile, anywhere on the machine,
	 * so that ".." could not be trusted. */
	for (unsigned i = 0; i < OPEN_TRIES; i++) {
		fd = (int)RETRY_ON_EINTR(syscall(SYS_openat2, tree, path, &how, sizeof(how)));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

bool tree_has(int tree, const char *path, mode_t type)
{
	_cleanup_close_ int fd = tree_open(tree, path, O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && (!type || (st.st_mode & S_IFMT) == type);
}

static char *read_up_to(int fd, size_t most, const char *path, size_t *length, struct error **err)
{
	size_t size;
	char *data = read_all(fd, most, &size);

	if (!data)
		error_errno(err, ERR_SYSTEM, "cannot read %s", path);
	if (length)
		*length = size;
	return data;
}

char *descriptor_read(int fd, const char *path, size_t most, size_t *size, struct error **err)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		error_errno(err, errno == ENOENT || errno == ENOTDIR ? ERR_MISSING : ERR_SYSTEM,
			    "cannot open %s", path);
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > most) {
		error_set(err, ERR_INPUT, "%s is not a regular file of at most %zu bytes", path,
			  most);
		return NULL;
	}
	return read_up_to(fd, (size_t)st.st_size, path, size, err);
}

char *tree_read(int tree, const char *path, size_t most, size_t *size, struct error **err)
{
	/* O_NONBLOCK: the file may be a pipe, on which open() must not block. */
	_cleanup_close_ int fd = tree_open(tree, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

	return descriptor_read(fd, path, most, size, err);
}

char *tree_read_start(int tree, const char *path, size_t most, struct error **err)
{
	_cleanup_close_ int fd = tree_open(tree, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	size_t size = 0;
	struct stat st;
	char *data;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return descriptor_read(fd, path, most, NULL, err);
	if ((uint64_t)st.st_size < most)
		most = (size_t)st.st_size;
	data = read_up_to(fd, most, path, &size, err);
	for (size_t i = 0; data && i < size; i++)
		if (!data[i])
			data[i] = ' ';
	return data;
}

char *file_read(const char *path, size_t most, size_t *size, struct error **err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	return descriptor_read(fd, path, most, size, err);
}
