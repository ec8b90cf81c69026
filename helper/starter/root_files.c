#include "helper/starter/root_files.h"

#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>

#include "helper/starter/privileges.h"
#include "lib/owned.h"

#define MEMORY_DIRECTORY "/var/lib/rootlet"

int root_file_open(const struct session *s, const char *path, int flags)
{
	const int safely = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd;

	if (s->mode != MODE_INSTALLED)
		return open(path, flags | safely, 0600);
	if (privileges_raise() < 0)
		return -1;
	setfsgid(0);
	setfsuid(0);
	fd = open(path, flags | safely, 0600);
	setfsuid(getuid());
	setfsgid(getgid());
	return fd;
}

int file_check(int fd, uid_t owner, int flags)
{
	int have = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	if (have >= 0 && (have & (O_ACCMODE | O_APPEND)) == flags && owned_by(fd, S_IFREG, owner) &&
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
		return fd;
	closep(&fd);
	return -1;
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
	r->fd = file_check(root_file_open(s, r->path, O_RDWR | O_CREAT), 0, O_RDWR);
}

int snapshot_key_open(const struct session *s)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (s->mode == MODE_INSTALLED)
		fd = file_check(root_file_open(s, SNAPSHOT_KEY_PATH, O_RDONLY), 0, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_mode & (S_IRWXG | S_IRWXO) ||
	    st.st_size < SNAPSHOT_KEY_BYTES)
		return -1;
	return steal_fd(&fd);
}
