#include "helper/starter/worker_program.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifdef WORKER_INSIDE
#include "helper/worker/jobs.h"
#endif

#define SOCKET 3
#define PROGRAM 4 /* close-on-exec */
#define ABOVE 10  /* above both */

#ifdef WORKER_INSIDE

int worker_open(const struct session *s, int *program, struct error **err)
{
	(void)s;
	(void)err;
	*program = -1;
	return 0;
}

_Noreturn void worker_start(int program, const char *what, int socket)
{
	(void)program;
	if (dup2(socket, SOCKET) == SOCKET && close_range(SOCKET + 1, ~0U, 0) == 0)
		_exit(worker_run(what, SOCKET));
	_exit(126);
}

#else

static int worker_refuse(const char *path, struct error **err)
{
	return error_errno(err, ERR_HOST, "cannot open %s; reinstall rootlet", path);
}

/* Anyone who can write there, or give rootlet-helper another name, could put another program in
 * place of this one. So a helper with capabilities accepts only what is root's. */
static int worker_check_owner(const struct session *s, int fd, const char *path, struct error **err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return worker_refuse(path, err);
	if (s->mode == MODE_INSTALLED && (st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH)))
		return error_set(err, ERR_HOST,
				 "users other than root can write to %s; reinstall rootlet", path);
	return 0;
}

int worker_open(const struct session *s, int *program, struct error **err)
{
	_cleanup_close_ int directory = -1, fd = -1;
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	path[length < 0 ? 0 : length] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return worker_refuse("/proc/self/exe", err);
	*slash = '\0';
	directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return worker_refuse(path, err);
	fd = openat(directory, "rootlet-worker", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (worker_check_owner(s, directory, path, err) < 0)
		return -1;
	strncat(path, "/rootlet-worker", sizeof(path) - strlen(path) - 1);
	if (fd < 0)
		return worker_refuse(path, err);
	if (worker_check_owner(s, fd, path, err) < 0)
		return -1;
	*program = fcntl(fd, F_DUPFD_CLOEXEC, ABOVE);
	return *program < 0 ? error_errno(err, ERR_SYSTEM, "cannot keep %s open", path) : 0;
}

_Noreturn void worker_start(int program, const char *what, int socket)
{
	char *argv[] = { (char *)(uintptr_t) "rootlet-worker", (char *)(uintptr_t)what, NULL };

	if (dup2(socket, SOCKET) == SOCKET && dup3(program, PROGRAM, O_CLOEXEC) == PROGRAM &&
	    close_range(PROGRAM + 1, ~0U, 0) == 0)
		syscall(SYS_execveat, PROGRAM, "", argv, environ, AT_EMPTY_PATH);
	dprintf(2, "rootlet: cannot start rootlet-worker: %s\n", strerror(errno));
	_exit(126);
}

#endif
