#include "helper/worker/entries.h"

#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#define NAMES_MAX 65536 /* of extended attributes: XATTR_LIST_MAX */
#define VALUE_MAX 65536

/* Each component is created in an open directory, because a link among them would lead out of the
 * tree. */
int tree_make_dirs(int dir, const char *path)
{
	_cleanup_close_ int at = tree_open_beneath(dir, ".", O_PATH | O_DIRECTORY, 0);
	char part[256];

	while (at >= 0 && *(path += strspn(path, "/"))) {
		size_t length = strcspn(path, "/");
		int next;

		if (length >= sizeof(part)) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(part, path, length);
		part[length] = '\0';
		path += length;
		if (mkdirat(at, part, 0755) < 0 && errno != EEXIST)
			return -1;
		next = tree_open_beneath(at, part, O_PATH | O_DIRECTORY, 0);
		closep(&at);
		at = next;
	}
	return steal_fd(&at);
}

int tree_open_entry(int dir, const char *name, int flags, mode_t type, const char *path,
		    struct stat *st, struct error **err)
{
	_cleanup_close_ int fd = tree_open_own(dir, name, O_RDONLY | O_NONBLOCK | flags);

	*st = (struct stat){ 0 };
	if (fd < 0 || fstat(fd, st) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open /%.300s", path);
	if ((st->st_mode & S_IFMT) != type)
		return error_set(err, ERR_BUSY, "/%.300s changed while it was being read", path);
	return steal_fd(&fd);
}

int tree_each_attribute(int fd,
			int (*visit)(void *context, const char *name, const void *value,
				     size_t size),
			void *context)
{
	static char names[NAMES_MAX], value[VALUE_MAX];
	ssize_t length = flistxattr(fd, names, sizeof(names)), size;

	if (length < 0)
		return errno == ENOTSUP ? 0 : -1;
	for (const char *name = names; name < names + length; name += strlen(name) + 1) {
		size = fgetxattr(fd, name, value, sizeof(value));
		if (size < 0 || visit(context, name, value, (size_t)size) < 0)
			return -1;
	}
	return 0;
}
