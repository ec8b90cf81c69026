#include "helper/jailer/jail_program.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include "helper/jailer/jail_command.h"
#include "helper/jailer/worker_start.h"
#include "lib/cleanup.h"
#include "proto/validate.h"

/* The complete environment: nothing comes from the caller. container=lxc keeps debootstrap from
 * creating device nodes and mounts, which no user namespace can. */
static char *environment[] = {
	(char *)(uintptr_t) "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	(char *)(uintptr_t) "HOME=/root",
	(char *)(uintptr_t) "USER=root",
	(char *)(uintptr_t) "LOGNAME=root",
	(char *)(uintptr_t) "LANG=C.UTF-8",
	(char *)(uintptr_t) "TERM=xterm",
	(char *)(uintptr_t) "DEBIAN_FRONTEND=noninteractive",
	(char *)(uintptr_t) "DEBCONF_NONINTERACTIVE_SEEN=true",
	(char *)(uintptr_t) "container=lxc",
	NULL,
};

/* Looks USER up in the tree's own files. The name service switch would load the tree's libraries
 * into this process. Formats: passwd(5), group(5). */
static int become_user(const char *user)
{
	_cleanup_fclose_ FILE *passwords = fopen("/etc/passwd", "re");
	_cleanup_fclose_ FILE *file = fopen("/etc/group", "re");
	gid_t groups[GROUPS_MAX];
	struct passwd *entry = NULL;
	struct group *group;
	size_t count = 0;

	while (passwords && (entry = fgetpwent(passwords)))
		if (strcmp(entry->pw_name, user) == 0)
			break;
	if (passwords && !entry && ferror(passwords)) {
		dprintf(2, "rootlet: cannot read /etc/passwd of the rootfs: %s\n", strerror(errno));
		return -1;
	}
	if (!passwords || !entry) {
		dprintf(2, "rootlet: the rootfs has no user %s\n", user);
		return -1;
	}
	while (file && count < GROUPS_MAX && (group = fgetgrent(file)))
		for (char **member = group->gr_mem; *member; member++)
			if (strcmp(*member, user) == 0 && count < GROUPS_MAX)
				groups[count++] = group->gr_gid;
	if (file && ferror(file)) {
		dprintf(2, "rootlet: cannot read /etc/group of the rootfs: %s\n", strerror(errno));
		return -1;
	}
	setenv("HOME", entry->pw_dir, 1);
	setenv("SHELL", *entry->pw_shell ? entry->pw_shell : "/bin/sh", 1);
	setenv("USER", user, 1);
	setenv("LOGNAME", user, 1);
	if (setgroups(count, groups) < 0 ||
	    setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) < 0 ||
	    setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) < 0)
		return -1;
	return 0;
}

static int take_stdio(const struct jail_spec *spec)
{
	_cleanup_close_ int null = -1;

	for (int i = 0; i < 3; i++) {
		if (spec->stdio[i] < 0 && null < 0)
			null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (dup2(spec->stdio[i] >= 0 ? spec->stdio[i] : null, i) < 0)
			return -1;
	}
	return 0;
}

/* https://reproducible-builds.org/specs/source-date-epoch: programs use it as the current time. The
 * seeds make Python and Perl write sets and hashes in the same order each time. */
static void set_epoch(uint32_t epoch)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", epoch);
	setenv("SOURCE_DATE_EPOCH", text, 1);
	setenv("PYTHONHASHSEED", "0", 1);
	setenv("PERL_HASH_SEED", "0", 1);
}

_Noreturn void jail_run_program(const struct jail_spec *spec)
{
	struct jail_command command = { 0 };

	setsid();
	environ = environment;
	if (spec->epoch)
		set_epoch(spec->epoch);
	if (take_stdio(spec) < 0)
		_exit(126);
	if (spec->terminal)
		ioctl(0, TIOCSCTTY, 0);
	if (spec->worker)
		worker_start(spec->program, spec->worker, spec->socket);
	if (spec->file > 0 && dup2(spec->file, 3) < 0)
		_exit(126);
	close_range(spec->file > 0 ? 4 : 3, ~0U, 0);
	signal(SIGPIPE, SIG_DFL);
	if (spec->user && strcmp(spec->user, "root") != 0 && become_user(spec->user) < 0)
		_exit(126);
	if (jail_command_make(&command, spec) < 0)
		_exit(1);
	execvp(command.argv[0], (char *const *)(uintptr_t)command.argv);
	dprintf(2, "rootlet: cannot run %s: %s\n", command.argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}
