#include "helper/jailer/jail_inside.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "helper/jailer/jail_program.h"
#include "helper/jailer/landlock.h"
#include "helper/jailer/loopback.h"
#include "helper/starter/privileges.h"
#include "lib/close_except.h"
#include "proto/note.h"

#define HOST_NAME "rootlet"

/* From here on, nothing leads out of the jail but what its program was given. */
static void close_outside(const struct jail_spec *spec, const struct jail_mounts *m, int report)
{
	int kept[10 + JAIL_DEVICES] = {
		report,		spec->program,	spec->socket, spec->file, spec->stdio[0],
		spec->stdio[1], spec->stdio[2], m->root,      m->proc,	  m->covers,
	};

	memcpy(kept + 10, m->devices, sizeof(m->devices));
	close_except(kept, sizeof(kept) / sizeof(*kept));
}

/* A tool's staging directory is a mount, and a list of mounts would show its host path. So the
 * program's root stays in the namespace that was set up, while its own namespace has no mount that
 * can be reached from there: its list is empty. Pid 1, which stays in the first namespace, leaves
 * that root. Package code needs the list; mounts.c keeps the tree's path out of it. */
static int hide_mounts(pid_t program, int root)
{
	return program == 0 ? (fchdir(root) < 0 ? -1 : chroot(".")) : chroot("/run");
}

/* Pid 1 of the jail: reaps, and exits with the program's status; the kernel kills the rest. */
static _Noreturn void reap(pid_t program)
{
	pid_t pid;
	int status;

	close_range(0, ~0U, 0);
	if (privileges_renounce() < 0)
		_exit(126);
	while ((pid = RETRY_ON_EINTR(wait(&status))) > 0)
		if (pid == program)
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	_exit(126);
}

/* The file outside of the jail that the program may open, or -1. */
static int file_of(const struct jail_spec *spec)
{
	return spec->worker ? spec->program : spec->file > 0 ? spec->file : -1;
}

/* The program gets a mount namespace other than pid 1's, by which ischroot(1) recognizes a chroot.
 * Otherwise libc6 would take the jail for a running system, restart its init and wait a second for
 * it. */
static pid_t start_program(const struct jail_spec *spec, struct error **err)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	pid_t program = (pid_t)syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, NULL);

	if (program < 0 || (spec->kind == JAIL_TOOL && hide_mounts(program, root) < 0))
		return error_errno(err, ERR_SYSTEM, "cannot start the jail's program");
	return program;
}

_Noreturn void jail_finish(const struct jail_spec *spec, const struct jail_mounts *mounts,
			   int report)
{
	const enum privilege_set set = spec->kind == JAIL_TREE	 ? PRIVILEGES_JAIL
				       : spec->kind == JAIL_TOOL ? PRIVILEGES_TOOL
								 : spec->set;
	_cleanup_error_ struct error *err = NULL;
	pid_t program = -1;

	close_outside(spec, mounts, report);
	if (spec->kind != JAIL_WORK)
		loopback_up();
	if (sethostname(HOST_NAME, strlen(HOST_NAME)) < 0)
		error_errno(&err, ERR_SYSTEM, "cannot set the jail's host name");
	else if (mounts->root < 0 || mounts_fill(mounts, &err) == 0)
		program = start_program(spec, &err);
	if (program < 0 || landlock_drop_privileges(set, file_of(spec), &err) < 0) {
		note_result(report, err, 0);
		_exit(126);
	}
	close(report);
	if (program == 0)
		jail_run_program(spec);
	reap(program);
}
