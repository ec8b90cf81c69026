#include "frontend/rootfs/freshness.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/lock_wait.h"
#include "frontend/rootfs/rootfs_record.h"
#include "lib/read_all.h"
#include "lib/pwrite_all.h"

#define FORMAT                                                                                     \
	"rootlet-upgrades 1 %" PRId64 " %" PRId64 " %" PRId64 "\n" /* created, all, security */
#define TEXT_SIZE 128

struct freshness {
	int64_t created, all, security;
};

static char *freshness_path(const char *parent, const char *base, struct error **err)
{
	return rootfs_record_path("upgrades", parent, base, err);
}

static int freshness_open(const char *parent, const char *base, struct error **err)
{
	_cleanup_free_ char *path = freshness_path(parent, base, err);
	int fd;

	if (!path)
		return -1;
	if (dir_make_above(path) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create the directory of %s", path);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	return fd < 0 ? error_errno(err, ERR_SYSTEM, "cannot open %s", path) : fd;
}

/* What the file says about the rootfs created at CREATED. A damaged file says nothing. */
static struct freshness freshness_load(int fd, int64_t created)
{
	struct freshness f = { 0 };
	size_t size;
	_cleanup_free_ char *text = fd < 0 ? NULL : read_all(fd, TEXT_SIZE, &size);

	if (!text || sscanf(text, FORMAT, &f.created, &f.all, &f.security) != 3 ||
	    f.created != created)
		return (struct freshness){ .created = created };
	return f;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t freshness_read(const char *parent, const char *base, int64_t created, bool security)
{
	_cleanup_free_ char *path = freshness_path(parent, base, NULL);
	_cleanup_close_ int fd =
		path ? open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
	struct freshness f = freshness_load(fd, created);

	return later(created, security ? later(f.all, f.security) : f.all);
}

int freshness_write(const char *parent, const char *base, int64_t created, bool security,
		    struct error **err)
{
	_cleanup_close_ int fd = freshness_open(parent, base, err);
	struct freshness f = freshness_load(fd, created);
	char text[TEXT_SIZE];
	int length;

	if (fd < 0)
		return -1;
	f.security = time(NULL);
	if (!security)
		f.all = f.security;
	length = snprintf(text, sizeof(text), FORMAT, created, f.all, f.security);
	if (ftruncate(fd, 0) < 0 || pwrite_all(fd, text, (size_t)length, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot record the upgrade of %s/%s", parent,
				   base);
	return 0;
}

void freshness_forget(const char *parent, const char *base)
{
	_cleanup_free_ char *path = freshness_path(parent, base, NULL);

	if (path)
		unlink(path);
}

int freshness_lock(const char *parent, const char *base, struct progress *progress,
		   struct error **err)
{
	_cleanup_close_ int fd = freshness_open(parent, base, err);
	_cleanup_free_ char *what = NULL, *note = NULL;

	if (fd < 0)
		return -1;
	if (asprintf(&what, "the rootfs %s", base) < 0 ||
	    asprintf(&note, "another run is upgrading the rootfs %s: waiting for it", base) < 0)
		return error_no_memory(err);
	return lock_wait(fd, what, note, progress, err) < 0 ? -1 : steal_fd(&fd);
}

void freshness_unlock(int *fd)
{
	/* Not only by closing it: the fetch process, which has it too, may outlive us for a moment.
	 */
	if (*fd >= 0)
		flock(*fd, LOCK_UN);
	closep(fd);
}
