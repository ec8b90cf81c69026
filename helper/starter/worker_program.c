#include "helper/starter/worker_program.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define WORKER "/rootlet-worker"
#define ABOVE 10 /* above the descriptors that worker_start() sets */

/* Anyone who can write there, or give rootlet-helper another name, could put another program in
 * place of this one. So a helper with capabilities accepts only what is root's. */
static int worker_check_owner(const struct session *s, int fd, const char *path, struct error **err)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, ERR_HOST, "cannot open %s; reinstall rootlet", path);
	if (s->mode == MODE_INSTALLED && (st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH)))
		return error_set(err, ERR_HOST,
				 "users other than root can write to %s; reinstall rootlet", path);
	return 0;
}

int worker_open(const struct session *s, int *program, struct error **err)
{
	_cleanup_close_ int directory = -1, fd = -1;
	char path[PATH_MAX + sizeof(WORKER)] = "";
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash = strrchr(path, '/');

	if (length < 0 || !slash)
		return worker_check_owner(s, -1, "/proc/self/exe", err);
	*slash = '\0';
	directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (worker_check_owner(s, directory, path, err) < 0)
		return -1;
	memcpy(slash, WORKER, sizeof(WORKER));
	fd = openat(directory, slash + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (worker_check_owner(s, fd, path, err) < 0)
		return -1;
	*program = fcntl(fd, F_DUPFD_CLOEXEC, ABOVE);
	return *program < 0 ? error_errno(err, ERR_SYSTEM, "cannot keep %s open", path) : 0;
}
