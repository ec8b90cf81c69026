#include "helper/jailer/file_ids.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

#include "helper/starter/ids.h"
#include "lib/beneath.h"

/* Whenever an id changes, the kernel clears the parent-death signal and may make the process
 * dumpable: prctl(2), PR_SET_PDEATHSIG; the kernel's commit_creds(). */
static void take_file_ids(uid_t id)
{
	setfsgid(id);
	setfsuid(id);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		_exit(1);
}

int file_drop_acls(int fd)
{
	static const char *const names[] = { "system.posix_acl_default",
					     "system.posix_acl_access" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (fremovexattr(fd, names[i]) < 0 && errno != ENODATA && errno != ENOTSUP)
			return -1;
	return 0;
}

/* The group is that of the directory if that has the setgid bit, and the mode depends on ACLs. */
static int file_settle(int fd, mode_t mode)
{
	if (fd < 0)
		return -1;
	if (fchown(fd, 0, 0) == 0 && file_drop_acls(fd) == 0 && fchmod(fd, mode) == 0)
		return fd;
	close(fd);
	return -1;
}

int file_make(int dir, const char *path, mode_t mode)
{
	int fd;

	take_file_ids(0);
	fd = file_settle(tree_open_beneath(dir, path, O_WRONLY | O_CREAT | O_EXCL, mode), mode);
	take_file_ids(CALLER_ID);
	return fd;
}

int file_make_dir(int dir, const char *name, mode_t mode, bool may_exist)
{
	int fd = -1;

	take_file_ids(0);
	if (mkdirat(dir, name, mode) == 0 || (errno == EEXIST && may_exist))
		fd = file_settle(tree_open_own(dir, name, O_RDONLY | O_DIRECTORY), mode);
	take_file_ids(CALLER_ID);
	return fd;
}
