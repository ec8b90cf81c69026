#include "helper/starter/root_files.h"

#include <fcntl.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>

#include "helper/starter/privileges.h"
#include "lib/owned.h"

#define MEMORY_DIRECTORY "/var/lib/rootlet"
#define WORKER "rootlet-worker"
#define ABOVE 10 /* above the descriptors that worker_start() sets */

int file_check(int fd, uid_t owner, int flags)
{
	int have = fcntl(fd, F_GETFL);

	if (have < 0)
		return -1;
	if (((have ^ flags) & (O_ACCMODE | O_APPEND)) == 0 && owned_by(fd, S_IFREG, owner) &&
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
		return fd;
	close(fd);
	errno = EPERM;
	return -1;
}

int root_file_open(const struct session *s, const char *path, int flags)
{
	int fd;

	if (s->mode == MODE_INSTALLED && privileges_raise() < 0)
		return -1;
	setfsgid(0);
	setfsuid(0);
	fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	setfsuid(getuid());
	setfsgid(getgid());
	return fd < 0 ? -1 : file_check(fd, 0, flags);
}

void rollback_open(struct session *s, int given)
{
	struct rollback *r = &s->rollback;
	uid_t caller = s->grant.caller.uid;

	r->signer = s->mode == MODE_INSTALLED;
	if (!r->signer) {
		r->fd = file_check(given, caller, O_RDWR);
		return;
	}
	closep(&given);
	snprintf(r->path, sizeof(r->path), MEMORY_DIRECTORY "/releases.%u", caller);
	r->fd = root_file_open(s, r->path, O_RDWR | O_CREAT);
}

int snapshot_key_open(const struct session *s)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (s->mode == MODE_INSTALLED)
		fd = root_file_open(s, SNAPSHOT_KEY_PATH, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_mode & (S_IRWXG | S_IRWXO) ||
	    st.st_size < SNAPSHOT_KEY_BYTES)
		return -1;
	return steal_fd(&fd);
}

/* Anyone who can write there, or give rootlet-helper another name, could put another program in
 * place of this one. */
int worker_open(const struct session *s, int *program, struct error **err)
{
	_cleanup_close_ int directory = -1, fd = -1;
	char path[PATH_MAX] = "";
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[length > 0 ? strrchr(path, '/') - path : 0] = '\0';
	directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = openat(directory, WORKER, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	*program = fcntl(fd, F_DUPFD_CLOEXEC, ABOVE);
	if (*program < 0)
		return error_errno(err, ERR_HOST, "cannot open %s/" WORKER "; reinstall rootlet",
				   path);
	if (s->mode == MODE_INSTALLED &&
	    !(owned_by(directory, S_IFDIR, 0) && owned_by(fd, S_IFREG, 0)))
		return error_set(err, ERR_HOST,
				 "users other than root can write to %s/" WORKER
				 " or its directory; reinstall rootlet",
				 path);
	return 0;
}
