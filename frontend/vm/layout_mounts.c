#include "frontend/vm/layout_mounts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int mount_attributes(const char *path, unsigned int flags, uint64_t set, uint64_t clear)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear };

	return (int)syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attr, sizeof(attr));
}

int bind_at(int fd, const char *target, struct error **err)
{
	char source[64];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare %s", target);
	if (S_ISDIR(st.st_mode)) {
		if (mkdir(target, 0755) < 0 && errno != EEXIST)
			return error_errno(err, ERR_SYSTEM, "cannot make %s", target);
	} else {
		_cleanup_close_ int made = open(target, O_CREAT | O_RDONLY | O_CLOEXEC, 0644);

		if (made < 0)
			return error_errno(err, ERR_SYSTEM, "cannot make %s", target);
	}
	snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
	if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot mount %s", target);
	return 0;
}
