#include "helper/jailer/jail.h"

#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "helper/jailer/jail_inside.h"
#include "helper/jailer/mount_api.h"
#include "helper/jailer/mounts.h"
#include "proto/note.h"

/* Sends the jailer a descriptor of this process, because neither sees the other's pid. Then waits
 * until the jailer has mapped our ids. */
static int ask_for_ids(int report, struct error **err)
{
	_cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char go;

	/* Only the host's root can write the maps of a process that is not dumpable. In installed
	 * mode, the /proc files of this one belong to the range's last id while it is dumpable. */
	if (self < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
		return error_errno(err, ERR_HOST, "cannot open /proc/self");
	if (packet_send(report, "", 1, &self, 1, err) < 0)
		return -1;
	if (RETRY_ON_EINTR(read(report, &go, 1)) != 1)
		return error_set(err, ERR_SYSTEM, "no ids for the jail");
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot become root of the jail");
	return prctl(PR_SET_DUMPABLE, 0) < 0
		       ? error_errno(err, ERR_SYSTEM, "cannot protect the jail")
		       : 0;
}

static _Noreturn void jail_child(const struct jail_spec *spec, struct jail_place *place, int report)
{
	_cleanup_error_ struct error *err = NULL;
	struct jail_mounts mounts;

	if (mounts_take(spec, place, &err) == 0 && ask_for_ids(report, &err) == 0 &&
	    mounts_enter(spec, place, &mounts, &err) == 0)
		jail_finish(spec, &mounts, report);
	note_result(report, err, 0);
	_exit(126);
}

static int jail_write_map(int process, const char *file)
{
	_cleanup_close_ int fd = openat(process, file, O_WRONLY | O_CLOEXEC);
	char map[32];
	int length = snprintf(map, sizeof(map), "0 0 %u\n", RANGE_COUNT);

	return fd >= 0 && write(fd, map, (size_t)length) == length ? 0 : -1;
}

/* Maps the child's ids (never the caller's) and waits until it is set up or reports an error. */
static int watch_set_up(int report, struct error **err)
{
	struct note note = { 0 };
	int fds[PACKET_FDS_MAX];
	size_t count;
	ssize_t n = packet_receive(report, &note, sizeof(note), fds, &count, err);

	/* This still comes from our own code: no package code has run yet. */
	if (n == 1 && count == 1) {
		if (jail_write_map(fds[0], "uid_map") < 0 ||
		    jail_write_map(fds[0], "gid_map") < 0) {
			error_errno(err, ERR_SYSTEM, "cannot map the jail's ids");
			close(fds[0]);
			return -1;
		}
		close(fds[0]);
		if (RETRY_ON_EINTR(write(report, "", 1)) != 1)
			return error_errno(err, ERR_SYSTEM, "cannot start the jail");
		n = packet_receive(report, &note, sizeof(note), fds, &count, err);
		if (n == 0)
			return 0;
	}
	if (n == (ssize_t)sizeof(note) && note_error(&note, err) < 0)
		return -1;
	return error_set(err, ERR_SYSTEM, "the jail exited during its setup");
}

int jail_start(const struct jail_spec *spec, struct jail *jail, struct error **err)
{
	/* If there are two trees, mounts.c creates the mount namespace. */
	const unsigned long flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
				    CLONE_NEWNET | CLONE_NEWCGROUP | SIGCHLD |
				    (spec->source > 0 ? 0 : CLONE_NEWNS);
	_cleanup_close_ int ours = -1, theirs = -1;
	struct jail_place place;
	int ends[2], r;

	if (packet_pair(ends, err) < 0)
		return -1;
	ours = ends[0];
	theirs = ends[1];
	if (mounts_choose(spec, &place, err) < 0)
		return -1;
	jail->pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
	if (jail->pid == 0) {
		close(ours);
		jail_child(spec, &place, theirs);
	}
	r = jail->pid < 0 ? error_errno(err, ERR_HOST,
					"cannot make the jail's namespaces; see: sysctl "
					"user.max_user_namespaces")
			  : 0;
	if (chdir("/") < 0 && r == 0)
		r = error_errno(err, ERR_SYSTEM, "cannot leave the rootfs");
	closep(&theirs);
	theirs = -1;
	if (jail->pid < 0)
		return -1;
	jail->pidfd = pidfd_open(jail->pid, 0);
	if (r == 0 && jail->pidfd < 0)
		r = error_errno(err, ERR_SYSTEM, "cannot watch the jail");
	if (r == 0)
		r = watch_set_up(ours, err);
	if (r < 0)
		jail_end(jail);
	return r;
}

int jail_reap(struct jail *jail)
{
	int status = 0;

	if (jail->pid > 0 && RETRY_ON_EINTR(waitpid(jail->pid, &status, 0)) < 0)
		status = 126 << 8;
	closep(&jail->pidfd);
	*jail = JAIL_NONE;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int jail_end(struct jail *jail)
{
	if (jail->pid > 0)
		kill(jail->pid, SIGKILL);
	return jail_reap(jail);
}
