#include "frontend/rootfs/name_claim.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/paths.h"

/* Names the lock file after the directory itself: several paths may lead to it. */
static char *name_claim_path(int parent, const char *base, struct error **err)
{
	_cleanup_free_ char *dir = paths_state("creating", err);
	struct stat st;
	char *path = NULL;

	if (!dir)
		return NULL;
	if (fstat(parent, &st) < 0 || dir_make(dir) < 0) {
		error_errno(err, ERR_SYSTEM, "cannot create the directory %s", dir);
		return NULL;
	}
	if (asprintf(&path, "%s/%lx-%lx.%s", dir, (unsigned long)st.st_dev,
		     (unsigned long)st.st_ino, base) >= 0)
		return path;
	error_no_memory(err);
	return NULL;
}

static int name_claim_refuse(int fd, const char *shown, struct error **err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char holder[48] = "";

	/* 0: in another pid namespace */
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0)
		snprintf(holder, sizeof(holder), ", process %d,", (int)lock.l_pid);
	return error_set(err, ERR_BUSY,
			 "another rootlet%s is creating %s; wait until it ends, or choose another "
			 "--name or --path",
			 holder, shown);
}

/* Whether PATH still is the locked file: the last holder removes it. */
static bool name_claim_is_current(int fd, const char *path)
{
	struct stat locked, named;

	return fstat(fd, &locked) == 0 && lstat(path, &named) == 0 &&
	       locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

int name_claim_take(int parent, const char *base, const char *shown, struct name_claim *claim,
		    struct error **err)
{
	_cleanup_free_ char *path = name_claim_path(parent, base, err);

	*claim = NAME_CLAIM_NONE;
	while (path) {
		/* Unlike flock(2), this lock is not inherited: the fetch process may outlive us for
		 * a moment. */
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		_cleanup_close_ int fd =
			open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

		if (fd < 0)
			return error_errno(err, ERR_SYSTEM, "cannot open %s", path);
		if (fcntl(fd, F_SETLK, &lock) < 0)
			return errno == EAGAIN || errno == EACCES
				       ? name_claim_refuse(fd, shown, err)
				       : error_errno(err, ERR_SYSTEM, "cannot lock %s", path);
		if (name_claim_is_current(fd, path)) {
			*claim = (struct name_claim){ STEAL_PTR(path), steal_fd(&fd) };
			return 0;
		}
	}
	return -1;
}

void name_claim_drop(struct name_claim *claim)
{
	if (claim->path)
		unlink(claim->path);
	free(claim->path);
	closep(&claim->fd);
	*claim = NAME_CLAIM_NONE;
}
