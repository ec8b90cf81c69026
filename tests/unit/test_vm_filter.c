/* frontend/vm/vm_filter.c: each call that vng and qemu may not make is refused, and similar
 * harmless calls are allowed. */
#include "frontend/vm/vm_filter.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define NO_FILE 0x7fffffff /* an unused descriptor: EBADF if the call is allowed */
#define NO_PATH "/rootlet-no-such-directory/x"

enum { FREE = 0 };

/* ERROR: the filter's errno; FREE: any other, or none. */
static const struct row {
	const char *what;
	int error;
	bool unix_sockets;
	long number;
	uintptr_t a, b, c, d;
} rows[] = {
#define PATH (uintptr_t) NO_PATH
#ifdef SYS_chmod
	{ "chmod u+s", EPERM, false, SYS_chmod, PATH, 04755 },
	{ "chmod g+s", EPERM, false, SYS_chmod, PATH, 02755 },
	{ "chmod", FREE, false, SYS_chmod, PATH, 01777 },
	{ "creat u+s", EPERM, false, SYS_creat, PATH, 04755 },
	{ "mkdir g+s", EPERM, false, SYS_mkdir, PATH, 02755 },
	{ "mkdir", FREE, false, SYS_mkdir, PATH, 0755 },
	{ "mknod u+s", EPERM, false, SYS_mknod, PATH, 04755 | S_IFREG },
	{ "open to create u+s", EPERM, false, SYS_open, PATH, O_CREAT | O_WRONLY, 04755 },
	{ "open, with an ignored mode", FREE, false, SYS_open, PATH, O_RDONLY, 04755 },
	{ "open to create", FREE, false, SYS_open, PATH, O_CREAT | O_WRONLY, 0755 },
#endif
	{ "fchmod u+s", EPERM, false, SYS_fchmod, NO_FILE, 04755 },
	{ "fchmod g+s", EPERM, false, SYS_fchmod, NO_FILE, 02755 },
	{ "fchmod", FREE, false, SYS_fchmod, NO_FILE, 0755 },
	{ "fchmodat u+s", EPERM, false, SYS_fchmodat, AT_FDCWD, PATH, 04755 },
	{ "fchmodat", FREE, false, SYS_fchmodat, AT_FDCWD, PATH, 0755 },
	{ "fchmodat2 u+s", EPERM, false, SYS_fchmodat2, AT_FDCWD, PATH, 04755 },
	{ "mkdirat g+s", EPERM, false, SYS_mkdirat, AT_FDCWD, PATH, 02755 },
	{ "mknodat u+s", EPERM, false, SYS_mknodat, AT_FDCWD, PATH, 04755 | S_IFREG },
	{ "openat to create u+s", EPERM, false, SYS_openat, AT_FDCWD, PATH, O_CREAT, 04755 },
	{ "openat of an unnamed file, g+s", EPERM, false, SYS_openat, AT_FDCWD, PATH,
	  O_TMPFILE | O_RDWR, 02755 },
	{ "openat of a directory, with an ignored mode", FREE, false, SYS_openat, AT_FDCWD, PATH,
	  O_DIRECTORY, 04755 },
	{ "openat to create", FREE, false, SYS_openat, AT_FDCWD, PATH, O_CREAT, 0755 },
	{ "openat2", ENOSYS, false, SYS_openat2, AT_FDCWD, PATH },
	{ "io_uring_setup", EPERM, false, SYS_io_uring_setup, 1, 0 },
	{ "unshare of mounts", EPERM, false, SYS_unshare, CLONE_NEWNS },
	{ "unshare of users", EPERM, false, SYS_unshare, CLONE_NEWUSER },
	{ "unshare of networks", EPERM, false, SYS_unshare, CLONE_NEWNET },
	{ "unshare of processes", EPERM, false, SYS_unshare, CLONE_NEWPID },
	{ "unshare of ipc", EPERM, false, SYS_unshare, CLONE_NEWIPC },
	{ "unshare of host names", EPERM, false, SYS_unshare, CLONE_NEWUTS },
	{ "unshare of cgroups", EPERM, false, SYS_unshare, CLONE_NEWCGROUP },
	{ "unshare of times", EPERM, false, SYS_unshare, CLONE_NEWTIME },
	{ "unshare of files", FREE, false, SYS_unshare, CLONE_FILES },
	{ "clone with a user namespace", EPERM, false, SYS_clone, CLONE_NEWUSER | SIGCHLD },
	{ "clone3", ENOSYS, false, SYS_clone3, 0, 0 },
	{ "add_key", EPERM, false, SYS_add_key, 0, 0, 0, 0 },
	{ "request_key", EPERM, false, SYS_request_key, 0, 0, 0, 0 },
	{ "keyctl", EPERM, false, SYS_keyctl, 0, 0, 0, 0 },
	{ "an AF_UNIX socket", EPERM, false, SYS_socket, AF_UNIX, SOCK_STREAM },
	{ "an AF_UNIX socket for virtiofsd", FREE, true, SYS_socket, AF_UNIX, SOCK_STREAM },
	{ "an AF_INET socket", EPERM, true, SYS_socket, AF_INET, SOCK_STREAM },
	{ "an AF_NETLINK socket", EPERM, true, SYS_socket, AF_NETLINK, SOCK_RAW },
	{ "an AF_VSOCK socket", EPERM, false, SYS_socket, AF_VSOCK, SOCK_STREAM },
#ifdef __x86_64__
	{ "x32's getpid", EPERM, false, 0x40000000 + SYS_getpid },
#endif
	{ "getpid", FREE, false, SYS_getpid },
};

/* Returns the call's errno under the filter, in a child; 255: the filter cannot be installed. */
static int try(const struct row *row)
{
	int status = 255 << 8;
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    vm_filter_install(row->unix_sockets, NULL) < 0)
			_exit(255);
		errno = 0;
		if (syscall(row->number, row->a, row->b, row->c, row->d) >= 0)
			_exit(0);
		_exit(errno);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 254;
}

int main(void)
{
	_cleanup_error_ struct error *err = NULL;

	if (getuid() != 0) {
		tap_check(vm_filter_install(false, &err) == -1 && err && err->code == ERR_HOST,
			  "the filter needs no_new_privs");
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int got = try(&rows[i]);

		tap_check(rows[i].error ? got == rows[i].error
					: got != EPERM && got != ENOSYS && got < 254,
			  "%s: %s", rows[i].what, strerror(got));
	}
	return tap_done();
}
