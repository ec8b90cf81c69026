#include "helper/starter/worker_program.h"

#include <fcntl.h>
#include <string.h>

#include "lib/owned.h"

#define WORKER "rootlet-worker"
#define ABOVE 10 /* above the descriptors that worker_start() sets */

/* Anyone who can write there, or give rootlet-helper another name, could put another program in
 * place of this one. So a helper with capabilities accepts only what is root's. */
int worker_open(const struct session *s, int *program, struct error **err)
{
	_cleanup_close_ int directory = -1, fd = -1;
	char path[PATH_MAX] = "";
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash = strrchr(path, '/');

	if (length > 0 && slash) {
		*slash = '\0';
		directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (directory >= 0)
		fd = openat(directory, WORKER, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	*program = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, ABOVE);
	if (*program < 0)
		return error_errno(err, ERR_HOST, "cannot open %s/" WORKER "; reinstall rootlet",
				   path);
	if (s->mode == MODE_INSTALLED &&
	    !(owned_by(directory, S_IFDIR, 0) && owned_by(fd, S_IFREG, 0)))
		return error_set(err, ERR_HOST,
				 "users other than root can write to %s or to " WORKER
				 " in it; reinstall rootlet",
				 path);
	return 0;
}
